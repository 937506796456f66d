"""Attention: each token asks, every token answers, and the answers are mixed."""

import torch

from cvlab import _validate

__all__ = ["attention"]


def _together(q, k, v) -> None:
    """Raise an error that says what is wrong, unless queries, keys and values fit together."""
    for name, value in (("q", q), ("k", k), ("v", v)):
        if not isinstance(value, torch.Tensor):
            raise TypeError(
                f"{name} must be a torch tensor; got {type(value).__name__}. torch.as_tensor({name})?"
            )
        if not value.is_floating_point():
            raise TypeError(f"{name} must be floats; got {value.dtype}. {name}.float()?")
        if value.ndim < 2:
            raise ValueError(
                f"{name} must have shape (..., tokens, numbers a token); got {tuple(value.shape)}. One token? {name}[None]"
            )
    if len({q.dtype, k.dtype, v.dtype}) > 1:
        raise TypeError(f"q, k and v must be of one type; got {q.dtype}, {k.dtype} and {v.dtype}")
    shapes = f"got q {tuple(q.shape)}, k {tuple(k.shape)}, v {tuple(v.shape)}"
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"a query and a key must have as many numbers, the last side of q and of k; {shapes}"
        )
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"each key must have its value, the last side but one of k and of v; {shapes}. Heads not split alike?"
        )
    if 0 in (q.shape[-1], k.shape[-2]):
        raise ValueError(f"there must be a token that answers, and a number to compare; {shapes}")


@_validate.arguments(_together)
def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix values by how well each key answers each query.

    Args:
        q: (..., T, D) queries, one a token, floats.
        k: (..., S, D) keys, of the same type.
        v: (..., S, E) values.

    Returns:
        (..., T, E) mixed values, and (..., T, S) weights, each row a distribution over the S tokens.

    Raises:
        TypeError: when one is no tensor of floats, or they are not of one type.
        ValueError: when their sides do not fit together; all three shapes are named.

    Example:
        >>> mixed, weights = attention(torch.zeros(1, 2), torch.ones(3, 2), torch.tensor([[1.0], [2.0], [6.0]]))
        >>> mixed.item(), weights.shape
        (3.0, torch.Size([1, 3]))

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017.
    """
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (..., T, S)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
