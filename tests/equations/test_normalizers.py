"""What a learner sees standardised, against a float64 reference: every observation and reward that the environments
gave since the start, once more from the beginning, by definition."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from equations.settings import make_config
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pgbench.config import Config
from pgbench.experience.collector import Collector
from pgbench.experience.environments import Envs
from pgbench.experience.normalizers import Normalizers
from pgbench.experience.rollout import Rollout
from pgbench.learning.learner import Learner, initial_learner
from pgbench.maths.moments import RunningMoments, Standardizer

N_ENVS, N_STEPS, GAMMA = 3, 17, 0.9
SETTINGS = {  # episodes end in the middle of batches, by the environment, the time limit or both, or last longer
    "cartpole": ("vpg", "cartpole", 23),
    "cartpole, whole episodes": ("reinforce", "cartpole", 23),
    "pendulum": ("vpg", "pendulum", 11),
    "pendulum, whole episodes": ("reinforce", "pendulum", 25),
    "hopper": ("trpo", "hopper", 40),
}


def setting(algorithm: str, env: str, limit: int) -> Config:
    return make_config(
        algorithm,
        env,
        kwargs={"max_episode_steps": limit},
        append_time=True,
        n_envs=N_ENVS,
        n_steps=N_STEPS,
        gamma=GAMMA,
        hidden=(8,),
        normalize_observation=True,
        normalize_reward=True,
    ).effective


@dataclass
class Window:
    """What the environments of one seed gave in one batch, [T, N, ...], float64."""

    obs: list[np.ndarray] = field(default_factory=list)
    rewards: list[np.ndarray] = field(default_factory=list)
    ended: list[np.ndarray] = field(default_factory=list)
    live: list[np.ndarray] = field(default_factory=list)
    cut_obs: list[np.ndarray] = field(default_factory=list)
    next_obs: np.ndarray | None = None


class Witness:
    """Stands between collector and environments, and keeps all that passes."""

    def __init__(self, envs: Envs):
        self.envs, self.step = envs, envs.step
        self.windows: list[list[Window]] = []
        envs.step = self.watch  # type: ignore[method-assign]

    def begin(self) -> None:
        self.windows.append([Window() for _ in self.envs.obs])

    def watch(self, actions: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        before = self.envs.obs.astype(np.float64)
        rewards, terminated, truncated = self.step(actions, live)
        for s, window in enumerate(self.windows[-1]):
            if live[s].any():
                window.obs.append(before[s])
                window.rewards.append(rewards[s].astype(np.float64))
                window.ended.append((terminated | truncated)[s].copy())
                window.live.append(live[s].copy())
                window.cut_obs += list(self.envs.final_obs[s, truncated[s]].astype(np.float64))
                window.next_obs = self.envs.obs[s].astype(np.float64)
        return rewards, terminated, truncated


def standardised(x: np.ndarray, mean: np.ndarray, var: np.ndarray) -> np.ndarray:
    return np.clip((x - mean) / np.sqrt(var + 1e-8), -10, 10)


def moments(seen: list[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance [O] of all live observations of some batches; 0 and 1 of none."""
    if not seen:
        return np.zeros(size), np.ones(size)
    every = np.concatenate(seen)
    return every.mean(0), np.square(every - every.mean(0)).mean(0)


def discounted_returns(windows: list[Window]) -> list[float]:
    """sum_k gamma^k r_t-k within its episode, of every live step of every environment, from the first batch on."""
    found = []
    for n in range(N_ENVS):
        running = 0.0
        for window in windows:
            for r, ended, live in zip(window.rewards, window.ended, window.live, strict=True):
                if live[n]:
                    running = GAMMA * running + r[n]
                    found.append(running)
                    running = 0.0 if ended[n] else running
    return found


