"""Gymnasium's contract, which pgbench checks once at the start: each way to break it is one line that names the
environment, the method and what it gave; what the contract allows trains."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import pgbench
from pgbench.config import Env
from pgbench.errors import UserError
from pgbench.experience import making
from pgbench.experience.making import check_env
from pgbench.experience.objects import GymEnvs


class Good(gym.Env):
    """A walk of random steps, three numbers observed."""

    observation_space: spaces.Space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space: spaces.Space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = self.np_random.normal(size=3).astype(np.float32)
        return self.place, {}

    def step(self, action: Any) -> Any:
        assert action in self.action_space
        self.place = self.place + self.np_random.normal(size=3).astype(np.float32)
        return self.place, 1.0, False, bool(self.np_random.random() < 0.05), {}


class ResetWithoutInfo(Good):
    def reset(self, **kwargs: Any) -> Any:
        return super().reset(**kwargs)[0]


class ResetWithoutSeed(Good):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


class SeedIgnored(Good):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset()


class OtherEntropy(Good):
    """Without a seed it draws from the operating system, as panda-gym does."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = np.random.default_rng(seed).normal(size=3).astype(np.float32)
        return self.place, {}


class Remembers(Good):
    """The steps of earlier episodes change the next, as in BipedalWalker's world."""

    steps = 0

    def reset(self, **kwargs: Any) -> Any:
        obs, info = super().reset(**kwargs)
        self.place = obs + np.float32(1e-6 * self.steps)
        return self.place, info

    def step(self, action: Any) -> Any:
        self.steps += 1
        return super().step(action)


class OldGenerator(Good):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.np_random = np.random.RandomState(0)  # type: ignore[assignment]
        self.place = np.zeros(3, np.float32)
        return self.place, {}

    def step(self, action: Any) -> Any:
        return self.place, 1.0, False, False, {}


class OneNumberOfThree(Good):
    def step(self, action: Any) -> Any:
        obs, *rest = super().step(action)
        return obs[:1], *rest


class Words(Good):
    def step(self, action: Any) -> Any:
        return "here", *super().step(action)[1:]


class FourResults(Good):
    def step(self, action: Any) -> Any:
        obs, reward, ended, _, info = super().step(action)
        return obs, reward, ended, info


class RewardVector(Good):
    def step(self, action: Any) -> Any:
        obs, _, *rest = super().step(action)
        return obs, np.zeros(2), *rest


class NoReward(Good):
    def step(self, action: Any) -> Any:
        obs, _, *rest = super().step(action)
        return obs, None, *rest


class Flags(Good):
    def step(self, action: Any) -> Any:
        obs, reward, *_ = super().step(action)
        return obs, reward, 0.5, False, {}


class NoInfo(Good):
    def step(self, action: Any) -> Any:
        return *super().step(action)[:4], None


class Fails(Good):
    def step(self, action: Any) -> Any:
        raise AssertionError


class Unmakeable(Good):
    def __init__(self) -> None:
        raise KeyError("9x9")


class Unseeing(Good):
    observation_space = spaces.Box(0, 1, (0,), np.float32)


class ArraysOfOne(Good):
    """Rewards and flags as NumPy gives them, a time limit nowhere, whole numbers as actions."""

    action_space = spaces.Box(-2, 2, (2,), np.int32)

    def step(self, action: Any) -> Any:
        obs, reward, ended, cut, info = super().step(action)
        return obs, np.array([reward]), np.array(ended), np.array([cut]), info


class SometimesArrays(Good):
    """A reward is a number or an array of one."""

    def step(self, action: Any) -> Any:
        obs, reward, *rest = super().step(action)
        return obs, np.array([reward]) if obs[0] > 0 else reward, *rest


class ChangesItsAction(Good):
    """A careless one: it halves in place what it is given."""

    action_space: spaces.Space = spaces.Box(-1, 1, (1,), np.float32)

    def step(self, action: Any) -> Any:
        action *= 0.5
        self.place = self.place + action
        return self.place, 1.0, False, bool(self.np_random.random() < 0.02), {}


class Warns(Good):
    def __init__(self) -> None:
        warnings.warn("of something", stacklevel=2)


BROKEN = {
    ResetWithoutInfo: "reset() gave [",
    ResetWithoutSeed: "fails in its first episodes: TypeError: ",
    SeedIgnored: "reset(seed=0) does not decide its first episode",
    OtherEntropy: "reset() without a seed does not go on with the generator that reset(seed=0) made",
    Remembers: "remembers what it did before an episode",
    OldGenerator: "np_random is a RandomState, expected numpy's Generator",
    OneNumberOfThree: "step() gave an observation of shape (1,) and type float32, declared is (3,)",
    Words: "step() gave an observation of shape () and type <U4, declared is (3,)",
    FourResults: "step() gave (array(",
    RewardVector: "step() gave the reward [0. 0.], expected one number; for a vector of them, e.g. env.wrappers=[",
    NoReward: "step() gave the reward None, expected one number",
    Flags: "step() gave terminated, truncated = [0.5, False], expected two booleans",
    NoInfo: "expected (observation, reward, terminated, truncated, info)",
    Fails: "fails in its first episodes: AssertionError: in step, line ",
    Unmakeable: "cannot make 'Unmakeable-v0': KeyError: '9x9'",
    Unseeing: "has an observation without numbers",
}
for one in (Good, ArraysOfOne, SometimesArrays, ChangesItsAction, Warns, *BROKEN):
    gym.register(f"{one.__name__}-v0", entry_point=one)
