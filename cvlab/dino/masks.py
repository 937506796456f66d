"""A mask out of attention: the few places that hold most of it."""

import torch

from cvlab._validate import arguments

__all__ = ["mass_mask", "weights_of"]


def weights_of(value, name: str) -> torch.Tensor:
    """Return attention as a tensor (..., P) whose rows are distributions.

    Raises:
        TypeError, ValueError: where it is no tensor of floats, or a row has numbers below 0, or does not sum to 1.
    """
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a tensor of floats; got {kind}. torch.as_tensor({name}) makes one")
    if value.ndim == 0 or value.shape[-1] == 0:
        raise ValueError(f"{name} must have shape (..., P), one weight a place; got {tuple(value.shape)}")
    if value.isnan().any():
        raise ValueError(f"{name} must be finite; {int(value.isnan().sum())} of {value.numel()} are NaN")
    if (value < 0).any():
        raise ValueError(
            f"{name} must be 0 or more; got {value.min().item():.3g}. Scores? Take their softmax"
        )
    sums = value.sum(dim=-1).flatten()
    off = (sums - 1).abs()
    if off.numel() and off.max() > 1e-3:
        raise ValueError(
            f"each row of {name} must sum to 1; got {sums[off.argmax()].item():.3g}. Without the class token's own "
            f"share? Divide: {name} / {name}.sum(-1, keepdim=True)"
        )
    return value


def _share(value, name: str) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1; got {value}. In percent? Divide by 100")
    return value


@arguments(attention=weights_of, share=_share)
def mass_mask(attention: torch.Tensor, share: float) -> torch.Tensor:
    """Keep the fewest places that together hold `share` of the attention.

    Args:
        attention: (..., P) weights of P places; each row sums to 1.
        share: of the whole, above 0 to 1.

    Returns:
        (..., P) bool. Of places that hold equally much, the first are kept.

    Example:
        >>> mass_mask(torch.tensor([0.125, 0.5, 0.25, 0.125]), 0.7)
        tensor([False,  True,  True, False])

    Source: the masks of Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021.
    """
    ranked = attention.sort(dim=-1, descending=True, stable=True)
    before = ranked.values.cumsum(dim=-1) - ranked.values  # (..., P) held by the places ahead
    kept = before < share
    return torch.zeros_like(kept).scatter(-1, ranked.indices, kept)
