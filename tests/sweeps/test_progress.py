"""What is shown comes from the runs' status.json."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from pgbench.runs.forecast import duration
from pgbench.runs.records import seed_dir, write_status
from sweeps.plan import Unit
from sweeps.progress import Progress


@pytest.fixture
def job(sweep):
    job = sweep.job(seeds=4, total_steps=1000)
    for seed, (status, steps) in enumerate([("done", 1000), ("diverged", 300), ("running", 200)]):
        directory = seed_dir(job.job_dir, seed)
        directory.mkdir(parents=True)
        write_status(directory, status, env_steps=steps, total_steps=1000, seconds=75.0)
    return job


def test_counts_rate_and_time_left(job):
    show = Progress([job], Console(file=io.StringIO(), width=120))
    assert show.open_seeds(job) == [2, 3]
    assert show.line() == "4 runs · 1 done · 1 diverged · 0 running · 2 queued · 0 failed"
    show.started(Unit(job, (2, 3)))
    write_status(seed_dir(job.job_dir, 2), "running", env_steps=600)
    begun, steps = show.trail[0]
    show.looked = begun - 10
    show.update()
    show.trail[-1] = (begun + 10, show.trail[-1][1])
    assert show.trail[-1][1] - steps == 400
    assert show.line() == "4 runs · 1 done · 1 diverged · 2 running · 0 failed · 40 env-steps/s · 35 s left"


def test_the_closing_table(job):
    console = Console(file=io.StringIO(), width=120)
    show = Progress([job], console)
    show.failed(Unit(job, (3,)), {"end": "failed", "message": "[red]"})
    console.print(show.table())
    text = console.file.getvalue()
    assert f"failed: {job.job_name}/seed-3: [red]" in text
    row = [line.split() for line in text.splitlines() if line.endswith(job.job_name)]
    assert row == [["trpo", "CartPole-v1", "-", "1", "1", "1", "1", "1,500", "1", "min", "15", "s", job.job_name]]


def test_a_job_in_two_directories_is_two(job, tmp_path):
    show = Progress([job, replace(job, output_dir=str(tmp_path / "b"))], Console(file=io.StringIO(), width=300))
    assert show.line() == "8 runs · 1 done · 1 diverged · 0 running · 6 queued · 0 failed"
    assert show.total == 8000
    show.console.print(show.table())
    assert f" {tmp_path / 'b' / job.job_name}\n" in show.console.file.getvalue()


def test_a_terminal_shows_one_live_display(job):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with Progress([job], console) as show:
        show.looked -= 10
        show.update()
        show.say("a line that stays")
    text = console.file.getvalue()
    assert "━" in text
    assert "4 runs · 1 done" in text.splitlines()[1]
    assert "a line that stays" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (18600, "5 h 10 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
