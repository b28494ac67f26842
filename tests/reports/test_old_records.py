"""What version 0.1.0 wrote is read: `records-0.1.0` is a small sample, as its commands left it, checkpoints aside."""

from pathlib import Path

from reports import load_episodes, load_runs, load_seeds
from reports.assemble import load_data
from sweeps.status import scan

SAMPLE = Path(__file__).parent / "records-0.1.0"


def test_records_of_0_1_0_are_read() -> None:
    seeds = load_seeds(SAMPLE)
    assert sorted(zip(seeds["algorithm"], seeds["seed"], seeds["status"], strict=True)) == [
        ("trpo", 0, "done"),
        ("trpo", 1, "done"),
        ("vpg", 0, "done"),
    ]
    assert (seeds["total_steps"] == 1000).all()
    runs, episodes = load_runs(SAMPLE), load_episodes(SAMPLE)
    assert len(runs) == 3 * 4
    assert runs["episode_return"].notna().all()
    assert len(episodes) > 50
    assert [run.state for run in scan(SAMPLE)] == ["done"] * 3


def test_measurements_of_0_1_0_are_of_the_last_policy() -> None:
    measurements = load_data(SAMPLE).measurements
    assert set(measurements["subject"]) == {"vanilla", "natural"}
    assert set(measurements["env_steps"]) == {1000}
