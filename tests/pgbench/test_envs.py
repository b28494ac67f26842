"""Environments: gymnasium's dynamics, streams of their own, honest ends, clear refusals."""

import gymnasium as gym
import numpy as np
import pytest

from pgbench.envs import Envs, GymEnvs, make_envs
from pgbench.errors import UserError
from pgbench.experience.arrays import ArrayEnvs

OBJECT = "+env.kwargs.render_mode=rgb_array"
"""A keyword that no array knows."""


def sequences(*seeds: int) -> list[np.random.SeedSequence]:
    return [np.random.SeedSequence(seed) for seed in seeds]


def make(small, n_envs: int, seeds: tuple[int, ...], *overrides: str) -> Envs:
    return make_envs(small(*overrides).env, n_envs, sequences(*seeds))


def everything(live: np.ndarray) -> np.ndarray:
    return np.ones_like(live)


@pytest.mark.parametrize(
    ("overrides", "limit"),
    [(["env=cartpole_v0"], 200), (["env=cartpole"], 500), (["env=pendulum"], 200), (["env=pendulum", OBJECT], 200)],
)
def test_the_time_limit_truncates(small, overrides: list[str], limit: int) -> None:
    envs = make(small, 1, (0,), *overrides, "env.append_time=true")
    assert isinstance(envs, GymEnvs) == (OBJECT in overrides)
    live = np.ones((1, 1), bool)
    t = 0
    for t in range(1, limit + 1):
        if envs.discrete:
            assert isinstance(envs, ArrayEnvs)
            envs.state[:] = 0.0  # never falls
            actions = np.zeros((1, 1), int)
        else:
            actions = np.zeros((1, 1, 1), np.float32)
        _, terminated, truncated = envs.step(actions, live)
        assert not terminated.any()
        if truncated.any():
            break
        np.testing.assert_allclose(envs.obs[0, 0, -1], t / limit, rtol=1e-6)
    assert t == limit
    assert envs.final_obs[0, 0, -1] == 1.0
    assert envs.obs[0, 0, -1] == 0.0


@pytest.mark.parametrize("overrides", [["env=cartpole"], ["env=pendulum"], ["env=pendulum", OBJECT]])
def test_every_environment_of_every_seed_starts_elsewhere(small, overrides: list[str]) -> None:
    starts = make(small, 4, tuple(range(8)), *overrides).obs.reshape(32, -1)
    assert len(np.unique(starts, axis=0)) == 32


@pytest.mark.parametrize("overrides", [["env=cartpole"], ["env=acrobot"], ["env=acrobot", OBJECT]])
def test_idle_environments_stand_still(small, overrides: list[str]) -> None:
    envs = make(small, 2, (0, 1), *overrides)
    live = np.array([[True, False], [False, False]])
    before = envs.obs.copy()
    saved = str(envs.save(1))
    for _ in range(30):
        reward, terminated, truncated = envs.step(np.zeros((2, 2), int), live)
        assert not reward[~live].any()
        assert not (terminated | truncated)[~live].any()
    np.testing.assert_array_equal(envs.obs[~live], before[~live])
    assert (envs.obs[live] != before[live]).any()
    assert str(envs.save(1)) == saved


def test_box_actions_are_clipped_and_shaped(small) -> None:
    envs = make(small, 1, (0,), "env=pendulum", OBJECT)
    assert isinstance(envs, GymEnvs)
    twin = gym.make("Pendulum-v1", disable_env_checker=True)
    twin.reset(seed=0)
    twin.unwrapped.state = envs.envs[0].unwrapped.state.copy()
    envs.step(np.full((1, 1, 1), 99.0, np.float32), np.ones((1, 1), bool))
    expected = twin.step(np.array([2.0], np.float32))[0]
    np.testing.assert_allclose(envs.obs[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["env.id=CartPole-v9"], "CartPole"),
        (["env.id=NoSuchThing-v0"], "NoSuchThing"),
        (["env.id=no_such_module:Thing-v0"], "no_such_module"),
        (["env.id=probes:Unsupported-v0"], "supported are Discrete and Box"),
        (["env.id=probes:Wordy-v0"], "cannot be flattened"),
        (["env.id=probes:Value-v0", "env.append_time=true"], "time limit"),
        (["env=pendulum", "+env.kwargs.gravity_=3"], "gravity_"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(small, overrides: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        make(small, 1, (0,), *overrides)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("env.")