def check(rollout: Rollout, windows: list[Window]) -> None:
    """The last of a seed's windows, as the learner sees it."""
    window, size = windows[-1], rollout.obs.shape[-1]
    seen = [np.array(w.obs)[np.array(w.live)] for w in windows]
    mean, var = moments(seen[:-1], size)  # of the batches before
    for name in ("obs", "next_obs", "cut_obs"):
        raw = np.array(getattr(window, name)).reshape(-1, size)
        actual = getattr(rollout, name)
        assert actual.dtype == np.float32
        np.testing.assert_allclose(
            actual.reshape(-1, size), standardised(raw, mean, var), rtol=1e-6, atol=1e-6, err_msg=name
        )
    deviation = np.sqrt(np.var(discounted_returns(windows)) + 1e-8)  # of this batch too
    expected = np.clip(np.array(window.rewards) / deviation, -10, 10)
    assert rollout.rewards.dtype == np.float32
    np.testing.assert_allclose(rollout.rewards, expected, rtol=1e-6, atol=1e-6)


def check_moments(normalizers: Normalizers, windows: list[Window]) -> None:
    """After the last of a seed's windows."""
    assert normalizers.obs is not None
    assert normalizers.returns is not None
    seen = [np.array(w.obs)[np.array(w.live)] for w in windows]
    mean, var = moments(seen, seen[0].shape[-1])
    np.testing.assert_allclose(normalizers.obs.mean, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(normalizers.obs.var, var, rtol=1e-9, atol=1e-12)
    assert normalizers.obs.count == normalizers.returns.count == sum(map(len, seen))
    every = discounted_returns(windows)
    np.testing.assert_allclose(normalizers.returns.mean, np.mean(every), rtol=1e-9)
    np.testing.assert_allclose(normalizers.returns.var, np.var(every), rtol=1e-9)
    standardizer = normalizers.standardizer  # what a policy that outlives the run sees with
    assert standardizer is not None
    np.testing.assert_allclose(standardizer(seen[-1]), standardised(seen[-1], mean, var), rtol=1e-9, atol=1e-9)


def check_actions(rollout: Rollout, learner: Learner, noise: Iterator[np.ndarray]) -> None:
    """The policy acted on the very observations that the rollout holds, with its seed's own noise."""
    act = learner.network.act([learner.theta])
    for t in range(len(rollout.obs)):
        expected = learner.distribution.sample(act(rollout.obs[None, t]), next(noise)[None])[0]
        live = rollout.live[t]
        np.testing.assert_allclose(rollout.actions[t][live], expected[live], rtol=1e-5, atol=1e-5)


def noise_of(learner: Learner, stream: np.random.SeedSequence) -> np.random.Generator:
    """The generator a collector's seed draws its action noise from."""
    return np.random.default_rng(np.random.SeedSequence(stream.entropy).spawn(2)[0])


def drawn(learner: Learner, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The noise of one batch's steps, drawn as acting draws it: N_STEPS at a time, as many times as it needs."""
    while True:
        yield from learner.distribution.noise(rng, (N_STEPS, N_ENVS))


@pytest.mark.parametrize("resumed", [False, True], ids=["in_one_go", "saved_and_loaded"])
@pytest.mark.parametrize("name", SETTINGS)
def test_batches_are_standardised_by_the_moments_of_those_before(name: str, resumed: bool) -> None:
    """Observations, next observations and the final ones of cut episodes by the moments of the batches before, rewards
    by the deviation of the discounted return up to now: two seeds, seven batches; half way saved and loaded elsewhere.
    """
    config = setting(*SETTINGS[name])
    streams = [np.random.SeedSequence(seed) for seed in (4, 5)]
    collector = Collector(config, streams)
    size, actions = collector.envs.obs.shape[-1], collector.envs.actions
    learners = [initial_learner(config, size, actions, rng, rng) for rng in map(np.random.default_rng, (4, 5))]
    network = learners[0].network.act([learner.theta for learner in learners])
    rngs = [noise_of(learner, stream) for learner, stream in zip(learners, streams, strict=True)]
    witness = Witness(collector.envs)
    cuts, ends = 0, 0
    for k in range(7):
        if resumed and k == 3:
            saved = [collector.save(s) for s in range(2)]
            collector.close()
            collector = Collector(config, [np.random.SeedSequence(seed) for seed in (8, 9)])
            for s in range(2):
                collector.load(s, saved[s])
            windows = witness.windows
            witness = Witness(collector.envs)
            witness.windows = windows
        witness.begin()
        batches = collector.collect(network, learners[0].distribution, np.ones(2, bool))
        for s, learner in enumerate(learners):
            mine, rollout = [windows[s] for windows in witness.windows], batches[s][0]
            check(rollout, mine)
            check_moments(collector.normalizers[s], mine)
            check_actions(rollout, learner, drawn(learner, rngs[s]))
            cuts, ends = cuts + len(rollout.cut_obs), ends + int(rollout.terminated.sum())
    collector.close()
    assert cuts > 0 if "pendulum" in name else ends > 0


def test_without_normalisation_the_learner_sees_what_the_environments_gave() -> None:
    config = make_config("vpg", "pendulum", n_envs=N_ENVS, n_steps=N_STEPS)
    assert not config.hyperparameters.normalize_observation
    assert not config.hyperparameters.normalize_reward
    collector = Collector(config, [np.random.SeedSequence(0)])
    actions = collector.envs.actions
    rng = np.random.default_rng(0)
    learner = initial_learner(config, collector.envs.obs.shape[-1], actions, rng, rng)
    witness = Witness(collector.envs)
    for _ in range(2):
        witness.begin()
        network = learner.network.act([learner.theta])
        rollout, _ = collector.collect(network, learner.distribution, np.ones(1, bool))[0]
        (window,) = witness.windows[-1]
        np.testing.assert_array_equal(rollout.obs, np.array(window.obs))
        np.testing.assert_array_equal(rollout.rewards, np.array(window.rewards).astype(np.float32))
        np.testing.assert_array_equal(rollout.next_obs, window.next_obs)
    normalizers = collector.normalizers[0]
    assert normalizers.obs is normalizers.returns is normalizers.standardizer is None
    collector.close()


@given(st.integers(1, 3), st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_running_moments_are_those_of_all_batches_together(size: int, lengths: list[int], data: Any) -> None:
    """Mean and population variance of everything seen, merged from batches of any lengths and offsets."""
    running = RunningMoments(size)
    numbers = st.floats(-100, 100, width=32)
    seen = [data.draw(arrays(np.float32, (length, size), elements=numbers)) for length in lengths]
    for k, batch in enumerate(seen):
        running.update(batch)
        every = np.concatenate(seen[: k + 1]).astype(np.float64)
        assert running.count == len(every)
        np.testing.assert_allclose(running.mean, every.mean(0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(running.var, every.var(0), rtol=1e-10, atol=1e-10)


def test_running_moments_far_from_zero_lose_no_digits() -> None:
    """Around 1e6 with a deviation of one, a thousand batches: a sum of squares would have lost the variance."""
    rng = np.random.default_rng(0)
    seen, running = rng.normal(1e6, 1.0, (1000, 20, 1)), RunningMoments(1)
    for batch in seen:
        running.update(batch)
    np.testing.assert_allclose(running.var, seen.var(), rtol=1e-8)


def test_standardised_values_are_clipped() -> None:
    """(x - mean) / sqrt(var), within +-10, in x's own type."""
    see = Standardizer(np.array([1.0, 0.0]), np.array([4.0, 1e-12]))
    for dtype in (np.float32, np.float64):
        found = see(np.array([[5.0, 0.0], [22.0, 1.0], [-30.0, -1.0]], dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, [[2, 0], [10, 10], [-10, -10]], rtol=1e-6)


def test_scaled_rewards_are_clipped_and_not_shifted() -> None:
    """One environment, rewards 0 x 399 and then 1000, each an episode: the deviation is 1000 sqrt(1/400 - 1/400^2), so
    the last is 1 / 0.0499 = 20 deviations, and 10 is what is left of it; zeros stay zeros."""
    hp = make_config("vpg", normalize_reward=True, n_envs=1).hyperparameters
    rewards = np.zeros((400, 1))
    rewards[-1] = 1000
    every = np.ones((400, 1), bool)
    found = Normalizers(hp, 1).scale(rewards, every, every)
    assert found[-1] == 10
    assert (found[:-1] == 0).all()
