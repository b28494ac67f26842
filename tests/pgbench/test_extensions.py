"""Other people's code through the same door as ours: algorithms, networks, weights, wrappers."""

import csv
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small import SMALL

import pgbench
from pgbench.algorithms import load_update
from pgbench.composition import compose
from pgbench.errors import UserError
from pgbench.maths.modules import ModuleNetwork
from pgbench.maths.networks import MLP
from pgbench.plugins import look_beside
from pgbench.runs.code import code, own_modules
from pgbench.runs.find import find_runs
from pgbench.runs.job import Interrupted
from pgbench.runs.trainer import Trainer
from reports import load_runs

ROOT = Path(__file__).resolve().parents[2]
CONF = str(ROOT / "tests" / "extensions" / "conf")
EXAMPLES = {name: str(ROOT / "examples" / name / "conf") for name in ("ppo", "environment", "network")}
look_beside([CONF, *EXAMPLES.values()])


def own(tmp_path: Path, *overrides: str, config_dir: str = CONF) -> pgbench.Config:
    base = [*SMALL, f"output_dir={tmp_path}", "seeds=2", "total_steps=600"]
    return compose([*base, *overrides], [config_dir])


def rows(run: pgbench.Run) -> list[dict[str, str]]:
    with open(run.directory / "metrics.csv") as file:
        return list(csv.DictReader(file))


def test_an_algorithm_with_autograd_random_numbers_and_memory_of_its_own(tmp_path: Path) -> None:
    """Trains, records its metrics beside ours, and resumes bit for bit."""
    config = own(tmp_path / "whole", "algorithm=own", "hyperparameters.rate=0.5")
    whole = pgbench.train(config)
    assert [run.status for run in whole] == ["done", "done"]
    table = rows(whole[1])
    assert [float(row["updates"]) for row in table] == [1, 2, 3, 4, 5]
    assert all(row["objective"] and row["value_loss"] for row in table)
    assert table[0]["kl"] == ""  # ours, which it does not give

    broken, asked = replace(config, output_dir=str(tmp_path / "broken")), iter((False, False, True))
    with pytest.raises(Interrupted):
        pgbench.train(broken, stop=lambda: next(asked, True))
    for one, other in zip(pgbench.train(broken), whole, strict=True):
        assert (one.directory / "metrics.csv").read_bytes() == (other.directory / "metrics.csv").read_bytes()
        assert pgbench.load_policy(one).theta.equal(pgbench.load_policy(other).theta)


def test_a_run_of_an_own_algorithm_is_made_again_from_its_record(tmp_path: Path) -> None:
    from pgbench.commands.train import main

    (run, _) = pgbench.train(own(tmp_path / "first", "algorithm=own", "hyperparameters.rate=0.5"))
    assert main(["--config-dir", CONF, "rerun", str(run), f"output_dir={tmp_path}/again"]) == 0
    (again,) = find_runs(tmp_path / "again")
    assert (again / "metrics.csv").read_bytes() == (run.directory / "metrics.csv").read_bytes()


def test_mappings_are_values_too(tmp_path: Path) -> None:
    network = ("hyperparameters.network=own:SameAsMLP", "hyperparameters.network_kwargs={hidden: 9}")
    assert own(tmp_path, *network).hyperparameters.network_kwargs == {"hidden": 9}
    assert own(tmp_path, "env.kwargs={sutton_barto_reward: true}").env.kwargs == {"sutton_barto_reward": True}


def test_hyperparameters_of_its_own_are_checked_and_count(tmp_path: Path) -> None:
    config = own(tmp_path, "algorithm=own")
    assert config.hyperparameters.rate == 0.01
    assert own(tmp_path, "algorithm=own", "hyperparameters.rate=0.01").job_name == config.job_name
    assert own(tmp_path, "algorithm=own", "hyperparameters.rate=0.02").job_name != config.job_name
    assert own(tmp_path, "algorithm=own", "hyperparameters.delta=0.5").job_name == config.job_name  # not read
    with pytest.raises(UserError, match=r"hyperparameters.rate: got -1, allowed is greater than 0"):
        own(tmp_path, "algorithm=own", "hyperparameters.rate=-1")
    with pytest.raises(UserError, match=r"hyperparameters.rat: no such key; did you mean 'hyperparameters.rate'"):
        own(tmp_path, "algorithm=own", "hyperparameters.rat=1")
    with pytest.raises(UserError, match=r"hyperparameters.rate: no such key"):
        own(tmp_path, "algorithm=vpg", "hyperparameters.rate=1")


