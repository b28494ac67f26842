"""Overrides of a job that trains in a blink."""

SMALL = (
    "hyperparameters.n_envs=4",
    "hyperparameters.n_steps=32",
    "hyperparameters.hidden=[16]",
    "hyperparameters.critic_hidden=[16]",
    "hyperparameters.critic_steps=3",
)
