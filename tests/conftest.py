"""What all tests share: one thread a process, and configs by override."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

from collections.abc import Callable

import pytest
import torch
from small import SMALL

from pgbench.composition import compose
from pgbench.config import Config


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def small(tmp_path) -> Callable[..., Config]:
    """A job that trains in a blink: small networks and batches, output below tmp_path; by the default settings,
    whatever the environment would bring."""

    def make(*overrides: str) -> Config:
        named = any(override.startswith("hyperparameters=") for override in overrides)
        settings = () if named else ("hyperparameters=default",)
        return compose([*settings, *SMALL, f"output_dir={tmp_path}", *overrides])

    return make
