"""A search as reports see it: its search.json, which `python -m sweeps` writes (docs/howto/search.md says of what)."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pgbench.errors import UserError
from pgbench.runs.find import Directories, roots
from reports import text
from reports.naming import algorithm_name
from reports.statistics import Array, Interval

TABLE, JOURNAL = "search.json", "journal.log"
TRIALS, CONFIRMATION = "trials", "confirmation"
OBJECTIVES = {
    "final_return": "return at the end",
    "area": "mean return along training",
    "steps_to_threshold": "steps to threshold",
}


@dataclass(frozen=True)
class Dimension:
    """One searched key: where a value lies on its axis, and how the axis is labelled."""

    key: str
    kind: str
    low: float
    high: float
    log: bool
    choices: tuple[Any, ...]

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    def at(self, value: Any) -> float:
        """A value's coordinate: the number itself, or the place of a choice."""
        return float(self.choices.index(value)) if self.kind == "choice" else float(value)

    def share(self, value: Any) -> float:
        """A value's place within the dimension, 0 to 1, in its logarithm where that is searched."""
        if self.kind == "choice":
            return (self.at(value) + 0.5) / len(self.choices)
        low, high, x = (math.log(v) if self.log else v for v in (self.low, self.high, float(value)))
        return (x - low) / (high - low)

    @property
    def labels(self) -> list[str]:
        return [_shown(choice) for choice in self.choices]


@dataclass(frozen=True)
class Study:
    """One study of search.json."""

    name: str
    algorithm: str
    space: tuple[Dimension, ...]
    told: Mapping[str, Any]

    @property
    def objective(self) -> str:
        """What a value is, for an axis."""
        scale = " (normalised)" if self.told["tasks"] else ""
        whose = " of evaluations" if self.told.get("returns") == "evaluations" else ""
        name = OBJECTIVES[self.told["objective"]]
        return f"{name}{whose}{scale}, {self.told['statistic']} of {len(self.told['seeds'])} seeds"

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.told["direction"] == "maximize" else -1

    def trials(self, *states: str) -> list[dict[str, Any]]:
        """The trials in these states, by number."""
        return [trial for trial in self.told["trials"] if trial["state"] in states]

    @property
    def confirmation(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.told["confirmation"]
        return found

    @property
    def marked(self) -> dict[str, Any] | None:
        """The trial to point at: the winner on fresh seeds, or the best in the search."""
        done = self.trials("done")
        number = self.confirmation["winner"] if self.confirmation else None
        best = [trial for trial in done if trial["number"] == number]
        best += sorted(done, key=lambda trial: -self.sign * trial["value"])[:1]
        return best[0] if best else None


def is_search(directory: Path) -> bool:
    """Whether it is the output_dir of a search, begun or over."""
    return (directory / JOURNAL).is_file() or (directory / TABLE).is_file()


def split(directories: Directories) -> tuple[list[Path], tuple[Study, ...]]:
    """The directories whose runs are drawn, and the studies of those that are searches.

    Of a search these are the runs of its confirmation, or before there are any, of its trials: tuning seeds and fresh
    ones are never pooled.
    """
    found: list[Path] = []
    studies: list[Study] = []
    for root in roots(directories):
        if is_search(root):
            studies += load(root)
            parts = [root / part for part in (CONFIRMATION, TRIALS) if (root / part).is_dir()]
            found.append(parts[0] if parts else root)
        else:
            found.append(root)
    return found, tuple(studies)


def load(directory: Path) -> list[Study]:
    """The studies of a search with at least one trial done; none before it has ended or paused. Raises UserError."""
    path = directory / TABLE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["studies"]
        studies = [_study(each) for each in told]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged ({error!r}); re-run the command of the search, which writes it anew"
        ) from None
    return [study for study in studies if study.trials("done")]


def _study(told: Mapping[str, Any]) -> Study:
    names = ("key", "kind", "low", "high", "log")
    space = tuple(
        Dimension(**{name: each[name] for name in names}, choices=tuple(each["choices"])) for each in told["space"]
    )
    return Study(told["name"], told["algorithm"], space, told)


def expected_best(values: ArrayLike, maximize: bool = True) -> Array:
    """Expected best of n trials drawn from N values with replacement, for n = 1 ... N: [N, ...] -> [..., N].

    E[max of n] = sum_i v_(i) ((i / N)^n - ((i - 1) / N)^n), v_(1) <= ... <= v_(N)  (Dodge et al. 2019, "Show Your
    Work", arXiv 1909.03004, equation 4); the least of n by the same of -v. It takes the trials for exchangeable: those
    of a sampler that learns are not, so that it says what a random search over the same trials would expect.
    """
    ordered = np.sort(np.asarray(values, float) * (1 if maximize else -1), axis=0)
    count = len(ordered)
    n, i = np.arange(1, count + 1)[:, None], np.arange(1, count + 1)[None, :]
    weights = (i / count) ** n - ((i - 1) / count) ** n
    expected: Array = np.moveaxis(ordered, 0, -1) @ weights.T
    return expected if maximize else -expected


