"""`import pgbench`: the interface for notebooks and other programs."""

import inspect
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import pgbench
from pgbench.experience.environments import make_envs

NOTEBOOK = """
import pgbench, sys
from reports import load_runs
config = pgbench.compose(["algorithm=trpo", "env=cartpole", "seeds=2", "total_steps=4096", f"output_dir={sys.argv[1]}"])
runs = pgbench.train(config)
policy = pgbench.load_policy(runs[0])
print(policy.act(pgbench.make_env(config.env).reset(seed=0)[0], deterministic=True))
print(pgbench.evaluate(policy, episodes=3, seed=1).shape)
print(load_runs(sys.argv[1]).groupby("seed")["episode_return"].last())
"""


def test_from_nothing_to_numbers(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", NOTEBOOK, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "(3,)" in done.stdout


def test_every_public_name_is_there_and_described() -> None:
    for name in pgbench.__all__:
        found = getattr(pgbench, name)
        assert inspect.getdoc(found), name
        for method, member in vars(found).items() if inspect.isclass(found) else ():
            if inspect.isfunction(member) and not method.startswith("_"):
                assert inspect.getdoc(member), f"{name}.{method}"
    assert set(pgbench.__all__) <= set(dir(pgbench))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pgbench.nothing  # noqa: B018
    assert (Path(pgbench.__file__).parent / "py.typed").exists()


def test_it_leaves_the_process_as_it_was(small) -> None:
    """Threads of torch, signal handlers, the global random state; and it works again, in a thread, in another job."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    state = torch.get_rng_state()
    try:
        pgbench.train(small("seeds=1", "total_steps=200"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert torch.equal(torch.get_rng_state(), state)
    found = []
    config = small("seeds=1", "total_steps=200", "algorithm=npg")
    thread = threading.Thread(target=lambda: found.extend(pgbench.train(config)))
    thread.start()
    thread.join()
    assert [run.status for run in found] == ["done"]
    assert [run.status for run in pgbench.train(config)] == ["done"]


def test_inside_another_hydra_application(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "import hydra, pgbench\n"
        "@hydra.main(config_path=None, version_base='1.3')\n"
        "def main(config):\n"
        "    print(pgbench.compose(['algorithm=vpg', 'env=acrobot']).env.id)\n"
        "    print(pgbench.compose(['algorithm=npg']).algorithm.name)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, str(app)], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["Acrobot-v1", "npg"], done.stderr


def test_make_env_gives_what_policies_see(small) -> None:
    """Flat, wrapped and with the time step, as in training."""
    config = small("env=acrobot", "env.append_time=true")
    env = pgbench.make_env(config.env)
    obs, _ = env.reset(seed=0)
    envs = make_envs(config.env, 1, [__import__("numpy").random.SeedSequence(0)])
    assert obs.shape == envs.obs.shape[2:]
    assert obs[-1] == 0
    assert env.step(0)[0][-1] == pytest.approx(1 / 500)
