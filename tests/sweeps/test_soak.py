"""A short form of soak.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.mark.slow
def test_a_sweep_killed_at_random_ends_with_the_same_records(tmp_path):
    from soak import soak

    assert soak(tmp_path, kills=3, seed=4, total_steps=45_000, pause=1.5)
