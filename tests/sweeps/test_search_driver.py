"""A search as people run it: real processes of the fake trainer, real kills."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pgbench.composition import compose
from pgbench.runs.records import read_status
from sweeps.__main__ import main

ENV = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[2]}", "COLUMNS": "200"}
FAKE = "import sys; from sweeps.__main__ import main; sys.exit(main(sys.argv[1:], 'fake_job'))"
SAME = ("number", "state", "value", "params", "along", "scores", "jobs", "cut")


class Searches:
    """Runs searches of the fake trainer below a directory, and reads what they left."""

    def __init__(self, directory):
        self.directory = directory

    def file(self, jobs=None, kwargs=None, total_steps=100, **search):
        space = {"hyperparameters.delta": "tag(log, interval(0.0001, 1))"}
        sweep = {
            "env": "cartpole",
            "total_steps": total_steps,
            **({"jobs": jobs} if jobs else {"algorithm": "npg"}),
            **{f"env.kwargs.{key}": value for key, value in {"sleep": 0.001, **(kwargs or {})}.items()},
            "search": {"space": space, "trials": 8, "seeds": 2, "confirm": {"best": 2, "seeds": 2}, **search},
        }
        path = self.directory / "search.yaml"
        path.write_text(yaml.safe_dump(sweep))
        return path

    def begin(self, path, name, *arguments):
        given = [f"sweep={path}", f"output_dir={self.directory / name}", "n_jobs=2", *arguments]
        with open(self.directory / f"{name}.out", "a") as out:
            return subprocess.Popen([sys.executable, "-c", FAKE, *given], env=ENV, stdout=out, stderr=out)

    def run(self, path, name, *arguments, status=0):
        done = self.begin(path, name, *arguments).wait(timeout=120)
        assert done == status, self.text(name)
        return self.told(name) if status < 2 else None

    def text(self, name):
        return (self.directory / f"{name}.out").read_text()

    def told(self, name):
        return json.loads((self.directory / name / "search.json").read_text())["studies"]

    def starts(self, name):
        return {
            path.parent: len(path.read_text().split()) for path in (self.directory / name).glob("*/*/seed-*/starts")
        }


@pytest.fixture
def searches(tmp_path):
    return Searches(tmp_path)


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def same(study):
    return [{key: trial.get(key) for key in SAME} for trial in study["trials"]]


def test_a_search_finds_confirms_and_writes(searches, tmp_path):
    path = searches.file([{"grid": {"algorithm": ["npg", "trpo"]}}])
    studies = searches.run(path, "one")
    assert [study["name"] for study in studies] == ["npg-CartPole-v1", "trpo-CartPole-v1"]
    for study in studies:
        assert [(trial["number"], trial["state"]) for trial in study["trials"]] == [(n, "done") for n in range(8)]
        assert study["cost"]["env_steps"] == 8 * 2 * 100
        found = study["confirmation"]
        assert found["cost"]["env_steps"] == 3 * 2 * 100
        values = {trial["number"]: trial["value"] for trial in study["trials"]}
        assert found["searched"] == max(values.values()) == values[found["best"]]
        (best,) = (row for row in found["candidates"] if row["trial"] == found["best"])
        assert found["optimism"] == pytest.approx(found["searched"] - sum(best["scores"].values()) / 2)
        assert list(best["scores"]) == ["2000", "2001"]
        if found["winner"] is not None:
            given = [f"algorithm={study['algorithm']}", f"hyperparameters=tuned-{study['name']}"]
            written = compose([*given, "+env.kwargs.sleep=0.001"], [str(tmp_path / "one")])
            assert written.hyperparameters.delta == study["trials"][found["winner"]]["params"]["hyperparameters.delta"]
            assert [written.job_name] == study["trials"][found["winner"]]["jobs"]
    assert set(searches.starts("one").values()) == {1}
    assert "npg-CartPole-v1: 0 of 8 trials" in searches.text("one")
    assert (tmp_path / "one/trials.csv").read_text().count("\n") == 17

    told = (tmp_path / "one/search.json").read_text()  # again: nothing is left to do
    searches.run(path, "one")
    assert set(searches.starts("one").values()) == {1}
    assert (tmp_path / "one/search.json").read_text() == told
    status = subprocess.run(
        [sys.executable, "-m", "sweeps.status", str(tmp_path / "one")], env=ENV, capture_output=True, text=True
    )
    assert re.search(r"trpo-CartPole-v1 +8 of 8 +8 +0 +0 +0", status.stdout), status
    assert "confirmation: 12 done\nthe search is over" in status.stdout


def test_keys_below_a_mapping_are_searched_and_written(searches, tmp_path):
    space = {"hyperparameters.network_kwargs.hidden": [4, 8], "hyperparameters.delta": [0.01, 0.02]}
    path = searches.file([{"set": {"algorithm": "npg", "hyperparameters.delta": 0.9}}], space=space, trials=2, seeds=1)
    (study,) = searches.run(path, "one")
    assert study["defaults"] == {"hyperparameters.network_kwargs.hidden": None, "hyperparameters.delta": 0.9}
    won = study["trials"][study["confirmation"]["winner"]]
    given = ["algorithm=npg", "hyperparameters=tuned-npg-CartPole-v1", "+env.kwargs.sleep=0.001"]
    written = compose(given, [str(tmp_path / "one")])
    hidden = won["params"]["hyperparameters.network_kwargs.hidden"]
    assert written.hyperparameters.network_kwargs == {"hidden": hidden}
    assert [written.job_name] == won["jobs"]


def test_runs_by_other_code_are_told(searches, tmp_path):
    path = searches.file(trials=2, seeds=1, total_steps=20)
    searches.run(path, "one")
    assert "other code" not in searches.text("one")
    for run in (tmp_path / "one").glob("*/*/seed-*"):
        (run / "provenance.jsonl").write_text('{"code": "0123"}\n')
    searches.run(path, "one")
    assert "npg-CartPole-v1: 2 trials (0, ...) were trained by other code and count as they" in searches.text("one")
    assert "6 runs are left as other code made them" in searches.text("one")
    searches.run(path, "one", "other_code=retrain")
    assert "6 runs by other code are set aside" in searches.text("one")
    assert len(list((tmp_path / "one").glob("confirmation/*/retired/*"))) == 6
    assert len(list((tmp_path / "one").glob("*/*/seed-*"))) == 2 + 6


def test_a_batch_is_the_same_study_on_any_number_of_processes(searches):
    path = searches.file(batch=3, pruner="median", trials=13, total_steps=200)
    one, two = (searches.run(path, name, f"n_jobs={n}")[0] for name, n in (("one", 1), ("two", 2)))
    assert same(one) == same(two)
    assert {trial["state"] for trial in one["trials"]} == {"done", "pruned"}


def test_killed_at_random_it_is_the_same_study(searches, tmp_path):
    path = searches.file(pruner="median", trials=8, kwargs={"sleep": 0.01}, total_steps=200)
    whole = searches.run(path, "whole", "n_jobs=1")[0]
    chance = random.Random(5)
    for number in (signal.SIGKILL, signal.SIGTERM):
        before, driver = searches.starts("killed"), searches.begin(path, "killed", "n_jobs=1")
        wait_for(lambda: searches.starts("killed") != before)  # noqa: B023
        time.sleep(chance.uniform(0, 0.7))
        driver.send_signal(number)
        driver.wait()
    searches.run(path, "killed", "n_jobs=1")
    killed = searches.told("killed")[0]
    assert same(killed) == same(whole)
    assert killed["confirmation"]["candidates"] == whole["confirmation"]["candidates"]


def test_a_trial_stopped_early_keeps_its_process(searches, tmp_path):
    path = searches.file(pruner="median", trials=10, kwargs={"sleep": 0.02}, total_steps=400)
    trials = searches.run(path, "one", "n_jobs=1")[0]["trials"]
    stopped = [trial for trial in trials if trial["state"] == "pruned"]
    assert stopped
    directories = [
        tmp_path / "one/trials" / job / f"seed-{seed}" for t in stopped for job in t["jobs"] for seed in (1000, 1001)
    ]
    assert any((directory / "withdrawn").exists() for directory in directories)
    assert any(read_status(directory)["env_steps"] < 400 for directory in directories)
    pids = {read_status(path.parent)["pid"] for path in (tmp_path / "one").glob("trials/*/seed-*/status.json")}
    assert len(pids) == 1


def test_wilcoxon_cuts_between_the_runs_of_a_trial(searches):
    path = searches.file(pruner="wilcoxon", seeds=8, sampler="random", trials=8, total_steps=50)
    study = searches.run(path, "one", "n_jobs=1")[0]
    cut = [trial for trial in study["trials"] if trial.get("cut")]
    assert cut
    assert all(trial["state"] == "done" and len(trial["scores"]) < 8 for trial in cut)
    assert all(trial["value"] == pytest.approx(sum(trial["scores"]) / len(trial["scores"])) for trial in cut)


def test_equal_trials_are_trained_once(searches):
    space = {"hyperparameters.delta": [0.001, 0.01]}
    study = searches.run(searches.file(space=space, sampler="random", trials=8, total_steps=20), "one", "n_jobs=1")[0]
    twins = [trial for trial in study["trials"] if "twin" in trial]
    assert len(twins) == 6
    for trial in twins:
        assert (trial["value"], trial["env_steps"]) == (study["trials"][trial["twin"]]["value"], 0)
    assert len(searches.starts("one")) == 2 * 2 + 2 * 2 + 2 - 2  # 2 settings tuned and confirmed; one is the defaults


def test_a_bad_trial_fails_and_the_search_goes_on(searches, tmp_path):
    path = searches.file(kwargs={"fault": "exception", "seed": 1001, "at": 2}, trials=3)
    study = searches.run(path, "one", "n_jobs=1", status=1)[0]
    assert [trial["state"] for trial in study["trials"]] == ["failed"] * 3
    assert study["trials"][0]["message"] == "1 of its 2 runs failed"
    assert study["confirmation"] is None
    assert "no trial was trained to its end" in searches.text("one")


def test_what_a_user_has_to_mend_fails_no_trial(searches):
    path = searches.file(kwargs={"fault": "user_error", "at": 2, "times": 1, "seed": 1001}, trials=1)
    study = searches.run(path, "one", "n_jobs=1", status=1)[0]
    assert "failed" not in {trial["state"] for trial in study["trials"]}
    assert "re-run the same command to resume" in searches.text("one")
    searches.run(path, "one", "n_jobs=1")  # mended: the fault comes once
    assert {trial["state"] for trial in searches.told("one")[0]["trials"]} == {"done"}


def test_two_searches_in_one_directory(searches):
    path = searches.file(kwargs={"sleep": 0.1})
    first = searches.begin(path, "one")
    wait_for(lambda: searches.starts("one"))
    searches.run(path, "one", status=2)
    assert re.search(r"sweeps: error: output_dir: process \d+ on .* searches in", searches.text("one"))
    first.kill()
    first.wait()


def test_without_optuna_one_line_says_so(searches, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main([f"sweep={searches.file()}", f"output_dir={tmp_path / 'one'}"]) == 2
    told = capsys.readouterr().err
    assert told == "sweeps: error: search: needs Optuna: pip install 'pgbench-rl[search]'\n"
