"""Environments: gymnasium's dynamics, streams of their own, honest ends, clear refusals."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from pgbench.errors import UserError
from pgbench.experience.arrays import ArrayEnvs
from pgbench.experience.environments import Envs, make_envs
from pgbench.experience.objects import GymEnvs
from pgbench.policy import ActionSpace

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
        if envs.actions.discrete:
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


def received(envs: GymEnvs) -> list[np.ndarray]:
    """The actions that the first environment gets from now on."""
    actions: list[np.ndarray] = []
    env = envs.envs[0]
    step = env.step
    env.step = lambda action: (actions.append(action), step(action))[1]
    return actions


def test_box_actions_are_clipped_and_shaped(small) -> None:
    """Pendulum would clip by itself and hide it, so what it is given is looked at too."""
    envs = make(small, 1, (0,), "env=pendulum", OBJECT)
    assert isinstance(envs, GymEnvs)
    twin = gym.make("Pendulum-v1", disable_env_checker=True)
    twin.reset(seed=0)
    twin.unwrapped.state = envs.envs[0].unwrapped.state.copy()
    given = received(envs)
    for action in (99.0, -99.0, 0.5):
        envs.step(np.full((1, 1, 1), action, np.float32), np.ones((1, 1), bool))
        expected = twin.step(np.array([np.clip(action, -2, 2)], np.float32))[0]
        np.testing.assert_allclose(envs.obs[0, 0], expected, rtol=1e-6)
    assert [action.tolist() for action in given] == [[2.0], [-2.0], [0.5]]
    assert all(twin.action_space.contains(action) for action in given)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Discrete(3, start=-1),
        spaces.Box(-1, 1, (2,), np.float32),
        spaces.Box(np.array([[-1, 0], [2, 3]], np.float32), np.array([[1, 0.5], [9, np.inf]], np.float32)),
        spaces.Box(-2, 2, (), np.float32),
        spaces.Box(-3, 5, (2,), np.int64),
    ],
    ids=str,
)
def test_every_action_sent_is_in_the_space(space: spaces.Space) -> None:
    """Whatever the policy draws; what lies between the bounds arrives as it was drawn."""
    actions = ActionSpace.of(space)
    assert actions is not None
    rng = np.random.default_rng(0)
    raw = rng.integers(actions.size, size=50) if actions.discrete else rng.normal(0, 4, (50, actions.size))
    sent = actions.to_env(raw if actions.discrete else raw.astype(np.float32))
    if actions.discrete:
        assert set(sent.tolist()) == set(range(space.start, space.start + 3))
        return
    assert isinstance(space, spaces.Box)
    assert all(space.contains(np.asarray(action)) for action in sent)
    flat, low, high = sent.reshape(50, -1), space.low.ravel(), space.high.ravel()
    inside = (low < raw) & (raw < high)
    assert 0 < inside.mean() < 1
    if np.issubdtype(space.dtype, np.floating):
        np.testing.assert_array_equal(flat[inside], raw.astype(np.float32)[inside])
    np.testing.assert_array_equal(
        flat,
        np.rint(np.clip(raw, low, high)) if space.dtype == np.int64 else np.clip(raw, low, high).astype(np.float32),
    )


def test_environments_of_a_seed_have_streams_of_their_own(small) -> None:
    """Also after their first episode: no two of all starts are the same."""
    for env in ("cartpole", "pendulum"):
        envs = make(small, 3, (0, 1), f"env={env}", "+env.kwargs.max_episode_steps=5")
        starts = [envs.obs.copy()]
        shape = (2, 3) if env == "cartpole" else (2, 3, 1)
        for _ in range(3):
            for _ in range(5):
                envs.step(np.zeros(shape, int if env == "cartpole" else np.float32), np.ones((2, 3), bool))
            starts.append(envs.obs.copy())
        assert len(np.unique(np.reshape(starts, (24, -1)), axis=0)) == 24


def test_elapsed_time_goes_on_where_it_was_saved(small) -> None:
    """elapsed / limit after 3 of 7 steps, loaded elsewhere, is 3 / 7 there, and 4 / 7 after the next."""
    for env in ("cartpole", "pendulum"):
        options = (f"env={env}", "env.append_time=true", "+env.kwargs.max_episode_steps=7")
        actions = np.zeros((1, 2), int) if env == "cartpole" else np.zeros((1, 2, 1), np.float32)
        envs, elsewhere = (make(small, 2, (seed,), *options) for seed in (0, 1))
        for _ in range(3):
            envs.step(actions, np.ones((1, 2), bool))
        elsewhere.load(0, envs.save(0))
        for elapsed in (3, 4):
            np.testing.assert_array_equal(elsewhere.obs, envs.obs)
            np.testing.assert_allclose(elsewhere.obs[..., -1], elapsed / 7, rtol=1e-6)
            for one in (envs, elsewhere):
                one.step(actions, np.ones((1, 2), bool))


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
