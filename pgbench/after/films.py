"""Watching a policy: one episode, frame by frame, in a window or as a film."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pgbench.errors import UserError
from pgbench.experience.making import make_env
from pgbench.experience.objects import GymEnvs
from pgbench.policy import Policy

SUFFIXES = (".mp4", ".gif")
INSTALL = "pip install 'pgbench-rl[video]'"


class Episode:
    """One episode of a policy. Iterating it steps the environment and gives frames [H, W, 3], uint8; None where a
    window shows them (`render_mode` "human"). It ends after `most` steps if not before."""

    def __init__(
        self,
        policy: Policy,
        seed: int = 0,
        deterministic: bool = True,
        render_mode: str = "rgb_array",
        most: int | None = None,
    ):
        if not os.environ.get("DISPLAY") and sys.platform == "linux":  # both libraries then draw without one
            os.environ.setdefault("MUJOCO_GL", "egl")
            os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        self.policy, self.deterministic, self.most = policy, deterministic, most
        starts, noise = np.random.SeedSequence(seed).spawn(2)
        self.rng = np.random.default_rng(noise)
        env = replace(policy.env, kwargs={**policy.env.kwargs, "render_mode": render_mode})
        plain = make_env(policy.env)
        modes = plain.metadata.get("render_modes") or []
        plain.close()
        if render_mode not in modes:
            offered = f"it offers {', '.join(modes)}" if modes else "it has no render modes"
            raise UserError(f"cannot draw '{policy.env.id}' in render_mode {render_mode}: {offered}")
        self.envs = GymEnvs(env, 1, [starts])
        self.fps = float(self.envs.envs[0].metadata.get("render_fps", 30))
        self.steps, self.total = 0, 0.0

    def __iter__(self) -> Iterator[Any]:
        """Raises UserError where this machine cannot draw the environment."""
        yield self._draw()
        running = True
        while running:
            actions = self.policy.raw(self.envs.obs[0], self.deterministic, self.rng)
            reward, terminated, truncated = self.envs.step(actions[None], np.ones((1, 1), bool))
            self.steps, self.total = self.steps + 1, self.total + float(reward[0, 0])
            ended = (terminated | truncated).any()
            if not ended:  # where it has ended the environment stands at the next start
                yield self._draw()
            running = not ended and self.steps != self.most
        self.envs.close()

    def _draw(self) -> Any:
        try:
            return self.envs.envs[0].render()
        except Exception as error:  # each library has its own way to say that there is no screen, driver or renderer
            reason = " ".join(str(error).split())[:200]
            hint = (
                "MuJoCo without a display needs EGL (Debian: apt install libegl1 libegl-mesa0; MUJOCO_GL=egl) or "
                "OSMesa (apt install libosmesa6; MUJOCO_GL=osmesa)"
                if "mujoco" in type(self.envs.envs[0].unwrapped).__module__
                else f"{INSTALL} brings what Gymnasium's own tasks need"
            )
            raise UserError(
                f"cannot draw '{self.policy.env.id}' here: {reason or type(error).__name__}; {hint}"
            ) from None


def write_film(episode: Episode, path: Path) -> int:
    """Writes an episode as mp4 or gif; the number of frames. Raises UserError for another suffix, or where a codec is
    not installed."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"--video: got '{path}', allowed are the suffixes {' and '.join(SUFFIXES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = (np.asarray(frame, np.uint8) for frame in episode)
    return _gif(frames, path, episode.fps) if path.suffix == ".gif" else _mp4(frames, path, episode.fps)


def _gif(frames: Iterator[np.ndarray], path: Path, fps: float) -> int:
    from PIL import Image

    first, *rest = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=rest, duration=1000 / fps, loop=0)
    return 1 + len(rest)


def _mp4(frames: Iterator[np.ndarray], path: Path, fps: float) -> int:
    try:
        import imageio.v2 as imageio

        writer: Any = imageio.get_writer(path, fps=fps, macro_block_size=2)
    except (ImportError, ValueError) as error:  # imageio: no plugin can write this
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"--video: cannot write .mp4: {INSTALL}, or name a .gif ({reason})") from None
    count = 0
    with writer:
        for count, frame in enumerate(frames, 1):  # noqa: B007
            writer.append_data(frame)
    return count
