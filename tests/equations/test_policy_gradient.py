"""The policy gradient and all its weights Phi_t, by listing every trajectory of a small MDP: no sampling, no tolerance
but rounding. The expectations are of what pgbench computes: `estimate` gives Phi_t, `Surrogate.gradient` the gradient.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from equations.learners import make_learner
from equations.mdp import (
    Trajectories,
    exact_gradient,
    expected_estimate,
    expected_weight,
    policy_table,
    random_learner,
    random_mdp,
    table,
    trajectories,
)
from equations.settings import make_config
from torch import Tensor

from pgbench.config import Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import Batch, estimate
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.distributions import Categorical
from pgbench.maths.networks import MLP

GAMMA = 0.8
SEEDS = range(3)


def setting(advantage: str, baseline: str = "learned", gamma: float = 1.0, **changes: float) -> Config:
    """REINFORCE's config with another Phi_t."""
    return make_config("reinforce", advantage=advantage, baseline=baseline, **{"gamma": gamma, "n_step": 2, **changes})


RETURNS = [("trajectory_return", "zero"), ("reward_to_go", "zero")]
BASELINES = [("trajectory_return", "learned"), ("reward_to_go", "learned")]
EXACT_Q = [("q_value", "zero"), ("q_value", "learned")]
ADVANTAGES = [("advantage", "learned"), ("td_residual", "learned"), ("n_step", "learned"), ("gae", "learned")]


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


def test_trajectory_probability_sums_to_one_and_expected_return_is_j(seed: int) -> None:
    """P(tau | pi) and J = E[R^gamma(tau)]: the list against the Bellman equation."""
    mdp = random_mdp(seed)
    listed, pi = trajectories(mdp), table(mdp, random_learner(mdp, seed))
    probability = listed.probability(pi)
    close(probability.sum(), torch.tensor(1.0).double())
    for gamma in (1.0, GAMMA):
        discounts = gamma ** torch.arange(mdp.n).double()
        total = (discounts[:, None] * torch.from_numpy(listed.rollout.rewards)).sum(0)
        close((probability * total).sum(), mdp.performance(pi, gamma))


def test_state_distribution_counts_visits(seed: int) -> None:
    """sum_t P(s_t = s), of the list and by linear algebra."""
    mdp = random_mdp(seed)
    listed, pi = trajectories(mdp), table(mdp, random_learner(mdp, seed))
    live = torch.from_numpy(listed.live)
    counts = torch.zeros(mdp.n).double()
    counts.index_add_(
        0, torch.from_numpy(listed.states)[live], listed.probability(pi).expand(live.shape)[live].contiguous()
    )
    close(counts, mdp.visits(pi))


def test_score_function_estimator_of_a_bandit(seed: int) -> None:
    """d/dtheta E[f(x)] = E[f(x) d/dtheta log p(x)] for x ~ softmax(theta)."""
    rng = np.random.default_rng(seed)
    theta, f = torch.from_numpy(rng.normal(size=5)).requires_grad_(), torch.from_numpy(rng.normal(size=5))
    exact = torch.autograd.grad(theta.softmax(-1) @ f, theta)[0]
    theta = theta.detach()
    score = Categorical(5).score(theta.expand(5, -1), torch.arange(5))
    close((theta.softmax(-1) * f) @ score, exact)


@pytest.mark.parametrize(("advantage", "baseline"), RETURNS + BASELINES + EXACT_Q + ADVANTAGES)
def test_every_phi_has_the_policy_gradient_as_its_expectation(advantage: str, baseline: str, seed: int) -> None:
    """E[sum_t Phi_t grad log pi] = grad J for gamma = 1, exact where a value enters."""
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed)
    close(expected_estimate(mdp, learner, setting(advantage, baseline)), exact_gradient(mdp, learner))


@pytest.mark.parametrize(("advantage", "baseline"), RETURNS[1:] + BASELINES + EXACT_Q + ADVANTAGES)
def test_discounted_phi_have_the_gradient_of_the_discounted_advantage(advantage: str, baseline: str, seed: int) -> None:
    """E[sum_t Phi_t grad log pi] = sum_s,a visits(s) pi(a|s) A^gamma(s, a) grad log pi(a|s) for gamma < 1; with the
    trajectory's return, whose baseline has expectation zero too, it is grad J^gamma."""
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed, GAMMA)
    theta = learner.theta.clone().requires_grad_()
    pi = table(mdp, learner)
    v, q = mdp.values(pi, GAMMA)
    weight = mdp.visits(pi)[:, None] * pi * (q - v[:, None])
    log_pi = policy_table(mdp, learner.network, theta).log()
    expected = torch.autograd.grad((weight * log_pi).sum(), theta)[0]
    if advantage == "trajectory_return":
        expected = exact_gradient(mdp, learner, GAMMA)
    close(expected_estimate(mdp, learner, setting(advantage, baseline, GAMMA)), expected)