def test_the_source_of_own_modules_is_part_of_the_code_that_made_a_run(tmp_path: Path) -> None:
    config = own(tmp_path, "algorithm=own")
    assert own_modules(config) == ["own"]
    assert code(config).count("+") == 1
    assert code(own(tmp_path, "algorithm=vpg")).count("+") == 0
    with_env = compose(["env=corridor"], [EXAMPLES["environment"]])
    assert own_modules(with_env) == ["corridor"]


def test_an_undeclared_metric_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives surprise, which its METRICS does not declare"):
        pgbench.train(own(tmp_path, "algorithm=own", "algorithm.update=own:undeclared"))


def test_a_metric_of_several_numbers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gives objective of shape \(2,\), a metric is one number"):
        pgbench.train(own(tmp_path, "algorithm=own", "algorithm.update=own:several"))


def test_a_metric_may_be_a_number_of_numpys(tmp_path: Path) -> None:
    (run,) = pgbench.train(own(tmp_path, "algorithm=own", "algorithm.update=own:of_numpy", "seeds=1"))
    assert (load_runs(run)["objective"] == 0.5).all()


@pytest.mark.parametrize(("name", "kind"), [("forgetful", "NoneType"), ("silent", "Learner")])
def test_what_an_update_must_give_is_told(tmp_path: Path, name: str, kind: str) -> None:
    with pytest.raises(UserError, match=rf"'own:{name}' gives {kind}, it must give a tuple \(learner, metrics\)"):
        pgbench.train(own(tmp_path, "algorithm=own", f"algorithm.update=own:{name}"))


def test_a_config_of_ones_own_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    (tmp_path / "algorithm").mkdir()
    (tmp_path / "algorithm" / "broken.yaml").write_text("name: broken\nstandardize true\ncollect: steps\n")
    with pytest.raises(UserError, match=r"--config-dir: cannot read .*broken\.yaml: .*line 3"):
        compose(["algorithm=broken"], [str(tmp_path)])


def test_a_theta_of_another_shape_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gives a theta of shape \(1,\), it was given"):
        pgbench.train(own(tmp_path, "algorithm=own", "algorithm.update=own:misshapen"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("algorithm.update=nowhere:update", "no module 'nowhere'"),
        ("algorithm.update=own:nothing", "'own' has no 'nothing'"),
        ("algorithm.update=own", "algorithm.update"),
        ("algorithm.advantage=own:nothing", "'own' has no 'nothing'"),
        ("hyperparameters.network=own:not_a_module", "is no torch.nn.Module"),
        ("hyperparameters.network=own:WithDropout", "dropout"),
        (
            "hyperparameters.network=own:OneTooMany",
            r"hyperparameters.network: 'own:OneTooMany' gives \[2, 3\].*\[2, 2\]",
        ),
        ("hyperparameters.critic_network=own:OneTooMany", r"critic_network: .* gives \[2, 2\] of torch.float32"),
        ("hyperparameters.network=own:Narrow", r"own:Narrow' fails on a batch \[2, 4\] of observations: RuntimeError"),
        ("hyperparameters.network_kwargs={width: 3}", "unexpected keyword argument 'width'"),
        ("env.wrappers=[{wrapper: own:nothing}]", "'own' has no 'nothing'"),
        ("env.wrappers=[{name: own:nothing}]", "env.wrappers"),
        (
            "env.wrappers=[{wrapper: own:Refuses, word: no}]",
            "env.wrappers: cannot put 'own:Refuses' around 'CartPole-v1'",
        ),
        ("env.wrappers=[{wrapper: own:Breaks}]", "env.wrappers: own:Breaks around 'CartPole-v1' fails in its first"),
        ("env.wrappers=[{wrapper: own:not_a_module}]", "env.wrappers: "),
        ("algorithm.update=own:greedy", "hyperparameters.delta is read but not declared: add it to algorithm.reads"),
        ("algorithm.reads=[learning_rate,lr]", "algorithm.reads: no hyperparameter is called 'lr'"),
        ("algorithm.update=own:misspelt", "no hyperparameter is called 'rat'; did you mean 'rate'"),
        ("algorithm.update=untyped:update", "untyped.Hyperparameters.clip has no type.* write `clip: float = "),
    ],
)
def test_what_is_not_there_is_told_in_one_line(tmp_path: Path, override: str, message: str) -> None:
    network = ["hyperparameters.network=own:SameAsMLP"] if "kwargs" in override else []
    with pytest.raises(UserError, match=message) as error:
        pgbench.train(own(tmp_path, "algorithm=own", *network, override))
    assert "\n" not in str(error.value)


