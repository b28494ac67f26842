"""Breaks each formula on purpose, in a scratch copy, and asks whether a test notices: `make mutations`.

Prints each mutation with the first test that fails, and exits 1 if one survives. A mutation whose source text is no
longer there is an error: the code has changed, and the mutation must follow it (`test_mutations.py` says so at once).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("pgbench", "conf", "tests", "pyproject.toml")
NOT_OF_FORMULAS = ("map", "mutations", "figures")
ROOMS = ("identity", "envs", "rollout", "lockstep")
SUITE = (
    "tests/equations",
    *(f"--ignore=tests/equations/test_{name}.py" for name in NOT_OF_FORMULAS),
    *(f"tests/pgbench/test_{name}.py" for name in ROOMS),
)


class Mutation(NamedTuple):
    """`old` -> `new` in pgbench/<file>; `tests` is the test file that is asked first, before all of them are: of
    tests/equations, or of tests/<folder> where it is `<folder>/<name>`."""

    name: str
    file: str
    old: str
    new: str
    tests: str

    @property
    def first(self) -> str:
        """The file that is asked first."""
        folder, _, name = self.tests.rpartition("/")
        return f"tests/{folder or 'equations'}/test_{name}.py"


RETURNS = "maths/returns.py"
NATURAL = "maths/natural.py"
DISTRIBUTIONS = "maths/distributions.py"
NETWORKS = "maths/networks.py"
OPTIMIZERS = "maths/optimizers.py"
MOMENTS = "maths/moments.py"
ADVANTAGES = "learning/advantages.py"
SURROGATE = "learning/surrogate.py"
CRITIC = "learning/critic.py"
NORMALIZERS = "experience/normalizers.py"
COLLECTOR = "experience/collector.py"
ACTING = "experience/acting.py"
ACCOUNTS = "experience/accounts.py"
OBJECTS = "experience/objects.py"
ARRAYS = "experience/arrays.py"
LOCOMOTION = "experience/locomotion.py"
MAKING = "experience/making.py"

MUTATIONS = (
    Mutation("drop gamma", RETURNS, "return r + gamma * v_next - v", "return r + v_next - v", "returns"),
    Mutation("lambda for gamma lambda", RETURNS, "gamma * lam * ~last", "lam * ~last", "returns"),
    Mutation(
        "lambda^t, not lambda^l",
        RETURNS,
        "discounted_sum(td_residual(r, v, v_next, gamma), ",
        "discounted_sum(td_residual(r, v, v_next, gamma) * lam ** np.arange(len(r))[:, None], ",
        "returns",
    ),
    Mutation("returns run across episodes", RETURNS, "gamma * ~last)", "gamma + 0.0 * last)", "returns"),
    Mutation("n + 1 steps for n", RETURNS, "range(min(n, ", "range(min(n + 1, ", "returns"),
    Mutation(
        "trajectory return from t on",
        RETURNS,
        "total[t] = np.where(last[t - 1], total[t], total[t - 1])",
        "pass",
        "returns",
    ),
    Mutation(
        "forget the baseline",
        ADVANTAGES,
        'return weights - v if config.algorithm.baseline == "learned" and name not in ADVANTAGES else weights',
        "return weights",
        "policy_gradient",
    ),
    Mutation("bootstrap through termination", ADVANTAGES, "np.where(rollout.terminated, 0, ", "(", "algorithms"),
    Mutation(
        "no bootstrap at truncation",
        ADVANTAGES,
        'if config.env.timeout == "terminal":',
        "if True:",
        "policy_gradient",
    ),
    Mutation(
        "bootstrap from the observation after the reset",
        ADVANTAGES,
        "elif rollout.truncated.any():",
        "elif False:",
        "algorithms",
    ),
    Mutation("normalise by the variance", ADVANTAGES, "len(x) - 1)).sqrt()", "len(x) - 1))", "configs"),
    Mutation(
        "divide without shifting",
        ADVANTAGES,
        "centred / deviation if",
        "x / deviation if",
        "configs",
    ),
    Mutation(
        "standardise rounding noise",
        ADVANTAGES,
        "deviation > 1e-6 * x.abs().max()",
        "deviation > 0",
        "degenerate",
    ),
    Mutation(
        "what is not finite becomes zero",
        ADVANTAGES,
        "torch.where(x.isfinite(), 0.0, x)",
        "torch.zeros_like(x)",
        "degenerate",
    ),
    Mutation("lambda-return without V", ADVANTAGES, "hp.gae_lambda) + v", "hp.gae_lambda)", "algorithms"),
    Mutation("swap the KL's arguments", SURROGATE, "kl(self.linear.y, y)", "kl(y, self.linear.y)", "divergence"),
    Mutation("ratio without the old policy", SURROGATE, " - self.log_prob)", ")", "trust_region"),
    Mutation(
        "KL of the policy before the step",
        SURROGATE,
        "self.evaluate(theta)",
        "self.evaluate(self.theta)",
        "diagnostics",
    ),
    Mutation("score sign", DISTRIBUTIONS, "y.softmax(-1).neg_()", "y.softmax(-1)", "policy_gradient"),
    Mutation(
        "entropy sign",
        DISTRIBUTIONS,
        "return -(log_p.exp() * log_p).sum(-1)",
        "return (log_p.exp() * log_p).sum(-1)",
        "divergence",
    ),
    Mutation("score of log std without - 1", DISTRIBUTIONS, "z.square() - 1]", "z.square()]", "divergence"),
    Mutation(
        "KL without the variance ratio",
        DISTRIBUTIONS,
        "squares = torch.exp(2 * (log_old - log_new)) + ",
        "squares = 1 + ",
        "divergence",
    ),
    Mutation(
        "Fisher of the logits without p p^T",
        DISTRIBUTIONS,
        "torch.addcmul(weighted, p, weighted.sum(-1, keepdim=True), value=-1)",
        "weighted",
        "divergence",
    ),
    Mutation(
        "transpose a factor of F (a weight's block of J^T)",
        NETWORKS,
        "outer(u, h).flatten()",
        "outer(u, h).mT.flatten()",
        "divergence",
    ),
    Mutation(
        "forget an activation's slope in J^T",
        NETWORKS,
        "u *= self.slopes[layer - 1]",
        "pass",
        "policy_gradient",
    ),
    Mutation(
        "acting by another network: no output bias",
        NETWORKS,
        "x @ weight.swapaxes(1, 2) + bias",
        "x @ weight.swapaxes(1, 2)",
        "networks",
    ),
    Mutation(
        "F without its metric: J^T J",
        NATURAL,
        "policy.vjp(metric(policy.jvp(v)))",
        "policy.vjp(policy.jvp(v))",
        "divergence",
    ),
    Mutation(
        "F as a sum over states",
        NATURAL,
        "policy.vjp(metric(policy.jvp(v))) / size",
        "policy.vjp(metric(policy.jvp(v)))",
        "divergence",
    ),
    Mutation("forget the damping", "algorithms/npg.py", "fisher(v) + hp.cg_damping * v", "fisher(v)", "diagnostics"),
    Mutation(
        "conjugate gradient's beta upside down",
        NATURAL,
        "rr_next / rr, p",
        "rr / rr_next, p",
        "natural_gradient",
    ),
    Mutation(
        "conjugate gradient never stops early",
        NATURAL,
        "if not rr > tolerance * start:",
        "if False:",
        "natural_gradient",
    ),
    Mutation(
        "conjugate gradient goes on where products underflow",
        NATURAL,
        "if curvature < torch.finfo(b.dtype).tiny and curvature.isfinite():",
        "if False:",
        "natural_gradient",
    ),
    Mutation("delta for 2 delta", NATURAL, "(2 * delta / gx)", "(delta / gx)", "natural_gradient"),
    Mutation(
        "no square root in the step",
        NATURAL,
        "(2 * delta / gx).sqrt()",
        "(2 * delta / gx)",
        "natural_gradient",
    ),
    Mutation("accept without the KL test", NATURAL, " and kl <= delta", "", "trust_region"),
    Mutation(
        "accept without the improvement test",
        NATURAL,
        "improvement >= accept * scale * expected and ",
        "",
        "trust_region",
    ),
    Mutation(
        "accept where the KL is not a number",
        NATURAL,
        "and kl <= delta",
        "and not kl > delta",
        "trust_region",
    ),
    Mutation(
        "L - 1 backtracks",
        NATURAL,
        "for i in range(backtracks + 1):",
        "for i in range(backtracks):",
        "trust_region",
    ),
    Mutation(
        "keep the last candidate after a rejection",
        NATURAL,
        "return theta, False, backtracks + 1",
        "return candidate, False, backtracks + 1",
        "trust_region",
    ),
    Mutation("Adam without bias correction", OPTIMIZERS, "(v / (1 - beta2**n)).sqrt_()", "v.sqrt()", "algorithms"),
    Mutation("Adam's epsilon inside the root", OPTIMIZERS, ".sqrt_().add_(eps)", ".add_(eps).sqrt_()", "algorithms"),
    Mutation("descend", "algorithms/vpg.py", "learner.theta + (step", "learner.theta - (step", "algorithms"),
    Mutation(
        "each minibatch of the critic is the first",
        CRITIC,
        "yield from zip(batch.obs[order].split(size)",
        "yield from zip(batch.obs.split(size)",
        "algorithms",
    ),
    Mutation(
        "a schedule forgets the critic",
        "config.py",
        'RATES = ("learning_rate", "critic_learning_rate")',
        'RATES = ("learning_rate",)',
        "algorithms",
    ),
    Mutation(
        "delta falls as the learning rates do",
        "config.py",
        "(hp.delta_schedule or hp.schedule)",
        "hp.schedule",
        "algorithms",
    ),
    Mutation(
        "delta's schedule is recorded where it is that of all",
        "config.py",
        'in (None, hp["schedule"])',
        'in (hp["schedule"],)',
        "pgbench/identity",
    ),
    Mutation(
        "a schedule ends at half",
        "config.py",
        "1 - env_steps / self.total_steps",
        "1 - env_steps / (2 * self.total_steps)",
        "algorithms",
    ),
    Mutation(
        "how long it is never counts",
        "config.py",
        "        if self.scheduled:\n",
        '        if self.scheduled == ("delta",):\n',
        "pgbench/identity",
    ),
    Mutation(
        "critic climbs its loss",
        CRITIC,
        "(targets[:, None] - critic.y)",
        "(critic.y - targets[:, None])",
        "algorithms",
    ),
    Mutation(
        "explained variance against the squared error",
        CRITIC,
        "1 - error.var(correction=0) / ",
        "1 - error.square().mean() / ",
        "diagnostics",
    ),
    Mutation(
        "running moments without the between-batch term",
        MOMENTS,
        " + shift**2 * self.count * count / total",
        "",
        "normalizers",
    ),
    Mutation(
        "running mean of the last batch",
        MOMENTS,
        "self.mean + shift * count / total",
        "self.mean + shift",
        "normalizers",
    ),
    Mutation(
        "running variance weighs batches alike",
        MOMENTS,
        "count * var + shift",
        "self.count * var + shift",
        "normalizers",
    ),
    Mutation("standardise by the variance", MOMENTS, "np.sqrt(self.var + 1e-8)", "(self.var + 1e-8)", "normalizers"),
    Mutation("standardise without the mean", MOMENTS, "(x - self.mean)", "x", "normalizers"),
    Mutation("standardised values without bounds", MOMENTS, "1e-8), -10, 10)", "1e-8), -1e9, 1e9)", "normalizers"),
    Mutation("observations not standardised", COLLECTOR, "obs=see(obs)", "obs=obs", "normalizers"),
    Mutation(
        "next observations not standardised", COLLECTOR, "see(seen.next_obs[s])", "seen.next_obs[s]", "normalizers"
    ),
    Mutation(
        "final observations not standardised", COLLECTOR, "see(seen.cut_obs[s])", "seen.cut_obs[s]", "normalizers"
    ),
    Mutation(
        "moments after the batch instead of before",
        COLLECTOR,
        "        see = normalizers.standardizer or",
        "        normalizers.observe(obs, live)\n        see = normalizers.standardizer or",
        "normalizers",
    ),
    Mutation("moments never learn", COLLECTOR, "        normalizers.observe(obs, live)\n", "", "normalizers"),
    Mutation(
        "moments of steps of no batch",
        NORMALIZERS,
        "self.obs.update(obs[live])",
        "self.obs.update(obs.reshape(-1, obs.shape[-1]))",
        "normalizers",
    ),
    Mutation(
        "the policy acts on observations as they are",
        ACTING,
        "obs = see(envs.obs) if see else envs.obs",
        "obs = envs.obs",
        "normalizers",
    ),
    Mutation(
        "every seed sees with the first one's moments",
        COLLECTOR,
        "for one in moments])[:, None]",
        "for one in moments[:1]])[:, None]",
        "normalizers",
    ),
    Mutation(
        "discounted return runs across episodes",
        NORMALIZERS,
        "self.discounted = np.where(ended[t], 0, self.discounted)",
        "pass",
        "normalizers",
    ),
    Mutation(
        "return's deviation without the discount", NORMALIZERS, "self.gamma * self.discounted + ", "", "normalizers"
    ),
    Mutation(
        "rewards of the moments before the batch",
        NORMALIZERS,
        "        self.returns.update(running[live][:, None])\n"
        "        return np.clip(rewards / np.sqrt(self.returns.var",
        "        before = self.returns.var\n        self.returns.update(running[live][:, None])\n"
        "        return np.clip(rewards / np.sqrt(before",
        "normalizers",
    ),
    Mutation("scaled rewards without bounds", NORMALIZERS, "1e-8), -10, 10)", "1e-8), -1e9, 1e9)", "normalizers"),
    Mutation(
        "discounted returns begin anew after a resume",
        NORMALIZERS,
        'self.discounted = saved["discounted"]',
        "pass",
        "normalizers",
    ),
    Mutation("moments begin anew after a resume", NORMALIZERS, "vars(one).update(saved[name])", "pass", "normalizers"),
    Mutation(
        "environments of a seed share a stream",
        OBJECTS,
        "for child in seed.spawn(n_envs)]",
        "for child in seed.spawn(1) * n_envs]",
        "pgbench/envs",
    ),
    Mutation(
        "environments of an array start alike",
        ARRAYS,
        "random((self.task.n_random, counts[s]))",
        "random((self.task.n_random, 1)).repeat(counts[s], 1)",
        "pgbench/envs",
    ),
    Mutation(
        "seeds share their environments' stream",
        ARRAYS,
        "seed.spawn(1)[0]) for seed in seeds]",
        "0) for seed in seeds]",
        "pgbench/envs",
    ),
    Mutation(
        "environments share their action noise",
        ACTING,
        "distribution.noise(rng, shape) if on.any()",
        "distribution.noise(rng, (shape[0], 1)).repeat(shape[1], 1) if on.any()",
        "normalizers",
    ),
    Mutation(
        "actions not clipped",
        "policy.py",
        "np.clip(actions.reshape(*actions.shape[:-1], *self.shape), self.low, self.high)",
        "actions.reshape(*actions.shape[:-1], *self.shape)",
        "pgbench/envs",
    ),
    Mutation(
        "an array's actions not clipped",
        ARRAYS,
        "action.clip(*self.bounds)",
        "action",
        "pgbench/envs",
    ),
    Mutation(
        "no reward for standing", LOCOMOTION, "return rewarded * self.reward, ", "return 0.0, ", "pgbench/locomotion"
    ),
    Mutation(
        "v4 as v5: the step that falls is not rewarded",
        LOCOMOTION,
        "self.version == 4 and self.ends",
        "False",
        "pgbench/locomotion",
    ),
    Mutation(
        "the control cost in float64",
        LOCOMOTION,
        "np.square(action)",
        "np.square(action.astype(float))",
        "pgbench/locomotion",
    ),
    Mutation(
        "a walker's time limit one step late",
        LOCOMOTION,
        "self.elapsed >= self.limit",
        "self.elapsed > self.limit",
        "pgbench/locomotion",
    ),
    Mutation("actions from zero", "policy.py", "return actions + self.start", "return actions", "pgbench/envs"),
    Mutation(
        "appended time off by one",
        MAKING,
        "self.elapsed / self.limit",
        "(self.elapsed - 1) / self.limit",
        "pgbench/envs",
    ),
    Mutation("appended time runs on through resets", MAKING, "        self.elapsed = 0\n", "", "pgbench/envs"),
    Mutation(
        "a bad reward hurts the episodes after it",
        "experience/accounts.py",
        "rewards[begin[n] : t + 1, n].sum()",
        "(rewards[: t + 1, n].sum() - rewards[: begin[n], n].sum())",
        "degenerate",
    ),
    Mutation(
        "a number that is not finite is no divergence",
        "runs/trainer.py",
        'return f"{name} is {row[name]}"',
        "pass",
        "degenerate",
    ),
    Mutation(
        "an array's appended time off by one",
        ARRAYS,
        "self.steps[which] / self.time",
        "(self.steps[which] + 1) / self.time",
        "pgbench/envs",
    ),
    Mutation(
        "final observation is the one after the reset",
        OBJECTS,
        "                self._final[i] = obs[i]\n                self._begin(i)\n",
        "                self._begin(i)\n                self._final[i] = obs[i]\n",
        "pgbench/rollout",
    ),
    Mutation(
        "an episode's return without the batches before",
        ACCOUNTS,
        "self.running_return[n] + rewards",
        "rewards",
        "pgbench/rollout",
    ),
    Mutation(
        "time limits count as ends of the environment",
        OBJECTS,
        "ended, cut and not ended",
        "ended or cut, False",
        "pgbench/envs",
    ),
    Mutation(
        "an update sees every hyperparameter",
        "config.py",
        "hyperparameters=_holding(kept))",
        "hyperparameters=self.hyperparameters)",
        "pgbench/identity",
    ),
    Mutation(
        "a key that is not read counts",
        "config.py",
        "reads = {*ALWAYS, ",
        'reads = {*ALWAYS, "n_step", ',
        "pgbench/identity",
    ),
)


def apply(mutation: Mutation, root: Path) -> None:
    """Edits the copy. Raises ValueError where the text is no longer there."""
    path = root / "pgbench" / mutation.file
    source = path.read_text()
    if mutation.old not in source:
        raise ValueError(f"{mutation.name}: {mutation.old!r} is not in pgbench/{mutation.file}")
    path.write_text(source.replace(mutation.old, mutation.new))


def copy(root: Path) -> None:
    """What the tests need, in a scratch directory."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)


