"""The four algorithms as a textbook writes them: one seed, autograd, torch.optim, double loops, explicit matrices.

Nothing here is fast, and nothing is shared with pgbench but the layout of a parameter vector and the config.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal, kl_divergence

from pgbench.config import Config
from pgbench.experience.rollout import Rollout
from pgbench.learning.learner import Learner
from pgbench.maths.networks import MLP

Objective = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Objective] = {"tanh": torch.tanh, "elu": torch.nn.functional.elu, "relu": torch.relu}


def network(mlp: MLP, theta: Tensor, x: Tensor) -> Tensor:
    """y [B, out + free] of one network theta [P] = W1 | b1 | W2 | b2 | ... | free, W [out, in]; differentiable."""
    start = 0
    for layer, (fan_in, fan_out) in enumerate(pairwise(mlp.sizes)):
        weight = theta[start : start + fan_in * fan_out].reshape(fan_out, fan_in)
        start += fan_in * fan_out
        x = torch.nn.functional.linear(x, weight, theta[start : start + fan_out])
        start += fan_out
        if layer < len(mlp.sizes) - 2:
            x = ACTIVATIONS[mlp.activation](x)
    return torch.cat([x, theta[start : start + mlp.free].expand(len(x), -1)], -1) if mlp.free else x


def distribution(y: Tensor, discrete: bool) -> Distribution:
    """pi(. | s) of the network's output y [B, D]."""
    if discrete:
        return Categorical(logits=y)
    mean, log_std = y.chunk(2, -1)
    return Independent(Normal(mean, log_std.exp()), 1)


def n_step_advantage(r: Tensor, v: Tensor, v_end: Tensor, gamma: float, t: int, n: int) -> Tensor:
    """A_t^(n) = r_t + ... + gamma^(n-1) r_t+n-1 + gamma^n V(s_t+n) - V(s_t) of one trajectory [T], n <= T - t; v_end is
    the value after its last step."""
    rewards = sum((gamma**k * r[t + k] for k in range(n)), torch.zeros(()))
    return rewards + gamma**n * (v[t + n] if t + n < len(r) else v_end) - v[t]


def gae(r: Tensor, v: Tensor, v_end: Tensor, gamma: float, lam: float, t: int) -> Tensor:
    """(1 - lambda) sum_n lambda^(n-1) A_t^(n), and lambda^(T-t-1) for the last (slides, "Generalized Advantage
    Estimation")."""
    last = len(r) - t
    terms = [(1 - lam) * lam ** (n - 1) * n_step_advantage(r, v, v_end, gamma, t, n) for n in range(1, last)]
    return sum(terms, torch.zeros(())) + lam ** (last - 1) * n_step_advantage(r, v, v_end, gamma, t, last)


