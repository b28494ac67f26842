"""The schema of a job: each key's meaning, type and range, said once.

YAML in `conf/` gives the values, Hydra composes them, the dataclasses here check them. A job is identified by the
hash of everything that decides its records: algorithm, env, hyperparameters and total_steps.
"""

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pgbench.errors import UserError

CONF = Path(__file__).resolve().parents[1] / "conf"
GROUPS = ("algorithm", "env", "hyperparameters", "tracking")

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Activation = Literal["tanh", "elu", "relu"]

# The weights that already subtract the critic's value; the others take `baseline`.
ADVANTAGES = ("advantage", "td_residual", "n_step", "gae")

_strict = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, config=_strict)
class Algorithm:
    name: Literal["reinforce", "vpg", "npg", "trpo"]
    """which update: REINFORCE, VPG, NPG or TRPO"""
    advantage: Literal["trajectory_return", "reward_to_go", "q_value", *ADVANTAGES]  # type: ignore[valid-type]
    """the weight Phi_t on grad log pi (slides, "General Policy Gradient")"""
    baseline: Literal["zero", "batch_mean", "learned"]
    """b(s) subtracted from a return or Q estimate; "learned" is the critic"""
    standardize: bool
    """shift and scale Phi_t to mean 0 and standard deviation 1 within each seed's batch"""
    collect: Literal["steps", "episodes"]
    """a batch is n_steps of each environment, or the complete episodes begun within n_steps"""

    @property
    def uses_critic(self) -> bool:
        """Whether any value V(s) enters Phi_t."""
        return self.advantage in ("q_value", *ADVANTAGES) or self.baseline == "learned" or self.collect == "steps"


@dataclass(frozen=True, config=_strict)
class Env:
    id: str
    """Gymnasium id, `Some-v1` or `module:Some-v1`"""
    kwargs: dict[str, Any]
    """keyword arguments of gymnasium.make"""
    append_time: bool
    """append elapsed steps / time limit to the observation"""
    timeout: Literal["bootstrap", "terminal"]
    """at the time limit: bootstrap with V(final observation), or count as terminal (without a critic it always does)"""


@dataclass(frozen=True, config=_strict)
class Hyperparameters:
    name: str
    """name of this set of values, recorded"""
    n_envs: PositiveInt
    """N, environments a seed"""
    n_steps: PositiveInt
    """T, steps an environment and iteration"""
    gamma: Fraction
    """discount"""
    gae_lambda: Fraction
    """lambda of GAE and of the lambda-return"""
    n_step: PositiveInt
    """n of the n-step advantage"""
    hidden: tuple[PositiveInt, ...]
    """widths of the policy's hidden layers"""
    activation: Activation
    """activation of the policy's hidden layers"""
    log_std_init: Annotated[float, Field(allow_inf_nan=False)]
    """initial log standard deviation of a Gaussian policy"""
    optimizer: Literal["adam", "sgd"]
    """the step of REINFORCE and VPG"""
    learning_rate: PositiveFloat
    """alpha of REINFORCE and VPG"""
    delta: PositiveFloat
    """KL bound of an NPG or TRPO step, nats"""
    cg_iterations: PositiveInt
    """conjugate-gradient iterations"""
    cg_damping: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """c of (F + c I) x = g"""
    line_search_steps: PositiveInt
    """L, backtracks of TRPO's line search"""
    line_search_shrink: OpenFraction
    """alpha of TRPO's line search"""
    line_search_accept: Annotated[float, Field(ge=0, lt=1)]
    """least share of the linear improvement TRPO accepts; 0 is the slides' L >= 0"""
    critic_hidden: tuple[PositiveInt, ...]
    """widths of the critic's hidden layers"""
    critic_activation: Activation
    """activation of the critic's hidden layers"""
    critic_target: Literal["return", "lambda_return"]
    """what the critic is fitted to: R^gamma (slides, Algorithm 1) or the lambda-return"""
    critic_steps: PositiveInt
    """full-batch Adam steps of the critic an iteration"""
    critic_learning_rate: PositiveFloat
    """step size of the critic"""
    normalize_observation: bool
    """standardise observations with each seed's running mean and deviation"""
    normalize_reward: bool
    """divide rewards by the running deviation of each seed's discounted return"""


@dataclass(frozen=True, config=_strict)
class Tracking:
    backend: str
    """where runs can be followed, beside the local records: none, wandb, tensorboard or your own module:name"""
    project: str
    """W&B project"""
    entity: str | None
    """W&B entity; null is your default"""
    group: str | None
    """W&B group; null is the job's name"""
    tags: tuple[str, ...]
    """W&B tags, beside algorithm, env and hyperparameters"""
    mode: Literal["online", "offline", "disabled"] | None
    """W&B mode; null leaves it to WANDB_MODE"""


