"""Writes RESULTS.md and results/figures from the compact records beside it: `python results/make.py`.

Every number below the introduction is read from the records or from reports/published.csv; those in it are of runs on
tuning seeds, or older than the records.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pgbench.config import CONF
from reports import naming, search, style, tables, text
from reports.assemble import load_data
from reports.data import Data, Group
from reports.figures import FIGURES
from reports.figures.drawing import Drawing
from reports.page import save
from reports.published import COMPARABLE, EVALUATED, Published
from reports.statistics import Array, mean
from sweeps.expand import expand, load
from sweeps.plan import resolve

HERE = Path(__file__).resolve().parent
STUDIES = {
    "mujoco": (
        "MuJoCo, 1M environment steps",
        "`python -m sweeps sweep=mujoco`. The first figure lays published training returns over ours, the one below "
        "the tables published evaluations over our evaluations; a mark says on which version of the task it was "
        "measured.",
    ),
    "mujoco_v4": (
        "MuJoCo's older versions, 1M environment steps",
        "From `python -m sweeps sweep=mujoco_v4 algorithm=trpo seeds=3`: tasks that v5 changed, on v4, nearer to what "
        "was published.",
    ),
    "classic": ("Classic control, 200,000 environment steps", "`python -m sweeps sweep=classic`."),
    "mujoco_settings": (
        "Our settings and published ones, MuJoCo, 500,000 environment steps",
        "From `python -m sweeps sweep=mujoco_settings`: TRPO by the settings that each task brings, by "
        "`hyperparameters=mujoco` alone, and by those of published sources, in our code and by our protocol: mean "
        "training returns of three seeds with their 95% intervals, most too wide to tell two files apart on one "
        "task. The sources chose theirs for 1M steps or more.",
    ),
    "box2d": ("LunarLander-v3, 1M environment steps", "`python -m sweeps sweep=lunarlander algorithm=trpo seeds=3`."),
}
"""Folders of compact records, their titles, and how they were made."""
SETTINGS = "mujoco_settings"
SEARCH = "mujoco_search"
"""The folder of search.json, of `sweep=tune_mujoco_search`."""
OWN = "the task's own"
INTRODUCTION = """\
# Results

What the four algorithms reach with the settings that `env=` brings. Made by `python results/make.py` from the records
in `results/`, which `load_runs("results/mujoco")` reads.

