"""Whatever happens to a run, the others complete, and the failure is told: real processes, real signals."""

import io
import re
from concurrent.futures import Future

import pytest
from rich.console import Console

from pgbench.runs.records import seed_dir, write_status
from sweeps.driver import Stop, drive
from sweeps.options import Options
from sweeps.plan import Unit
from sweeps.progress import Progress

# fault -> what its status, console line and error.txt say
FAILURES = {
    "exception": "ValueError: a fault",
    "not_picklable": "NotPicklable: holds a lock",
    "system_exit": "SystemExit: 3",
    "keyboard_interrupt": "KeyboardInterrupt",
    "user_error": "env.id: no such environment",
    "disk_full": "No space left on device",
    "exit": "its process exited with status 3",
    "kill": "its process was killed by SIGKILL",
    "segfault": "its process was killed by SIGSEGV",
    "hang": "no new iteration within 0.5 seconds",
}


def test_every_fault_is_told_and_hurts_no_other(sweep):
    bad = {name: sweep.job(fault=name, deadline_seconds=0.5 if name == "hang" else None) for name in FAILURES}
    good = [sweep.job(seeds=3), sweep.job(seeds=2, total_steps=200)]
    assert sweep.run(good[0], *bad.values(), good[1], n_jobs=4, retries=1) == len(bad)
    assert [sweep.statuses(job) for job in good] == [["done"] * 3, ["done"] * 2]
    for name, job in bad.items():
        assert sweep.statuses(job) == ["failed"], name
        assert FAILURES[name] in sweep.read(job, "status.json")
        assert FAILURES[name] in sweep.read(job, "error.txt")
        line = re.search(rf"failed: {job.job_name}/seed-0: .*{re.escape(FAILURES[name])}.*error.txt", sweep.text)
        assert line, (name, sweep.text)
    for name in ("exception", "segfault", "hang"):  # where in the code it was
        assert "fake_job.py" in sweep.read(bad[name], "error.txt")


@pytest.mark.parametrize("fault", ["kill", "exception"])
def test_a_bad_seed_costs_no_other_in_lockstep(sweep, fault):
    job = sweep.job(seeds=3, fault=fault, seed=1)
    assert sweep.run(job, size=3, retries=0) == 1
    assert sweep.statuses(job) == ["done", "failed", "done"]


@pytest.mark.parametrize(("fault", "starts"), [("kill", 3), ("terminate", 2)])  # terminated, it gets past the fault
def test_a_lost_process_goes_on_from_its_checkpoint(sweep, fault, starts):
    job = sweep.job(seeds=2, fault=fault, times=2, seed=1)
    assert sweep.run(job, size=2, retries=3) == 0
    assert sweep.statuses(job) == ["done", "done"]
    assert len(sweep.read(job, "starts").split()) == starts
    assert "goes on from its checkpoint" in sweep.text


def test_the_last_unit_is_spread_over_idle_processes(sweep, monkeypatch):
    monkeypatch.setattr("sweeps.driver.WORTH", 0.5)
    job, short = sweep.job(seeds=5, total_steps=3000), sweep.job(total_steps=10, other=1)
    assert sweep.run(job, short, size=5) == 0
    assert sweep.statuses(job) == ["done"] * 5
    assert re.search(rf"spread: {job.job_name} seeds 0,1,2,3,4: over 2 processes", sweep.text)
    assert "again: " not in sweep.text
    first, second, *_ = zip(*(sweep.read(job, "starts", seed).split() for seed in job.seed_list), strict=False)
    assert len(set(first)) == 1
    assert len(set(second)) == 2  # the process that was asked to end is kept, too
    assert set(first) < set(second)


@pytest.mark.parametrize(("worth", "options"), [(1000, {}), (0, {"seeds_per_process": 4})])
def test_a_unit_is_not_spread_for_little_nor_where_its_size_was_chosen(sweep, monkeypatch, worth, options):
    monkeypatch.setattr("sweeps.driver.WORTH", worth)
    assert sweep.run(sweep.job(seeds=4, total_steps=1000), size=4, **options) == 0
    assert "spread: " not in sweep.text


def test_divergence_is_a_result(sweep):
    job = sweep.job(seeds=2, fault="diverge")
    assert sweep.run(job) == 0
    assert sweep.statuses(job) == ["diverged", "diverged"]
    assert sweep.run(job) == 0
    assert len(sweep.read(job, "starts").split()) == 1


def test_the_same_sweep_again_trains_what_is_not_done(sweep):
    good, mended = sweep.job(), sweep.job(fault="exception", times=1)
    assert sweep.run(good, mended) == 1
    assert sweep.run(good, mended) == 0
    assert sweep.statuses(mended) == ["done"]
    assert not (mended.job_dir / "seed-0" / "error.txt").exists()
    assert len(sweep.read(good, "starts").split()) == 1
    assert len(sweep.read(mended, "starts").split()) == 2


def test_on_error_stop_checkpoints_the_others(sweep):
    bad, long = sweep.job(fault="exception"), sweep.job(total_steps=10_000)
    assert sweep.run(long, bad, on_error="stop") == 1
    assert sweep.stop.failures
    assert sweep.statuses(long) == ["running"]
    assert (long.job_dir / "seed-0" / "checkpoint.pt").exists()


def test_max_failures(sweep):
    jobs = [sweep.job(fault="exception", at=i + 1) for i in range(6)]
    assert 2 <= sweep.run(*jobs, max_failures=2) <= 3


class Scripted:
    """A backend, and the source of one unit of three seeds; its first seed is over before the others."""

    slots = 2

    def __init__(self, job, end):
        self.job, self.end, self.units, self.over = job, end, [Unit(job, (0, 1, 2))], []

    def submit(self, unit):
        future = Future()
        if len(unit.seeds) < 3:
            future.set_result({"end": "finished"})
            return future
        for seed, status in zip(unit.seeds, ("diverged", "running", "running"), strict=True):
            directory = seed_dir(self.job.job_dir, seed)
            directory.mkdir(parents=True)
            write_status(directory, status, env_steps=10)
        if self.end == "held":
            future.set_result({"end": "held", "held": {2: "process 7"}})
        return future

    def release(self, future):
        if not future.done():
            future.set_result({"end": "stopped"})

    def more(self, free):
        units, self.units = self.units, []
        return units or None

    def ended(self, unit):
        self.over += unit.seeds


@pytest.mark.parametrize("end", ["spread", "held"])
def test_a_source_is_told_of_the_seeds_of_a_unit_that_go_on_no_more(sweep, monkeypatch, end):
    monkeypatch.setattr("sweeps.driver.WORTH", -1.0)
    monkeypatch.setattr("sweeps.driver.HELD_SECONDS", 0.0)
    both = Scripted(sweep.job(seeds=3), end)
    show = Progress([both.job], Console(file=io.StringIO()))
    assert drive([], both, Options(n_jobs=2), show, Stop(), both) == 0
    assert sorted(both.over) == [0, 1, 2]
