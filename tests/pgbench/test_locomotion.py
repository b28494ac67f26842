"""MuJoCo's walkers stepped by less of Gymnasium: the same numbers to the last bit.

A failure here after an upgrade of Gymnasium means that a task has changed there.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv

from pgbench.experience.environments import make_envs
from pgbench.experience.locomotion import VELOCITY_BOUND, Locomotion, quick
from pgbench.experience.objects import GymEnvs

IDS = tuple(f"{name}-v{version}" for name in ("HalfCheetah", "Hopper", "Swimmer", "Walker2d") for version in (4, 5))
ANY_POSE = {"healthy_z_range": (-9.0, 9.0), "healthy_angle_range": (-9.0, 9.0)}
KEYWORDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("HalfCheetah-v5", {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "frame_skip": 2}),
    ("HalfCheetah-v4", {"forward_reward_weight": 0, "ctrl_cost_weight": 0}),
    ("Swimmer-v5", {"exclude_current_positions_from_observation": False}),
    ("Hopper-v4", {"terminate_when_unhealthy": False, "healthy_reward": 0.3}),
    ("Hopper-v5", {"terminate_when_unhealthy": False, "healthy_angle_range": (-0.1, 0.3)}),
    ("Hopper-v5", {"healthy_state_range": (-1.0, 1.5), "healthy_z_range": (0.0, 9.0)}),
    ("Hopper-v4", {"terminate_when_unhealthy": False, "healthy_state_range": (-12.0, 12.0), **ANY_POSE}),
    ("Walker2d-v5", {"terminate_when_unhealthy": False, "healthy_z_range": (1.0, 1.3)}),
)
pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")


def made(env_id: str, **keywords: Any) -> gym.Env:
    return gym.make(env_id, disable_env_checker=True, **keywords)


@pytest.mark.parametrize(("env_id", "keywords"), [*((env_id, {}) for env_id in IDS), *KEYWORDS])
def test_steps_are_gymnasiums_to_the_last_bit(env_id: str, keywords: dict[str, Any]) -> None:
    theirs, ours = (made(env_id, max_episode_steps=60, **keywords) for _ in range(2))
    ours = quick(ours)
    assert isinstance(ours, Locomotion)
    rng, seen, falls, cuts = np.random.default_rng(0), [], 0, 0
    space = theirs.action_space
    assert isinstance(space, gym.spaces.Box)
    np.testing.assert_array_equal(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    for _ in range(400):
        action = rng.normal(size=space.shape).clip(space.low, space.high).astype(np.float32)
        obs, reward, *flags, _ = ours.step(action)
        expected, reward_there, *flags_there, _ = theirs.step(action)
        np.testing.assert_array_equal(obs, expected)
        assert reward == reward_there
        assert np.signbit(reward) == np.signbit(reward_there)
        assert flags == flags_there
        seen.append(obs)
        falls, cuts = falls + flags[0], cuts + flags[1]
        if any(flags):
            np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[0])
    falling = env_id.startswith(("Hopper", "Walker2d"))
    assert (falls > 0) == (falling and keywords.get("terminate_when_unhealthy", True))
    assert cuts or falls
    if env_id.startswith("Walker2d"):
        velocities = np.array(seen)[:, -ours.unwrapped.model.nv :]  # type: ignore[attr-defined]
        assert abs(velocities).max() == VELOCITY_BOUND


@pytest.mark.parametrize("env_id", IDS)
def test_a_state_that_mujoco_gives_up_is_gymnasiums(env_id: str) -> None:
    theirs, ours = made(env_id), quick(made(env_id))
    np.testing.assert_array_equal(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])
    for value in (0.5, 1e15, np.nan, 0.5):
        action = np.full(theirs.action_space.shape, value, np.float32)  # type: ignore[arg-type]
        for one, other in zip(ours.step(action)[:4], theirs.step(action)[:4], strict=True):
            np.testing.assert_array_equal(one, other)


class Longer(gym.wrappers.TimeLimit):
    """A time limit that is more than that."""


class Other(HopperEnv):
    """A task that is not Gymnasium's."""

    def control_cost(self, action: np.ndarray) -> float:
        return 5.0


def patched(**keywords: Any) -> HopperEnv:
    env = HopperEnv(**keywords)
    env.control_cost = lambda action: 5.0
    return env


@pytest.mark.parametrize("entry_point", [Other, patched])
def test_a_task_of_ones_own_is_left_as_it_is(entry_point: Any) -> None:
    gym.register("Mine-v0", entry_point=entry_point, max_episode_steps=9)
    try:
        env = made("Mine-v0")
        assert quick(env) is env
    finally:
        del gym.registry["Mine-v0"]


def test_anything_around_is_left_as_it_is() -> None:
    bare = made("Hopper-v5").unwrapped
    limit, order = gym.wrappers.TimeLimit, gym.wrappers.OrderEnforcing
    assert isinstance(quick(limit(order(bare), 9)), Locomotion)
    for env in (
        bare,
        limit(bare, 9),
        order(bare),
        Longer(order(bare), 9),
        limit(order(gym.wrappers.RescaleAction(bare, np.float32(-2), np.float32(2))), 9),
        limit(gym.wrappers.RescaleAction(order(bare), np.float32(-2), np.float32(2)), 9),
        made("InvertedDoublePendulum-v5"),
        made("Hopper-v5", render_mode="rgb_array"),
        made("Hopper-v5", healthy_z_range=([0.7], [2.0])),
    ):
        assert quick(env) is env


def test_training_steps_it_and_resumes(small) -> None:
    sequences = [np.random.SeedSequence(0)]
    env = small("env=hopper", "+env.kwargs.max_episode_steps=12").env
    envs, elsewhere = (make_envs(env, 2, sequences) for _ in range(2))
    assert isinstance(envs, GymEnvs)
    assert all(isinstance(one, Locomotion) for one in envs.envs)
    live, rng = np.ones((1, 2), bool), np.random.default_rng(0)
    for _ in range(40):
        envs.step(rng.normal(size=(1, 2, 3)).astype(np.float32), live)
    elsewhere.load(0, envs.save(0))
    for _ in range(40):
        actions = rng.normal(size=(1, 2, 3)).astype(np.float32)
        for one, other in zip(envs.step(actions, live), elsewhere.step(actions, live), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(envs.obs, elsewhere.obs)