class Textbook:
    """One seed's policy and critic, with the optimisers of torch."""

    def __init__(self, config: Config, learner: Learner, discrete: bool):
        self.config, self.policy, self.critic, self.discrete = config, learner.network, learner.critic, discrete
        self.theta = learner.theta.double().clone().requires_grad_()
        self.phi = learner.phi.double().clone().requires_grad_()
        hp = config.hyperparameters
        optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[hp.optimizer]
        self.policy_optimizer = optimizer([self.theta], hp.learning_rate, maximize=True)
        self.critic_optimizer = torch.optim.Adam([self.phi], hp.critic_learning_rate)

    def update(self, rollout: Rollout) -> None:
        """One iteration of the configured algorithm."""
        config = self.config
        obs, actions, advantages, targets = self._estimate(rollout)
        if config.algorithm.uses_critic:
            for _ in range(config.hyperparameters.critic_steps):
                self.critic_optimizer.zero_grad()
                torch.mean((self._value(obs) - targets) ** 2).backward()
                self.critic_optimizer.step()
        old = self.theta.detach().clone()
        log_old = distribution(network(self.policy, old, obs), self.discrete).log_prob(actions)

        def surrogate(theta: Tensor) -> Tensor:
            log_new = distribution(network(self.policy, theta, obs), self.discrete).log_prob(actions)
            return torch.mean((log_new - log_old).exp() * advantages)

        def kl(theta: Tensor) -> Tensor:
            before, after = (distribution(network(self.policy, x, obs), self.discrete) for x in (old, theta))
            return kl_divergence(before, after).mean()

        self.policy_optimizer.zero_grad()
        surrogate(self.theta).backward()
        if config.algorithm.name in ("reinforce", "vpg"):
            self.policy_optimizer.step()
            return
        hp, g = config.hyperparameters, self.theta.grad
        assert g is not None
        fisher = torch.autograd.functional.hessian(kl, old)
        x = torch.linalg.solve(fisher + hp.cg_damping * torch.eye(len(old), dtype=old.dtype), g)
        step = (2 * hp.delta / (g @ x)).sqrt() * x
        with torch.no_grad():
            self.theta += step if config.algorithm.name == "npg" else self._search(old, step, g @ step, surrogate, kl)

    def _search(self, old: Tensor, step: Tensor, expected: Tensor, surrogate: Objective, kl: Objective) -> Tensor:
        """Algorithm 3, with the least share of the linear improvement that the config asks for."""
        hp = self.config.hyperparameters
        for i in range(hp.line_search_steps + 1):
            change = hp.line_search_shrink**i * step
            least = hp.line_search_accept * hp.line_search_shrink**i * expected
            if surrogate(old + change) - surrogate(old) >= least and kl(old + change) <= hp.delta:
                return change
        return torch.zeros_like(step)

    def _value(self, obs: Tensor) -> Tensor:
        assert self.critic
        return network(self.critic, self.phi, obs)[:, 0]

    def _estimate(self, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, Phi_t and the critic's targets, trajectory by trajectory."""
        config = self.config
        hp, algorithm = config.hyperparameters, config.algorithm
        lam = hp.gae_lambda
        rows = []
        cut = iter(rollout.cut_obs)
        ends = {(t, n): torch.from_numpy(next(cut)).double() for t, n in zip(*rollout.truncated.nonzero(), strict=True)}
        for n in range(rollout.obs.shape[1]):
            start = 0
            length = int(rollout.live[:, n].sum())
            for t in range(length):
                ended, timed_out = rollout.terminated[t, n], rollout.truncated[t, n]
                if not (ended or timed_out or t == length - 1):
                    continue
                obs = torch.from_numpy(rollout.obs[start : t + 1, n]).double()
                r = torch.from_numpy(rollout.rewards[start : t + 1, n]).double()
                after = ends[t, n] if timed_out else torch.from_numpy(rollout.next_obs[n]).double()
                with torch.no_grad():
                    v = self._value(obs) if algorithm.uses_critic else torch.zeros(len(r)).double()
                    known = algorithm.uses_critic and not ended and not (timed_out and config.env.timeout == "terminal")
                    v_end = self._value(after[None])[0] if known else torch.zeros(()).double()
                returns = [
                    n_step_advantage(r, torch.zeros_like(r), v_end, hp.gamma, k, len(r) - k) for k in range(len(r))
                ]
                for k in range(len(r)):
                    weight = gae(r, v, v_end, hp.gamma, lam, k) if algorithm.advantage == "gae" else returns[k]
                    if algorithm.advantage != "gae" and algorithm.baseline == "learned":
                        weight = weight - v[k]
                    target = returns[k] if hp.critic_target == "return" else gae(r, v, v_end, hp.gamma, lam, k) + v[k]
                    rows.append((obs[k], torch.as_tensor(rollout.actions[start + k, n]), weight, target))
                start = t + 1
        obs, actions, weights, targets = (torch.stack(column) for column in zip(*rows, strict=True))
        if algorithm.standardize:
            weights = (weights - weights.mean()) / (weights.std() + 1e-8)
        elif algorithm.baseline == "batch_mean":
            weights = weights - weights.mean()
        return obs, actions, weights, targets
