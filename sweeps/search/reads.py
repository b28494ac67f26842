"""Which hyperparameters an algorithm reads. A value nobody reads changes no record, so it is not searched."""

from pgbench.config import Config

ALL = "hyperparameters."


def reads(config: Config, key: str) -> bool:
    """Whether the value of a config key can change the records of a job."""
    if not key.startswith(ALL):
        return True
    name, algorithm = key.removeprefix(ALL), config.algorithm
    natural = algorithm.name in ("npg", "trpo")
    lambdas = algorithm.advantage == "gae" or config.hyperparameters.critic_target == "lambda_return"
    only = {
        "optimizer": algorithm.name in ("reinforce", "vpg"),
        "learning_rate": algorithm.name in ("reinforce", "vpg"),
        "delta": natural,
        "cg_iterations": natural,
        "cg_damping": natural,
        "line_search_steps": algorithm.name == "trpo",
        "line_search_shrink": algorithm.name == "trpo",
        "line_search_accept": algorithm.name == "trpo",
        "gae_lambda": lambdas and (algorithm.advantage == "gae" or algorithm.uses_critic),
        "n_step": algorithm.advantage == "n_step",
    }
    return only.get(name, algorithm.uses_critic if name.startswith("critic_") else True)
