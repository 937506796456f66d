"""Learning rates that change with the step, as lesson 04 writes them; steps count from 0."""

import numpy as np

from cvlab import _validate

__all__ = ["cosine", "one_cycle", "step_down", "warmed_cosine"]


def _one_of_the_steps(step, total, peak, warmup=0.5, **_) -> None:
    if not 0 <= step < total:
        raise ValueError(
            f"step must be 0 to {total - 1}, since total is {total}; got {step}. Do steps count from 1?"
        )
    if not peak > 0:
        raise ValueError(f"peak must be a learning rate above 0; got {peak}")
    if not 0 < warmup < 1:
        raise ValueError(
            f"warmup must be a share of all steps, between 0 and 1; got {warmup}. Steps? Divide by total"
        )


_checked = _validate.arguments(_one_of_the_steps, total=_validate.positive_int)


@_checked
def step_down(step, total, peak) -> float:
    """Return `peak` for a third of all steps, then a tenth of it, then a hundredth.

    Args:
        step: 0 to `total - 1`.
        total: the number of steps of the whole training.
        peak: the highest learning rate.

    Example:
        >>> [round(step_down(step, 6, 0.1), 4) for step in range(6)]
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]

    Source: `torch.optim.lr_scheduler.StepLR`.
    """
    return peak * 0.1 ** (3 * step // total)


@_checked
def cosine(step, total, peak) -> float:
    """Return a rate that falls from `peak` to almost 0 along half a cosine.

    Args:
        step: 0 to `total - 1`.
        total: the number of steps of the whole training.
        peak: the highest learning rate.

    Example:
        >>> [round(cosine(step, 4, 1.0), 2) for step in range(4)]
        [1.0, 0.85, 0.5, 0.15]

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.
    """
    return float(peak * (1 + np.cos(np.pi * step / total)) / 2)


@_checked
def warmed_cosine(step, total, peak, warmup=0.1) -> float:
    """Return the rate of `cosine`, held back at first: it grows in a straight line during `warmup`.

    Args:
        step: 0 to `total - 1`.
        total: the number of steps of the whole training.
        peak: the highest learning rate, almost reached.
        warmup: the share of all steps that it grows.

    Example:
        >>> [round(warmed_cosine(step, 10, 1.0, 0.3), 2) for step in range(4)]
        [0.33, 0.65, 0.9, 0.79]

    Source: the warm-up is that of Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017.
    """
    held_back = min(1, (step + 1) / (warmup * total))
    return held_back * cosine(step, total, peak)


@_checked
def one_cycle(step, total, peak, warmup=0.3, div=25, final_div=1e4) -> float:
    """Return a rate that rises to `peak` and falls to almost 0, both along half a cosine.

    Args:
        step: 0 to `total - 1`.
        total: the number of steps of the whole training.
        peak: the highest learning rate, at step `warmup * total - 1`.
        warmup: the share of all steps that it rises.
        div: the first rate is `peak / div`.
        final_div: the last rate is the first divided by this.

    Example:
        >>> [round(one_cycle(step, 10, 1.0), 3) for step in (0, 1, 2, 5, 9)]
        [0.04, 0.52, 1.0, 0.611, 0.0]

    Source: Smith and Topin, "Super-Convergence", 2017, in the form of `torch.optim.lr_scheduler.OneCycleLR`.
    """
    top, low = warmup * total - 1, peak / div
    if step < top:
        first, last, share = low, peak, step / top
    else:
        first, last = peak, low / final_div
        share = (step - top) / (total - 1 - top)
    return float(last + (first - last) * (1 + np.cos(np.pi * share)) / 2)
