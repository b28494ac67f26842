"""The peers at equal work, `python -m tests.benchmarks.peers PEER ENV_ID SEED`.

16 environments x 128 steps an iteration, separate 64-64 tanh actor and critic, gamma 0.99, lambda 0.97, 10
conjugate-gradient iterations, 10 full-batch critic steps, each through the library's public interface. Tianshou fixes
its damping at 0.1, REINFORCE has no critic, A2C does one full-batch step of actor and critic.
"""

import sys
import time
from typing import Any

from tests.benchmarks.measure import Advance, Contestant, Turn, serve

N_ENVS, N_STEPS, HIDDEN = 16, 128, [64, 64]
BATCH = N_ENVS * N_STEPS

PEERS = {
    "sb3-trpo": "SB3-contrib TRPO",
    "sb3-a2c": "Stable-Baselines3 A2C",
    "sb3-ppo": "Stable-Baselines3 PPO",
    "tianshou-trpo": "Tianshou TRPO",
    "tianshou-npg": "Tianshou NPG",
    "tianshou-reinforce": "Tianshou REINFORCE",
    "bare": "Gymnasium's bare environment",
}


def peer(name: str, env_id: str, iterations: int) -> Contestant:
    """A peer as a contestant."""
    return Contestant("peers", (name, env_id, "0"), iterations)


def build(name: str, env_id: str, seed: int) -> Advance:
    """The learner of that name."""
    import torch

    torch.set_num_threads(1)
    if env_id.startswith("HalfCheetah"):
        import mujoco

        mujoco.set_mju_user_warning(lambda message: None)  # its notes on gymnasium's models, one an environment
    library, _, algorithm = name.partition("-")
    if library == "bare":
        return bare(env_id, seed)
    return (stable_baselines if library == "sb3" else tianshou)(algorithm, env_id, seed)


def train(name: str, env_id: str, seed: int, iterations: int) -> float:
    """One run from scratch: seconds of learning."""
    advance = build(name, env_id, seed)
    start = time.perf_counter()
    advance(iterations)
    return time.perf_counter() - start


def bare(env_id: str, seed: int) -> Advance:
    """One environment under random actions in a plain loop, resets included; the actions are drawn beforehand."""
    import gymnasium as gym

    env = gym.make(env_id)
    env.action_space.seed(seed)
    env.reset(seed=seed)
    actions = [env.action_space.sample() for _ in range(BATCH)]

    def advance(iterations: int) -> Turn:
        for _ in range(iterations):
            for action in actions:
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
        return {"steps": iterations * BATCH}

    return advance


def stable_baselines(algorithm: str, env_id: str, seed: int) -> Advance:
    """TRPO of SB3-contrib, A2C, or PPO with 10 full-batch epochs."""
    from sb3_contrib import TRPO
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.env_util import make_vec_env

    classes: dict[str, Any] = {"trpo": TRPO, "a2c": A2C, "ppo": PPO}
    special: dict[str, dict[str, Any]] = {
        "trpo": {"batch_size": BATCH, "cg_max_steps": 10, "cg_damping": 1e-3, "n_critic_updates": 10},
        "a2c": {"normalize_advantage": True},
        "ppo": {"batch_size": BATCH, "n_epochs": 10},
    }
    model = classes[algorithm](
        "MlpPolicy",
        make_vec_env(env_id, n_envs=N_ENVS, seed=seed),
        n_steps=N_STEPS,
        gamma=0.99,
        gae_lambda=0.97,
        learning_rate=1e-3,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": HIDDEN},
        **special[algorithm],
    )

    def advance(iterations: int) -> Turn:
        before = model.num_timesteps
        model.learn(iterations * BATCH, reset_num_timesteps=False)
        return {"steps": model.num_timesteps - before}

    return advance


def tianshou(algorithm: str, env_id: str, seed: int) -> Advance:
    """TRPO, NPG or REINFORCE of Tianshou, for discrete actions."""
    import gymnasium as gym
    import torch
    from tianshou.algorithm import NPG, TRPO, Reinforce
    from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
    from tianshou.algorithm.optim import AdamOptimizerFactory
    from tianshou.data import Collector, CollectStats, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv
    from tianshou.trainer import OnPolicyTrainerParams
    from tianshou.utils.net.common import Net
    from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

    torch.manual_seed(seed)
    envs = DummyVectorEnv([lambda: gym.make(env_id) for _ in range(N_ENVS)])
    envs.seed(seed)
    space: Any = gym.make(env_id).action_space

    def body() -> Any:
        shape = gym.make(env_id).observation_space.shape
        return Net(state_shape=shape, hidden_sizes=HIDDEN, activation=torch.nn.Tanh)

    actor = DiscreteActor(preprocess_net=body(), action_shape=space.n, softmax_output=False)
    common: dict[str, Any] = {
        "policy": DiscreteActorPolicy(actor=actor, action_space=space),
        "optim": AdamOptimizerFactory(lr=1e-3),
        "gamma": 0.99,
    }
    with_critic = {
        "critic": DiscreteCritic(preprocess_net=body()),
        "gae_lambda": 0.97,
        "optim_critic_iters": 10,
        "max_batchsize": BATCH,
    }
    learner: Any
    match algorithm:
        case "reinforce":
            learner = Reinforce(**common)
        case "npg":
            learner = NPG(trust_region_size=0.01, **common, **with_critic)
        case _:
            learner = TRPO(max_kl=0.01, **common, **with_critic)
    params = OnPolicyTrainerParams(
        training_collector=Collector[CollectStats](learner, envs, VectorReplayBuffer(2 * BATCH, N_ENVS)),
        collection_step_num_env_steps=BATCH,
        batch_size=BATCH,
        show_progress=False,
        verbose=False,
    )
    trainer = learner.create_trainer(params)
    trainer.reset()

    def advance(iterations: int) -> Turn:
        params.epoch_num_steps = iterations * BATCH
        before = params.training_collector.collect_step
        trainer.execute_epoch()
        return {"steps": params.training_collector.collect_step - before}

    return advance


if __name__ == "__main__":
    serve(lambda: build(sys.argv[1], sys.argv[2], int(sys.argv[3])))
