"""A policy outlives its run: it acts as in training, is saved and loaded, evaluated and watched, in other processes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pgbench
from pgbench.errors import UserError
from pgbench.experience.environments import make_envs
from pgbench.policy import ActionSpace, Policy
from pgbench.runs.find import find_runs
from pgbench.runs.records import EVALUATIONS, read_rows
from pgbench.runs.trainer import Trainer

NORMALIZED = ("hyperparameters.normalize_observation=true", "hyperparameters.normalize_reward=true")
TASKS = {
    "cartpole": ("env=cartpole",),
    "cartpole timed": ("env=cartpole", "env.append_time=true"),
    "pendulum": ("env=pendulum", "+env.kwargs.max_episode_steps=30"),
    "mujoco": ("env=inverted_double_pendulum",),
}


def policy_and_trainer(small, task: str) -> tuple[Policy, Trainer]:
    trainer = Trainer(small(*TASKS[task], *NORMALIZED, "seeds=2"), (0, 1))
    trainer.iterate()
    return trainer.policy(1), trainer


@pytest.mark.parametrize("task", TASKS)
def test_a_policy_acts_as_it_does_in_training(small, task: str) -> None:
    """The same observations and noise give the actions that training's acting gives, bit for bit."""
    policy, trainer = policy_and_trainer(small, task)
    collector, row = trainer._collector(1)
    obs = collector.envs.obs[row].copy()
    rng = np.random.default_rng()
    rng.bit_generator.state = collector.rngs[row].bit_generator.state
    noise = policy.distribution.noise(rng, (32, 4))[0]
    seen = trainer.iterate  # one more iteration from the same state: its first actions
    seen()
    first = collector.actor._buffer["actions"][row, 0]
    standardized = policy.standardizer(obs) if policy.standardizer else obs
    y = policy.network.act([policy.theta])(standardized[None])[0]
    np.testing.assert_array_equal(policy.distribution.sample(y, noise), first)


@pytest.mark.parametrize("task", TASKS)
def test_saved_and_loaded_in_another_process_it_acts_the_same(small, tmp_path: Path, task: str) -> None:
    policy, _ = policy_and_trainer(small, task)
    policy.save(tmp_path / "a policy.pt")
    obs = np.random.default_rng(0).normal(size=(7, policy.obs_size)).astype(np.float32)
    np.save(tmp_path / "obs.npy", obs)
    code = (
        "import numpy as np, pgbench, sys; p = pgbench.load_policy(sys.argv[1]); obs = np.load(sys.argv[2]);"
        "np.savez(sys.argv[3], d=p.act(obs, deterministic=True), s=p.act(obs, rng=np.random.default_rng(5)),"
        "e=pgbench.evaluate(p, episodes=2, seed=3))"
    )
    files = [str(tmp_path / name) for name in ("a policy.pt", "obs.npy", "out.npz")]
    subprocess.run([sys.executable, "-c", code, *files], check=True)
    there = np.load(files[2])
    np.testing.assert_array_equal(there["d"], policy.act(obs, deterministic=True))
    np.testing.assert_array_equal(there["s"], policy.act(obs, rng=np.random.default_rng(5)))
    np.testing.assert_array_equal(there["e"], pgbench.evaluate(policy, episodes=2, seed=3))
    one, batch = policy.act(obs[0], deterministic=True), policy.act(obs, deterministic=True)
    np.testing.assert_allclose(one, batch[0], rtol=1e-5)  # products of other sizes round differently


def test_actions_fit_the_environment(small) -> None:
    """Clipped to a Box, shifted to a Discrete's start, whole numbers for an integer Box."""
    policy, _ = policy_and_trainer(small, "pendulum")
    wide = Policy(**{**vars(policy), "theta": policy.theta + 5})
    env = pgbench.experience.objects.make_env(policy.env)  # type: ignore[attr-defined]
    actions = wide.act(np.ones((9, 3), np.float32))
    assert all(env.action_space.contains(action) for action in actions)
    assert (np.abs(actions) == 2).any()
    shifted = ActionSpace(discrete=True, size=3, start=5)
    assert shifted.to_env(np.array([0, 2])).tolist() == [5, 7]
    low, high = np.array([0, -3]), np.array([2, 3])
    integers = ActionSpace(False, 2, 0, (2,), low, high).to_env(np.array([[0.6, -9.0], [5.0, 1.2]], np.float32))
    assert integers.tolist() == [[1, -3], [2, 1]]
    assert integers.dtype == low.dtype


def test_observations_of_another_size_are_told(small) -> None:
    policy, _ = policy_and_trainer(small, "cartpole")
    with pytest.raises(ValueError, match=r"got shape \(3,\), expected \(4,\)"):
        policy.act(np.zeros(3))


