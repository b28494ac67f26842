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
SUITE = ("tests/equations", *(f"--ignore=tests/equations/test_{name}.py" for name in NOT_OF_FORMULAS))


class Mutation(NamedTuple):
    """`old` -> `new` in pgbench/<file>; `tests` is the test file that is asked first, before all of them are."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation("drop gamma", "returns.py", "return r + gamma * v_next - v", "return r + v_next - v", "returns"),
    Mutation("lambda for gamma lambda", "returns.py", "gamma * lam * ~last", "lam * ~last", "returns"),
    Mutation(
        "lambda^t, not lambda^l",
        "returns.py",
        "discounted_sum(td_residual(r, v, v_next, gamma), ",
        "discounted_sum(td_residual(r, v, v_next, gamma) * lam ** np.arange(r.shape[1])[:, None], ",
        "returns",
    ),
    Mutation("returns run across episodes", "returns.py", "gamma * ~last)", "gamma + 0.0 * last)", "returns"),
    Mutation("n + 1 steps for n", "returns.py", "range(min(n, ", "range(min(n + 1, ", "returns"),
    Mutation(
        "trajectory return from t on",
        "returns.py",
        "total[:, t] = np.where(last[:, t - 1], total[:, t], total[:, t - 1])",
        "pass",
        "returns",
    ),
    Mutation(
        "forget the baseline",
        "advantages.py",
        'return phi - v if config.algorithm.baseline == "learned" else phi',
        "return phi",
        "policy_gradient",
    ),
    Mutation("bootstrap through termination", "advantages.py", "np.where(rollout.terminated, 0, ", "(", "algorithms"),
    Mutation(
        "no bootstrap at truncation",
        "advantages.py",
        'if config.env.timeout == "terminal":',
        "if True:",
        "policy_gradient",
    ),
    Mutation(
        "bootstrap from the observation after the reset",
        "advantages.py",
        "for seed in np.unique(owners):",
        "for seed in ():",
        "policy_gradient",
    ),
    Mutation("normalise by the variance", "advantages.py", "weight.std(1, ", "weight.var(1, ", "configs"),
    Mutation("mean over seeds", "advantages.py", "weight.mean(1, keepdim=True)", "weight.mean()", "configs"),
    Mutation("lambda-return without V", "advantages.py", "hp.gae_lambda) + v", "hp.gae_lambda)", "algorithms"),
    Mutation(
        "swap the KL's arguments",
        "surrogate.py",
        "kl(pick(self.linear.y), y)",
        "kl(y, pick(self.linear.y))",
        "divergence",
    ),
    Mutation("ratio without the old policy", "surrogate.py", " - pick(self.log_prob)", "", "trust_region"),
    Mutation(
        "KL of the policy before the step",
        "surrogate.py",
        "self.evaluate(slice(None), theta)",
        "self.evaluate(slice(None), self.theta)",
        "diagnostics",
    ),
    Mutation("score sign", "distributions.py", "y.softmax(-1).neg_()", "y.softmax(-1)", "policy_gradient"),
    Mutation(
        "entropy sign",
        "distributions.py",
        "return -(log_p.exp() * log_p).sum(-1)",
        "return (log_p.exp() * log_p).sum(-1)",
        "divergence",
    ),
    Mutation("score of log std without - 1", "distributions.py", "z.square() - 1]", "z.square()]", "divergence"),
    Mutation(
        "KL without the variance ratio",
        "distributions.py",
        "squares = torch.exp(2 * (log_old - log_new)) + ",
        "squares = 1 + ",
        "divergence",
    ),
    Mutation(
        "Fisher of the logits without p p^T",
        "distributions.py",
        "torch.addcmul(weighted, p, weighted.sum(-1, keepdim=True), value=-1)",
        "weighted",
        "divergence",
    ),
    Mutation(
        "transpose a factor of F (a weight's block of J^T)",
        "networks.py",
        "outer(u, h).flatten(1)",
        "outer(u, h).mT.flatten(1)",
        "divergence",
    ),
    Mutation(
        "forget an activation's slope in J^T",
        "networks.py",
        "u *= self.slopes[layer - 1]",
        "pass",
        "policy_gradient",
    ),
    Mutation(
        "F without its metric: J^T J",
        "natural.py",
        "policy.vjp(metric(policy.jvp(v)))",
        "policy.vjp(policy.jvp(v))",
        "divergence",
    ),
    Mutation(
        "F as a sum over states",
        "natural.py",
        "policy.vjp(metric(policy.jvp(v))) / size",
        "policy.vjp(metric(policy.jvp(v)))",
        "divergence",
    ),
    Mutation("forget the damping", "algorithms/npg.py", "fisher(v) + hp.cg_damping * v", "fisher(v)", "diagnostics"),
    Mutation(
        "conjugate gradient's beta upside down",
        "natural.py",
        "rr_next / rr, 0.0",
        "rr / rr_next, 0.0",
        "natural_gradient",
    ),
    Mutation("delta for 2 delta", "natural.py", "(2 * delta / gx)", "(delta / gx)", "natural_gradient"),
    Mutation(
        "no square root in the step",
        "natural.py",
        "(2 * delta / gx).sqrt() * x",
        "(2 * delta / gx) * x",
        "natural_gradient",
    ),
    Mutation("accept without the KL test", "natural.py", " & (kl <= delta)", "", "trust_region"),
    Mutation(
        "accept without the improvement test",
        "natural.py",
        "(improvement >= accept * scale * expected[pending]) & ",
        "",
        "trust_region",
    ),
    Mutation(
        "L - 1 backtracks",
        "natural.py",
        "for i in range(backtracks + 1):",
        "for i in range(backtracks):",
        "trust_region",
    ),
    Mutation(
        "keep the last candidate after a rejection",
        "natural.py",
        "new[pending[good]] = candidate[good]",
        "new[pending] = candidate",
        "trust_region",
    ),
    Mutation("Adam without bias correction", "optimizers.py", "(v / (1 - beta2**t)).sqrt_()", "v.sqrt()", "algorithms"),
    Mutation(
        "Adam's epsilon inside the root", "optimizers.py", ".sqrt_().add_(eps)", ".add_(eps).sqrt_()", "algorithms"
    ),
    Mutation("descend", "algorithms/vpg.py", "state.theta + (step", "state.theta - (step", "algorithms"),
    Mutation(
        "critic climbs its loss",
        "critic.py",
        "(batch.targets.unsqueeze(-1) - critic.y)",
        "(critic.y - batch.targets.unsqueeze(-1))",
        "algorithms",
    ),
    Mutation(
        "explained variance against the squared error",
        "critic.py",
        "error.var(1) / spread",
        "error.square().mean(1) / spread",
        "diagnostics",
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
        return first_failure(root, (f"tests/equations/test_{mutation.tests}.py",)) or first_failure(root, SUITE)


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
