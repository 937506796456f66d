"""A teacher as the average of a student's past, on two weights, so that it can be drawn."""

import numpy as np

from cvlab._validate import arguments, positive_int
from cvlab.distillation.teaching import share_kept

__all__ = ["descend", "follow"]


@arguments(steps=positive_int)
def descend(steps: int = 200, noise: float = 2.0, seed: int = 3) -> np.ndarray:
    """Return the way of two weights down a long valley by noisy gradients, (steps + 1, 2); the minimum is at 0, 0.

    Args:
        steps: of gradient descent, with rate 0.25.
        noise: how far each gradient is off, as its standard deviation.
        seed: another seed, other noise.

    Example:
        >>> descend(3, noise=0).round(2).tolist()
        [[-3.0, 1.0], [-2.25, -0.5], [-1.69, 0.25], [-1.27, -0.12]]
    """
    dice, w = np.random.default_rng(seed), np.array([-3.0, 1.0])
    path = [w]
    for _ in range(steps):
        gradient = np.array([1, 6]) * w + noise * dice.normal(size=2)
        w = w - 0.25 * gradient
        path.append(w)
    return np.array(path)


@arguments(momentum=share_kept)
def follow(path, momentum) -> np.ndarray:
    """Return where a teacher is that follows a student's path (T, 2): the exponential moving average, (T, 2).

    Args:
        path: where the student was, step by step.
        momentum: how much of the old teacher is kept, 0 to 1.

    Example:
        >>> follow(np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0]]), 0.5).tolist()
        [[0.0, 0.0], [0.5, 1.0], [0.75, 1.5]]
    """
    teacher = [path[0]]
    for student in path[1:]:
        teacher.append(momentum * teacher[-1] + (1 - momentum) * student)
    return np.array(teacher)
