"""What follows when a unit ends, case by case."""

from dataclasses import replace

import pytest

from pgbench.composition import compose
from pgbench.runs.lock import lock
from pgbench.runs.records import read_status, seed_dir, write_status
from sweeps.plan import Unit
from sweeps.state import ENDS, after, mark_pending, record_failure

ONE = Unit(compose([]), (3,))
THREE = replace(ONE, seeds=(0, 1, 2))
EACH = [replace(THREE, seeds=(seed,)) for seed in (0, 1, 2)]


@pytest.mark.parametrize(
    ("unit", "outcome", "retries", "steps", "follow"),
    [
        (THREE, {"end": "finished"}, 3, 100, []),
        (THREE, {"end": "held", "held": {1: "process 7"}}, 3, 0, [replace(THREE, seeds=(1,))]),
        (THREE, {"end": "died"}, 3, 0, [replace(THREE, deaths=1)]),
        (THREE, {"end": "stopped"}, 3, 50, [replace(THREE, deaths=1, steps=50)]),
        # a death without getting further counts, one that got further starts the count anew
        (replace(THREE, deaths=2, steps=50), {"end": "died"}, 3, 50, [replace(THREE, deaths=3, steps=50)]),
        (replace(THREE, deaths=3, steps=50), {"end": "died"}, 3, 51, [replace(THREE, deaths=1, steps=51)]),
        # then each seed by itself
        (replace(THREE, deaths=3, steps=50), {"end": "died"}, 3, 50, EACH),
        (replace(ONE, deaths=3, steps=50), {"end": "died"}, 3, 50, []),
        (ONE, {"end": "died"}, 0, 0, []),
        (ONE, {"end": "failed"}, 3, 50, []),
        (THREE, {"end": "failed", "mistake": True}, 3, 0, []),
        (THREE, {"end": "failed"}, 1, 50, EACH),
    ],
)
def test_after(unit, outcome, retries, steps, follow):
    assert after(unit, outcome, retries, steps) == follow


@pytest.mark.parametrize("end", ENDS)
def test_every_end_comes_to_an_end(end):
    """However often all units end the same way without getting further, the work is finite."""
    units, count = [THREE], 0
    while units:
        unit = units.pop()
        units += after(unit, {"end": end, "held": {}} if end != "held" else {"end": "finished"}, 3, 0)
        count += 1
    assert count <= (1 + 3) * (1 + 3)


def test_pending_is_written_once_and_never_over_another_status(tmp_path):
    unit = replace(THREE, config=replace(THREE.config, output_dir=str(tmp_path)))
    directories = [seed_dir(unit.config.job_dir, seed) for seed in unit.seeds]
    directories[0].mkdir(parents=True)
    write_status(directories[0], "running")
    with lock(directories[1]):
        mark_pending([unit])
    assert [read_status(each).get("total_steps") for each in directories] == [None, None, unit.config.total_steps]
    assert read_status(directories[0])["status"] == "running"


def test_a_failure_is_recorded_only_over_what_is_open(tmp_path):
    unit = replace(THREE, config=replace(THREE.config, output_dir=str(tmp_path)))
    directories = [seed_dir(unit.config.job_dir, seed) for seed in unit.seeds]
    for directory, status in zip(directories, ("done", "running", "failed"), strict=True):
        directory.mkdir(parents=True)
        write_status(directory, status, env_steps=7)
    record_failure(unit, unit.seeds, "its process died", "output")
    assert [read_status(each)["status"] for each in directories] == ["done", "failed", "failed"]
    assert (directories[1] / "error.txt").read_text() == "its process died\n\noutput\n"
    assert read_status(directories[1])["env_steps"] == 7
    assert [(each / "error.txt").exists() for each in directories] == [False, True, False]
