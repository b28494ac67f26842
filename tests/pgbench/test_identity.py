"""What identifies a job: what its algorithm reads, all of it and nothing else; and names that last."""

from dataclasses import replace
from typing import Any

import pytest

from pgbench.composition import compose
from pgbench.config import Config, Hyperparameters
from pgbench.runs.trainer import Trainer

HYPERPARAMETERS = tuple(name for name in Hyperparameters.__dataclass_fields__ if name != "own")
UNREAD = {"name", "own", "network_kwargs", "critic_network_kwargs"}
"""Declared by all and read by none that is trained here: what other networks and algorithms from outside need."""
ALGORITHMS = ("reinforce", "vpg", "npg", "trpo")
VARIANTS = {
    **{name: (f"algorithm={name}",) for name in ALGORITHMS},
    "reinforce with a critic": ("algorithm=reinforce", "algorithm.baseline=learned"),
    "n steps": ("algorithm=vpg", "algorithm.advantage=n_step"),
    "lambda-return": ("algorithm=vpg", "algorithm.advantage=n_step", "hyperparameters.critic_target=lambda_return"),
    "gaussian": ("algorithm=trpo", "env=pendulum"),
}

# These names are for ever: a new key at its default must not change them. Where a default itself is changed on
# purpose, its jobs are others, and their names here with them.
GOLDEN = {
    "reinforce": "reinforce-CartPole-v1-41ea24a5a1",
    "vpg": "vpg-CartPole-v1-ecaf5a8b78",
    "npg": "npg-CartPole-v1-0f2f8b0a67",
    "trpo": "trpo-CartPole-v1-9a5512190c",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_names_of_the_default_jobs_stay(algorithm: str) -> None:
    assert compose([f"algorithm={algorithm}", "env=cartpole"]).job_name == GOLDEN[algorithm]


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_update_sees_what_its_algorithm_declares_and_nothing_else(small, variant: str) -> None:
    config = small(*VARIANTS[variant])
    seen = config.effective.hyperparameters
    for name in HYPERPARAMETERS:
        if name in config.reads:
            assert getattr(seen, name) == getattr(config.hyperparameters, name)
        else:
            with pytest.raises(AttributeError, match=f"hyperparameters.{name} is read but not declared"):
                getattr(seen, name)
    with pytest.raises(AttributeError, match="no hyperparameter is called 'learning_rat'"):
        _ = seen.learning_rat  # type: ignore[attr-defined]


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_reads_all_that_its_algorithm_declares(small, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is declared alone it trains (anything else raises), and of that it reads all but UNREAD: a key that
    is declared but not read would tell jobs apart that are the same."""
    config = small(*VARIANTS[variant])
    read: set[str] = set()
    get = Hyperparameters.__getattribute__

    def noting(self: Hyperparameters, name: str) -> Any:
        read.add(name)
        return get(self, name)

    monkeypatch.setattr(Hyperparameters, "__getattribute__", noting)
    trainer = Trainer(config.effective, (0,))
    read &= config.effective.reads
    for _ in range(2):
        trainer.iterate()
    trainer.close()
    monkeypatch.undo()
    assert read & set(HYPERPARAMETERS) == config.reads - UNREAD


def test_an_undeclared_key_is_not_readable_in_secret(small) -> None:
    """An update that reads a hyperparameter its algorithm does not declare fails at its first iteration."""
    config = small("algorithm=vpg")
    hidden = replace(config, algorithm=replace(config.algorithm, reads=("learning_rate",)))
    with pytest.raises(AttributeError, match=r"hyperparameters.optimizer is read but not declared: add it to algorith"):
        Trainer(hidden, (0,)).iterate()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_hyperparameter_counts_where_it_is_read(small, variant: str) -> None:
    """Another value is another job if, and only if, the algorithm reads it; a name of settings never counts."""
    config = small(*VARIANTS[variant])
    for name in HYPERPARAMETERS:
        other = changed(config, name)
        assert (other.job_name != config.job_name) == (name in config.reads - {"name"}), name


def changed(config: Config, name: str) -> Config:
    """The job with another value of one hyperparameter, which leaves what is read as it is."""
    value = getattr(config.hyperparameters, name)
    words = {"optimizer": "sgd", "activation": "relu", "critic_activation": "relu", "name": "another"}
    words |= {"schedule": "linear", "delta_schedule": "linear"}
    words |= {"network": "somewhere:Net", "critic_network": "somewhere:Net"}
    if name == "critic_target":
        other: Any = "lambda_return" if value == "return" else "return"
    elif value is None:
        other = words.get(name, 2)
    elif isinstance(value, str):
        other = words[name]
    elif isinstance(value, bool):
        other = not value
    elif isinstance(value, dict):
        other = {"width": 7}
    else:
        other = (*value, 7) if isinstance(value, tuple) else value + 1 if isinstance(value, int) else value * 0.5 + 0.01
    return replace(config, hyperparameters=replace(config.hyperparameters, **{name: other}))


def test_how_long_it_is_counts_where_a_schedule_reads_it(small) -> None:
    for algorithm, schedule, delta, counts in (
        ("trpo", "constant", "null", False),
        ("trpo", "linear", "null", True),
        ("trpo", "linear", "constant", True),
        ("trpo", "constant", "linear", True),
        ("trpo", "constant", "constant", False),
        ("vpg", "constant", "linear", False),
    ):
        config = small(
            f"algorithm={algorithm}", f"hyperparameters.schedule={schedule}", f"hyperparameters.delta_schedule={delta}"
        )
        assert (config.job_name != replace(config, total_steps=config.total_steps + 1).job_name) == counts


def test_a_schedule_of_deltas_own_is_recorded_where_it_differs(small) -> None:
    """As `schedule` or not there, it is the same training and the same job; runs older than the key have it not."""
    for schedule, other in (("constant", "linear"), ("linear", "constant")):
        own = {
            key: small("algorithm=npg", f"hyperparameters.schedule={schedule}", f"hyperparameters.delta_schedule={key}")
            for key in ("null", schedule, other)
        }
        assert "delta_schedule" not in own["null"].recorded["hyperparameters"]
        assert own[schedule].recorded == own["null"].recorded
        assert own[other].recorded["hyperparameters"]["delta_schedule"] == other
        assert own[schedule].job_name == own["null"].job_name != own[other].job_name


def test_whatever_algorithm_reads_delta_has_its_schedule(small) -> None:
    config = small("algorithm=vpg")
    mine = replace(config, algorithm=replace(config.algorithm, name="mine", reads=("delta",)))
    assert mine.effective.hyperparameters.delta_schedule is None
    with pytest.raises(AttributeError, match=r"hyperparameters\.delta_schedule is read but not declared"):
        _ = config.effective.hyperparameters.delta_schedule


def test_what_the_time_limit_counts_as_matters_where_there_is_a_critic(small) -> None:
    for algorithm, counts in (("reinforce", False), ("vpg", True)):
        one, other = (small(f"algorithm={algorithm}", f"env.timeout={x}") for x in ("bootstrap", "terminal"))
        assert (one.job_name != other.job_name) == counts
