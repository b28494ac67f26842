"""REINFORCE.

    g = 1/B sum_t grad log pi(a_t | s_t) (R_t - b(s_t)),    theta_k+1 = theta_k + alpha g    (or Adam's step)

over complete episodes, where R_t is the return to go (or of the trajectory) and b is zero, the batch mean or a learned
value (slides, "A Simple Policy Gradient" to "Adding a Baseline"). The update is VPG's; what differs is the weight.
"""

from pgbench.algorithms.vpg import update

__all__ = ["update"]
