"""The schema of a job: each key's meaning, type and range, said once.

YAML in `conf/` gives the values, Hydra composes them (pgbench/composition.py), pgbench/validation.py checks them.

A job is identified by the hash of what decides its records: those keys of algorithm, env and hyperparameters that its
algorithm reads (`Config.identity`). An update sees no other hyperparameter (`Config.effective`), so none can be read in
secret. Keys that came after version 0.2.0 have a default here, and count only where they differ from it: a default here
is for ever, and old hashes stay.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pgbench.errors import UserError, nearest
from pgbench.terminal import path_of

HERE = Path(__file__).resolve().parent
CONF = HERE / "conf" if (HERE / "conf").is_dir() else HERE.parent / "conf"
"""The YAML: in the package where that is installed, beside it in a checkout."""
GROUPS = ("algorithm", "env", "hyperparameters", "tracking")

SPEC = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
Spec = Annotated[str, Field(pattern=SPEC)]
"""`module:name` (pgbench/plugins.py)."""
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Activation = Literal["tanh", "elu", "relu"]

# The weights that already subtract the critic's value; the others take `baseline`.
ADVANTAGES = ("advantage", "td_residual", "n_step", "gae")

# What every algorithm reads of the hyperparameters, and what only some need; `algorithm.reads` names the rest.
ALWAYS = (
    "name",
    "n_envs",
    "n_steps",
    "gamma",
    "hidden",
    "activation",
    "log_std_init",
    "normalize_observation",
    "normalize_reward",
    "network",
    "network_kwargs",
    "schedule",
)
CRITIC = (
    "critic_hidden",
    "critic_activation",
    "critic_target",
    "critic_steps",
    "critic_learning_rate",
    "critic_network",
    "critic_network_kwargs",
    "critic_batch",
)
RATES = ("learning_rate", "critic_learning_rate")
OURS = "pgbench.algorithms."


class NotDeclared(UserError, AttributeError):
    """An algorithm reads a hyperparameter that is not there for it."""


STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, config=STRICT)
class Algorithm:
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    """what it is called in records and figures"""
    update: Spec
    """the function that learns, module:name (see pgbench/algorithms)"""
    advantage: Literal["trajectory_return", "reward_to_go", "q_value", *ADVANTAGES] | Spec  # type: ignore[valid-type]
    """the weight Phi_t on grad log pi (slides, "General Policy Gradient"), or a function of one's own, module:name"""
    baseline: Literal["zero", "batch_mean", "learned"]
    """b(s) subtracted from a return or Q estimate; "learned" is the critic"""
    standardize: bool
    """shift and scale Phi_t to mean 0 and standard deviation 1 within each seed's batch"""
    collect: Literal["steps", "episodes"]
    """a batch is n_steps of each environment, or the complete episodes begun within n_steps"""
    reads: tuple[str, ...]
    """the hyperparameters of its own step, delta with delta_schedule; the update sees these and what all need"""

    @property
    def uses_critic(self) -> bool:
        """Whether any value V(s) enters Phi_t."""
        own = ":" in self.advantage
        learned = self.advantage in ("q_value", *ADVANTAGES) or self.baseline == "learned"
        return own or learned or self.collect == "steps"


@dataclass(frozen=True, config=STRICT)
class Env:
    id: str
    """Gymnasium id, `Some-v1` or `module:Some-v1`"""
    kwargs: dict[str, Any]
    """keyword arguments of gymnasium.make"""
    append_time: bool
    """append elapsed steps / time limit to the observation"""
    timeout: Literal["bootstrap", "terminal"]
    """at the time limit: bootstrap with V(final observation), or count as terminal (without a critic it always does)"""
    wrappers: tuple[dict[str, Any], ...] = ()
    """around each environment, the innermost first: a list of {wrapper: module:name, keyword: value, ...}"""


