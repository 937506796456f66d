"""What patches say, as colour: three principal components become red, green and blue."""

import torch

from cvlab.transfer_learning.levels import pca_rgb

__all__ = ["to_rgb"]


def to_rgb(tokens: torch.Tensor) -> torch.Tensor:
    """Colour patches by the three directions in which those of all pictures differ most.

    One set of directions serves all pictures: equal colours mean alike patches, in whichever picture.

    Args:
        tokens: (N, P, D) float, P patches of N pictures, D at least 3; no class token.

    Returns:
        (N, P, 3) float in [0, 1].

    Raises:
        ValueError: tokens of another shape.

    Example:
        >>> to_rgb(torch.rand(2, 144, 96)).shape
        torch.Size([2, 144, 3])

    Source: Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, TMLR 2024.
    """
    if tokens.ndim != 3 or tokens.shape[2] < 3:
        raise ValueError(f"tokens must have shape (N, P, D) with D at least 3; got {tuple(tokens.shape)}")
    return pca_rgb(tokens.float().transpose(1, 2)[..., None])[:, :, 0]
