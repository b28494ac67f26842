"""Random search against TPE against a grid at equal budget on one task, repeated with other seeds.

`python tests/sweeps/samplers.py OUT [repeats]` runs ordinary searches into OUT (re-run it to resume), and draws
OUT/samplers.png: the best value so far, and what the best trial scores on fresh seeds.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from reports.statistics import mean_interval  # noqa: E402

SAMPLERS = {"random": "#009E73", "tpe": "#0072B2", "grid": "#D55E00"}
SEARCH = """
description: NPG on CartPole-v1, {sampler}, repeat {repeat}
env: cartpole
algorithm: npg
total_steps: 20000
search:
  space:
    hyperparameters.delta: tag(log, interval(0.0005, 0.1))
    hyperparameters.critic_steps: tag(log, int(interval(5, 40)))
    hyperparameters.gae_lambda: interval(0.9, 1.0)
  trials: 27
  seeds: {tuning}
  sampler: {sampler}
  seed: {repeat}
  confirm: {{best: 1, seeds: {fresh}}}
"""


def run(out: Path, sampler: str, repeat: int) -> dict:
    """One search's only study, as search.json has it."""
    tuning = [1000 + 10 * repeat + i for i in range(1)]
    fresh = [2000 + 10 * repeat + i for i in range(5)]
    path = out / f"{sampler}-{repeat}.yaml"
    path.write_text(SEARCH.format(sampler=sampler, repeat=repeat, tuning=tuning, fresh=fresh))
    directory = path.with_suffix("")
    command = [sys.executable, "-m", "sweeps", f"sweep={path}", f"output_dir={directory}", "n_jobs=2"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    study: dict = json.loads((directory / "search.json").read_text())["studies"][0]
    return study


def mean_and_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over repeats [R, ...] with its 95% interval."""
    return values.mean(axis=0), *mean_interval(values)


def main(out: Path, repeats: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    studies: dict[str, list[dict]] = {sampler: [] for sampler in SAMPLERS}
    for repeat in range(repeats):
        for sampler in SAMPLERS:
            studies[sampler].append(run(out, sampler, repeat))
            print(f"repeat {repeat}, {sampler}: done", flush=True)
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    for place, (sampler, color) in enumerate(SAMPLERS.items()):
        values = [[trial["value"] for trial in study["trials"]] for study in studies[sampler]]
        best = np.maximum.accumulate(np.array(values, float), axis=1)
        mean, low, high = mean_and_interval(best)
        left.plot(np.arange(1, best.shape[1] + 1), mean, color=color, label=sampler)
        left.fill_between(np.arange(1, best.shape[1] + 1), low, high, color=color, alpha=0.15, lw=0)
        told = [study["confirmation"] for study in studies[sampler]]
        confirmed = np.array([each["candidates"][0]["confirmed"]["value"] for each in told])
        searched = np.array([each["searched"] for each in told])
        right.scatter(np.full(repeats, place) + np.linspace(-0.15, 0.15, repeats), confirmed, s=14, color=color)
        centre, below, above = mean_and_interval(confirmed)
        right.errorbar(
            [place], [centre], [[centre - below], [above - centre]], color="black", fmt="s", ms=4, mfc="white"
        )
        ends, found = mean_and_interval(best[:, -1]), mean_and_interval(searched - confirmed)
        print(
            f"{sampler}: best of {best.shape[1]} trials {ends[0]:.1f} [{ends[1]:.1f}, {ends[2]:.1f}], on fresh seeds "
            f"{centre:.1f} [{below:.1f}, {above:.1f}], optimism {found[0]:+.1f} [{found[1]:+.1f}, {found[2]:+.1f}]; "
            f"defaults {np.mean([each['candidates'][-1]['confirmed']['value'] for each in told]):.1f}"
        )
    left.set(xlabel="trials", ylabel="best value so far (return, one tuning seed)", title="in the search")
    left.legend(frameon=False)
    right.set(xticks=range(len(SAMPLERS)), xticklabels=list(SAMPLERS), title="best trial on 5 fresh seeds")
    right.set_ylabel("return")
    figure.suptitle(
        f"NPG, CartPole-v1, 20,000 steps, 27 trials, {repeats} repeats; 95% intervals (Student's t)", fontsize=10
    )
    figure.savefig(out / "samplers.png", dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
