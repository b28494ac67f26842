"""RESULTS.md says what the compact records in results/ say."""

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest

from pgbench.composition import compose
from reports import tables
from reports.assemble import load_data
from sweeps.expand import expand, load

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("study", ["mujoco", "mujoco_v4", "classic", "box2d"])
def test_the_tables_are_of_the_records(study: str) -> None:
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "results" / "make.py")
    assert spec
    assert spec.loader
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    page = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    data = load_data([ROOT / "results" / study], published=True, evaluations=True)
    assert data.groups
    for env in data.envs:
        assert tables.markdown(pd.DataFrame([make.row(group, data) for group in data.of(env)])) in page
    beside = pd.DataFrame(list(make.compared(data)))
    assert not len(beside) or tables.markdown(beside) in page


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
    [("mujoco", "mujoco"), ("mujoco_v4", "mujoco_v4"), ("classic", "classic"), ("box2d", "lunarlander")],
)
def test_the_records_are_of_the_settings_as_they_are(study: str, sweep: str) -> None:
    """A job is named by what decides its records, so settings that were changed since are found here."""
    jobs = expand(load(sweep))
    now = {compose([f"{key}={value}" for key, value in job.items()]).job_name for job in jobs}
    kept = {path.name for path in (ROOT / "results" / study).iterdir()}
    assert kept
    assert kept <= now
    assert kept == now or study in ("mujoco_v4", "box2d")  # TRPO alone
