"""The collector's accounts: whole episodes, steps counted once, returns that add up."""

import numpy as np
import pytest
from pgbench.rollout import Collector
from pgbench.state import initial_state

from pgbench.errors import UserError


def collect(small, *overrides: str, windows: int = 3):
    config = small("total_steps=1000000", *overrides)
    collector = Collector(config, [np.random.SeedSequence(seed) for seed in range(2)])
    envs = collector.envs
    rngs = [np.random.default_rng(seed) for seed in range(2)]
    state = initial_state(config, envs.obs.shape[-1], envs.n_actions, envs.discrete, rngs)
    both = np.ones(2, bool)
    found = []
    for _ in range(windows):
        rollout, episodes = collector.collect(state.policy, state.theta.numpy(), both)
        found.append(({k: np.copy(v) for k, v in vars(rollout).items()}, episodes))
    return collector, found


@pytest.mark.parametrize("env", ["cartpole", "pendulum", "acrobot"])
@pytest.mark.parametrize("algorithm", ["reinforce", "vpg"])
def test_every_step_is_counted_once(small, algorithm: str, env: str) -> None:
    collector, found = collect(small, f"algorithm={algorithm}", f"env={env}", "+env.kwargs.max_episode_steps=40")
    for s, account in enumerate(collector.accounts):
        lengths = sum(length for _, episodes in found for _, _, length, _ in episodes[s])
        returns = sum(value for _, episodes in found for _, value, _, _ in episodes[s])
        assert account.env_steps == sum(rollout["live"][s].sum() for rollout, _ in found)
        assert lengths + account.running_length.sum() == account.env_steps
        rewards = sum(rollout["rewards"][s][rollout["live"][s]].astype(float).sum() for rollout, _ in found)
        np.testing.assert_allclose(returns + account.running_return.sum(), rewards, rtol=1e-6)
        assert account.episodes == sum(len(episodes[s]) for _, episodes in found)


@pytest.mark.parametrize("env", ["cartpole", "pendulum"])
def test_reinforce_sees_complete_episodes_only(small, env: str) -> None:
    collector, found = collect(small, "algorithm=reinforce", f"env={env}", "+env.kwargs.max_episode_steps=40")
    for rollout, episodes in found:
        done = rollout["terminated"] | rollout["truncated"]
        for s in range(2):
            assert sum(length for _, _, length, _ in episodes[s]) == rollout["live"][s].sum()
            for n in range(4):
                length = rollout["live"][s, :, n].sum()
                assert rollout["live"][s, :length, n].all(), "live steps come first"
                assert done[s, length - 1, n], "the last live step ends an episode"
                assert length >= 32
                assert not done[s, 31 : length - 1, n].any(), "no episode begins after n_steps"
    assert all(account.running_length.sum() == 0 for account in collector.accounts)


def test_an_endless_episode_is_told(small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgbench.rollout.LONGEST", 50)
    with pytest.raises(UserError, match="has not ended in 50 steps; set"):
        collect(small, "algorithm=reinforce", "env.id=probes:Explosive-v0")


def test_episode_rows_are_in_order_of_time_and_true(small) -> None:
    _, found = collect(small, "algorithm=vpg", "env=cartpole", windows=6)
    for s in range(2):
        rows = [row for _, episodes in found for row in episodes[s]]
        assert len(rows) > 10
        steps = [row[0] for row in rows]
        assert steps == sorted(steps)
        assert all(value == length for _, value, length, _ in rows), "CartPole pays 1 a step"


def test_final_observations_belong_to_their_steps(small) -> None:
    _, found = collect(
        small, "algorithm=vpg", "env=pendulum", "+env.kwargs.max_episode_steps=7", "env.append_time=true"
    )
    for rollout, _ in found:
        cuts = np.argwhere(rollout["truncated"])
        assert len(cuts) == len(rollout["cut_obs"]) > 0
        assert (rollout["cut_obs"][:, -1] == 1).all(), "elapsed / limit is 1 at the end"
        before = rollout["obs"][tuple(cuts.T)]
        np.testing.assert_allclose(before[:, -1], 6 / 7, rtol=1e-6)
        # One step of the pendulum moves its angle a little; a stranger's observation would be anywhere.
        assert np.abs(rollout["cut_obs"][:, :2] - before[:, :2]).max() < 0.6


def test_normalisation_uses_the_moments_before_the_batch(small) -> None:
    raw_collector, raw = collect(small, "algorithm=vpg", "env=pendulum", windows=1)
    collector, normal = collect(
        small,
        "algorithm=vpg",
        "env=pendulum",
        "hyperparameters.normalize_observation=true",
        windows=1,
    )
    np.testing.assert_allclose(normal[0][0]["obs"], raw[0][0]["obs"], atol=1e-6)
    moments = collector.obs_moments
    assert moments is not None
    for s in range(2):
        seen = raw[0][0]["obs"][s].reshape(-1, 3).astype(float)
        np.testing.assert_allclose(moments.mean[s], seen.mean(0), atol=1e-6)
        np.testing.assert_allclose(moments.var[s], seen.var(0), atol=1e-6)
    assert raw_collector.obs_moments is None


def test_rewards_are_divided_by_the_deviation_of_the_discounted_return(small) -> None:
    _, raw = collect(small, "algorithm=vpg", "env=pendulum", windows=1)
    collector, normal = collect(
        small, "algorithm=vpg", "env=pendulum", "hyperparameters.normalize_reward=true", windows=1
    )
    running = np.zeros((2, 4))
    seen = []
    for r in np.moveaxis(raw[0][0]["rewards"].astype(float), 1, 0):
        running = 0.99 * running + r
        seen.append(running)
    deviation = np.std(np.stack(seen, 1).reshape(2, -1), axis=1)
    expected = np.clip(raw[0][0]["rewards"] / deviation[:, None, None], -10, 10)
    np.testing.assert_allclose(normal[0][0]["rewards"], expected, rtol=1e-5)
    assert collector.return_moments is not None
