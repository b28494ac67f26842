"""What all tests share: one thread a process, and configs by override."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

from collections.abc import Callable

import pytest
import torch

from pgbench.composition import compose
from pgbench.config import Config

SMALL = (
    "hyperparameters.n_envs=4",
    "hyperparameters.n_steps=32",
    "hyperparameters.hidden=[16]",
    "hyperparameters.critic_hidden=[16]",
    "hyperparameters.critic_steps=3",
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def small(tmp_path) -> Callable[..., Config]:
    """A job that trains in a blink: small networks and batches, output below tmp_path."""

    def make(*overrides: str) -> Config:
        return compose([*SMALL, f"output_dir={tmp_path}", *overrides])

    return make
