"""Records as rows, each once; what was sent, remembered."""

import math
import os
import random
from pathlib import Path

import numpy as np
import pytest
import yaml

from pgbench.runs.job import record_evaluation
from pgbench.runs.records import EVALUATIONS_FILE, METRICS, METRICS_FILE, TIMES_FILE, Records, write_status
from pgbench.tracking import ledger as ledgers
from pgbench.tracking.follow import spec
from pgbench.tracking.follower import Follower, Following
from pgbench.tracking.ledger import DEFAULTS, Ledger, Plan
from pgbench.tracking.names import run_name, tags
from pgbench.tracking.reading import Reader, Tail
from pgbench.tracking.summary import summarize


def row(k: int) -> dict[str, float]:
    return {"iteration": k, "env_steps": 10 * k, "episodes": k, "episode_return": k / 3, "kl": math.nan}


def test_a_line_without_its_end_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    tail = Tail(path)
    assert tail.new() == []
    path.write_text("a,b\n1,0.1\n2,")
    assert tail.new() == [{"a": 1, "b": 0.1}]
    path.write_text("a,b\n1,0.1\n2,0.30000000000000004\n")
    assert tail.new() == [{"a": 2, "b": 0.30000000000000004}]
    assert tail.new() == []


@pytest.mark.parametrize("chance", range(20))
def test_rows_are_given_once_though_the_table_is_cut_back_and_grows_again(tmp_path: Path, chance: int) -> None:
    rng = random.Random(chance)
    whole = b"k,x\n" + b"".join(b"%d,%d\n" % (k, 7**k % 1000) for k in range(30))
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    tail, got, size = Tail(tmp_path / "table.csv"), [], 0
    for _ in range(40):
        size = rng.choice(ends) if rng.random() < 0.3 else min(len(whole), size + rng.randrange(40))
        tail.path.write_bytes(whole[:size])
        got += tail.new()
    tail.path.write_bytes(whole)
    got += tail.new()
    assert got == [{"k": k, "x": 7**k % 1000} for k in range(30)]


def test_times_that_differ_after_a_resume_stay_with_their_iterations(tmp_path: Path) -> None:
    reader, sent = Reader(tmp_path), []
    records = Records(tmp_path)
    for k in range(1, 8):
        records.append(row(k), [], seconds=k * 1.5)
        if k == 4:
            sizes = records.files()
    sent += reader.new(over=False)
    records.close()
    records = Records(tmp_path, sizes)  # killed after 7, resumed from 4; its times are longer now
    for k in range(5, 12):
        records.append(row(k), [], seconds=k * 1000.25)
    sent += reader.new(over=False)
    records.close()
    assert [one["iteration"] for _, one in sent] == list(range(1, 12))
    assert [one["seconds"] for _, one in sent] == [k * 1.5 if k < 8 else k * 1000.25 for k in range(1, 12)]
    assert all("kl" not in one for _, one in sent)


def test_a_row_waits_for_its_time_until_the_run_is_over(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.append(row(1), [], 1.0)
    with open(tmp_path / METRICS_FILE, "a") as file:
        file.write(",".join(str(row(2).get(name, "")) for name in METRICS) + "\n")
    reader = Reader(tmp_path)
    assert [one["iteration"] for _, one in reader.new(over=False)] == [1]
    assert [one["iteration"] for _, one in reader.new(over=True)] == [2]
    assert (tmp_path / TIMES_FILE).exists()


def test_an_evaluation_is_a_row_with_its_statistics_sent_once(tmp_path: Path) -> None:
    record_evaluation(tmp_path, 100, True, np.array([1.0, 3.0]), np.array([10, 20]))
    reader = Reader(tmp_path)
    ((first, one),) = reader.new(over=False)
    assert one == {
        "env_steps": 100, "evaluation/episodes": 2, "evaluation/return": 2.0, "evaluation/return_std": 1.0,
        "evaluation/return_min": 1.0, "evaluation/return_max": 3.0, "evaluation/length": 15.0,
        "evaluation/deterministic": 1,
    }  # fmt: skip
    record_evaluation(tmp_path, 200, True, np.array([5.0]), np.array([5]))
    record_evaluation(tmp_path, 100, True, np.array([1.0, 3.0]), np.array([10, 20]))  # after a resume, say
    ((second, one),) = reader.new(over=False)
    assert (one["env_steps"], one["evaluation/return"]) == (200, 5.0)
    assert Reader(tmp_path, 0, [first, second]).new(over=True) == []
    record_evaluation(tmp_path, 100, True, np.array([7.0]), np.array([5]))  # with another result
    ((_, one),) = reader.new(over=False)
    assert (one["env_steps"], one["evaluation/return"]) == (100, 7.0)


def test_a_plan_cut_anywhere_holds_that_many_rows(tmp_path: Path) -> None:
    plan: Plan = []
    for k in range(5):
        ledgers.add(plan, (METRICS_FILE, k, k + 1))
    ledgers.add(plan, (EVALUATIONS_FILE, 50, "1-a"))
    for k in range(5, 8):
        ledgers.add(plan, (METRICS_FILE, k, k + 1))
    ledgers.add(plan, (EVALUATIONS_FILE, 80, "1-b"))
    first, second = [EVALUATIONS_FILE, 50, "1-a"], [EVALUATIONS_FILE, 80, "1-b"]
    assert plan == [[METRICS_FILE, 0, 5], first, [METRICS_FILE, 5, 8], second]
    assert ledgers.steps(plan) == 10
    for count, (rows, evaluations) in enumerate([*((k, 0) for k in range(6)), *((k, 1) for k in range(5, 9)), (8, 2)]):
        kept = ledgers.cut(plan, count)
        reader = ledgers.reader(tmp_path, kept)
        assert ledgers.steps(kept) == count
        assert (reader.rows, reader.sent) == (rows, {tuple(one) for one in (first, second)[:evaluations]})


def test_an_id_is_made_once_and_differs_between_repetitions(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "colleague").mkdir()
    mine = Ledger(tmp_path / "mine")
    mine.save()
    assert Ledger(tmp_path / "mine").content["id"] == mine.content["id"]
    assert Ledger(tmp_path / "colleague").content["id"] != mine.content["id"]
    assert not set(mine.content["id"]) & set(":;,#?/'")


def test_a_broken_ledger_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / ledgers.LEDGER).write_text('{"format": 1')
    with pytest.raises(ValueError, match=r"tracking.json cannot be read .* delete it"):
        Ledger(tmp_path)


