"""A study in its journal: the same whatever was killed between two lines of it."""

import json
import math
import re

import pytest

from pgbench.errors import UserError
from sweeps.search import table
from sweeps.search.command import plan, write_winner
from sweeps.search.confirmation import candidates, ranked
from sweeps.search.pruners import halved, looks
from sweeps.search.schema import read
from sweeps.search.study import JOURNAL, Study, mend, open_storage

SPACE = {
    "hyperparameters.delta": "tag(log, interval(0.0001, 1))",
    "hyperparameters.cg_iterations": "int(interval(1, 20))",
    "hyperparameters.activation": ["tanh", "relu", "elu"],
}


def sweep_file(**search):
    return {
        "algorithm": "npg",
        "env": "cartpole",
        "total_steps": 1000,
        "search": {"space": SPACE, "trials": 24, **search},
    }


def opened(directory, storage=None, **search):
    (subject,) = plan(sweep_file(**search), {}, directory)
    return Study(subject, storage or open_storage(directory))


def value(study, trial):
    params = study.params(trial)
    return -abs(math.log10(params["hyperparameters.delta"]) + 2) - params["hyperparameters.cg_iterations"] / 20


def go_on(study, until):
    """Asks and tells, one after another, up to so many trials."""
    for trial in study.trials:
        if trial.state.name == "RUNNING":
            study.tell(trial, "COMPLETE", value(study, trial), {})
    while len(study.trials) < until:
        trial = study.ask()
        study.tell(trial, "COMPLETE", value(study, trial), {})
    return [(trial.number, trial.params, trial.value) for trial in study.trials]


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "qmc"])
def test_a_study_cut_at_any_line_ends_as_the_whole_one(tmp_path, sampler):
    whole = opened(tmp_path, sampler=sampler)
    expected = go_on(whole, whole.size)
    assert len({str(params) for _, params, _ in expected}) == whole.size
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    for cut in (3, 7, 50, 101, 102, 103, 104, 105, 106, 107, len(lines) - 1):  # before, inside and after an ask
        directory = tmp_path / str(cut)
        directory.mkdir()
        (directory / JOURNAL).write_bytes(b"".join(lines[:cut]) + lines[cut][: len(lines[cut]) // 2])  # torn
        (directory / f"{JOURNAL}.lock").symlink_to("x")  # left by the writer that was killed
        assert go_on(opened(directory, sampler=sampler), whole.size) == expected, cut


def test_a_gaussian_process_proposes(tmp_path):
    study = opened(tmp_path, sampler="gp", trials=12)
    assert len(go_on(study, 12)) == 12


def test_a_journal_is_cut_after_its_last_whole_line(tmp_path):
    path = tmp_path / JOURNAL
    mend(path)
    assert not path.exists()
    path.write_bytes(b'{"a": 1}\n{"b"')
    mend(path)
    assert path.read_bytes() == b'{"a": 1}\n'


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"objective": "steps_to_threshold"}, "search.direction|search.objective"),
        ({"seed": 1}, "search.seed"),
        ({"seeds": 4}, "search.seeds"),
        ({"sampler": "random"}, "search.sampler"),
        ({"space": {**SPACE, "hyperparameters.delta": "interval(0.0001, 2)"}}, "space.hyperparameters.delta.high"),
    ],
)
def test_another_search_is_refused(tmp_path, change, told):
    opened(tmp_path)
    with pytest.raises(UserError, match=f"other .*{told}.*; choose another output_dir"):
        opened(tmp_path, **change)


def test_an_objective_may_use_evaluations(tmp_path):
    file = {**sweep_file(returns="evaluations"), "evaluation.every": 100, "evaluation.deterministic": True}
    (subject,) = plan(file, {}, tmp_path)
    assert subject.objectives[0].evaluated is True
    Study(subject, open_storage(tmp_path))
    (other,) = plan({**file, "evaluation.every": 200}, {}, tmp_path)
    with pytest.raises(UserError, match=r"other search\.evaluation\.every"):
        Study(other, open_storage(tmp_path))


