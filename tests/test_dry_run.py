"""A dry run tells what is asked and writes nothing; what no job reads is said; a long job says how more cores help."""

import io
from pathlib import Path

import pytest
from small import SMALL

from pgbench.api import train
from pgbench.commands import train as command
from pgbench.composition import compose
from pgbench.errors import UserError
from pgbench.runs import forecast
from pgbench.runs.records import write_status
from sweeps.__main__ import main as sweeps

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("where", [[], ["sweeps"], ["-m"]])
def test_a_dry_run_counts_and_writes_nothing(where: list[str], tmp_path: Path, capsys: Captured) -> None:
    job = [*SMALL, "algorithm=npg", "seeds=3", "total_steps=1000", f"output_dir={tmp_path}/runs", "dry_run=true"]
    main = sweeps if where == ["sweeps"] else lambda arguments: command.main([*where, *arguments])
    if where == ["-m"]:
        job.append("-m")
        main = command.main
    assert main(job) == 0
    out, err = capsys.readouterr()
    assert "1 job, 3 runs (0 over, 3 to train): 3,000 env-steps asked, 0 done or not needed, 3,000 to do" in out
    assert "measured now" in out
    assert (err, list(tmp_path.iterdir())) == ("", [])


def test_what_is_done_and_recorded_counts(tmp_path: Path, capsys: Captured) -> None:
    config = compose([*SMALL, "algorithm=npg", "seeds=2", "total_steps=1000", f"output_dir={tmp_path}"])
    steps = {"iteration": 1, "total_steps": 1000, "host": "a", "pid": 1, "seconds": 2.4}
    for seed, (status, done) in enumerate([("done", 1000), ("running", 400)]):
        (config.job_dir / f"seed-{seed}").mkdir(parents=True)
        write_status(config.job_dir / f"seed-{seed}", status, env_steps=done, **steps)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    job = [*SMALL, "algorithm=npg", "seeds=2", "total_steps=1000", f"output_dir={tmp_path}", "dry_run=true"]
    assert command.main(job) == 0
    out = capsys.readouterr().out
    assert "2 runs (1 over, 1 to train): 2,000 env-steps asked, 1,400 done or not needed, 600 to do" in out
    assert "about 1 s in one process, by records" in out  # 2.4 s * 1.4 / 2.4 a seed alone, 0.6 of it left: 0.84 s
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    other = [*job, "hyperparameters.delta=0.5"]  # another job of the same algorithm and environment
    assert command.main(other) == 0
    assert "by records" in capsys.readouterr().out


def test_rates_are_those_of_a_seed_by_itself(tmp_path: Path) -> None:
    runs = [tmp_path / "job" / f"seed-{seed}" for seed in range(3)]
    for run, pid in zip(runs, (1, 1, 2), strict=True):
        run.mkdir(parents=True)
        write_status(run, "done", env_steps=100, seconds=forecast.lockstep(2) if pid == 1 else 1.0, pid=pid, host="a")
    assert forecast.recorded_rate(runs) == pytest.approx(0.01)
    assert forecast.seconds_of([100, 50], 0.01) == pytest.approx(forecast.lockstep(2))
    assert forecast.recorded_rate([tmp_path]) is None


def test_a_search_tells_at_most_what_it_takes(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("algorithm: npg\ntotal_steps: 100\nsearch: {space: {hyperparameters.delta: 'interval(0.01, 0.1)'}}")
    assert sweeps([f"sweep={file}", *SMALL, f"output_dir={tmp_path}/runs", "dry_run=true"]) == 0
    out = capsys.readouterr().out
    assert "at most 160 runs (120 in 40 trials, the others to confirm): 16,000 env-steps" in out
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["algorithm=vpg", "hyperparameters.delta=1"], ["hyperparameters.delta: vpg does not read it"]),
        (["algorithm=npg", "hyperparameters.delta=1", "env.timeout=terminal"], []),
        (["algorithm=vpg,npg", "hyperparameters.delta=1"], []),
        (
            ["algorithm=vpg,reinforce", "hyperparameters.delta=1,2"],
            ["hyperparameters.delta: vpg, reinforce do not read it"],
        ),
        (
            ["algorithm=reinforce", "algorithm.baseline=zero", "env.timeout=terminal"],
            ["env.timeout: reinforce does not read it"],
        ),
    ],
)
def test_what_no_job_reads_is_one_line(
    arguments: list[str], lines: list[str], tmp_path: Path, capsys: Captured
) -> None:
    common = ["total_steps=9", *SMALL[:2], f"output_dir={tmp_path}/x", "dry_run=true", "seeds=1"]
    assert command.main(["-m", *arguments, *common]) == 0
    assert capsys.readouterr().err.splitlines() == [f"pgbench: {line}" for line in lines]
    assert sweeps([*arguments, *common]) == 0
    assert capsys.readouterr().err.splitlines() == [f"sweeps: {line}" for line in lines]


def test_the_interface_does_not_take_a_dry_run_for_a_training(small) -> None:
    with pytest.raises(UserError, match="dry_run"):
        train(small("dry_run=true"))


@pytest.mark.parametrize(("total", "seeds", "idle", "said"), [(10**6, 4, 3, 1), (10**4, 4, 3, 0), (10**6, 1, 3, 0)])
def test_a_long_job_says_once_how_more_cores_help(
    total: int, seeds: int, idle: int, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 4.0, 5.0, 9.0])
    monkeypatch.setattr(forecast.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(forecast, "idle_cores", lambda: idle)
    out = io.StringIO()
    hint = forecast.Hint(compose([f"seeds={seeds}", f"total_steps={total}"]), "python -m sweeps x=1", out.write)
    for steps in (0, 1000, 4000, 5000, 9000):
        hint(steps)
    assert out.getvalue().count("python -m sweeps x=1") == said
    if said:
        assert "for another 1 h 6 min" in out.getvalue()  # 3,996,000 steps at 1000 a second
