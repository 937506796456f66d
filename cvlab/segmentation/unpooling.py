"""Unpooling: put what max-pooling kept back to where it came from."""

import numpy as np

from cvlab import _validate

__all__ = ["max_unpool2d"]


def _maps(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 3:
        slip = f". One map? {name}[None] adds the axis" if array.ndim == 2 else ""
        slip = f". A batch? Pass one picture: {name}[0]" if array.ndim == 4 else slip
        raise ValueError(f"{name} must have shape (C, h, w); got {array.shape}{slip}")
    return array


def _places(value, name: str) -> np.ndarray:
    array = _maps(value, name)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold whole numbers; got {array.dtype}. Values and indices exchanged?")
    return array


def _indices_fit(values, indices, height, width) -> None:
    _validate.same_shape(values, indices, ("values", "indices"))
    beyond = (indices < 0) | (indices >= height * width)
    if beyond.any():
        raise ValueError(
            f"indices must be from 0 to {height * width - 1}, places in {height} x {width}; got "
            f"{indices[beyond][0]}. height and width are those before pooling"
        )


@_validate.arguments(
    _indices_fit,
    values=_maps,
    indices=_places,
    height=_validate.positive_int,
    width=_validate.positive_int,
)
def max_unpool2d(values: np.ndarray, indices: np.ndarray, height: int, width: int) -> np.ndarray:
    """Put each kept number back to its remembered place; 0 everywhere else.

    Args:
        values: (C, h, w) what max-pooling kept.
        indices: (C, h, w) whole numbers, where in its channel each came from: row * width + column. The same
            place may come twice, with the same value: windows that overlap share a largest number.
        height: rows before pooling.
        width: columns before pooling.

    Returns:
        (C, height, width), dtype of `values`.

    Example:
        >>> max_unpool2d([[[7, 8]]], [[[5, 2]]], 2, 4)
        array([[[0, 0, 8, 0],
                [0, 7, 0, 0]]])

    Source: `torch.nn.MaxUnpool2d`; M. D. Zeiler, G. W. Taylor, R. Fergus, Adaptive Deconvolutional Networks for
        Mid and High Level Feature Learning, ICCV 2011.
    """
    channels = len(values)
    grown = np.zeros((channels, height * width), values.dtype)
    places = indices.reshape(channels, -1)  # (C, h * w)
    np.put_along_axis(grown, places, values.reshape(channels, -1), axis=1)
    return grown.reshape(channels, height, width)
