"""Configs compose, identify jobs, and refuse mistakes in one line that helps."""

from pathlib import Path

import pytest
import yaml

from pgbench.composition import check, choices, compose, parse
from pgbench.config import CONF, to_plain
from pgbench.errors import UserError
from pgbench.validation import keys


@pytest.mark.parametrize("group", ["algorithm", "env", "hyperparameters", "tracking"])
def test_every_choice_composes(group: str) -> None:
    assert choices(group)
    for choice in choices(group):
        config = compose([f"{group}={choice}"])
        if group in ("algorithm", "hyperparameters"):
            assert getattr(config, group).name == choice


@pytest.mark.parametrize("choice", choices("env"))
def test_the_environments_exist(choice: str) -> None:
    from pgbench.experience.making import make_env

    try:
        make_env(compose([f"env={choice}"]).env).close()
    except UserError as error:
        if "box2d is not installed" not in str(error):
            raise
        pytest.skip(str(error))


def test_published_settings_are_what_they_say() -> None:
    hp = compose(["hyperparameters=bracis2019"]).hyperparameters
    assert (hp.hidden, hp.critic_hidden, hp.activation, hp.critic_activation) == ((32,), (32,), "elu", "elu")
    assert (hp.n_envs, hp.n_steps, hp.gamma, hp.gae_lambda) == (4, 500, 0.99, 0.97)
    assert (hp.learning_rate, hp.delta, hp.cg_iterations, hp.cg_damping) == (7e-3, 1e-3, 10, 1e-3)
    assert (hp.line_search_steps, hp.line_search_shrink, hp.line_search_accept) == (15, 0.8, 0.1)
    assert (hp.critic_steps, hp.critic_learning_rate) == (80, 1e-3)
    work = compose(["hyperparameters=equal_work"]).hyperparameters
    assert (work.n_envs, work.n_steps, work.hidden, work.critic_hidden) == (16, 128, (64, 64), (64, 64))
    assert (work.activation, work.critic_activation, work.gamma, work.gae_lambda) == ("tanh", "tanh", 0.99, 0.97)
    assert (work.delta, work.cg_iterations, work.cg_damping, work.critic_steps) == (0.01, 10, 1e-3, 10)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["env=cartpole"], "default"),
        (["env=pendulum"], "pendulum"),
        (["env=reacher"], "reacher"),
        (["env=ant"], "mujoco"),
        (["env=hopper", "hyperparameters=default"], "default"),
        (["hyperparameters=default", "env=hopper"], "default"),
    ],
)
def test_an_environment_brings_its_settings_unless_others_are_named(overrides: list[str], name: str) -> None:
    config = compose(overrides)
    assert config.hyperparameters.name == name
    assert config.recorded["hyperparameters"]["name"] == name


OF_ONE_ALGORITHM = sorted((CONF / "hyperparameters").glob("*/*.yaml"))


def test_some_settings_are_of_one_algorithm() -> None:
    assert OF_ONE_ALGORITHM


@pytest.mark.parametrize("path", OF_ONE_ALGORITHM, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_settings_of_one_algorithm_change_keys_of_the_task_s_for_it_alone(path: Path) -> None:
    changed = yaml.safe_load(path.read_text(encoding="utf-8"))
    task, name = path.parent.name, path.stem
    for chosen in (f"hyperparameters={task}", f"env={task}"):
        config = compose([f"algorithm={name}", chosen])
        assert config == compose([chosen, f"algorithm={name}"])
        assert config.hyperparameters.name == task
        assert changed.keys() <= config.reads
        ours, others = config.hyperparameters, compose(["algorithm=trpo", chosen]).hyperparameters
        for key, value in changed.items():
            assert getattr(ours, key) == value != getattr(others, key)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("algorithm=ppo", "algorithm: got 'ppo', allowed is npg, reinforce, trpo, vpg"),
        ("env=cartpol", "did you mean 'cartpole'"),
        ("delta=0.1", "delta: no such key; did you mean 'hyperparameters.delta'?"),
        ("hyperparameters.detla=0.1", "did you mean 'hyperparameters.delta'?"),
        ("hyperparameters.delta=-1", "hyperparameters.delta: got -1, allowed is greater than 0"),
        ("hyperparameters.delta=nan", "hyperparameters.delta: got nan"),
        ("hyperparameters.learning_rate=abc", "hyperparameters.learning_rate: got 'abc'"),
        ("hyperparameters.gamma=1.5", "hyperparameters.gamma: got 1.5, allowed is less than or equal to 1"),
        ("hyperparameters.hidden=[0]", "hyperparameters.hidden.0: got 0, allowed is at least 1"),
        ("hyperparameters.activation=tahn", "did you mean 'tanh'"),
        ("algorithm.advantage=gea", "did you mean 'gae'"),
        ("algorithm.baseline=zero", "set algorithm.baseline=learned"),
        ("algorithm.advantage=trajectory_return", "set algorithm.collect=episodes"),
        ("seeds=0", "seeds: got 0, allowed is a count of at least 1"),
        ("seeds=[1,1]", "seeds: got [1, 1]"),
        ("seeds=[]", "seeds: got []"),
        ("seeds=ten", "seeds: got 'ten'"),
        ("total_steps=0", "total_steps: got 0, allowed is at least 1"),
        ("tracking.mode=offlin", "did you mean 'offline'"),
        ("nonsense", "cannot read 'nonsense': write key=value"),
    ],
)
def test_a_mistake_is_one_clear_line(override: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        compose([override])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sweep_over_a_group_is_checked_choice_by_choice() -> None:
    check(parse(["algorithm=vpg,npg"]))
    with pytest.raises(UserError, match="'ppo'"):
        check(parse(["algorithm=vpg,ppo"]))


def test_the_job_name_is_the_hash_of_what_decides_the_records() -> None:
    base = compose([])
    for same in (
        ("seeds=3", "output_dir=elsewhere", "tracking=wandb", "checkpoint_seconds=1"),
        ("total_steps=7", "snapshots=[0,9]", "evaluation.every=5", "other_code=resume"),  # how long, what is kept
        ("hyperparameters.name=other",),
        ("hyperparameters.learning_rate=0.5", "hyperparameters.n_step=9"),  # not read by TRPO with GAE
    ):
        assert compose(list(same)).job_name == base.job_name, same
    assert base.job_name.startswith("trpo-CartPole-v1-")
    for other in ("hyperparameters.delta=0.02", "env.append_time=true", "algorithm.standardize=false"):
        assert compose([other]).job_name != base.job_name
    assert "/" not in compose(["env.id=module:Space/Thing-v0"]).job_name


def test_every_key_is_described_and_given_by_yaml() -> None:
    described = dict(keys())
    assert all(described.values())
    config = compose([])
    given = {
        f"{name}.{key}" if isinstance(value, dict) else name
        for name, value in to_plain(config).items()
        for key in (value if isinstance(value, dict) else [""])
    }
    assert set(described) == given - {"hyperparameters.own"}


def test_a_file_of_one_s_own_with_the_name_of_ours_is_refused_where_it_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "algorithm").mkdir()
    (tmp_path / "algorithm" / "vpg.yaml").write_text("name: vpg\n")
    with pytest.raises(UserError, match=r"algorithm: .*vpg\.yaml has the name of one of ours"):
        compose(["algorithm=vpg"], [str(tmp_path)])
    assert compose(["algorithm=npg"], [str(tmp_path)]).algorithm.name == "npg"
    assert compose(["algorithm=vpg"], [str(CONF)]).algorithm.name == "vpg"
