"""A small Markov decision process of which everything is known: (S, A, P, R, rho_0) of the slides' "Setup".

The n states lead only to later ones or to the end, so no trajectory is longer than n steps, all of them can be listed,
and values do not depend on time. What the slides define as an expectation is here a finite sum, or linear algebra.
All numbers are float64.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from equations import textbook
from equations.learners import make_learner, random_parameters
from torch import Tensor

from pgbench.config import Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.advantages import Batch, estimate
from pgbench.learning.learner import Learner
from pgbench.learning.surrogate import Surrogate
from pgbench.maths.distributions import Categorical
from pgbench.maths.networks import MLP


@dataclass(frozen=True)
class MDP:
    p: Tensor
    """P(s' | s, a) [n, A, n + 1]; the last s' is the end"""
    r: Tensor
    """R(s, a, s') [n, A, n + 1]"""
    rho: Tensor
    """rho_0(s) [n]"""

    @property
    def n(self) -> int:
        return len(self.rho)

    def values(self, pi: Tensor, gamma: float = 1.0) -> tuple[Tensor, Tensor]:
        """V [n] and Q [n, A] of the policy pi [n, A], from the Bellman equation V = r_pi + gamma P_pi V."""
        reward = (self.p * self.r).sum(-1)
        onward = self.p[..., :-1]
        transition = torch.einsum("sa,sat->st", pi, onward)
        v = torch.linalg.solve(torch.eye(self.n, dtype=pi.dtype) - gamma * transition, (pi * reward).sum(-1))
        return v, reward + gamma * onward @ v

    def visits(self, pi: Tensor) -> Tensor:
        """sum_t P(s_t = s) [n]: the state distribution, times the expected length."""
        transition = torch.einsum("sa,sat->st", pi, self.p[..., :-1])
        return torch.linalg.solve(torch.eye(self.n, dtype=pi.dtype) - transition.T, self.rho)

    def performance(self, pi: Tensor, gamma: float = 1.0) -> Tensor:
        """J = E[R^gamma(tau)], scalar."""
        return self.rho @ self.values(pi, gamma)[0]


def random_mdp(seed: int = 0, n: int = 4, n_actions: int = 3) -> MDP:
    """Dirichlet dynamics and normal rewards."""
    rng = np.random.default_rng(seed)
    p = rng.gamma(1.0, size=(n, n_actions, n + 1))
    p *= np.triu(np.ones((n, n + 1)), 1)[:, None]
    p /= p.sum(-1, keepdims=True)
    rho = rng.dirichlet(np.ones(n))
    return MDP(*map(torch.from_numpy, (p, rng.normal(size=p.shape), rho)))


@dataclass(frozen=True)
class Trajectories:
    """All N trajectories of at most T steps, as columns of a rollout; steps after an end are not live."""

    rollout: Rollout
    states: np.ndarray
    """[T, N]"""
    dynamics: Tensor
    """rho_0(s_0) prod P(s_t+1 | s_t, a_t) [N]: what P(tau | pi) has beside the policy"""

    @property
    def live(self) -> np.ndarray:
        return self.rollout.live

    @property
    def actions(self) -> np.ndarray:
        return self.rollout.actions

    def probability(self, pi: Tensor) -> Tensor:
        """P(tau | pi) [N]."""
        chosen = pi[self.states, self.actions]
        return self.dynamics * torch.where(torch.from_numpy(self.live), chosen, 1.0).prod(0)


def trajectories(mdp: MDP, limit: int | None = None, cut: bool = True) -> Trajectories:
    """Lists them by walking the tree. After `limit` steps the time limit cuts those still going on (`cut`), or the
    batch ends there."""
    p, r, n, n_actions = mdp.p.numpy(), mdp.r.numpy(), mdp.n, mdp.r.shape[1]
    steps = limit or n
    found: list[tuple[list[tuple[int, int, float]], int, float]] = []

    def walk(s: int, taken: list[tuple[int, int, float]], probability: float) -> None:
        if s == n or len(taken) == steps:
            found.append((taken, s, probability))
            return
        for a in range(n_actions):
            for s_next in range(s + 1, n + 1):
                walk(s_next, [*taken, (s, a, float(r[s, a, s_next]))], probability * float(p[s, a, s_next]))

    for s, start in enumerate(mdp.rho.tolist()):
        walk(s, [], start)
    shape = (steps, len(found))
    states, actions, rewards = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape)
    terminated, truncated, live = (np.zeros(shape, bool) for _ in range(3))
    onehot = np.eye(n)
    for i, (taken, s_end, _) in enumerate(found):
        for t, (s, a, reward) in enumerate(taken):
            states[t, i], actions[t, i], rewards[t, i], live[t, i] = s, a, reward, True
        terminated[len(taken) - 1, i] = s_end == n
        truncated[len(taken) - 1, i] = s_end < n and cut
    ends = [onehot[s_end % n] for _, s_end, _ in found]
    order = np.argwhere(truncated)[:, 1]
    rollout = Rollout(
        obs=onehot[states],
        actions=actions,
        rewards=rewards,
        terminated=terminated,
        truncated=truncated,
        live=live,
        next_obs=np.array(ends),
        cut_obs=np.array([ends[i] for i in order]).reshape(-1, n),
    )
    return Trajectories(rollout, states, torch.tensor([probability for *_, probability in found], dtype=torch.float64))


def random_learner(mdp: MDP, seed: int = 0, gamma: float = 1.0) -> Learner:
    """A random softmax policy with a hidden layer, and a linear critic that holds the exact V^gamma."""
    rng = np.random.default_rng(seed)
    network, critic = MLP((mdp.n, 5, mdp.r.shape[1]), "tanh"), MLP((mdp.n, 1), "tanh")
    theta = random_parameters(network, rng)
    v, _ = mdp.values(policy_table(mdp, network, theta), gamma)
    phi = torch.cat([v, v.new_zeros(1)])  # the bias
    return make_learner(network, Categorical(mdp.r.shape[1]), theta, critic, phi)


def policy_table(mdp: MDP, network: MLP, theta: Tensor) -> Tensor:
    """pi(a | s) [n, A] of parameters theta [P], differentiable in them."""
    return textbook.network(network, theta, torch.eye(mdp.n, dtype=theta.dtype)).softmax(-1)


def table(mdp: MDP, learner: Learner) -> Tensor:
    """pi(a | s) [n, A] of a learner."""
    return policy_table(mdp, learner.network, learner.theta)


def exact_gradient(mdp: MDP, learner: Learner, gamma: float = 1.0) -> Tensor:
    """grad J [P], by differentiating the Bellman equation's solution."""
    theta = learner.theta.clone().requires_grad_()
    return torch.autograd.grad(mdp.performance(policy_table(mdp, learner.network, theta), gamma), theta)[0]


def weighted(listed: Trajectories, pi: Tensor, batch: Batch) -> Batch:
    """The batch with Phi_t multiplied so that a mean over its B transitions is E_tau[sum_t ...]."""
    probability = listed.probability(pi).expand(listed.live.shape)[torch.from_numpy(listed.live)]
    return replace(batch, weights=batch.weights * probability * len(batch.weights))


def expected_estimate(mdp: MDP, learner: Learner, config: Config, listed: Trajectories | None = None) -> Tensor:
    """E_tau[sum_t Phi_t grad log pi] [P], with Phi_t and the gradient as pgbench computes them."""
    listed = listed or trajectories(mdp)
    batch = weighted(listed, table(mdp, learner), estimate(learner, listed.rollout, config))
    return Surrogate(learner, batch).gradient()


def expected_weight(mdp: MDP, learner: Learner, config: Config, listed: Trajectories) -> Tensor:
    """E[Phi_0 | s_0, a_0] [n, A], with Phi_0 as pgbench computes it; every trajectory has a step 0."""
    weights = estimate(learner, listed.rollout, config).weights[: listed.live.shape[1]]
    probability = listed.probability(table(mdp, learner))
    index = torch.from_numpy(listed.states[0] * mdp.r.shape[1] + listed.actions[0])
    size = mdp.n * mdp.r.shape[1]
    total = torch.zeros(size).double().index_add(0, index, probability)
    return (torch.zeros(size).double().index_add(0, index, probability * weights) / total).view(mdp.n, -1)
