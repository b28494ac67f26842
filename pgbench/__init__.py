"""pgbench: REINFORCE, VPG+GAE, NPG and TRPO, many seeds in lockstep, on Gymnasium environments."""

__version__ = "0.1.0"