def test_more_trials_and_another_confirmation_are_no_other_search(tmp_path):
    opened(tmp_path)
    assert opened(tmp_path, trials=30, confirm={"best": 1, "seeds": 2}).size == 30


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"trials": 0}, "search.trials: got 0, allowed is"),
        ({"sampler": "tpee"}, "search.sampler: got 'tpee', .*did you mean 'tpe'"),
        ({"trails": 3}, "search.trails: no such key; did you mean 'trials'"),
        ({"confirm": {"sedes": 3}}, "confirm.sedes: no such key"),
        ({"seeds": [2000]}, "search.confirm.seeds: .2000. are tuning seeds too"),
        ({"seeds": [1, 1]}, "search.seeds: got .1, 1."),
        ({"space": {}}, "search.space: empty"),
        ({"space": {**SPACE, "hyperparameters.detla": "interval(0, 1)"}}, "detla: no such key; did you mean"),
        ({"pruner": "wilcoxon"}, "needs 5 of them"),
        ({"tasks": {"cartpole": [1, 1]}}, "two different returns"),
        ({"tasks": {"cartpole": [20]}}, r"^search.tasks.cartpole: got \[20\], allowed is two values$"),
        ({"tasks": {"cartpole": []}}, r"^search.tasks.cartpole: got \[\], allowed is two values$"),
        ({"space": {"hyperparameters.learning_rate": "interval(0.1, 1)"}}, "reads none of hyperparameters.learning"),
        ({"space": {"hyperparameters.delta": "interval(-1, 1)"}}, "space.hyperparameters.delta: .*got -1"),
        ({"returns": "evaluations"}, "search.returns: .*set evaluation.every"),
        ({"objective": "steps_to_threshold", "tasks": {"pendulum": [-1, 1]}}, "search.threshold: missing"),
    ],
)
def test_mistakes_are_told(tmp_path, search, message):
    with pytest.raises(UserError, match=message):
        opened(tmp_path, **search)


def test_the_command_line_reaches_the_search():
    found = read({"space": SPACE, "trials": 9}, {"search.trials": [3], "search.confirm.best": [2]})
    assert (found.trials, found.confirm.best, found.seed_list) == (3, 2, (1000, 1001, 1002))
    with pytest.raises(UserError, match="got 2 values"):
        read({"space": SPACE}, {"search.sampler": ["tpe", "gp"]})


def test_each_algorithm_searches_what_it_reads(tmp_path):
    file = sweep_file(space={**SPACE, "hyperparameters.learning_rate": "interval(0.001, 0.1)"})
    del file["algorithm"]
    subjects = plan({**file, "jobs": [{"grid": {"algorithm": ["vpg", "npg"]}}]}, {}, tmp_path)
    assert [subject.name for subject in subjects] == ["vpg-CartPole-v1", "npg-CartPole-v1"]
    assert [sorted(d.name for d in subject.space) for subject in subjects] == [
        ["activation", "learning_rate"],
        ["activation", "cg_iterations", "delta"],
    ]


def test_a_trial_is_jobs_with_its_parameters(tmp_path):
    study = opened(tmp_path, tasks={"cartpole": [0, 500], "acrobot": [-500, -80]}, seeds=2)
    trial = study.ask()
    jobs = study.subject.jobs(study.params(trial), (5,), "trials")
    assert [job.env.id for job in jobs] == ["CartPole-v1", "Acrobot-v1"]
    assert all(job.hyperparameters.delta == trial.params["hyperparameters.delta"] for job in jobs)
    assert all(job.seed_list == (5,) and job.output_dir == str(tmp_path / "trials") for job in jobs)
    assert study.subject.name == "npg-2tasks"
    # 1 to 500 of [0, 500], -500 to 0 of [-500, -80]
    assert study.subject.possible == pytest.approx((0.5 * (1 / 500), 0.5 * (1 + 500 / 420)))