def test_discounted_trajectory_return_has_the_gradient_of_discounted_j(seed: int) -> None:
    """E[R^gamma(tau) sum_t grad log pi] = grad J^gamma: the score function estimator of a discounted objective."""
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed)
    estimate = expected_estimate(mdp, learner, setting("trajectory_return", "zero", GAMMA))
    close(estimate, exact_gradient(mdp, learner, GAMMA))


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_n_step_and_gae_are_unbiased_for_every_n_and_lambda(n: int, lam: float) -> None:
    """With the exact V, any n-step residual "is valid", and so is any mean of them."""
    mdp = random_mdp(1)
    learner = random_learner(mdp, 1)
    for advantage in ("n_step", "gae"):
        config = setting(advantage, n_step=n, gae_lambda=lam)
        close(expected_estimate(mdp, learner, config), exact_gradient(mdp, learner))


@pytest.mark.parametrize("cut", [True, False], ids=["time_limit", "end_of_batch"])
@pytest.mark.parametrize(("advantage", "baseline"), RETURNS[1:] + BASELINES[1:] + EXACT_Q + ADVANTAGES)
def test_expected_phi_given_state_and_action_is_q_or_the_advantage(advantage: str, baseline: str, cut: bool) -> None:
    """E[Phi_0 | s, a] is Q(s, a), less V(s) where that is subtracted, also where trajectories are cut after two steps:
    V continues what the time limit or the batch cut, and nothing continues what the environment ended."""
    mdp = random_mdp(2)
    learner = random_learner(mdp, 2, GAMMA)
    config = setting(advantage, baseline, GAMMA, n_step=3)
    config = replace(config, algorithm=replace(config.algorithm, collect="steps"))  # a value continues a cut return
    v, q = mdp.values(table(mdp, learner), GAMMA)
    expected = q if baseline == "zero" else q - v[:, None]
    listed = trajectories(mdp, limit=2, cut=cut)
    assert (listed.rollout.truncated.sum() > 0) == cut
    close(expected_weight(mdp, learner, config, listed), expected)


def test_time_limit_as_a_termination_is_biased() -> None:
    """env.timeout=terminal gives no value to what is cut: E[Phi_0 | s, a] is not Q, and the test above would see it."""
    mdp = random_mdp(2)
    learner = random_learner(mdp, 2, GAMMA)
    config = setting("reward_to_go", "learned", GAMMA)
    terminal = replace(config, env=replace(config.env, timeout="terminal"))
    v, q = mdp.values(table(mdp, learner), GAMMA)
    listed = trajectories(mdp, limit=2)
    wrong = expected_weight(mdp, learner, terminal, listed)
    assert (wrong - (q - v[:, None])).abs().max() > 0.01
    short = expected_weight(mdp, learner, terminal, trajectories(mdp))
    close(short, q - v[:, None])


def test_advantage_is_the_expected_td_residual(seed: int) -> None:
    """A^gamma(s, a) = E[r + gamma V(s') - V(s) | s, a] (slides, "Discounting"), and E_a[A] = 0."""
    mdp = random_mdp(seed)
    learner = random_learner(mdp, seed, GAMMA)
    pi = table(mdp, learner)
    v, q = mdp.values(pi, GAMMA)
    close(expected_weight(mdp, learner, setting("td_residual", gamma=GAMMA), trajectories(mdp)), q - v[:, None])
    close((pi * (q - v[:, None])).sum(-1), torch.zeros(mdp.n).double())


def test_baseline_has_expectation_zero(seed: int) -> None:
    """E[sum_t grad log pi b(s_t)] = 0 for any b(s) (slides, "Adding a Baseline")."""
    mdp = random_mdp(seed)
    learner, listed = random_learner(mdp, seed), trajectories(mdp)
    b = torch.from_numpy(np.random.default_rng(seed).normal(size=mdp.n))[listed.states]
    expectation = expected_score_times(learner, listed, b, table(mdp, learner))
    assert expectation.abs().max() < 1e-14
    action_dependent = torch.from_numpy(listed.actions + 1.0)
    assert expected_score_times(learner, listed, action_dependent, table(mdp, learner)).abs().max() > 0.01