def test_nothing_in_a_policy_file_can_execute(small, tmp_path: Path) -> None:
    policy, _ = policy_and_trainer(small, "cartpole")
    path = tmp_path / "policy.pt"
    policy.save(path)
    whole = path.read_bytes()
    number = whole.index(policy.theta.numpy().tobytes())
    other_number = whole[:number] + b"pgbench!" + whole[number + 8 :]

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({**torch.load(path, weights_only=True), "about": Evil()}, path)
    with pytest.raises(UserError, match="not readable"):
        pgbench.load_policy(path)
    assert not (tmp_path / "executed").exists()
    for other in (b"", b"a recipe", whole[:-1], other_number):
        path.write_bytes(other)
        with pytest.raises(UserError, match="damaged, or not written by pgbench"):
            pgbench.load_policy(path)
    path.unlink()
    with pytest.raises(UserError, match="no such policy"):
        pgbench.load_policy(tmp_path)


def test_an_evaluation_is_the_sum_of_the_rewards_of_complete_episodes(small) -> None:
    """Against a plain loop over a Gymnasium environment of the same start; equal seeds give equal returns."""
    policy, _ = policy_and_trainer(small, "mujoco")
    stream = np.random.SeedSequence(1).spawn(1)[0].spawn(2)[0]
    envs = make_envs(policy.env, 3, [stream])
    expected = []
    for env, obs in zip(envs.envs, envs.obs[0], strict=True):  # type: ignore[attr-defined]
        total, ended = 0.0, False
        while not ended:
            obs, reward, terminated, truncated, _ = env.step(policy.act(np.float32(obs), deterministic=True))
            total, ended = total + reward, terminated or truncated
        expected.append(total)
    found = pgbench.evaluate(policy, episodes=3, seed=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # one observation at a time rounds differently
    assert (pgbench.evaluate(policy, episodes=3, seed=2) != found).all()
    assert len(pgbench.evaluate(policy, episodes=40, seed=1)) == 40


def command(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def test_the_commands_on_runs(small, tmp_path: Path) -> None:
    """evaluate, measure, play and rerun over one training with snapshots of three ages."""
    runs = pgbench.train(small("algorithm=vpg", "seeds=2", "total_steps=500", "snapshots=[0,200,500]"))
    assert [run.status for run in runs] == ["done", "done"]
    assert sorted(path.name for path in runs[0].directory.glob("*.pt")) == [
        "checkpoint.pt", "policy-0.pt", "policy-200.pt", "policy-500.pt", "policy.pt",
    ]  # fmt: skip
    steps = [pgbench.load_policy(runs[0].directory / f"policy-{n}.pt").about["env_steps"] for n in (0, 200, 500)]
    assert steps == [0, 256, 512]  # of the first iteration that gets there

    done = command("pgbench.evaluate", str(tmp_path), "--episodes", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    rows = read_rows(runs[0].directory / "evaluations.csv", EVALUATIONS)
    assert [row["env_steps"] for row in rows] == ["0"] * 3 + ["256"] * 3 + ["512"] * 3
    expected = pgbench.evaluate(pgbench.load_policy(runs[0]), episodes=3, seed=1)
    assert [float(row["return"]) for row in rows[-3:]] == expected.tolist()
    again = command("pgbench.evaluate", str(runs[0]), "--episodes", "2", "--stochastic", cwd=tmp_path)
    assert again.returncode == 0
    assert len(read_rows(runs[0].directory / "evaluations.csv", EVALUATIONS)) == 9 + 6

    done = command("pgbench.measure", str(runs[1]), "--kinds", "policy_path", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    table = (runs[1].directory / "measurements.csv").read_text().splitlines()
    assert len(table) == 1 + 3 * 2 * 9
    assert {line.split(",")[0] for line in table[1:]} == {"0", "256", "512"}

    done = command("pgbench", "rerun", str(runs[1]), f"output_dir={tmp_path}/again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (again_run,) = find_runs(tmp_path / "again")
    assert (again_run / "metrics.csv").read_bytes() == (runs[1].directory / "metrics.csv").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [["pgbench.evaluate", "nowhere"], ["pgbench.play", "nowhere"], ["pgbench", "rerun"], ["pgbench.measure", "."]],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str]) -> None:
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("pgbench: error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("env", "suffix"), [("cartpole", "mp4"), ("cartpole", "gif"), ("hopper", "gif")])
def test_a_film_shows_the_episode(small, tmp_path: Path, env: str, suffix: str) -> None:
    """Without a display; decoded again, its frames have the environment's size and move."""
    if suffix == "mp4":
        pytest.importorskip("imageio_ffmpeg")
    (run,) = pgbench.train(small("seeds=1", "total_steps=200", f"env={env}"))
    video = tmp_path / f"film.{suffix}"
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    arguments = [sys.executable, "-m", "pgbench.play", str(run), "--video", str(video), "--steps", "8"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    if "cannot draw" in done.stderr:
        pytest.skip(done.stderr)  # this machine has no renderer
    assert done.returncode == 0, done.stderr
    assert "in 8 steps of" in done.stdout
    decode = "import imageio.v3 as iio, numpy as np, sys; np.save(sys.argv[2], iio.imread(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", decode, str(video), str(tmp_path / "frames.npy")], check=True)
    frames = np.load(tmp_path / "frames.npy")
    assert frames.shape[1:] == (*((400, 600) if env == "cartpole" else (480, 480)), 3)
    assert len(frames) == 9 if suffix == "mp4" else 2 <= len(frames) <= 9  # a gif joins equal frames
    assert frames.std() > 5
    assert (frames[0] != frames[-1]).mean() > 0.001