@dataclass(frozen=True, config=_strict)
class Config:
    algorithm: Algorithm
    env: Env
    hyperparameters: Hyperparameters
    tracking: Tracking
    seeds: PositiveInt | tuple[Annotated[int, Field(ge=0)], ...]
    """how many seeds (0, 1, ...), or a list of them"""
    total_steps: PositiveInt
    """environment steps a seed"""
    output_dir: str
    """directory of the records, a directory a job"""
    checkpoint_seconds: Annotated[float, Field(ge=0)]
    """least time between two checkpoints of a run"""
    deadline_seconds: PositiveFloat | None
    """longest time between two iterations before a run counts as hung; null is no limit"""
    measure: Literal["none", "gradient_variance", "policy_path"]
    """what to measure of the policy at the end of a run, besides training it (pgbench/measure.py)"""

    @property
    def seed_list(self) -> tuple[int, ...]:
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides a run's records, but the seed; a measurement where there is one."""
        parts = ("algorithm", "env", "hyperparameters", "total_steps", *(["measure"] if self.measure != "none" else []))
        return {part: to_plain(getattr(self, part)) for part in parts}

    @property
    def job_name(self) -> str:
        """`<algorithm>-<env>-<hash of the resolved config>`."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()
        return f"{self.algorithm.name}-{re.sub(r'[^A-Za-z0-9.-]+', '_', self.env.id)}-{digest[:10]}"

    @property
    def job_dir(self) -> Path:
        return Path(self.output_dir) / self.job_name


def to_plain(value: Any) -> Any:
    """A config as dicts, lists and scalars, as YAML and JSON write them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, list | tuple) else value


def keys(schema: Any = Config, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every config key with its description, e.g. `("hyperparameters.delta", "KL bound ...")`."""
    for name, field in schema.__pydantic_fields__.items():
        if dataclasses.is_dataclass(field.annotation):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.description or ""


def choices(group: str) -> list[str]:
    """The names a config group offers."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def nearest(name: str, allowed: list[str]) -> str:
    """`; did you mean 'x'?` for the allowed name nearest to a wrong one, else nothing."""
    last = {key.rpartition(".")[2]: key for key in reversed(allowed)}
    match = difflib.get_close_matches(name, allowed, 1) or difflib.get_close_matches(
        name.rpartition(".")[2], list(last), 1
    )
    return f"; did you mean '{last.get(match[0], match[0])}'?" if match else ""


def validate(values: Mapping[str, Any]) -> Config:
    """The checked config of plain values. Raises UserError that names key, value and what is allowed."""
    try:
        config = TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"][0] != "seeds"]
        raise UserError("; ".join(map(_explain, wrong[:3])) or _explain_seeds(values["seeds"])) from None
    algorithm, hyperparameters = config.algorithm, config.hyperparameters
    if isinstance(config.seeds, bool) or len(set(config.seed_list)) != len(config.seed_list) or not config.seed_list:
        raise UserError(_explain_seeds(values["seeds"]))
    if algorithm.advantage == "trajectory_return" and algorithm.collect != "episodes":
        raise UserError(
            "algorithm.advantage: 'trajectory_return' needs complete episodes: set algorithm.collect=episodes"
        )
    if config.measure != "none" and (hyperparameters.normalize_observation or hyperparameters.normalize_reward):
        raise UserError(f"measure: '{config.measure}' needs observations and rewards as they are: turn normalize_* off")
    if algorithm.advantage in ADVANTAGES and algorithm.baseline != "learned":
        raise UserError(
            f"algorithm.baseline: got '{algorithm.baseline}', but algorithm.advantage={algorithm.advantage} subtracts "
            "the critic's value: set algorithm.baseline=learned"
        )
    return config


def _explain_seeds(seeds: Any) -> str:
    return f"seeds: got {seeds!r}, allowed is a count of at least 1 or a list of different numbers of at least 0"


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "unexpected_keyword_argument":
        return f"{key}: no such key{nearest(key, [name for name, _ in keys()])}"
    if error["type"] == "missing":
        return f"{key}: missing"
    message = error["msg"].replace("Input should be", "allowed is").replace("greater than or equal to", "at least")
    allowed = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    return f"{key}: got {error['input']!r}, {message}{nearest(str(error['input']), allowed)}"


def check_overrides(overrides: list[str]) -> None:
    """Raises UserError for an override whose key or group choice does not exist, with the nearest one that does."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except OverrideParseException as error:
        raise UserError(f"cannot read '{error.override}': write key=value") from None
    allowed = [*GROUPS, *(name for name, _ in keys())]
    for override in parsed:
        key = override.key_or_group
        if key.split(".")[0].split("/")[0] == "hydra" or key.startswith("env.kwargs."):
            continue
        if key in GROUPS:
            values = override.sweep_iterator() if override.is_sweep_override() else [override.value()]
            for value in map(str, values):
                if value not in choices(key):
                    raise UserError(
                        f"{key}: got '{value}', allowed is {', '.join(choices(key))}{nearest(value, choices(key))}"
                        + (" or any Gymnasium id by env.id=" if key == "env" else "")
                    )
        elif key not in allowed:
            raise UserError(f"{key}: no such key{nearest(key, allowed)} (python -m pgbench --help lists them)")


def compose(overrides: list[str]) -> Config:
    """The job's config from `key=value` overrides, as the command line takes them. Raises UserError."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    check_overrides(overrides)
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            composed = OmegaConf.to_container(hydra_compose("config", overrides), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(" ".join(str(error).split())) from None
    assert isinstance(composed, dict)
    return validate({str(key): value for key, value in composed.items()})