def test_reward_before_the_action_has_expectation_zero(seed: int) -> None:
    """E[grad log pi(a_t | s_t) R(s_t', a_t', s_t'+1)] = 0 for each t' < t, and not for t' >= t (slides, appendix)."""
    mdp = random_mdp(seed)
    learner, listed = random_learner(mdp, seed), trajectories(mdp)
    pi, rewards = table(mdp, learner), torch.from_numpy(listed.rollout.rewards)
    for t in range(mdp.n):
        for earlier in range(mdp.n):
            only_t = torch.zeros_like(rewards)
            only_t[t] = rewards[earlier]
            size = expected_score_times(learner, listed, only_t, pi).abs().max()
            assert size < 1e-14 if earlier < t else size > 1e-7, (t, earlier)


def expected_score_times(learner: Learner, listed: Trajectories, f: Tensor, pi: Tensor) -> Tensor:
    """E_tau[sum_t f_t grad log pi(a_t | s_t)] [P] for f [T, N]."""
    live = torch.from_numpy(listed.live)
    batch = estimate(learner, listed.rollout, setting("reward_to_go", "zero"))
    probability = listed.probability(pi).expand(live.shape)[live]
    return Surrogate(learner, replace(batch, weights=f[live] * probability * live.sum())).gradient()


def test_batch_mean_baseline_costs_one_mth_of_the_gradient() -> None:
    """The mean return of a batch of m is no state baseline, for it holds the action's own return: the expectation over
    all batches of m pulls of a bandit is (1 - 1/m) grad J, as the slides' claim for b(s) would not have it."""
    returns, logits, m = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.3, -0.2, 0.1]).double(), 2
    pi = logits.softmax(-1)
    exact = pi * (returns - pi @ returns)
    network = MLP((1, 3), "tanh")
    learner = make_learner(network, Categorical(3), torch.cat([torch.zeros(3), logits]))  # no weights, only biases
    for baseline, factor in (("zero", 1.0), ("batch_mean", 1 - 1 / m)):
        expectation = torch.zeros(3).double()
        for pulls in torch.cartesian_prod(*[torch.arange(3)] * m):
            yes, no = np.ones((1, m), bool), np.zeros((1, m), bool)
            rollout = Rollout(
                obs=np.ones((1, m, 1)),
                actions=pulls.numpy()[None],
                rewards=returns[pulls].numpy()[None],
                terminated=yes,
                truncated=no,
                live=yes,
                next_obs=np.ones((m, 1)),
                cut_obs=np.zeros((0, 1)),
            )
            g = Surrogate(learner, estimate(learner, rollout, setting("reward_to_go", baseline))).gradient()
            expectation += pi[pulls].prod() * g[3:]
        close(expectation, factor * exact)


def test_sample_gradient_is_the_mean_of_phi_times_score(seed: int) -> None:
    """g^ = 1/B sum Phi_t grad log pi(a_t | s_t): a batch's gradient against autograd."""
    rng = np.random.default_rng(seed)
    mdp, learner = random_mdp(seed), random_learner(random_mdp(seed), seed)
    obs = torch.eye(mdp.n).double()[torch.from_numpy(rng.integers(mdp.n, size=30))]
    actions, weights = torch.from_numpy(rng.integers(3, size=30)), torch.from_numpy(rng.normal(size=30))
    g = Surrogate(learner, Batch(obs, actions, weights, weights, weights)).gradient()
    theta = learner.theta.clone().requires_grad_()
    log_pi = policy_table(mdp, learner.network, theta).log()[obs.argmax(-1), actions]
    close(g, torch.autograd.grad((weights * log_pi).mean(), theta)[0])


def test_simple_policy_gradient_step_raises_j() -> None:
    """theta_k+1 = theta_k + alpha grad J raises J for a small alpha (slides, "Problem")."""
    mdp = random_mdp(0)
    learner = random_learner(mdp, 0)
    g = expected_estimate(mdp, learner, setting("trajectory_return", "zero"))
    before = mdp.performance(table(mdp, learner))
    after = mdp.performance(policy_table(mdp, learner.network, learner.theta + 1e-3 * g))
    torch.testing.assert_close(after - before, 1e-3 * g @ g, rtol=1e-2, atol=0)