def first_failure(root: Path, tests: tuple[str, ...]) -> str | None:
    """The first failing test, None if all pass. Raises RuntimeError if they cannot run, or run other code."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    where = [sys.executable, "-c", "import pgbench; print(pgbench.__file__)"]
    used = subprocess.run(where, cwd=root, capture_output=True, text=True, check=True).stdout
    if not Path(used.strip()).is_relative_to(root):
        raise RuntimeError(f"the tests would run {used.strip()}, not the copy in {root}")
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    failed = re.search(r"^FAILED \S*?(test_\w+\.py::\S+)", result.stdout, re.MULTILINE)
    if result.returncode not in (0, 1) or (result.returncode == 1) != bool(failed):
        raise RuntimeError(result.stdout + result.stderr)
    return failed[1] if failed else None


def judge(mutation: Mutation | None) -> str | None:
    """The test that notices the mutation; without one, the tests must pass as they are."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch).resolve()
        copy(root)
        if mutation is None:
            return first_failure(root, SUITE)
        apply(mutation, root)
        return first_failure(root, (mutation.first,)) or first_failure(root, SUITE)


def main() -> int:
    broken = judge(None)
    if broken:
        print(f"The tests fail without any mutation: {broken}")
        return 1
    survivors = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for mutation, noticed in zip(MUTATIONS, pool.map(judge, MUTATIONS), strict=True):
            survivors += noticed is None
            print(f"{mutation.name:<50} {noticed or 'SURVIVES'}", flush=True)
    print(f"{len(MUTATIONS) - survivors} of {len(MUTATIONS)} mutations noticed")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
