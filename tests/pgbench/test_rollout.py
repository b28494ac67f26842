"""The collector's accounts: whole episodes, steps counted once, returns that add up."""

from typing import Any

import numpy as np
import pytest

from pgbench.errors import UserError
from pgbench.experience.accounts import Account
from pgbench.experience.collector import Collector
from pgbench.learning.learner import initial_learner


def collect(small, *overrides: str, windows: int = 3):
    """What two seeds saw in some windows: of each window and seed, its rollout's arrays and its finished episodes."""
    config = small("total_steps=1000000", *overrides)
    collector = Collector(config, [np.random.SeedSequence(seed) for seed in range(2)])
    envs = collector.envs
    learners = [
        initial_learner(config, envs.obs.shape[-1], envs.actions, rng, rng)
        for rng in map(np.random.default_rng, range(2))
    ]
    network = learners[0].network.act([learner.theta for learner in learners])
    found = []
    for _ in range(windows):
        batches = collector.collect(network, learners[0].distribution, np.ones(2, bool))
        found.append([({k: np.copy(v) for k, v in vars(batches[s][0]).items()}, batches[s][1]) for s in range(2)])
    return collector, found


@pytest.mark.parametrize("env", ["cartpole", "pendulum", "acrobot"])
@pytest.mark.parametrize("algorithm", ["reinforce", "vpg"])
def test_every_step_is_counted_once(small, algorithm: str, env: str) -> None:
    collector, found = collect(small, f"algorithm={algorithm}", f"env={env}", "+env.kwargs.max_episode_steps=40")
    for s, account in enumerate(collector.accounts):
        mine = [window[s] for window in found]
        lengths = sum(length for _, episodes in mine for _, _, length, _ in episodes)
        returns = sum(value for _, episodes in mine for _, value, _, _ in episodes)
        assert account.env_steps == sum(rollout["live"].sum() for rollout, _ in mine)
        assert lengths + account.running_length.sum() == account.env_steps
        rewards = sum(rollout["rewards"][rollout["live"]].astype(float).sum() for rollout, _ in mine)
        np.testing.assert_allclose(returns + account.running_return.sum(), rewards, rtol=1e-6)
        assert account.episodes == sum(len(episodes) for _, episodes in mine)


@pytest.mark.parametrize("env", ["cartpole", "pendulum"])
def test_reinforce_sees_complete_episodes_only(small, env: str) -> None:
    collector, found = collect(small, "algorithm=reinforce", f"env={env}", "+env.kwargs.max_episode_steps=40")
    for rollout, episodes in (batch for window in found for batch in window):
        done = rollout["terminated"] | rollout["truncated"]
        assert sum(length for _, _, length, _ in episodes) == rollout["live"].sum()
        for n in range(4):
            length = rollout["live"][:, n].sum()
            assert rollout["live"][:length, n].all(), "live steps come first"
            assert done[length - 1, n], "the last live step ends an episode"
            assert length >= 32
            assert not done[31 : length - 1, n].any(), "no episode begins after n_steps"
    assert all(account.running_length.sum() == 0 for account in collector.accounts)


def test_an_endless_episode_is_told(small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgbench.experience.acting.LONGEST", 50)
    with pytest.raises(UserError, match="has not ended in 50 steps; set"):
        collect(small, "algorithm=reinforce", "env.id=probes:Explosive-v0")


def test_episode_rows_are_in_order_of_time_and_true(small) -> None:
    _, found = collect(small, "algorithm=vpg", "env=cartpole", windows=6)
    for s in range(2):
        rows = [row for window in found for row in window[s][1]]
        assert len(rows) > 10
        steps = [row[0] for row in rows]
        assert steps == sorted(steps)
        assert all(value == length for _, value, length, _ in rows), "CartPole pays 1 a step"


def test_final_observations_belong_to_their_steps(small) -> None:
    _, found = collect(
        small, "algorithm=vpg", "env=pendulum", "+env.kwargs.max_episode_steps=7", "env.append_time=true"
    )
    for rollout, _ in (batch for window in found for batch in window):
        cuts = np.argwhere(rollout["truncated"])
        assert len(cuts) == len(rollout["cut_obs"]) > 0
        assert (rollout["cut_obs"][:, -1] == 1).all(), "elapsed / limit is 1 at the end"
        before = rollout["obs"][tuple(cuts.T)]
        np.testing.assert_allclose(before[:, -1], 6 / 7, rtol=1e-6)
        # One step of the pendulum moves its angle a little; a stranger's observation would be anywhere.
        assert np.abs(rollout["cut_obs"][:, :2] - before[:, :2]).max() < 0.6


def test_a_return_is_its_own_episodes_rewards_in_float64() -> None:
    """Two environments, episodes within and across batches, one huge and one bad reward: each hurts its own alone."""
    account = Account(2)
    no = np.zeros((3, 2), bool)
    rewards = np.array([[1e16, 1.0], [1.0, 2.0], [1.0, 4.0]])
    ended = np.array([[True, False], [False, False], [True, False]])
    assert account.take(rewards, ended, no, ~no) == [(2, 1e16, 1, 1), (6, 2.0, 2, 1)]
    assert account.running_return.tolist() == [0, 7]
    saved = account.save()
    rewards = np.array([[np.nan, 8.0], [1.0, 0.1], [0.2, 0.3]])
    ended = np.array([[True, False], [True, False], [False, False]])
    cut = np.array([[False, True], [False, False], [False, True]])
    for one in (account, loaded(saved), loaded(saved)):  # what is loaded does not write into what was saved
        rows = one.take(rewards, ended, cut, ~no)
        assert repr(rows) == repr([(8, float("nan"), 1, 1), (8, 15.0, 4, 0), (10, 1.0, 1, 1), (12, 0.1 + 0.3, 2, 0)])
        assert one.running_return.tolist() == [0.2, 0]
        assert (one.env_steps, one.episodes) == (12, 6)


def loaded(saved: dict[str, Any]) -> Account:
    account = Account(2)
    account.load(saved)
    return account
