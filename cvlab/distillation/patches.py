"""Pictures cut into patches, each one a row of numbers."""

import torch

__all__ = ["patchify"]


def patchify(images: torch.Tensor, patch: int) -> torch.Tensor:
    """Cut pictures into squares, row by row, and lay each one out as a vector.

    Args:
        images: (B, C, H, W).
        patch: side of a square in pixels; divides H and W.

    Returns:
        (B, H / patch * W / patch, C * patch * patch); within a vector channel by channel, each row by row.

    Example:
        >>> patchify(torch.zeros(2, 3, 32, 48), 16).shape
        torch.Size([2, 6, 768])

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021.
    """
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // patch, patch, w // patch, patch)
    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, P, P)
    return x.reshape(b, -1, c * patch * patch)