@dataclass(frozen=True, config=STRICT)
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
    """Adam steps of the critic an iteration"""
    critic_learning_rate: PositiveFloat
    """step size of the critic"""
    normalize_observation: bool
    """standardise observations with each seed's running mean and deviation"""
    normalize_reward: bool
    """divide rewards by the running deviation of each seed's discounted return"""
    network: Literal["mlp"] | Spec = "mlp"
    """the policy's network: the multilayer perceptron above, or a torch.nn.Module, module:name"""
    network_kwargs: dict[str, Any] = field(default_factory=dict)
    """keywords of such a module, beside obs_size and outputs"""
    critic_network: Literal["mlp"] | Spec = "mlp"
    """the critic's network, likewise"""
    critic_network_kwargs: dict[str, Any] = field(default_factory=dict)
    """keywords of such a module"""
    critic_batch: PositiveInt | None = None
    """transitions of each of these steps, drawn without replacement until all were used; null is the full batch"""
    schedule: Literal["constant", "linear"] = "constant"
    """learning_rate, critic_learning_rate and delta stay as they are, or fall in a line to zero at total_steps"""
    delta_schedule: Literal["constant", "linear"] | None = None
    """likewise of delta alone, whatever `schedule` is; null is as `schedule`"""
    own: Any = None
    """those that an algorithm from outside has in its own schema, `Hyperparameters` of its module"""

    def __getattr__(self, name: str) -> Any:
        own = vars(self).get("own")
        if own is not None and not name.startswith("__") and hasattr(own, name):
            return getattr(own, name)
        if name in Hyperparameters.__dataclass_fields__:
            raise NotDeclared(f"hyperparameters.{name} is read but not declared: add it to algorithm.reads")
        raise NotDeclared(f"no hyperparameter is called '{name}'{nearest(name, self.names())}")

    def names(self) -> list[str]:
        """Every hyperparameter's name, an algorithm's own included."""
        own = vars(self).get("own")
        return [*Hyperparameters.__dataclass_fields__, *(vars(own) if own is not None else ())]


for _name in Hyperparameters.__dataclass_fields__.keys() & vars(Hyperparameters).keys():
    delattr(Hyperparameters, _name)  # a default left on the class would answer for a key that an update must not see


@dataclass(frozen=True, config=STRICT)
class Evaluation:
    every: PositiveInt | None
    """environment steps between two evaluations during training; null is none"""
    episodes: PositiveInt
    """episodes of each"""
    deterministic: bool
    """act by the most likely action, else draw"""


@dataclass(frozen=True, config=STRICT)
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


