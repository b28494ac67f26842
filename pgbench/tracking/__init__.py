"""Trackers (Weights & Biases, TensorBoard, your own) as views of the records.

A process of its own, the follower, reads the records as they grow and hands their rows to a tracker. Training itself
imports none of this, so no tracker can slow, stop or falsify it. What was sent is kept in each run's tracking.json.
"""

from pgbench.tracking.follow import follow
from pgbench.tracking.tracker import Run, Tracker, Unavailable

__all__ = ["Run", "Tracker", "Unavailable", "follow"]
