"""A short form of soak.py."""

import pytest


@pytest.mark.slow
def test_a_sweep_killed_at_random_ends_with_the_same_records(tmp_path):
    from tests.sweeps.soak import soak

    assert soak(tmp_path, kills=3, seed=4, total_steps=15_000, pause=3.0)