def test_successive_halving_keeps_the_best_third(tmp_path):
    study = opened(tmp_path, pruner="halving")
    for number in range(6):
        trial = study.ask()
        assert not study.report(trial, float(number), 111) or number in (2, 3)
        study.tell(trial, "COMPLETE", float(number), {})
    trial = study.ask()
    ended = study.trials[:6]
    study.report(trial, 3.5, 111)  # 2 of 6 are better, and a third of 7 is 2
    assert halved(study.trials[6], ended, True)
    assert not halved(study.trials[6], ended[:4], True)
    assert not halved(study.trials[6], ended[:1], True)  # too few to say
    assert halved(study.trials[6], ended, False)
    assert study.verdict(study.trials[6])  # asked again after a restart, it says the same


def test_pruners_look_after_the_warm_up():
    given = {"space": SPACE, "warmup": 0.5}
    assert looks(read({**given, "pruner": "median"}, {}), 1000) == list(range(500, 1000, 50))
    assert looks(read({**given, "pruner": "halving", "warmup": 0.1}, {}), 900) == [100, 300]
    assert looks(read(given, {}), 1000) == []


def test_the_best_are_whole_and_different(tmp_path):
    study = opened(tmp_path, sampler="random", confirm={"best": 2, "seeds": 3})
    for number, (state, score) in enumerate(
        [("COMPLETE", 1.0), ("COMPLETE", 3.0), ("FAIL", None), ("COMPLETE", 2.0), ("COMPLETE", 9.0)]
    ):
        study.tell(study.ask(), state, score, {"cut": True} if number == 4 else {})
    assert [trial.number for trial in ranked(study)] == [1, 3, 0]
    assert [candidate.name for candidate in candidates(study)] == ["trial 1", "trial 3", "defaults"]
    assert candidates(study)[2].jobs[0].seed_list == (2000, 2001, 2002)


@pytest.mark.parametrize("statistic", ["mean", "iqm"])
def test_a_confirmation_that_was_stopped_may_share_no_seed(tmp_path, monkeypatch, statistic):
    study = opened(tmp_path, statistic=statistic)
    study.tell(study.ask(), "COMPLETE", 60.0, {})
    done = {0: {2000: 50.0, 2001: 52.0}, None: {2005: 20.0, 2006: 21.0}}
    monkeypatch.setattr(table, "scores", lambda candidate, study: done[candidate.trial])
    (told,) = table.write(tmp_path, "", [(study, candidates(study))], over=False)["studies"]
    found = json.loads((tmp_path / table.TABLE).read_text())["studies"][0]["confirmation"]
    assert (found["winner"], found["confirmed"]["value"], found["held_out"], found["gain"]) == (0, 51, None, None)
    assert "held out: not compared" in write_winner(study, told, tmp_path).read_text()


@pytest.mark.parametrize(
    ("objective", "tuned", "default", "gain"),
    [
        ("final_return", (100.0, 480.0), (1.0, 40.0), (269.5, -499, 499)),
        ("steps_to_threshold", (20.0, 900.0), (1000.0, 2000.0), (1040, -1870.56, 2000)),
    ],
)
def test_a_gain_is_positive_for_better_and_no_more_than_can_be(tmp_path, monkeypatch, objective, tuned, default, gain):
    study = opened(tmp_path, objective=objective)
    study.tell(study.ask(), "COMPLETE", 300.0, {})
    done = {0: dict(zip((2000, 2001), tuned, strict=True)), None: dict(zip((2000, 2001), default, strict=True))}
    monkeypatch.setattr(table, "scores", lambda candidate, study: done[candidate.trial])
    assert tuple(table.confirmation(study, candidates(study))["gain"].values()) == pytest.approx(gain, rel=1e-4)


def test_optunas_own_tools_read_the_journal(tmp_path):
    import optuna

    study = opened(tmp_path)
    go_on(study, 3)
    assert all(json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines())
    loaded = optuna.load_study(study_name="npg-CartPole-v1", storage=open_storage(tmp_path))
    assert len(loaded.trials) == 3


def test_status_of_a_search(tmp_path):
    from sweeps.search.status import report

    study = opened(tmp_path)
    go_on(study, 3)
    study.tell(study.ask(), "FAIL", None, {"message": "it burnt"})
    study.ask()
    text = report(tmp_path)
    assert re.search(r"npg-CartPole-v1 +4 of 24 +3 +1 +0 +1 +-", text), text
    assert "trial 3: it burnt" in text
    assert "nobody searches here now" in text