def test_help_lists_the_keys_of_own_algorithms(capsys: pytest.CaptureFixture[str]) -> None:
    from pgbench.commands.train import main
    from sweeps.__main__ import main as sweep

    for command, line in ((main, r"hyperparameters.rate=0.01 +step size"), (sweep, r"hyperparameters.rate +step size")):
        assert command(["--help", "--config-dir", CONF]) == 0
        assert re.search(rf"== Keys of algorithm=own ==\n +{line} of the plain gradient\n", capsys.readouterr().out)


def test_a_reader_of_help_may_have_seen_enough() -> None:
    """`python -m pgbench --help | head -1`: no traceback, whatever the pipe still held."""
    command = [sys.executable, "-m", "pgbench", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_weight_of_ones_own(tmp_path: Path) -> None:
    config = own(tmp_path, "algorithm=vpg", "algorithm.advantage=own:clipped_reward_to_go", "algorithm.baseline=zero")
    (run, _) = pgbench.train(config)
    assert len(rows(run)) == 5
    plain = own(tmp_path, "algorithm=vpg", "algorithm.advantage=reward_to_go", "algorithm.baseline=zero")
    assert rows(pgbench.train(plain)[0])[0]["gradient_norm"] != rows(run)[0]["gradient_norm"]


@pytest.mark.parametrize("env", ["cartpole", "pendulum"])
@pytest.mark.parametrize("algorithm", ["reinforce", "vpg", "npg", "trpo"])
def test_a_module_learns_as_the_mlp_of_equal_weights(tmp_path: Path, algorithm: str, env: str) -> None:
    """Autograd's products give the same update as the written-out ones, for policy and critic."""
    # Damped well: float32 conjugate gradient on an ill-conditioned F turns rounding into percents.
    overrides = (
        f"algorithm={algorithm}",
        f"env={env}",
        "env.kwargs.max_episode_steps=40",
        "hyperparameters.cg_damping=0.1",
    )
    module = ("network=own:SameAsMLP", "critic_network=own:SameAsMLP")
    trainers = [
        Trainer(own(tmp_path, *overrides, *(f"hyperparameters.{one}" for one in extra)), (0,)) for extra in ((), module)
    ]
    mlp, net = (trainer.learners[0] for trainer in trainers)
    assert isinstance(net.network, ModuleNetwork)
    assert net.theta.shape == mlp.theta.shape
    trainers[1].learners[0] = replace(net, theta=mlp.theta, phi=mlp.phi)  # W1 | b1 | W2 | b2 | log std in both
    found = [trainer.iterate()[0][0] for trainer in trainers]
    a, b = (trainer.learners[0] for trainer in trainers)
    assert (a.theta - mlp.theta).norm() > 0
    torch.testing.assert_close(b.theta - mlp.theta, a.theta - mlp.theta, rtol=2e-3, atol=2e-5)
    torch.testing.assert_close(b.phi - mlp.phi, a.phi - mlp.phi, rtol=2e-3, atol=2e-5)
    for name in ("kl", "gradient_norm", "entropy"):
        assert found[1][name] == pytest.approx(found[0][name], rel=1e-3, abs=1e-7)
    assert load_update(trainers[0].config) is load_update(trainers[1].config)


@pytest.mark.parametrize("free", [0, 2])
def test_a_modules_products_are_the_mlps_in_float64(free: int) -> None:
    from own import SameAsMLP

    mlp = MLP((3, 16, 2), "tanh", free)
    net = ModuleNetwork(partial(SameAsMLP, 3, 2), {}, free)
    net.module.double()
    generator = torch.manual_seed(0)
    theta, v = (torch.randn(mlp.n_params, generator=generator).double() for _ in range(2))
    x, u = torch.randn(20, 3, generator=generator).double(), torch.randn(20, 2 + free, generator=generator).double()
    one, other = mlp.linearize(theta, x), net.linearize(theta, x)
    for a, b in (
        (one.y, other.y),
        (one.jvp(v), other.jvp(v)),
        (one.vjp(u), other.vjp(u)),
        (one.jvp(-v), other.jvp(-v)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(net.act([theta, theta])(x.numpy()[None].repeat(2, 0))[1], one.y.numpy(), rtol=1e-12)


def test_a_policy_with_a_module_is_saved_and_loaded(tmp_path: Path) -> None:
    (run, _) = pgbench.train(own(tmp_path, "hyperparameters.network=own:SameAsMLP", "env=pendulum"))
    policy = pgbench.load_policy(run)
    assert isinstance(policy.network, ModuleNetwork)
    obs = np.ones((4, 3), np.float32)
    np.testing.assert_allclose(policy.act(obs, deterministic=True), policy.act(obs, deterministic=True))
    assert pgbench.evaluate(policy, episodes=2).shape == (2,)


def test_a_policy_file_can_only_name_modules(tmp_path: Path) -> None:
    """A file that names another callable as its network does not get it called."""
    (run, _) = pgbench.train(own(tmp_path, "hyperparameters.network=own:SameAsMLP"))
    content = torch.load(run.directory / "policy.pt", weights_only=True)
    content["network"] |= {"name": "os:mkdir", "kwargs": {"path": str(tmp_path / "executed")}}
    torch.save(content, tmp_path / "evil.pt")
    with pytest.raises(UserError, match=r"'os:mkdir' is no torch.nn.Module"):
        pgbench.load_policy(tmp_path / "evil.pt")
    assert not (tmp_path / "executed").exists()


def test_wrappers_go_around_each_environment(tmp_path: Path) -> None:
    overrides = ("env=corridor", "hyperparameters.n_envs=2")
    slippery = own(tmp_path, *overrides, config_dir=EXAMPLES["environment"])
    plain = own(tmp_path, *overrides, "env.wrappers=[]", config_dir=EXAMPLES["environment"])
    assert slippery.job_name != plain.job_name
    lengths = [float(rows(pgbench.train(config)[0])[-1]["episode_length"]) for config in (slippery, plain)]
    assert lengths[0] != lengths[1]
    rescale = "env.wrappers=[{wrapper: gymnasium.wrappers:RescaleObservation, min_obs: 0, max_obs: 1}]"
    gymnasiums = own(tmp_path, "env=pendulum", rescale)
    assert Trainer(gymnasiums, (0,)).collectors[0].envs.obs.min() >= 0


def test_minigrid_through_its_wrapper(tmp_path: Path) -> None:
    pytest.importorskip("minigrid")
    config = own(tmp_path, "env=minigrid_empty", "total_steps=256", config_dir=EXAMPLES["environment"])
    assert [run.status for run in pgbench.train(config)] == ["done", "done"]


def test_what_lies_beside_a_config_directory_is_importable() -> None:
    assert str(ROOT / "examples" / "ppo") in sys.path
