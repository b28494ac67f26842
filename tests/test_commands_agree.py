"""All commands see the same runs: through links, nested roots, one way or two, running and pending."""

from pathlib import Path

import pytest

from pgbench.api import train
from pgbench.errors import UserError
from pgbench.runs.find import find_runs
from pgbench.runs.records import write_status
from reports import load_seeds
from sweeps.publish import find_jobs
from sweeps.status import scan


def test_links_nested_roots_and_two_ways_show_each_run_once(small, tmp_path: Path) -> None:
    for algorithm in ("vpg", "npg"):
        train(small(f"algorithm={algorithm}", "seeds=2", "total_steps=200", f"output_dir={tmp_path}/deep/runs"))
    jobs = sorted((tmp_path / "deep" / "runs").iterdir())
    other = tmp_path / "other"
    other.mkdir()
    (other / "link to a job").symlink_to(jobs[0])
    (other / "link to a root").symlink_to(tmp_path / "deep")
    (other / "loop").symlink_to(other)
    (other / "itself").symlink_to(other / "itself")
    running = jobs[1] / "seed-1"
    write_status(running, "running", env_steps=100, total_steps=200)
    expected = [job / f"seed-{seed}" for job in jobs for seed in (0, 1)]
    for roots in ([tmp_path], [other], [tmp_path / "deep", other], [jobs[0], tmp_path]):
        assert find_runs(roots) == expected
        assert sorted(map(Path, load_seeds(roots)["directory"])) == expected
        found = [Path(job["directory"]) / f"seed-{seed}" for job in find_jobs(roots, {}) for seed in job["seeds"]]
        assert sorted(found) == expected
    for root in (tmp_path, other, tmp_path / "deep"):
        assert [run.directory for run in scan(root)] == expected
        assert [run.state for run in scan(root)] == ["done", "done", "done", "stopped"]


def test_where_there_are_none_it_is_said(tmp_path: Path) -> None:
    for look in (find_runs, load_seeds, scan, lambda path: find_jobs([path], {})):
        with pytest.raises(UserError, match="no runs below it"):
            look(tmp_path)
        with pytest.raises(UserError, match="no such directory"):
            look(tmp_path / "nowhere")
