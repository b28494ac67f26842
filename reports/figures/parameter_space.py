"""Equal distances in parameters, unequal distances between policies (slides, "Problems with the Vanilla Gradient")."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports import style, text
from reports.data import Data, Group
from reports.figures.drawing import Drawing
from reports.figures.gradient_variance import ages
from reports.statistics import Array, geometric_mean, geometric_mean_interval

LOOKS = {"vanilla": style.STYLES["vpg"], "natural": style.STYLES["npg"]}
NOTE = (
    "Left: the family π(a=1) = 1/(1+exp(-θ)), computed. Others: mean KL over the states of 16 episodes between a "
    "trained policy and the same with a step of the given length along the gradient, or along the natural gradient "
    "F⁻¹g of the same batch; faint: each seed, line and band: geometric mean over seeds and its 95% interval "
    "(Student's t of the logarithms)."
)


def draw(data: Data) -> Drawing | None:
    """The family, then a panel per age of a job's policy; None where no path was measured."""
    parts = ages(data, ("kl",))
    if not parts:
        return None
    figure, axes = style.panels(1 + len(parts), height=3.6, width=3.6, columns=4)
    _family(axes[0])
    for panel, (group, age, mine) in zip(axes[1:], parts, strict=True):
        _path(panel, mine)
        style.finish(panel, f"{group.env}, after {text.steps(age)} steps (n = {mine['seed'].nunique()})", (group,))
        panel.set_ylim(1e-8, 30)
    axes[1].set_ylabel("KL(θ ‖ θ + d), nats")
    axes[1].legend(loc="lower right")
    rows = [
        {"env": group.env, "env_steps": age, "direction": subject, "distance": d, "n": len(kl)}
        | {"kl": geometric_mean(kl)[k], "low": ends.low[k], "high": ends.high[k]}
        for group, age, mine in parts
        for subject in LOOKS
        for distances, kl in [_curves(mine, subject)]
        for ends in [geometric_mean_interval(kl)]
        for k, d in enumerate(distances)
    ]
    sentences = [_sentence(group, age, mine) for group, age, mine in parts]
    return Drawing(figure, "\n".join(sentences), NOTE, pd.DataFrame(rows))


def bernoulli_kl(theta: Array, step: float) -> Array:
    """KL(pi_theta || pi_theta+step) of the family pi(a = 1) = sigmoid(theta), nats:
    log(1 + exp(theta + step)) - log(1 + exp(theta)) - sigmoid(theta) step."""
    return np.asarray(np.logaddexp(0, theta + step) - np.logaddexp(0, theta) - step / (1 + np.exp(-theta)))


def _family(panel: Axes) -> None:
    theta = np.linspace(-8, 8, 201)
    for step, line in ((2.0, "-"), (1.0, "--"), (0.5, ":")):
        panel.plot(theta, bernoulli_kl(theta, step), color=style.ink(), linestyle=line, label=f"d = {step:g}")
    style.log_axis(panel, "y")
    panel.set_xlabel("θ")
    panel.set_ylabel("KL(θ ‖ θ + d), nats")
    panel.set_title("a family of policies: π(a=1) = σ(θ)")
    panel.legend()
    sns.despine(ax=panel)


def _path(panel: Axes, table: pd.DataFrame) -> None:
    for subject, look in LOOKS.items():
        distances, kl = _curves(table, subject)
        for curve in kl:
            panel.plot(distances, curve, color=look.color, linewidth=0.6, alpha=0.3)
        band = geometric_mean_interval(kl)
        panel.fill_between(distances, band.low, band.high, color=look.color, alpha=0.25, linewidth=0)
        panel.plot(
            distances,
            geometric_mean(kl),
            color=look.color,
            linestyle=look.linestyle,
            linewidth=2,
            label=f"{subject} step",
        )
    style.log_axis(panel)
    panel.set_xlabel("‖d‖")


def _curves(table: pd.DataFrame, subject: str) -> tuple[Array, Array]:
    """Distances [D] and the seeds' KL [S, D]; a KL that rounding made zero or less is a nat of 1e-12."""
    wide = table[table["subject"] == subject].set_index(["seed", "distance"])["value"].unstack()  # noqa: PD010
    return wide.columns.to_numpy(float), np.maximum(wide.to_numpy(float), 1e-12)


def _sentence(group: Group, age: float, table: pd.DataFrame) -> str:
    """The KL of both directions at the distance nearest to 0.1, and their ratio, paired by seed."""
    distances, vanilla = _curves(table, "vanilla")
    _, natural = _curves(table, "natural")
    place = int(np.abs(np.log(distances / 0.1)).argmin())
    ends = geometric_mean_interval(vanilla[:, place] / natural[:, place])
    ratio = text.interval(geometric_mean(vanilla[:, place] / natural[:, place]), ends, "{:.3g}".format)
    apart = f"{vanilla[:, place].min():.2g} to {vanilla[:, place].max():.2g}"
    claim = "as the slides say" if ends.low > 1 or ends.high < 1 else "so here it does tell the change of the policy"
    return (
        f"{group.env}, after {text.steps(age)} steps: a step of ‖d‖={distances[place]:.2g} along the "
        f"gradient changes the policy by a KL {ratio} times that of one as long along the natural gradient, {claim}; "
        f"from seed to seed it is {apart} nats."
    )
