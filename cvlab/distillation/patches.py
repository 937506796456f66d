"""Pictures cut into patches, each one a row of numbers."""

import torch

from cvlab import _validate

__all__ = ["patchify"]


def _fitting(images, patch) -> None:
    """Raise an error that says what is wrong, unless `images` is a batch that squares of `patch` pixels tile."""
    if not isinstance(images, torch.Tensor):
        raise TypeError(
            f"images must be a torch tensor (B, C, H, W); got {type(images).__name__}. "
            "A NumPy picture (H, W, C)? torch.from_numpy(image).permute(2, 0, 1)[None]"
        )
    shape = tuple(images.shape)
    if len(shape) != 4:
        slip = ". One picture? images[None]" if len(shape) == 3 else ""
        raise ValueError(f"images must have shape (B, C, H, W); got {shape}{slip}")
    if 0 in shape[1:]:
        raise ValueError(f"images must have at least one channel and one pixel; got shape {shape}")
    for name, side in zip("HW", shape[2:], strict=True):
        if side % patch:
            below, above = side // patch * patch, (side // patch + 1) * patch
            fits = f"{below} and {above} fit" if below else f"the smallest that fits is {above}"
            last = shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4)
            slip = ". Channels last? images.permute(0, 3, 1, 2)" if last else ""
            raise ValueError(
                f"{name} of images must be a multiple of patch {patch}; got {side}, {fits}{slip}"
            )


@_validate.arguments(_fitting, patch=_validate.positive_int)
def patchify(images: torch.Tensor, patch: int) -> torch.Tensor:
    """Cut pictures into squares, row by row, and lay each one out as a vector.

    Args:
        images: (B, C, H, W), of any type and range; B may be 0.
        patch: side of a square in pixels; divides H and W.

    Returns:
        (B, H / patch * W / patch, C * patch * patch); within a vector channel by channel, each row by row.

    Raises:
        TypeError: when `images` is no tensor, or `patch` no whole number.
        ValueError: when `patch` is below 1 or divides a side not; the nearest sides that fit are named.

    Example:
        >>> patchify(torch.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
        tensor([0., 1., 4., 5.])
        >>> patchify(torch.zeros(2, 3, 32, 48), 16).shape
        torch.Size([2, 6, 768])

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021.
    """
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // patch, patch, w // patch, patch)
    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, P, P)
    return x.reshape(b, h // patch * (w // patch), c * patch * patch)
