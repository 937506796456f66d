"""The linear probe: one layer on features that stand still, fitted to the end."""

import torch
import torch.nn.functional as F
from torch import nn

from cvlab import _validate

__all__ = ["linear_probe"]


def _belong(x, labels, C) -> None:  # noqa: N803
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise ValueError(
            f"x must be (N, D) and labels (N,), one a row; got {tuple(x.shape)} and {tuple(labels.shape)}"
        )
    if len(labels.unique()) < 2:
        raise ValueError(f"labels must hold at least two classes; got only {labels.unique().tolist()}")
    if not C > 0:
        raise ValueError(f"C must be above 0; got {C}")


@_validate.arguments(_belong)
def linear_probe(x: torch.Tensor, labels: torch.Tensor, C: float = 10) -> nn.Linear:  # noqa: N803
    """Return a linear layer that names x's classes, its weights held back by the sum of their squares.

    Args:
        x: (N, D) floats, what a frozen network says of N pictures.
        labels: (N,) int64, 0 to K - 1.
        C: how little the weights are held back.

    Returns:
        A layer from (M, D) to (M, K) logits: the minimum of cross-entropy and penalty, found by L-BFGS.

    Raises:
        ValueError: x and labels do not belong together, or there is only one class.

    Example:
        >>> layer = linear_probe(torch.eye(4), torch.tensor([0, 0, 1, 1]))
        >>> layer(torch.eye(4)).argmax(dim=1)
        tensor([0, 0, 1, 1])

    Source: scikit-learn's `LogisticRegression`, whose minimum is the same; the name is Alain and Bengio's, 2016.
    """
    head = nn.Linear(x.shape[1], int(labels.max()) + 1)
    for part in head.parameters():
        nn.init.zeros_(part)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        held_back = head.weight.square().sum() / (2 * C * len(x))
        total = F.cross_entropy(head(x), labels) + held_back
        total.backward()
        return total

    optimizer.step(loss)
    return head.requires_grad_(False)
