"""Attention: each token asks, every token answers, and the answers are mixed."""

import torch

__all__ = ["attention"]


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix values by how well each key answers each query.

    Args:
        q: (..., T, D) queries, one a token.
        k: (..., S, D) keys.
        v: (..., S, E) values.

    Returns:
        (..., T, E) mixed values, and (..., T, S) weights, each row a distribution over the S tokens.

    Example:
        >>> mixed, weights = attention(torch.zeros(1, 2), torch.ones(3, 2), torch.tensor([[1.0], [2.0], [6.0]]))
        >>> mixed.item(), weights.shape
        (3.0, torch.Size([1, 3]))

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017.
    """
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (..., T, S)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
