"""HalfCheetah, Hopper, Swimmer and Walker2d of Gymnasium (v4, v5), stepped without what training does not read.

Gymnasium's step also fills an info dictionary, computes contact forces that these tasks do not observe, and checks each
action: between an eighth and a quarter of its time. What is left is its arithmetic, operation for operation: numbers
agree to the last bit.
"""

from typing import Any

import gymnasium as gym
import numpy as np

VELOCITY_BOUND = 10.0  # of what Hopper and Walker2d observe
_TASKS = {  # by Gymnasium's entry point, so that an id registered anew as something else is not taken for the task
    f"gymnasium.envs.mujoco.{module}_v{version}:{name}": version
    for module, name in (
        ("half_cheetah", "HalfCheetahEnv"),
        ("hopper", "HopperEnv"),
        ("swimmer", "SwimmerEnv"),
        ("walker2d", "Walker2dEnv"),
    )
    for version in (4, 5)
}


def quick(made: gym.Env) -> gym.Env:
    """An environment as it was made, or, where it is one of these tasks with nothing around it but Gymnasium's own time
    limit and check of the order of calls, one that steps faster."""
    around: list[type] = []
    bare: Any = made
    while bare is not bare.unwrapped:
        around, bare = [*around, type(bare)], bare.env
    spec = bare.spec
    if around != [gym.wrappers.TimeLimit, gym.wrappers.OrderEnforcing] or bare.render_mode is not None:
        return made
    if str(spec.entry_point) not in _TASKS or any(np.shape(one) not in ((), (2,)) for one in spec.kwargs.values()):
        return made  # Gymnasium's weights and bounds may also be arrays
    return Legged(made, _TASKS[spec.entry_point]) if hasattr(bare, "is_healthy") else Locomotion(made)


class Locomotion(gym.Wrapper):
    """Reward w_f dx/dt - w_c sum_i a_i^2, with x the position and a the action; positions but x (and Swimmer's y) and
    velocities are observed. Nothing ends an episode but its time limit. Resets are Gymnasium's."""

    def __init__(self, made: gym.Env):
        super().__init__(made)
        import mujoco

        env: Any = made.unwrapped
        self.limit, self.elapsed = made._max_episode_steps, 0  # type: ignore[attr-defined]
        self.forward_weight, self.control_weight = env._forward_reward_weight, env._ctrl_cost_weight
        self.mj_step, self.model, self.data = mujoco.mj_step, env.model, env.data
        self.frame_skip, self.dt = env.frame_skip, env.dt
        # Views of MuJoCo's own memory: they show what its steps change.
        self.qpos, self.qvel, self.ctrl = env.data.qpos, env.data.qvel, env.data.ctrl
        self.skipped = len(self.qpos) + len(self.qvel) - env.observation_space.shape[0]

    def reset(self, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.elapsed = 0
        return self.env.reset(**kwargs)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        before = self.qpos.item(0)
        self.ctrl[:] = action
        self.mj_step(self.model, self.data, nstep=self.frame_skip)
        self.elapsed += 1
        forward = self.forward_weight * ((self.qpos.item(0) - before) / self.dt)
        cost = float(self.control_weight * np.add.reduce(np.square(action)))  # the product in the action's precision
        state = np.concatenate((self.qpos, self.qvel))
        survival, terminated = self.health(state)
        return state[self.skipped :], forward + survival - cost, terminated, self.elapsed >= self.limit, {}

    def health(self, state: np.ndarray) -> tuple[float, bool]:
        """The reward for not having fallen, and whether the episode ends, in a state [positions, velocities], of which
        the velocities are made what is observed."""
        return -0.0, False  # the one number that, added, leaves every other as it is


class Legged(Locomotion):
    """Hopper and Walker2d: an episode ends where the body is too low or leans too far (Hopper's, too, where any other
    number is out of range), and until then each step is rewarded. Velocities are observed within 10."""

    def __init__(self, made: gym.Env, version: int):
        super().__init__(made)
        env: Any = made.unwrapped
        self.version = version
        self.reward, self.ends = env._healthy_reward, env._terminate_when_unhealthy
        self.z_range, self.angle_range = env._healthy_z_range, env._healthy_angle_range
        self.state_range = getattr(env, "_healthy_state_range", None)

    def health(self, state: np.ndarray) -> tuple[float, bool]:
        (low, high), (left, right) = self.z_range, self.angle_range
        healthy = low < state.item(1) < high and left < state.item(2) < right
        if healthy and self.state_range:
            least, most = self.state_range
            healthy = bool(least < state[2:].min() and state[2:].max() < most)
        velocities = state[len(self.qpos) :]
        np.minimum(np.maximum(velocities, -VELOCITY_BOUND, out=velocities), VELOCITY_BOUND, out=velocities)
        # In v4 the step that falls is rewarded, too.
        rewarded = healthy or (self.version == 4 and self.ends)
        return rewarded * self.reward, self.ends and not healthy
