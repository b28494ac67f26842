"""Making one Gymnasium environment, flat and wrapped as policies see it, and checking that it keeps its contract."""

import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from pgbench.config import Env
from pgbench.errors import UserError
from pgbench.plugins import load
from pgbench.policy import ActionSpace

CHECKED_STEPS = 20
EXTRAS = ("mujoco", "box2d", "minigrid")
"""Packages of environments that an extra of the same name installs."""
FRESH = "env.wrappers=[{wrapper: pgbench:FreshEpisodes}] makes it anew for each episode"
_checked: set[str] = set()
_said: set[str] = set()


def make_env(env: Env) -> gym.Env:
    """One environment with a flat observation, wrapped as the config says. Raises UserError for an id, keyword or
    space that will not do."""
    with _warned_once():
        return _make(env)


@contextmanager
def _warned_once() -> Iterator[None]:
    """What environments warn of is said once a process, not for each of many copies; and not before a refusal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
    for one in caught:
        if str(one.message) not in _said:
            _said.add(str(one.message))
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _make(env: Env) -> gym.Env:
    try:
        _hush_mujoco(env.id)
        made = gym.make(env.id, disable_env_checker=True, **env.kwargs)
    except Exception as error:  # an environment may refuse in its own words
        with_ = f" with env.kwargs={env.kwargs}" if env.kwargs else ""
        raise UserError(f"env.id: cannot make '{env.id}'{with_}: {_refusal(env, error)}") from None
    for wrapper in env.wrappers:
        keywords = {key: value for key, value in wrapper.items() if key != "wrapper"}
        around = load(wrapper["wrapper"], "env.wrappers")
        try:
            made = around(made, **keywords)
        except UserError:
            raise
        except Exception as error:  # its own words
            with_ = f" with {keywords}" if keywords else ""
            raise UserError(
                f"env.wrappers: cannot put '{wrapper['wrapper']}' around '{env.id}'{with_}: {_words(error)}"
            ) from None
        if not isinstance(made, gym.Env):
            raise UserError(f"env.wrappers: '{wrapper['wrapper']}' gives {_short(made)}, expected a gymnasium.Env")
    name = _name(env)
    if ActionSpace.of(made.action_space) is None:
        raise UserError(f"{name} has action space {made.action_space}; supported are Discrete and Box")
    if not _flattenable(made.observation_space):
        raise UserError(
            f"{name} has observation space {_short(made.observation_space)}, which cannot be flattened; a "
            "wrapper must make numbers of it, e.g. env.wrappers=[{wrapper: minigrid.wrappers:FlatObsWrapper}]"
        )
    if not isinstance(made.observation_space, spaces.Box) or len(made.observation_space.shape) != 1:
        made = gym.wrappers.FlattenObservation(made)
    if not made.observation_space.shape or not made.observation_space.shape[0]:
        raise UserError(f"{name} has an observation without numbers, {made.observation_space}")
    if env.append_time:
        if time_limit(made) is None:
            raise UserError(
                f"env.append_time: '{env.id}' has no time limit; set env.kwargs.max_episode_steps or leave it off"
            )
        made = AppendedTime(made)
    return made


class AppendedTime(gym.Wrapper):
    """Appends elapsed steps / time limit to a flat observation, 0 at the start and 1 at the limit."""

    def __init__(self, env: gym.Env):
        super().__init__(env)
        limit, space = time_limit(env), env.observation_space
        assert limit is not None
        assert isinstance(space, spaces.Box)
        self.limit, self.elapsed = limit, 0
        self.observation_space = spaces.Box(np.append(space.low, 0), np.append(space.high, 1), dtype=np.float64)

    def reset(self, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        obs, info = self.env.reset(**kwargs)
        self.elapsed = 0
        return np.append(obs, 0.0), info

    def step(self, action: Any) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.elapsed += 1
        return np.append(obs, self.elapsed / self.limit), reward, terminated, truncated, info


def time_limit(made: gym.Env) -> int | None:
    """Steps after which Gymnasium cuts an episode; None where it does not."""
    return made.spec.max_episode_steps if made.spec else None


def check_env(env: Env) -> None:
    """Plays two episodes of an environment, some steps of each, three times over, and raises UserError where it breaks
    Gymnasium's contract or they are not the same again, from one seed or as a resume would play them: one line that
    names the environment, the method and what it gave. Once a process and config."""
    if repr(env) in _checked:
        return
    with _warned_once():
        first, second, origin = _episodes(env, 0)
        first_again, second_again, _ = _episodes(env, 0)
        _, second_elsewhere, _ = _episodes(env, 1, origin)
    if not _equal(first, first_again):
        raise UserError(
            f"{_name(env)}.reset(seed=0) does not decide its first episode, so no run could be repeated: call "
            "super().reset(seed=seed) in it and draw all random numbers from self.np_random"
        )
    if not _equal(second, second_again):
        raise UserError(
            f"env.id: '{env.id}'.reset() without a seed does not go on with the generator that reset(seed=0) made, so "
            f"no run could be repeated: {FRESH}"
        )
    if not _equal(second, second_elsewhere):
        raise UserError(
            f"env.id: '{env.id}', or a wrapper around it, remembers what it did before an episode, so no run could be "
            f"resumed as it was: {FRESH}"
        )
    _checked.add(repr(env))


def _episodes(env: Env, seed: int, origin: Mapping[str, Any] | None = None) -> tuple[list[Any], list[Any], Any]:
    """What the first steps of two episodes give, as plain numbers: of the one after reset(seed=seed), and of one after
    reset() with the generator as it then is, or at `origin`; and that state of it."""
    made: Any = _make(env)
    name, bare = _name(env), f"env.id: '{env.id}'"
    try:
        found = made.unwrapped.reset(seed=seed)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict)):
            raise UserError(f"{bare}.reset() gave {_short(found)}, expected (observation, info dictionary)")
        first = _steps(name, made, made.reset(seed=seed)[0])
        generator = getattr(made.unwrapped, "np_random", None)
        if not isinstance(generator, np.random.Generator):
            kind = type(generator).__name__
            raise UserError(
                f"{bare}.np_random is a {kind}, expected numpy's Generator, as super().reset(seed=seed) makes"
            )
        if origin is not None:
            generator.bit_generator.state = origin
        state = generator.bit_generator.state
        return first, _steps(name, made, made.reset()[0]), state
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name} fails in its first episodes: {_words(error)}") from None
    finally:
        made.close()


def _steps(name: str, made: Any, obs: Any) -> list[Any]:
    """What the first steps of an episode give, from its first observation on; checked."""
    actions = ActionSpace.of(made.action_space)
    assert actions
    rng = np.random.default_rng(0)
    seen: list[Any] = [_observation(f"{name}.reset()", made, obs)]
    for _ in range(CHECKED_STEPS):
        raw = rng.integers(actions.size, size=1) if actions.discrete else rng.normal(size=(1, actions.size))
        action = actions.to_env(raw)[0]
        result = made.step(int(action) if actions.discrete else action)
        if not (isinstance(result, tuple) and len(result) == 5 and isinstance(result[4], dict)):
            raise UserError(
                f"{name}.step() gave {_short(result)}, expected (observation, reward, terminated, truncated, info)"
            )
        obs, reward, *flags, _ = result
        if np.size(reward) != 1 or np.asarray(reward).dtype.kind not in "biuf":
            raise UserError(
                f"{name}.step() gave the reward {_short(reward)}, expected one number; for a vector of them, e.g. "
                "env.wrappers=[{wrapper: mo_gymnasium.wrappers:LinearReward}]"
            )
        if any(np.size(flag) != 1 or np.asarray(flag).dtype != bool for flag in flags):
            raise UserError(f"{name}.step() gave terminated, truncated = {_short(flags)}, expected two booleans")
        seen += [_observation(f"{name}.step()", made, obs), float(np.asarray(reward).item()), *map(bool, flags)]
        if any(flags):
            break
    return seen


def _name(env: Env) -> str:
    """What a mistake is told of: the environment, or the wrappers around it."""
    wrappers = ", ".join(str(one["wrapper"]) for one in env.wrappers)
    return f"env.wrappers: {wrappers} around '{env.id}'" if wrappers else f"env.id: '{env.id}'"


def _observation(where: str, made: gym.Env, obs: Any) -> np.ndarray:
    array = np.asarray(obs)
    if array.shape != made.observation_space.shape or not np.issubdtype(array.dtype, np.number):
        shape = made.observation_space.shape
        raise UserError(
            f"{where} gave an observation of shape {array.shape} and type {array.dtype}, declared is {shape}"
        )
    return array


def _equal(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True)
    )


def _flattenable(space: spaces.Space) -> bool:
    try:
        return bool(space.is_np_flattenable)
    except NotImplementedError:  # a space of somebody's own
        return False


def _refusal(env: Env, error: Exception) -> str:
    """Why it cannot be made, and what to do where that is known."""
    if isinstance(error, ModuleNotFoundError | gym.error.DependencyNotInstalled):
        for extra in EXTRAS:
            if extra in str(error).lower():
                return f"{extra} is not installed; pip install 'pgbench-rl[{extra}]'"
    unknown = isinstance(error, gym.error.NameNotFound | gym.error.NamespaceNotFound) and ":" not in env.id
    another = " (one of another package is module:id, such as minigrid:MiniGrid-Empty-5x5-v0)" if unknown else ""
    return _words(error).rstrip(".") + another


def _words(error: Exception) -> str:
    """An exception in one line; where it has no text, where it was raised."""
    text = " ".join(str(error).split())[:300]
    if not text and (frames := traceback.extract_tb(error.__traceback__)):
        text = f"in {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename}"
    return f"{type(error).__name__}: {text}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else f"{text[:117]}..."


@cache
def _hush_mujoco(env_id: str) -> None:
    """Sends MuJoCo's notes on gymnasium's models to the log, instead of terminal and file for every environment."""
    if env_id in gym.registry and "mujoco" in str(gym.registry[env_id].entry_point):
        import mujoco

        mujoco.set_mju_user_warning(logging.getLogger("mujoco").info)
