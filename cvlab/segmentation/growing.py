"""Growing a map of numbers: each new pixel is a weighted sum of old ones, by torch's conventions."""

from functools import partial

import numpy as np

from cvlab import _validate

__all__ = ["MODES", "axis_weights", "interpolate", "tap_weights", "upsample_bilinear"]

MODES = ("nearest", "nearest-exact", "bilinear", "bicubic")

_mode = partial(_validate.one_of, allowed=MODES)


def _map(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 2 or array.size == 0:
        slip = ". Several channels? Grow one at a time" if array.ndim > 2 else ""
        raise ValueError(f"{name} must have shape (H, W), at least one pixel; got shape {array.shape}{slip}")
    return array


def _corners_have_a_mode(mode, align_corners, **_) -> None:
    if align_corners and mode.startswith("nearest"):
        raise ValueError(
            f"align_corners must be False for mode {mode!r}, which has no weights to align; got {align_corners}"
        )


@_validate.arguments(mode=_mode)
def tap_weights(distance: np.ndarray, mode: str, a: float = -0.75) -> np.ndarray:
    """How much an old pixel counts at some distance from a new one, before the border is considered.

    Args:
        distance: in old pixels, of any shape and sign.
        mode: "bicubic" reaches over 2 pixels, the others over 1.
        a: the slope of the bicubic curve at distance 1; torch and OpenCV take -0.75, Pillow -0.5.

    Returns:
        Weights of the same shape, 1 at distance 0; bicubic ones are negative between 1 and 2.

    Example:
        >>> tap_weights([0, 0.25, 1.25], "bilinear"), tap_weights([0, 0.25, 1.25], "bicubic").round(3)
        (array([1.  , 0.75, 0.  ]), array([ 1.   ,  0.879, -0.105]))

    Source: R. Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981.
    """
    t = np.abs(distance)
    if mode != "bicubic":
        return np.maximum(0, 1 - t)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0))


@_validate.arguments(_corners_have_a_mode, old=_validate.positive_int, new=_validate.positive_int, mode=_mode)
def axis_weights(old: int, new: int, mode: str, align_corners: bool = False) -> np.ndarray:
    """How much each old pixel counts in each new one, along one axis.

    Args:
        old: pixels along the axis now.
        new: pixels after.
        mode: one of `MODES`.
        align_corners: put the first and last new centre on the first and last old one; else the pictures' edges meet.

    Returns:
        (new, old) floats; every row sums to 1.

    Example:
        >>> axis_weights(2, 4, "bilinear")
        array([[1.  , 0.  ],
               [0.75, 0.25],
               [0.25, 0.75],
               [0.  , 1.  ]])

    Source: `torch.nn.functional.interpolate` (antialias=False).
    """
    i = np.arange(new)
    if mode == "nearest":
        place = i * old // new
    elif mode == "nearest-exact":
        place = (2 * i + 1) * old // (2 * new)
    elif align_corners:
        place = i * (old - 1) / max(new - 1, 1)
    else:
        place = (i + 0.5) * old / new - 0.5
    taps = np.floor(place).astype(int)[:, None] + np.arange(-1, 3)  # (new, 4)
    shares = tap_weights(place[:, None] - taps, mode)
    weights = np.zeros((new, old))
    np.add.at(weights, (i[:, None], taps.clip(0, old - 1)), shares)
    return weights


@_validate.arguments(
    _corners_have_a_mode,
    image=_map,
    height=_validate.positive_int,
    width=_validate.positive_int,
    mode=_mode,
)
def interpolate(
    image: np.ndarray, height: int, width: int, mode: str = "bilinear", align_corners: bool = False
) -> np.ndarray:
    """Resize a map without antialiasing: weights for the rows, the map, weights for the columns.

    Args:
        image: (H, W) numbers.
        height: rows of the result, at least 1.
        width: columns of the result, at least 1.
        mode: one of `MODES`.
        align_corners: as in `axis_weights`; not for the two nearest modes.

    Returns:
        (height, width) floats.

    Example:
        >>> interpolate([[0, 4]], 1, 4)
        array([[0., 1., 3., 4.]])

    Source: `torch.nn.functional.interpolate` (antialias=False).
    """
    down = axis_weights(image.shape[0], height, mode, align_corners)  # (height, H)
    across = axis_weights(image.shape[1], width, mode, align_corners)  # (width, W)
    return down @ image @ across.T


@_validate.arguments(image=_map, height=_validate.positive_int, width=_validate.positive_int)
def upsample_bilinear(image: np.ndarray, height: int, width: int, align_corners: bool = False) -> np.ndarray:
    """Resize a map, each new pixel a mixture of the four old ones around it.

    Args:
        image: (H, W) numbers.
        height: rows of the result, at least 1.
        width: columns of the result, at least 1.
        align_corners: put the corner pixels' centres on each other; else the pictures' edges meet.

    Returns:
        (height, width) floats, none outside the range of `image`.

    Example:
        >>> upsample_bilinear([[0, 3]], 1, 4, align_corners=True)
        array([[0., 1., 2., 3.]])

    Source: `torch.nn.functional.interpolate` with mode "bilinear".
    """

    def neighbours(old, new):
        i = np.arange(new)
        if align_corners:
            place = i * (old - 1) / max(new - 1, 1)
        else:
            place = np.maximum((i + 0.5) * old / new - 0.5, 0)
        low = place.astype(int)
        return low, np.minimum(low + 1, old - 1), place - low

    top, bottom, down = neighbours(image.shape[0], height)
    left, right, across = neighbours(image.shape[1], width)
    down = down[:, None]  # (height, 1)
    rows = image[top] * (1 - down) + image[bottom] * down  # (height, W)
    return rows[:, left] * (1 - across) + rows[:, right] * across