def test_names_tell_what_differs() -> None:
    def config(name: str, delta: float, hidden: list[int]) -> dict:
        values = {"name": "default", "delta": delta, "hidden": hidden}
        return {"algorithm": {"name": name}, "env": {"id": "CartPole-v1"}, "hyperparameters": values, "seed": 1}

    first, others = config("trpo", 0.01, [64]), [config("trpo", 0.1, [64]), config("vpg", 0.01, [32])]
    assert run_name(first, [first, *others], 0) == "trpo CartPole-v1 delta=0.01 seed 0"
    assert run_name(others[1], [first, *others], 2) == "vpg CartPole-v1 seed 2"
    assert run_name(first, [config("trpo", 0.01, [32, 32])], 0) == "trpo CartPole-v1 hidden=64 seed 0"


def test_tags_are_cut_to_what_is_taken() -> None:
    assert tags(["trpo", "", None, "  ", "x" * 80, "trpo", 3]) == ("trpo", "x" * 64, "3")


def test_the_summary_is_its_formula() -> None:
    rows = [
        {"env_steps": 100, "episodes": 1, "episode_return": 500.0},
        {"env_steps": 300, "episodes": 120, "episode_return": math.nan},
        {"env_steps": 400, "episodes": 150, "episode_return": 400.0},
        {"env_steps": 500, "episodes": 200, "episode_return": 100.0},
    ]
    got = summarize(rows, "done", threshold=300.0)
    area = (500 * 100 + 400 * 300 + 100 * 100) / 500
    assert got == {
        "status": "done", "env_steps": 500, "final_return": 100.0, "best_return": 500.0, "area_under_curve": area,
        "threshold": 300.0, "steps_to_threshold": 400,
    }  # fmt: skip
    assert "steps_to_threshold" not in summarize(rows, "done", threshold=600.0)
    assert summarize([], "failed") == {"status": "failed", "env_steps": 0}


def test_system_metrics_belong_to_one_run_of_a_job(tmp_path: Path) -> None:
    """That of the first seed, while it trains on this machine."""
    job = tmp_path / "job"
    content = {"config": {"algorithm": {"name": "vpg"}, "env": {"id": "CartPole-v1"}}, "seed": 0, "job": "job"}
    for seed in range(3):
        (job / f"seed-{seed}").mkdir(parents=True)
        (job / f"seed-{seed}" / "config.yaml").write_text(yaml.safe_dump(content))
        write_status(job / f"seed-{seed}", "running", env_steps=1, pid=17, host=os.uname().nodename)
    follows = {"directory": str(job), "seeds": [0, 1, 2], "settings": DEFAULTS}
    for live, expected in ((True, [17, None, None]), (False, [None] * 3)):
        runs = Follower(spec([follows], "sweep", live)).jobs[0].runs
        assert [run._take() for run in runs] == [True] * 3
        assert [run._run("running").system_pid for run in runs] == expected
        assert not Following(runs[0].directory, runs[0].job)._take()  # one follower at a time
        for run in runs:
            run.release()
