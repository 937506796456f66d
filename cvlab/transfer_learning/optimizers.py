"""One step of Adam, as lesson 04 writes it."""

import numpy as np

from cvlab import _validate

__all__ = ["adam_step"]


def _alike(weight, grad, m, v, betas, **_) -> None:
    for array, name in ((grad, "grad"), (m, "m"), (v, "v")):
        _validate.same_shape(weight, array, ("weight", name))
    if (v < 0).any():
        raise ValueError(
            f"v must hold means of squares, at least 0; got {v.min():g}. Have m and v changed places?"
        )
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must be two shares from 0 to below 1; got {betas}")


@_validate.arguments(
    _alike,
    weight=_validate.floats,
    grad=_validate.floats,
    m=_validate.floats,
    v=_validate.floats,
    step=_validate.positive_int,
)
def adam_step(
    weight, grad, m, v, step, lr=0.001, betas=(0.9, 0.999), eps=1e-8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take one step of Adam: the mean gradient, divided by its usual size.

    Args:
        weight: numbers of any shape.
        grad: dL/dweight, same shape.
        m: the running mean of the gradients, same shape; zeros at the start.
        v: the running mean of their squares, same shape; zeros at the start.
        step: the number of this step, from 1.
        lr: the learning rate: about how far each number moves where the gradients agree.
        betas: the shares of the old m and the old v that stay, 0 to below 1.
        eps: keeps a gradient of 0 from dividing 0 by 0.

    Returns:
        The new weight, the new m and the new v.

    Example:
        >>> weight, m, v = adam_step(np.array([1.0, 1.0]), np.array([0.01, -500.0]), np.zeros(2), np.zeros(2), step=1)
        >>> weight.round(4)
        array([0.999, 1.001])

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1; `torch.optim.Adam`.
    """
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    mean, square = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    return weight - lr * mean / (np.sqrt(square) + eps), m, v