**Protocol.** Seeds 0, 1, ...; none left out. Settings were chosen on seeds from 100 on: MuJoCo's nearly all at half the
steps (`sweep=tune_mujoco`), the classic tasks' at all of them. *Training return*: mean undiscounted return of the last
100 finished training episodes, actions drawn, at the last record within the steps. *Evaluation*: 10 episodes of the
policy as it stands, the normaliser frozen; by its mode along the way and at the end, drawing its actions at the end
alone (`python -m pgbench.evaluate --stochastic`). *Best*: each seed's highest training return among the hundred points
kept of its curve; others publish such a number, and it is not for comparing algorithms. *Average*: the mean training
return over the run, the area under its curve over its length. Mean over seeds with its 95% interval (Student's t),
which ends where returns do; at three seeds it is wide and rests on their being spread like a normal distribution.

**What to know.** On Walker2d NPG and TRPO have the same numbers: TRPO's line search shortened no step there, so the two
did the same; on Swimmer and Reacher they differ by less than a line's width. VPG's policies of InvertedDoublePendulum
balance it by their mode and fall with drawn actions: their noise is still large.

**How MuJoCo's settings were chosen.** On tuning seeds (100 to 102), nearly all at half the steps, these were tried; a
number is a mean training return there if nothing else is said.

- Step sizes with REINFORCE, VPG and TRPO on each task. NPG takes TRPO's.
- Noise (`log_std_init`) with each of the three on HalfCheetah, Hopper, Walker2d and Swimmer, with TRPO on Reacher; the
  horizon (`gamma`, `gae_lambda`) with TRPO and VPG on Hopper and Walker2d, with REINFORCE on Hopper; lambda with TRPO
  and VPG on Swimmer; gamma with both on Reacher; unscaled rewards with both on Hopper and Walker2d.
- With TRPO alone activation and critic on HalfCheetah, Hopper and Walker2d, a constant schedule on Hopper, a constant
  delta (`delta_schedule`) on all three. On Reacher critic and schedules with TRPO and VPG.
- A task has one file of settings for all four, in which TRPO's runs decided the keys that they share, but for what the
  search below found. By the runs before it, the others would choose otherwise: VPG scaled rewards on Hopper (2,682
  instead of 2,593), less noise on Walker2d (`log_std_init=-1`: 1,354 instead of 903) and lambda 0.95 on Swimmer (348
  instead of 346); REINFORCE more noise on Hopper (`log_std_init=0`: 751 instead of 414) and less on Swimmer (101
  instead of 64). Three seeds seldom tell such differences from chance, and nothing was made of them. REINFORCE's on
  Hopper was tried on seeds 103 to 105 as well, 602 instead of 530, after its runs shown here.
- On Reacher TRPO returns -4.33 with what `mujoco` has, -4.27 with a critic of 320 batches of 128 instead of 160 of 256,
  -4.04 if delta stays as it is, too, and -3.78 if gamma is 0.98 as well, which was kept; `sb3_zoo_mujoco` returns
  -4.08. The learning rates fall to zero all the same: with constant ones, of 0.01, VPG returns -39.3 at 1M steps.
- At 1M steps a constant delta returns 4,039 on Walker2d, 3,210 on Hopper and 5,130 on HalfCheetah instead of 4,226,
  3,326 and 5,143.
- What did not help was not made an option. On Walker2d with gamma 0.995 and lambda 0.97 TRPO returns 2,287; with an
  output gain of the policy of 1 instead of 0.01 2,144, with normalised numbers clipped at 5 instead of 10 1,999, with
  log standard deviations kept above -0.75 2,265.
- Settings were chosen again after first runs on the seeds shown here: TRPO's on Swimmer after 210, on HalfCheetah after
  4,111, on Hopper twice, after 2,401 and 3,176, on Walker2d twice, after 3,182 and 2,921, on InvertedDoublePendulum
  twice, after 7,249 and 7,122, on Reacher twice, after -4.21 and -4.06; step sizes of REINFORCE and VPG on Swimmer,
  Hopper and Walker2d. Each time the tuning seeds decided, except once: constant steps on Reacher, which they had
  favoured at half the steps with TRPO, were taken back when the seeds shown here returned -4.06 with TRPO, -39.6 with
  VPG and -90.2 with REINFORCE; tuning seeds then said the same of VPG.
- At 1M steps, on Walker2d, tuning seeds return 2,029 with gamma 0.99, 3,682 with 0.995 and lambda 0.97, 4,226 with
  lambda 0.95, which was kept, and from there 3,334 with lambda 0.9, 3,656 with delta 0.03, 3,762 with four environments
  of 512 steps; on Hopper 3,163 with scaled rewards and 3,326 with unscaled ones.
- A search went on from there for VPG and REINFORCE (`sweep=tune_mujoco_search`): 16 trials each on four tasks, half the
  steps, seeds 100 and 101, the worse ones stopped at a third of these; then the best one and the task's settings on
  seeds 103 to 105. The table below has its outcome, at each run's last record. A trial was kept, for that algorithm
  alone, if it returned more on the tuning seeds and on the fresh ones, there with the choice between the two held out:
  VPG's and REINFORCE's on Reacher, REINFORCE's on Walker2d. With REINFORCE on HalfCheetah the gain so estimated is
  -34.0; with VPG on Hopper the task's settings return 2,593 on seeds 100 to 102, the best trial 2,231 on two of them.
  REINFORCE's gain on Walker2d has an interval from -203 to 502, so it may be chance.
- The step sizes of those three trials do not shrink, which was looked at again at 1M steps, on seeds 103 to 105. VPG
  returns -4.39 on Reacher and REINFORCE 728 on Walker2d, so theirs stay so. REINFORCE returns -15.4 on Reacher, and
  -9.29 if they shrink, which was kept. All three had been run before on the seeds shown here, with the task's settings:
  VPG had returned -4.67 and REINFORCE -21.6 on Reacher, REINFORCE 346 on Walker2d. With VPG what half the steps gained
  is gone at the end.
"""


def main() -> None:
    """The page."""
    parts = [INTRODUCTION + budget(), searched()]
    for name, (title, how) in STUDIES.items():
        if (HERE / name).is_dir():
            parts += compared_settings(name, title, how) if name == SETTINGS else study(name, title, how)
    parts += policies()
    (HERE.parent / "RESULTS.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def budget() -> str:
    """What each algorithm was tried with, by hand and by search."""
    counts = sorted(((len(tried), name) for name, tried in budgets().items()), reverse=True)
    listed = ", ".join(f"{naming.algorithm_name(name)} {count}" for count, name in counts)
    return (
        "- Different settings tried by `sweep=tune_mujoco` and `sweep=tune_mujoco_search`, over all tasks: "
        f"{listed}. NPG takes TRPO's, since its step is TRPO's without the line search.\n"
    )


def budgets() -> dict[str, set[str]]:
    """The jobs that each algorithm was tried with; a job is named by what decides its records."""
    tried: dict[str, set[str]] = defaultdict(set)
    for config in resolve({**job, "total_steps": 1_000_000, "seeds": 1} for job in expand(load("tune_mujoco"))):
        tried[config.algorithm.name].add(config.job_name)
    for each in search.load(HERE / SEARCH):
        tried[each.algorithm] |= {job for trial in each.trials("done", "pruned") for job in trial["jobs"]}
    return tried


def searched() -> str:
    """The search's studies: what was tried, the best of it, and the two on fresh seeds once there are any."""
    return "\n" + tables.markdown(pd.DataFrame([_searched(each) for each in search.load(HERE / SEARCH)])) + "\n"


def _searched(study: search.Study) -> dict[str, str]:
    found = study.confirmation["candidates"] if study.confirmation else ()
    fresh = {"the task's settings" if each["trial"] is None else "the best": each["confirmed"] for each in found}
    return {
        "study": study.name,
        **{state: str(len(study.trials(state))) for state in ("done", "pruned")},
        "best value": text.number(max(trial["value"] for trial in study.trials("done"))),
        **{f"{who} on fresh seeds": search.shown(value) for who, value in fresh.items()},
    }


def study(name: str, title: str, how: str) -> list[str]:
    """A folder's part of the page."""
    data = load_data([HERE / name], published=True, evaluations=True)
    parts = [f"\n## {title}\n", how, "", *figure(data, name, "learning_curves")]
    for env in data.envs:
        parts += [f"\n### {env}\n", tables.markdown(pd.DataFrame([row(group, data) for group in data.of(env)]))]
    beside = pd.DataFrame(list(compared(data)))
    if len(beside):
        parts += ["\n### Beside published numbers\n", plainly(beside), "", tables.markdown(beside)]
    parts += ["", *figure(data, name, "evaluation")]
    if len({group.algorithm for group in data.groups}) > 1:
        parts += figure(data, name, "aggregate_scores")
    return [*parts, "", *settings(data), "", machine(data)]


def compared_settings(name: str, title: str, how: str) -> list[str]:
    """The part of the page that compares settings: training returns, a line for each file of settings."""
    data = load_data([HERE / name])
    table = by_settings(data)
    return [
        f"\n## {title}\n",
        how,
        "",
        beside_sources(data),
        "",
        tables.markdown(table),
        "",
        *settings(data),
        "",
        machine(data),
    ]


def by_settings(data: Data) -> pd.DataFrame:
    """Final training returns, a line for the tasks' own settings and each file that more than one task ran."""
    lines = [
        {"": name, **{env: shown(group.final, group) for env, group in groups.items()}}
        for name, groups in files(data).items()
    ]
    return pd.DataFrame(lines)


def files(data: Data) -> dict[str, dict[str, Group]]:
    """The groups of each task by settings: first the task's own, then every file that more than one task ran."""
    found: dict[str, dict[str, Group]] = {OWN: {}}
    for group in data.groups:
        found.setdefault(group.hyperparameters, {})[group.env] = group
    for name in [name for name, groups in found.items() if len(groups) == 1]:
        found[OWN] |= found.pop(name)
    return found


def beside_sources(data: Data) -> str:
    """On how many tasks our settings return more than those of each source, and where not."""
    found = files(data)
    lines = []
    for ours in (OWN, "mujoco"):
        beside = []
        for name in [name for name in found if name not in (OWN, "mujoco")]:
            less = [env for env, group in found[name].items() if mean(found[ours][env].final) < mean(group.final)]
            kept = len(data.envs) - len(less)
            beside.append(f"`{name}` on {kept}{f' (not {text.listed(less, len(less))})' if less else ''}")
        whose = "each task's own settings" if ours == OWN else "those of `mujoco` alone"
        lines.append(f"With {whose} TRPO returns more than with {', '.join(beside)} of {len(data.envs)} tasks.")
    return " ".join(lines)


def figure(data: Data, study: str, name: str) -> Iterable[str]:
    """A figure's file and its place on the page, with what it says; nothing where the data have none."""
    with style.applied(style.LOOKS["paper"]):
        drawn = FIGURES[name](data)
        if drawn is None:
            return
        drawing = Drawing(*drawn)
        style.footnote(drawing.figure, drawing.note)
        save(drawing, HERE / "figures", f"{study}_{name}", "")
    for kind in ("pdf", "svg"):
        (HERE / "figures" / f"{study}_{name}.{kind}").unlink()
    yield f"![{name.replace('_', ' ')}](results/figures/{study}_{name}.png)\n"


def row(group: Group, data: Data) -> dict[str, str]:
    """An algorithm's line in a task's table."""
    return {
        "": naming.algorithm_name(group.algorithm),
        "n": group.note.removeprefix("n = "),
        "training return": shown(group.final, group),
        "best": shown(group.best, group),
        "average": shown(group.average, group),
        "evaluation, mode": shown(evaluated(group, data, True), group),
        "evaluation, drawn": shown(evaluated(group, data, False), group),
    }


def shown(values: Array, group: Group) -> str:
    """A mean with its interval, which ends where returns do."""
    return text.interval(mean(values), group.interval(values)) if len(values) else text.NONE


def evaluated(group: Group, data: Data, deterministic: bool) -> Array:
    """Each seed's mean return over the episodes of its last evaluation of this kind, [S]."""
    table = data.evaluations
    if table is None or not len(table):
        return np.zeros(0)
    mine = table[(table["job"] == group.job) & (table["deterministic"] == int(deterministic))]
    mine = mine[mine["env_steps"] >= 0.99 * group.end]
    return mine.groupby("seed")["return"].mean().to_numpy(float)


def compared(data: Data) -> Iterable[dict[str, str]]:
    """A line for every published number, beside ours of the same kind at the same steps."""
    for one in data.published:
        for group in data.of(one.env):
            ours = of_kind(one, group, data)
            if group.algorithm == one.algorithm and len(ours) and abs(one.env_steps - group.end) < 0.02 * group.end:
                side = "below" if mean(ours) < one.mean else "above"
                ends = group.interval(ours)
                yield {
                    "task": group.env,
                    "algorithm": naming.algorithm_name(group.algorithm),
                    "source": one.source,
                    "what": one.protocol,
                    "published": f"{one.mean:g} ± {one.spread:g} ({one.spread_kind}, n = {one.seeds})",
                    "ours": shown(ours, group),
                    "we are": f"{side}, theirs in our interval" if ends.low <= one.mean <= ends.high else side,
                }


def of_kind(one: Published, group: Group, data: Data) -> Array:
    """Our numbers that measure what the published one measures."""
    if one.protocol in COMPARABLE:
        return np.asarray(group.final)
    assert one.protocol in EVALUATED
    return evaluated(group, data, deterministic="stochastic" not in one.protocol)


def plainly(beside: pd.DataFrame) -> str:
    """How often we are above, and where we are below."""
    side = beside["we are"]
    below = beside[side.str.startswith("below")]
    counted = (
        f"The mean of ours is above {len(beside) - len(below)} of {len(beside)} published ones, of which "
        f"{sum(side == 'above')} are outside our 95% interval, which knows nothing of their own spread."
    )
    places = "; ".join(f"{one.task} {one.algorithm} ({one.source})" for one in below.itertuples())
    return f"{counted} It is **below** in: {places}." if len(below) else counted


def settings(data: Data) -> Iterable[str]:
    """The files of the settings, each with what it changes of the one that it is built on."""
    yield "Settings, in `conf/hyperparameters/`:\n"
    for name in sorted({group.hyperparameters for group in data.groups}):
        base, changed = changes(name)
        yield f"- `{name}`" + (f": `{base}` with {changed}" if base else "")
        for algorithm in sorted({group.algorithm for group in data.groups if group.hyperparameters == name}):
            if (CONF / "hyperparameters" / name / f"{algorithm}.yaml").exists():
                own = f"{name}/{algorithm}"
                yield f"- `{own}`, which {naming.algorithm_name(algorithm)} takes: `{name}` with {changes(own)[1]}"


def changes(name: str) -> tuple[str, str]:
    """The settings that a file is built on, if any, and what it changes of them."""
    values = yaml.safe_load((CONF / "hyperparameters" / f"{name}.yaml").read_text(encoding="utf-8"))
    base = values.pop("defaults", [""])[0]
    return base, ", ".join(f"{key} {value}" for key, value in values.items() if key != "name")


def machine(data: Data) -> str:
    """Where and with what the runs were made."""
    made = [one for writers in data.seeds["provenance"] for one in writers]
    commits = sorted({str(one["git_commit"])[:10] + " with changes" * bool(one["git_dirty"]) for one in made})
    first = made[0]
    libraries = ", ".join(f"{name} {version}" for name, version in first["libraries"].items())
    return (
        f"Made on {first['cpu']}, {first['cores']} cores, one thread a process, other work beside; Python "
        f"{first['python']}, {libraries}; pgbench at {', '.join(commits)}."
    )


def policies() -> list[str]:
    """The policies that were kept."""
    files = sorted((HERE / "policies").glob("*.pt"))
    if not files:
        return []
    listed = [f"- `{file.name}`" for file in files]
    rule = (
        "One a task and algorithm: of the seeds, the one whose last evaluation by its mode has the highest mean. "
        "`python -m pgbench.play results/policies/FILE` shows it, `python -m pgbench.evaluate` takes runs."
    )
    return ["\n## Policies\n", rule, "", *listed]


if __name__ == "__main__":
    main()