def ends(found: Mapping[str, Any]) -> Interval:
    """An interval of search.json; NaN ends where there was one seed."""
    return Interval(*(float("nan") if found[key] is None else found[key] for key in ("low", "high")))


def shown(found: Mapping[str, Any]) -> str:
    """A number of search.json with its interval, as people read it."""
    return text.interval(found["value"], ends(found))


def labels(studies: Sequence[Study]) -> dict[str, str]:
    """The names of confirmed jobs: `NPG, trial 11`, or `NPG, defaults`. None where two searches name two jobs alike."""
    found: dict[str, str] = {}
    for study in studies:
        for row in study.confirmation["candidates"] if study.confirmation else ():
            what = "defaults" if row["trial"] is None else f"trial {row['trial']}"
            found |= dict.fromkeys(row["jobs"], f"{algorithm_name(study.algorithm)}, {what}")
    tasks = max((len(study.told["envs"]) for study in studies), default=1)
    alike = len(found) > tasks * len(set(found.values()))
    return {} if alike else found


def rows(studies: Sequence[Study]) -> list[dict[str, str]]:
    """The table of a search: a row a study."""
    return [_row(study) for study in studies]


def _row(study: Study) -> dict[str, str]:
    told, found = study.told, study.confirmation
    states = {state: len(study.trials(state)) for state in ("done", "pruned", "failed")}
    row = {
        "study": study.name,
        "sampler, pruner": f"{told['sampler']}, {told['pruner']}",
        "trials": ", ".join(f"{count} {state}" for state, count in states.items() if count),
        "steps of the search": text.steps(told["cost"]["env_steps"]),
        "hours": f"{told['cost']['seconds'] / 3600:.2g}",
    }
    if not found:
        return row
    by_trial = {each["trial"]: each["confirmed"] for each in found["candidates"]}
    return {
        **row,
        "best in the search": f"{text.number(found['searched'])} (trial {found['best']})",
        "the same on fresh seeds": shown(by_trial[found["best"]]),
        "optimism": text.number(found["optimism"]),
        "winner on fresh seeds": ("defaults" if found["winner"] is None else f"trial {found['winner']}"),
        "its value": shown(found["confirmed"]),
        "choice held out": shown(found["held_out"]) if found["held_out"] else text.NONE,
        "gain on the defaults": shown(found["gain"]) if found["gain"] else text.NONE,
    }


NOTE = (
    "Search: intervals are 95% over fresh seeds (Student's t, Welch's for gains; winsorised for IQM). Optimism: value "
    "in the search less value on fresh seeds. Choice held out: each fresh seed's score of whoever wins on the others, "
    "so that no choice has touched it; the gain is its difference from the defaults. Hours: of training processes. "
    "Final returns in a search are of a run's last record; other figures compare at equal steps, less than an "
    "iteration before."
)


def table(studies: Sequence[Study]) -> pd.DataFrame:
    """The same turned for people: a column a study."""
    found = rows(studies)
    names = list(dict.fromkeys(key for row in found for key in row if key != "study"))
    columns = {row["study"]: [row.get(name, text.NONE) for name in names] for row in found}
    return pd.DataFrame({"study": names, **columns})


def trials(studies: Sequence[Study]) -> pd.DataFrame:
    """One row per trial of each study: state, value and the searched keys."""
    return pd.DataFrame(
        [
            {"study": study.name, "trial": one["number"], "state": one["state"], "value": one["value"]}
            | {d.name: _shown(one["params"][d.key]) for d in study.space if d.key in one["params"]}
            for study in studies
            for one in study.told["trials"]
        ]
    )


def headline(studies: Sequence[Study], runs: Iterable[str]) -> str:
    """What was searched, and which runs (their directories) the other figures are of."""
    over = {study.name: sum(one["state"] != "running" for one in study.told["trials"]) for study in studies}
    counts = ", ".join(f"{count} trials of {name}" for name, count in over.items())
    confirmed = any(Path(run).parents[1].name == CONFIRMATION for run in runs)
    which = "of the best trials and the defaults on fresh seeds" if confirmed else "of the trials, on tuning seeds"
    return f"A search: {counts}. Figures and tables of runs are {which}."


def _shown(choice: Any) -> str:
    return f"{choice:g}" if isinstance(choice, float) else str(choice)
