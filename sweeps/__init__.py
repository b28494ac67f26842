"""Sweeps: many jobs over processes or a cluster."""

PGBENCH = True
"""PyPI has another package `sweeps`, W&B's; this says that it is ours (see __main__.py)."""