@dataclass(frozen=True, config=STRICT)
class Config:
    """A job: one algorithm on one environment with one set of hyperparameters, over some seeds."""

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
    """least time between two checkpoints of a run; more where they would take over 0.5% of the time"""
    deadline_seconds: PositiveFloat | None
    """longest time between two iterations before a run counts as hung; null is no limit"""
    snapshots: tuple[Annotated[int, Field(ge=0)], ...]
    """environment steps whose policies are kept: policy-<steps>.pt, of the first iteration that gets there"""
    evaluation: Evaluation
    other_code: Literal["refuse", "resume", "retrain"]
    """runs that other code made. refuse: leave the done, go on with none half way; resume: go on; retrain: anew"""

    dry_run: bool = False
    """only tell the runs, the environment steps and an estimate of the time; nothing is trained or written"""

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds: 0 to `seeds` - 1, or those listed."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def reads(self) -> set[str]:
        """The hyperparameters that decide this job's records."""
        algorithm, hp = self.algorithm, self.hyperparameters
        critic = algorithm.uses_critic
        reads = {*ALWAYS, "own", *algorithm.reads, *(CRITIC if critic else ())}
        if algorithm.advantage == "gae" or (critic and hp.critic_target == "lambda_return"):
            reads.add("gae_lambda")
        if algorithm.advantage == "n_step":
            reads.add("n_step")
        if "delta" in algorithm.reads:
            reads.add("delta_schedule")
        return reads

    def takes(self, key: str) -> bool:
        """Whether the value of a config key can change this job's records, or how they are made."""
        group, _, name = key.partition(".")
        if key == "env.timeout":
            return self.algorithm.uses_critic
        own = self.hyperparameters.own
        names = {one.name for one in dataclasses.fields(own)} if dataclasses.is_dataclass(own) else set()
        return group != "hyperparameters" or not name or name.partition(".")[0] in self.reads | names

    @property
    def effective(self) -> "Config":
        """The config as training sees it: what the algorithm does not read is not there."""
        kept = {name: value for name, value in vars(self.hyperparameters).items() if name in self.reads}
        return replace(self, hyperparameters=_holding(kept))

    def at(self, env_steps: int) -> "Config":
        """The effective config of the update whose batch begins at so many environment steps: its schedules applied."""
        values, left = vars(self.hyperparameters), 1 - env_steps / self.total_steps
        scheduled = {key: left * values[key] for key in self.scheduled if key in values}
        return replace(self, hyperparameters=_holding({**values, **scheduled})) if scheduled else self

    @property
    def scheduled(self) -> tuple[str, ...]:
        """The step sizes, read or not, that fall in a line to zero at total_steps."""
        hp = self.hyperparameters
        delta = (hp.delta_schedule or hp.schedule) if "delta" in self.reads else "constant"
        return (RATES if hp.schedule == "linear" else ()) + (("delta",) if delta == "linear" else ())

    @property
    def recorded(self) -> dict[str, Any]:
        """What config.yaml holds of it: algorithm, env and the hyperparameters that are read."""
        algorithm, env = to_plain(self.algorithm), to_plain(self.env)
        del algorithm["reads"]
        if not self.algorithm.uses_critic:
            del env["timeout"]
        hp = {key: value for key, value in to_plain(self.hyperparameters).items() if key in self.reads}
        if hp.get("delta_schedule") in (None, hp["schedule"]):
            hp.pop("delta_schedule", None)  # the same training, and what runs before there was the key have written
        own = hp.pop("own") or {}
        hp |= own
        if algorithm["update"].startswith(OURS):
            del algorithm["update"]
        return {"algorithm": algorithm, "env": env, "hyperparameters": hp}

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides a run's records, but its seed and, unless a schedule reads it, how long it is."""
        recorded = self.recorded
        del recorded["hyperparameters"]["name"]
        if self.scheduled:
            recorded["total_steps"] = self.total_steps
        for part, schema in (
            ("algorithm", Algorithm),
            ("env", Env),
            ("hyperparameters", Hyperparameters),
            ("hyperparameters", type(self.hyperparameters.own)),
        ):
            for key, default in defaults(schema):
                if recorded[part].get(key, ...) == default:
                    del recorded[part][key]
        return recorded

    @property
    def job_name(self) -> str:
        """`<algorithm>-<env>-<hash of the identity>`."""
        digest = hashlib.sha256(json.dumps(_text_keys(self.identity), sort_keys=True).encode()).hexdigest()
        return f"{self.algorithm.name}-{re.sub(r'[^A-Za-z0-9.-]+', '_', self.env.id)}-{digest[:10]}"

    @property
    def job_dir(self) -> Path:
        """Directory of the job's runs."""
        return path_of(self.output_dir) / self.job_name


def _text_keys(value: Any) -> Any:
    """The same with keys that JSON can sort: `{1: a}` and `{"1": a}` stay apart."""
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else f"{type(key).__name__} {key}": _text_keys(x) for key, x in value.items()
        }
    return [_text_keys(x) for x in value] if isinstance(value, list) else value


def defaults(schema: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a schema that have a default, with it."""
    for one in dataclasses.fields(schema) if dataclasses.is_dataclass(schema) else ():
        if one.default is not dataclasses.MISSING:
            yield one.name, to_plain(one.default)
        elif one.default_factory is not dataclasses.MISSING:
            yield one.name, to_plain(one.default_factory())


def _holding(values: Mapping[str, Any]) -> Hyperparameters:
    """Hyperparameters that have these values and no others."""
    made: Hyperparameters = object.__new__(Hyperparameters)
    vars(made).update(values)
    return made


def to_plain(value: Any) -> Any:
    """A config as dicts, lists and scalars, as YAML and JSON write them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = vars(value)  # of an effective config, some are missing
        return {field.name: to_plain(held[field.name]) for field in dataclasses.fields(value) if field.name in held}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, list | tuple) else value


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings in one; `above` wins. `env.kwargs` is replaced whole."""
    return {
        **below,
        **{
            key: merge(below[key], value)
            if isinstance(value, Mapping) and isinstance(below.get(key), Mapping) and key != "kwargs"
            else value
            for key, value in above.items()
        },
    }
