"""t-SNE: neighbours of many numbers, laid out on a page."""

import numpy as np
import torch

from cvlab._validate import arguments

__all__ = ["neighbourhood", "tsne"]


def _enough(x, perplexity, **_) -> None:
    if x.ndim != 2 or not x.is_floating_point():
        raise ValueError(f"x must be (N, D) float, a row a picture; got {tuple(x.shape)} {x.dtype}")
    if not 1 < perplexity < len(x) / 2:
        raise ValueError(
            f"perplexity must be above 1 and below half the rows, {len(x) / 2:g}; got {perplexity}. "
            "It is about how many neighbours each one has"
        )


@arguments(_enough)
def neighbourhood(x: torch.Tensor, perplexity: float = 30) -> torch.Tensor:
    """Return how much each pair of rows belongs together; each row heeds about `perplexity` others.

    Args:
        x: (N, D) float.
        perplexity: above 1 and below N / 2; e to the power of the entropy of each row's shares.

    Returns:
        (N, N) symmetric shares, 1 in all, 0 on the diagonal.

    Example:
        >>> neighbourhood(torch.eye(10), 3).sum().round(decimals=4)
        tensor(1.)
    """
    apart = torch.cdist(x, x).square().fill_diagonal_(torch.inf)
    low = torch.full((len(x), 1), -20.0)
    high = -low
    for _ in range(40):  # halve the range
        middle = (low + high) / 2
        p = (-apart * middle.exp()).softmax(1)  # (N, N)
        wide = -torch.xlogy(p, p).sum(1, True) > np.log(perplexity)
        low = torch.where(wide, middle, low)
        high = torch.where(wide, high, middle)
    return (p + p.T) / (2 * len(x))


@arguments(_enough)
def tsne(x: torch.Tensor, perplexity: float = 30, steps: int = 500, seed: int = 0) -> torch.Tensor:
    """Lay rows of x on a plane so that neighbours stay neighbours; what is far apart may lie anywhere.

    Args:
        x: (N, D) float.
        perplexity: about how many neighbours a row has, above 1 and below N / 2.
        steps: of gradient descent; during the first quarter neighbours attract twelve times as much.
        seed: where the points begin.

    Returns:
        (N, 2) places, without unit; their sides, angles and large distances mean nothing.

    Raises:
        ValueError: x is no (N, D) float, or the perplexity does not fit its rows.

    Example:
        >>> tsne(torch.eye(20), perplexity=5, steps=10).shape
        torch.Size([20, 2])

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008.
    """
    p = neighbourhood(x, perplexity)
    dice = torch.Generator().manual_seed(seed)
    place = 1e-4 * torch.randn(len(x), 2, generator=dice)
    speed, gain = torch.zeros_like(place), torch.ones_like(place)
    for step in range(steps):
        early = step < steps / 4
        near = 1 / (1 + torch.cdist(place, place).square())
        near.fill_diagonal_(0)
        pull = ((12 if early else 1) * p - near / near.sum()) * near
        slope = 4 * (pull.sum(1, True) * place - pull @ place)
        turned = slope * speed < 0
        gain = torch.where(turned, gain + 0.2, gain * 0.8)
        gain = gain.clamp(min=0.01)
        speed = (0.5 if early else 0.8) * speed - 50 * gain * slope
        place = place + speed
    return place
