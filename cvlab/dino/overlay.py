"""Several heads' attention as colours over a grey picture."""

import numpy as np

from cvlab import _validate
from cvlab._validate import arguments

__all__ = ["attention_overlay"]


def _maps(value, name: str) -> np.ndarray:
    """Return attention as (heads, P) floats of 0 or more, P a square number."""
    value = _validate.as_array(value, name)
    if value.ndim != 2 or 0 in value.shape:
        slip = f". One head? {name}[None]" if value.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (heads, P), one row a head; got {value.shape}{slip}")
    if round(value.shape[1] ** 0.5) ** 2 != value.shape[1]:
        fewer = value.shape[1] - 1
        slip = ". With the class token? Leave it out: [:, 1:]" if round(fewer**0.5) ** 2 == fewer else ""
        raise ValueError(f"{name} must have a square number of places; got {value.shape[1]}{slip}")
    if np.isnan(value).any():
        raise ValueError(f"{name} must be finite; {int(np.isnan(value).sum())} of {value.size} are NaN")
    if value.min() < 0 or not (value.max(axis=1) > 0).all():
        raise ValueError(
            f"{name} must be 0 or more, and above 0 somewhere in each row; got {value.min():.3g}"
        )
    return value


def _colours(value, name: str) -> np.ndarray:
    value = _validate.floats(value, name)
    if value.ndim != 2 or value.shape[1] != 3 or value.min() < 0 or value.max() > 1:
        raise ValueError(
            f"{name} must have shape (heads, 3), red, green and blue from 0 to 1; got {value.shape}, largest "
            f"{value.max():.3g}. In bytes? Divide by 255"
        )
    return value


def _together(image, attention, colors, **_) -> None:
    side = round(attention.shape[1] ** 0.5)
    if image.shape[0] != image.shape[1] or image.shape[0] % side:
        raise ValueError(
            f"image must be square, its side a multiple of the {side} places a side; got {image.shape}. "
            "Another picture's attention?"
        )
    if len(colors) != len(attention):
        raise ValueError(
            f"colors must hold one colour for each of the {len(attention)} heads; got {len(colors)}"
        )


@arguments(_together, image=_validate.rgb, attention=_maps, colors=_colours)
def attention_overlay(
    image: np.ndarray, attention: np.ndarray, colors: np.ndarray, veil: float = 0.8
) -> np.ndarray:
    """Lay the colours of several heads over a grey picture, each as strong as its attention.

    Args:
        image: (H, H, 3) uint8 RGB.
        attention: (heads, P) of one token, 0 or more; P places in rows, a square number.
        colors: (heads, 3) RGB from 0 to 1.
        veil: what the strongest place of a head hides of the picture, 0 to 1.

    Returns:
        (H, H, 3) floats from 0 to 1.

    Example:
        >>> white = np.full((2, 2, 3), 255, np.uint8)
        >>> attention_overlay(white, np.array([[4, 2, 0, 0]]), np.array([[1.0, 0, 0]]), veil=1.0)[0].tolist()
        [[1.0, 0.0, 0.0], [1.0, 0.5, 0.5]]
    """
    heads, places = attention.shape
    side = round(places**0.5)
    maps = attention.reshape(heads, side, side)
    maps = maps / maps.max(axis=(1, 2), keepdims=True)  # a head's strongest is 1
    step = len(image) // side
    maps = maps.repeat(step, axis=1).repeat(step, axis=2)  # (heads, H, W)
    total = np.maximum(maps.sum(axis=0), 1e-9)[..., None]  # (H, W, 1)
    hue = np.einsum("khw,kc->hwc", maps, colors) / total
    alpha = veil * maps.max(axis=0)[..., None]
    gray = image.mean(axis=2, keepdims=True) / 255
    return (1 - alpha) * gray + alpha * hue
