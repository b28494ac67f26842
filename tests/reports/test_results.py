"""RESULTS.md says what the compact records in results/ say."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from pgbench.composition import compose
from reports import tables
from reports.assemble import load_data
from sweeps.expand import expand, load

ROOT = Path(__file__).resolve().parents[2]


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "results" / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("study", ["mujoco", "mujoco_v4", "classic", "box2d"])
def test_the_tables_are_of_the_records(study: str) -> None:
    make = maker()
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    data = load_data([ROOT / "results" / study], published=True, evaluations=True)
    assert data.groups
    for env in data.envs:
        assert tables.markdown(pd.DataFrame([make.row(group, data) for group in data.of(env)])) in page
    beside = pd.DataFrame(list(make.compared(data)))
    assert not len(beside) or tables.markdown(beside) in page


def test_the_settings_compared_are_of_the_records() -> None:
    make = maker()
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    data = load_data([ROOT / "results" / make.SETTINGS])
    table = make.by_settings(data)
    assert tables.markdown(table) in page
    assert make.beside_sources(data) in page
    assert len(table) == 6
    assert table.shape[1] == 1 + len(data.envs) == 7
    alone = [compose([f"env={env}"]) for env in {job["env"] for job in expand(load(make.SETTINGS))}]
    brought = {one.env.id: one.hyperparameters.name for one in alone}
    for name, groups in make.files(data).items():
        for env, group in groups.items():
            assert group.hyperparameters == (brought[env] if name == make.OWN else name)


def test_the_budgets_of_tuning_are_told() -> None:
    make, page = maker(), (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert make.budget() in page
    assert make.searched() in page
    counts = {algorithm: len(tried) for algorithm, tried in make.budgets().items()}
    assert min(counts["reinforce"], counts["vpg"]) >= counts["trpo"]


def test_the_first_page_says_the_same() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    said = {env: number for number, env in re.findall(r"([\d,]+) on (\w+-v\d)", text)}
    data = load_data([ROOT / "results" / "mujoco"])
    assert len(said) == 3
    for env, number in said.items():
        (trpo,) = (group for group in data.of(env) if group.algorithm == "trpo")
        assert f"{trpo.final.mean():,.0f}" == number
        assert trpo.n == 5


@pytest.mark.parametrize(
    ("study", "sweep"),
    [
        ("mujoco", "mujoco"),
        ("mujoco_v4", "mujoco_v4"),
        ("mujoco_settings", "mujoco_settings"),
        ("classic", "classic"),
        ("box2d", "lunarlander"),
    ],
)
def test_the_records_are_of_the_settings_as_they_are(study: str, sweep: str) -> None:
    """A job is named by what decides its records, so settings that were changed since are found here."""
    jobs = expand(load(sweep))
    now = {compose([f"{key}={value}" for key, value in job.items()]).job_name for job in jobs}
    kept = {path.name for path in (ROOT / "results" / study).iterdir()}
    assert kept
    assert kept <= now
    assert kept == now or study in ("mujoco_v4", "box2d")  # TRPO alone
