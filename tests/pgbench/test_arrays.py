"""Array tasks: Gymnasium's classic tasks to the last bit, each environment on its own.

A failure here after an upgrade of Gymnasium or NumPy means that the physics or its rounding has changed there.
"""

from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from pgbench.config import Env
from pgbench.experience.arrays import ArrayEnvs
from pgbench.experience.environments import make_envs, stepped_together
from pgbench.experience.making import make_env
from pgbench.experience.objects import GymEnvs
from pgbench.experience.tasks import TASKS, find_task

IDS = (
    "CartPole-v0",
    "CartPole-v1",
    "Acrobot-v1",
    "Pendulum-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
)
KEYWORDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CartPole-v1", {"sutton_barto_reward": True, "max_episode_steps": 25}),
    ("Acrobot-v1", {"max_episode_steps": 150}),
    ("Pendulum-v1", {"g": 9.81, "max_episode_steps": 50}),
    ("MountainCar-v0", {"goal_velocity": 0.03, "max_episode_steps": 180}),
    ("MountainCarContinuous-v0", {"goal_velocity": 0.02, "max_episode_steps": 250}),
)
CASES = (*((env_id, {}) for env_id in IDS), *KEYWORDS)
EXTREMES = {
    "CartPole": (2.4, 3.0, 0.2, 3.0),
    "Acrobot": (np.pi, np.pi, 4 * np.pi, 9 * np.pi),
    "Pendulum": (np.pi, 8.0),
    "MountainCar": (0.6, 0.07),
    "MountainCarContinuous": (0.6, 0.07),
}
N, T = 25, 400  # 10,000 steps


def arrays(
    env_id: str, kwargs: dict[str, Any], n_envs: int, seeds: tuple[int, ...] = (0,), append_time: bool = False
) -> ArrayEnvs:
    env = Env(id=env_id, kwargs=kwargs, append_time=append_time, timeout="bootstrap")
    made = make_envs(env, n_envs, [np.random.SeedSequence(seed) for seed in seeds])
    assert isinstance(made, ArrayEnvs)
    return made


def act(envs: ArrayEnvs, rng: np.random.Generator) -> np.ndarray:
    """Random actions, in every other environment along with the velocity (the last thing seen), so that cars and links
    reach their goals. Forces beyond the bounds, too."""
    shape = envs.obs.shape[:2]
    push = np.sign(envs.obs[..., -1]) * (rng.random(shape) < 0.9) * (np.arange(shape[1]) % 2)
    if envs.actions.discrete:
        noise = rng.integers(envs.actions.size, size=shape)
        return np.where(push != 0, (push > 0) * (envs.actions.size - 1), noise)
    return (rng.normal(0, 1.5, shape) + push)[..., None].astype(np.float32)


@pytest.mark.parametrize(("env_id", "kwargs"), CASES, ids=str)
def test_moves_as_gymnasiums(env_id: str, kwargs: dict[str, Any]) -> None:
    """From the same states, under the same actions, for 10,000 steps: states, observations and ends to the last bit,
    and rewards (Pendulum's, in which Gymnasium squares a float32, as float32)."""
    envs, rng = arrays(env_id, kwargs, N), np.random.default_rng(1)
    live = np.ones((1, N), bool)
    twins = [make_env(Env(id=env_id, kwargs=kwargs, append_time=False, timeout="bootstrap")) for _ in range(N)]
    box = twins[0].action_space if isinstance(twins[0].action_space, gym.spaces.Box) else None

    def follow(n: int) -> None:
        """Twin n starts an episode where environment n has, which every fifth is moved anywhere for."""
        if n % 5 == 0:
            envs.state[:, n] = rng.uniform(-1, 1, len(envs.state)) * EXTREMES[env_id.partition("-")[0]]
        twins[n].reset(seed=n)
        twins[n].unwrapped.state = envs.state[:, n].copy()  # type: ignore[attr-defined]

    for n in range(N):
        follow(n)
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(T):
        actions = act(envs, rng)
        reward, terminated, truncated = envs.step(actions, live)
        for n, twin in enumerate(twins):
            action = np.clip(actions[0, n], box.low, box.high) if box else int(actions[0, n])
            obs, expected, ended, cut, _ = twin.step(action)
            assert (terminated[0, n], truncated[0, n]) == (ended, cut and not ended)
            done = ended or cut
            np.testing.assert_array_equal((envs.final_obs if done else envs.obs)[0, n], obs)
            if env_id == "Pendulum-v1":
                np.testing.assert_array_max_ulp(np.float32(reward[0, n]), np.float32(expected), 1)
                assert abs(reward[0, n] - expected) <= 0.001 * np.spacing(np.float32(4))
            else:
                assert reward[0, n] == expected
            if done:
                ends["terminated" if ended else "truncated"] += 1
                follow(n)
            else:
                np.testing.assert_array_equal(envs.state[:, n], np.array(twin.unwrapped.state))  # type: ignore[attr-defined]
    assert (ends["terminated"] > 0) == (env_id != "Pendulum-v1")
    if kwargs.get("max_episode_steps"):
        assert ends["truncated"] > 0


