"""What a search of n trials would have found: the expected best, with its interval (Dodge et al. 2019)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reports import style, text
from reports.figures.drawing import Drawing
from reports.figures.search_look import of_study
from reports.figures.search_slices import plain_log
from reports.search import Study, expected_best
from reports.statistics import Array, Interval, bootstrap_ci

NOTE = (
    "Line and band: expected best of n of the study's trials drawn at random (Dodge et al. 2019), with its 95% "
    "bootstrap interval over trials; a trial that was stopped early or failed counts as the worst one. Of a "
    "sampler that learns, late trials are better than early ones; the curve says what a random order of them gives. "
    "Values are those of the search, on its tuning seeds."
)


def draw(studies: Sequence[Study]) -> Drawing | None:
    """A line a study; None with fewer than three trials each."""
    shown = [study for study in studies if len(study.trials("done")) >= 3]
    if not shown:
        return None
    figure, (panel,) = style.panels(1, height=3.6, width=6)
    sentences, found = [], []
    for study in shown:
        look = of_study(study)
        curve, reach = curves(study)
        n = np.arange(1, len(curve) + 1)
        panel.plot(n, curve, color=look.color, linestyle=look.linestyle, label=study.name)
        panel.fill_between(n, reach.low, reach.high, color=look.color, alpha=0.15, lw=0)
        sentences.append(_sentence(study, curve, reach))
        found.append(
            pd.DataFrame({"study": study.name, "trials": n, "expected": curve, "low": reach.low, "high": reach.high})
        )
    panel.set(xlabel="trials", ylabel=f"expected best: {shown[0].objective}", xscale="log")
    plain_log(panel.xaxis, max(len(study.told["trials"]) for study in shown))
    panel.legend()
    return Drawing(figure, "\n".join(sentences), NOTE, pd.concat(found, ignore_index=True))


def values(study: Study) -> Array:
    """Every ended trial's value, [N]; the worst one for a trial without."""
    done = [trial["value"] for trial in study.trials("done")]
    worst = min(done) if study.sign > 0 else max(done)
    return np.array(done + [worst] * len(study.trials("pruned", "failed")))


def curves(study: Study) -> tuple[Array, Interval]:
    """The expected best after 1 ... N trials and its interval, [N]."""
    maximize = study.sign > 0
    sample = values(study)
    reach = bootstrap_ci(lambda drawn: expected_best(drawn, maximize), sample, resamples=500)
    return expected_best(sample, maximize), reach


def _sentence(study: Study, curve: Array, reach: Interval) -> str:
    """Where the curve is after a quarter and all of the trials."""
    quarter = max(1, len(curve) // 4)
    parts = [
        f"{text.interval(curve[n - 1], Interval(reach.low[n - 1], reach.high[n - 1]))} after {n}"
        for n in (quarter, len(curve))
    ]
    return f"{study.name}: the expected best is {' and '.join(parts)} trials."