FRESH = ({"wrapper": "pgbench:FreshEpisodes"},)


def env_of(kind: type[Good], wrappers: tuple[dict[str, Any], ...] = ()) -> Env:
    return Env(f"{kind.__name__}-v0", {}, append_time=False, timeout="bootstrap", wrappers=wrappers)


@pytest.mark.parametrize("kind", BROKEN)
def test_what_breaks_the_contract_is_refused_in_one_line(kind: type[Good], small) -> None:
    """And leaves no directory behind."""
    config = small(f"env.id={kind.__name__}-v0")
    with pytest.raises(UserError) as caught:
        pgbench.train(config)
    line = str(caught.value)
    assert BROKEN[kind] in line
    assert line.startswith("env.id: ")
    assert f"'{kind.__name__}-v0'" in line
    assert "\n" not in line
    assert not config.job_dir.exists()


@pytest.mark.parametrize("kind", [Good, ArraysOfOne, SometimesArrays])
def test_what_the_contract_allows_trains(kind: type[Good], small) -> None:
    (run,) = pgbench.train(small(f"env.id={kind.__name__}-v0", "seeds=1", "total_steps=300"))
    assert run.status == "done"


def test_an_environment_may_change_its_action_and_still_resume(small) -> None:
    keys = (f"env.id={ChangesItsAction.__name__}-v0", "seeds=1", "total_steps=700", "hyperparameters.n_steps=33")
    config = small(*keys)
    whole, broken = small(*keys, f"output_dir={config.output_dir}/a"), small(*keys, f"output_dir={config.output_dir}/b")
    for _ in range(2):  # the second resumes from what the first replayed
        with pytest.raises(pgbench.Interrupted):
            pgbench.train(broken, stop=lambda: True)
    (one,), (other,) = pgbench.train(whole), pgbench.train(broken)
    assert (one.directory / "metrics.csv").read_bytes() == (other.directory / "metrics.csv").read_bytes()


@pytest.mark.parametrize("kind", [OtherEntropy, Remembers])
def test_fresh_episodes_help_where_they_are_named(kind: type[Good], small) -> None:
    """The run is repeated, and stopped and resumed, to the same records."""
    keys = (f"env.id={kind.__name__}-v0", "env.wrappers=[{wrapper: pgbench:FreshEpisodes}]", "seeds=2")
    keys = (*keys, "total_steps=700", "hyperparameters.n_steps=33")
    config = small(*keys)
    whole, broken = small(*keys, f"output_dir={config.output_dir}/a"), small(*keys, f"output_dir={config.output_dir}/b")
    with pytest.raises(pgbench.Interrupted):
        pgbench.train(broken, stop=lambda: True)
    for one, other in zip(pgbench.train(whole), pgbench.train(broken), strict=True):
        for file in ("metrics.csv", "episodes.csv"):
            assert (one.directory / file).read_bytes() == (other.directory / file).read_bytes()


def test_seeding_alone_helps_where_memory_is_none_of_it() -> None:
    check_env(env_of(OtherEntropy, ({"wrapper": "pgbench:FreshEpisodes", "make": False},)))
    with pytest.raises(UserError, match="remembers"):
        check_env(env_of(Remembers, ({"wrapper": "pgbench:FreshEpisodes", "make": False},)))


def test_a_wrapper_that_remembers_is_refused() -> None:
    """Gymnasium's running normaliser: a resumed run would begin it anew."""
    with pytest.raises(UserError, match="or a wrapper around it, remembers"):
        check_env(env_of(Good, ({"wrapper": "gymnasium.wrappers:NormalizeObservation"},)))


def test_a_running_episode_that_replays_otherwise_is_not_gone_on_with() -> None:
    """What the check did not see: an environment that begins to remember after its steps."""
    envs, elsewhere = (GymEnvs(env_of(Remembers), 2, [np.random.SeedSequence(k)]) for k in (0, 1))
    for _ in range(70):
        envs.step(np.zeros((1, 2), int), np.ones((1, 2), bool))
    with pytest.raises(UserError, match=r"the running episodes of 'Remembers-v0', replayed, lead elsewhere than"):
        elsewhere.load(0, envs.save(0))


def test_the_check_is_made_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    check_env(env_of(Good))
    monkeypatch.setattr(making, "_episodes", None)
    check_env(env_of(Good))


def test_what_an_environment_warns_of_is_said_once() -> None:
    """Of sixteen copies and a check; as Python shows warnings outside of tests."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        check_env(env_of(Warns))
        GymEnvs(env_of(Warns), 16, [np.random.SeedSequence(0)])
    assert [str(one.message) for one in caught] == ["of something"]


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, extra, error in (
        ("LunarLander-v3", "box2d", gym.error.DependencyNotInstalled("Box2D is not installed, you can ...")),
        ("Ant-v5", "mujoco", gym.error.DependencyNotInstalled("MuJoCo is not installed")),
        ("minigrid:MiniGrid-Empty-5x5-v0", "minigrid", ModuleNotFoundError("No module named 'minigrid'")),
    ):

        def make(*args: object, error: Exception = error, **kwargs: object) -> None:
            raise error

        monkeypatch.setattr(gym, "make", make)
        with pytest.raises(UserError) as caught:
            making.make_env(Env(name, {}, append_time=False, timeout="bootstrap"))
        says = f"env.id: cannot make '{name}': {extra} is not installed; pip install 'pgbench-rl[{extra}]'"
        assert str(caught.value) == says
