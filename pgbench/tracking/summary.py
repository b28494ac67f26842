"""A run in a few numbers, from its rows of metrics.csv."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

WINDOW = 100  # episodes that episode_return is a mean of; with fewer, a lucky start would count as solved


def summarize(rows: Sequence[Mapping[str, float]], status: str, threshold: float | None = None) -> dict[str, Any]:
    """status, env_steps and, with y_k the number in column episode_return at environment steps E_1 < E_2 < ...:

    final_return        y_K, the last
    best_return         max_k y_k
    area_under_curve    sum_k y_k (E_k - E_{k-1}) / E_K with E_0 = 0: the mean return per environment step
    steps_to_threshold  min {E_k : y_k >= threshold and at least 100 episodes finished}; left out if there is none
    """
    summary: dict[str, Any] = {"status": status, "env_steps": rows[-1]["env_steps"] if rows else 0}
    known = [row for row in rows if not math.isnan(row.get("episode_return", math.nan))]
    if not known:
        return summary
    returns, steps = [row["episode_return"] for row in known], [row["env_steps"] for row in known]
    widths = [step - before for step, before in zip(steps, [0, *steps[:-1]], strict=True)]
    area = sum(y * width for y, width in zip(returns, widths, strict=True)) / steps[-1]
    summary |= {"final_return": returns[-1], "best_return": max(returns), "area_under_curve": area}
    if threshold is not None:
        summary["threshold"] = threshold
        reached = [row for row in known if row["episode_return"] >= threshold and row.get("episodes", 0) >= WINDOW]
        if reached:
            summary["steps_to_threshold"] = reached[0]["env_steps"]
    return summary


def threshold_of(env: str) -> float | None:
    """Gymnasium's `reward_threshold` of an environment it knows without importing anybody's module."""
    from gymnasium.envs.registration import registry

    spec = registry.get(env)
    return None if spec is None or spec.reward_threshold is None else float(spec.reward_threshold)
