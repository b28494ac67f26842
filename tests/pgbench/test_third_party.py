"""Environments of other packages, in processes as a person starts them: `make third-party` installs and runs them all.

Each trains by the command, trains again stopped and resumed to the same records, and leaves a policy to evaluate; or
is refused in one line that says what helps.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pgbench

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

JOB = (
    "algorithm=trpo",
    "seeds=2",
    "total_steps=360",
    "hyperparameters.n_envs=2",
    "hyperparameters.n_steps=60",
    "hyperparameters.hidden=[16]",
    "hyperparameters.critic_hidden=[16]",
    "hyperparameters.critic_steps=3",
)
FRESH = "{wrapper: pgbench:FreshEpisodes}"
TRAINS = {
    "LunarLander-v3": ("Box2D", ["env=lunarlander"]),
    "BipedalWalker-v3": ("Box2D", ["env=bipedalwalker"]),
    "MiniGrid-Empty-5x5-v0": (
        "minigrid",
        ["env.id=minigrid:MiniGrid-Empty-5x5-v0", "env.wrappers=[{wrapper: minigrid.wrappers:FlatObsWrapper}]"],
    ),
    "highway-fast-v0": (
        "highway_env",
        ["env.id=highway_env:highway-fast-v0", "total_steps=60", "hyperparameters.n_steps=20"],
    ),
    "PandaReach-v3": ("panda_gym", ["env.id=panda_gym:PandaReach-v3", f"env.wrappers=[{FRESH}]"]),
    "FlappyBird-v0": ("flappy_bird_gymnasium", ["env.id=flappy_bird_gymnasium:FlappyBird-v0"]),
    "mo-mountaincar-v0": (
        "mo_gymnasium",
        ["env.id=mo_gymnasium:mo-mountaincar-v0", "env.wrappers=[{wrapper: mo_gymnasium.wrappers:LinearReward}]"],
    ),
    "FetchReach-v4": ("gymnasium_robotics", ["env.id=gymnasium_robotics:FetchReach-v4"]),
}
REFUSED = {
    "without its package": ("minigrid", "env.id=MiniGrid-Empty-5x5-v0", "one of another package is module:id"),
    "dictionary with text": ("minigrid", "env.id=minigrid:MiniGrid-Empty-5x5-v0", "minigrid.wrappers:FlatObsWrapper"),
    "vector of rewards": ("mo_gymnasium", "env.id=mo_gymnasium:mo-mountaincar-v0", "mo_gymnasium.wrappers:LinearRewa"),
    "generator of its own": ("panda_gym", "env.id=panda_gym:PandaReach-v3", FRESH),
}


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed; `make third-party` does that")


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pgbench", *JOB, *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("name", TRAINS)
def test_it_trains_repeats_resumes_and_is_evaluated(name: str, tmp_path: Path) -> None:
    module, overrides = TRAINS[name]
    needs(module)
    done = command(*overrides, "output_dir=whole", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = pgbench.compose([*JOB, *overrides, f"output_dir={tmp_path / 'broken'}"])
    with pytest.raises(pgbench.Interrupted):
        pgbench.train(config, stop=lambda: True)
    for run in pgbench.train(config):
        assert run.status == "done"
        whole = tmp_path / "whole" / run.directory.relative_to(tmp_path / "broken")
        for file in ("metrics.csv", "episodes.csv"):
            assert (run.directory / file).read_bytes() == (whole / file).read_bytes()
    returns = pgbench.evaluate(pgbench.load_policy(run), episodes=1, seed=1)
    assert np.isfinite(returns).all()
    assert returns == pgbench.evaluate(pgbench.load_policy(run), episodes=1, seed=1)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_line_that_helps(name: str, tmp_path: Path) -> None:
    module, override, says = REFUSED[name]
    needs(module)
    done = command(override, "output_dir=none", cwd=tmp_path)
    assert done.returncode == 2
    *before, line = done.stderr.splitlines()
    assert line.startswith("pgbench: error: env.id: ")
    assert says in line
    assert not [one for one in before if not one.startswith("pybullet build time")], done.stderr
    assert not list(tmp_path.iterdir())