@pytest.mark.parametrize("env_id", IDS)
def test_starts_as_gymnasiums(env_id: str) -> None:
    """Episodes begin in the distribution of Gymnasium's, and are seen as its are."""
    envs = arrays(env_id, {}, 4000)
    made = make_env(Env(id=env_id, kwargs={}, append_time=False, timeout="bootstrap"))
    theirs = np.array([made.reset(seed=0 if i == 0 else None)[0] for i in range(4000)])
    for quantile in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        spread = theirs.max(0) - theirs.min(0)
        difference = np.quantile(envs.obs[0], quantile, 0) - np.quantile(theirs, quantile, 0)
        assert (np.abs(difference) <= 0.05 * spread).all()
    if env_id != "MountainCarContinuous-v0":  # whose first state alone is float64
        made.unwrapped.np_random = rng = np.random.default_rng(5)
        seen = made.reset()[0]
        task = find_task(Env(id=env_id, kwargs={}, append_time=False, timeout="bootstrap"))
        assert task is not None
        rng = np.random.default_rng(5)
        np.testing.assert_array_equal(
            np.array(task.observe(task.start(rng.random((task.n_random, 1)))), np.float32)[:, 0], seen
        )


@pytest.mark.parametrize("env_id", IDS)
def test_an_environment_does_not_see_those_beside_it(env_id: str) -> None:
    """Bit for bit, whatever the width of the arrays, and with some environments standing still."""
    rng = np.random.default_rng(3)
    wide = arrays(env_id, {"max_episode_steps": 60}, 3, tuple(range(11)), append_time=True)
    narrow = [arrays(env_id, {"max_episode_steps": 60}, 3, (seed,), append_time=True) for seed in range(11)]
    live = np.ones((11, 3), bool)
    for t in range(150):
        actions = act(wide, rng)
        if t >= 100:
            live = rng.random((11, 3)) < 0.7
        together = wide.step(actions, live)
        for s, alone in enumerate(narrow):
            for all_of_them, own in zip(together, alone.step(actions[s : s + 1], live[s : s + 1]), strict=True):
                np.testing.assert_array_equal(all_of_them[s], own[0])
            np.testing.assert_array_equal(wide.obs[s], alone.obs[0])
            np.testing.assert_array_equal(wide.final_obs[s], alone.final_obs[0])


@pytest.mark.parametrize("env_id", IDS)
def test_saved_and_loaded_it_goes_on_the_same(env_id: str) -> None:
    rng = np.random.default_rng(4)
    envs = arrays(env_id, {"max_episode_steps": 40}, 4, (0, 1), append_time=True)
    other = arrays(env_id, {"max_episode_steps": 40}, 4, (7, 8, 9), append_time=True)
    live = np.ones((3, 4), bool)
    for _ in range(50):
        envs.step(act(envs, rng), live[:2])
    other.load(2, envs.save(1))
    for _ in range(50):
        np.testing.assert_array_equal(envs.obs[1], other.obs[2])
        actions = act(other, rng)
        for ours, theirs in zip(envs.step(actions[1:], live[:2]), other.step(actions, live), strict=True):
            np.testing.assert_array_equal(ours[1], theirs[2])


def test_keywords_of_gymnasiums_are_known_or_left_to_its_objects() -> None:
    for task in TASKS.values():
        assert {field.name for field in fields(task)} <= {"sutton_barto_reward", "g", "goal_velocity"}  # type: ignore[arg-type]
    for kwargs in ({"render_mode": "rgb_array"}, {"g": 9.81, "render_mode": "rgb_array"}):
        env = Env(id="Pendulum-v1", kwargs=kwargs, append_time=False, timeout="bootstrap")
        assert not stepped_together(env)
        assert isinstance(make_envs(env, 1, [np.random.SeedSequence(0)]), GymEnvs)


def test_what_an_id_was_registered_with_counts() -> None:
    cases: tuple[tuple[dict[str, Any], dict[str, Any] | None], ...] = (
        ({"kwargs": {"g": 3.0}}, {"g": 3.0}),
        ({"kwargs": {"render_mode": None}}, None),
        ({"entry_point": "probes:Value"}, None),
    )
    for registered, expected in cases:
        point = registered.pop("entry_point", "gymnasium.envs.classic_control.pendulum:PendulumEnv")
        gym.register("Mine-v7", point, **registered)
        try:
            task = find_task(Env(id="Mine-v7", kwargs={}, append_time=False, timeout="bootstrap"))
            assert (None if task is None else vars(task)) == expected
        finally:
            del gym.registry["Mine-v7"]


def test_without_a_time_limit_nothing_is_cut() -> None:
    envs = arrays("Pendulum-v1", {"max_episode_steps": -1}, 2)
    for _ in range(300):
        _, _, truncated = envs.step(np.zeros((1, 2, 1), np.float32), np.ones((1, 2), bool))
        assert not truncated.any()
