"""From a decoded picture to the array a network takes: the functions that lesson 01 writes by hand."""

from functools import partial

import numpy as np

from cvlab import _validate

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "center_crop",
    "denormalize",
    "hwc_to_chw",
    "normalize",
    "psnr",
    "resize_bilinear",
    "resize_nearest",
    "resize_weights",
    "to_rgb",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_any_image = partial(_validate.image, channels=range(1, 65))


def _hwc(value, name: str) -> np.ndarray:
    array = _validate.as_array(value, name)
    if array.ndim != 3:
        slip = f". A grey picture? {name}[..., None] adds the axis" if array.ndim == 2 else ""
        raise ValueError(f"{name} must have shape (H, W, C); got {array.shape}{slip}")
    return array


def _float_image(value, name: str) -> np.ndarray:
    array = _hwc(value, name)
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must hold floats; got {array.dtype}. Divide by 255 first")
    return array


def _per_channel(image, mean, std) -> None:
    _validate.channel_values(mean, "mean", image.shape[2])
    _validate.channel_values(std, "std", image.shape[2])
    if (std <= 0).any():
        raise ValueError(f"std must be above 0; got {std.tolist()}")


def _crop_fits(image, size) -> None:
    height, width = image.shape[:2]
    if size > min(height, width):
        raise ValueError(
            f"size must be at most {min(height, width)}, the shorter side of {height} x {width}; got {size}"
        )


def _comparable(a, b, peak) -> None:
    _validate.same_shape(a, b, ("a", "b"))
    if a.size == 0:
        raise ValueError(f"a and b must have at least one pixel; got shape {a.shape}")
    if peak <= 0:
        raise ValueError(f"peak must be above 0; got {peak}")


@_validate.arguments(image_bgr=partial(_validate.image, channels=(3,)))
def to_rgb(image_bgr: np.ndarray) -> np.ndarray:
    """Reorder OpenCV's blue, green, red channels to red, green, blue.

    Args:
        image_bgr: (H, W, 3) picture, any dtype, channels in the order B, G, R.

    Returns:
        (H, W, 3) copy of the same dtype, channels in the order R, G, B.

    Example:
        >>> to_rgb(np.array([[[1, 2, 3]]], dtype=np.uint8)).tolist()
        [[[3, 2, 1]]]

    Source: `cv2.cvtColor(image, cv2.COLOR_BGR2RGB)` in the OpenCV documentation.
    """
    return image_bgr[:, :, ::-1].copy()


@_validate.arguments(image=_any_image, height=_validate.positive_int, width=_validate.positive_int)
def resize_nearest(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by taking, for each output pixel, the input pixel under its centre.

    Args:
        image: (H, W) or (H, W, C) picture, any dtype.
        height: rows of the result, at least 1.
        width: columns of the result, at least 1.

    Returns:
        (height, width) or (height, width, C), same dtype; every value is a value of the input.

    Example:
        >>> resize_nearest(np.array([[1, 2, 3, 4]]), 1, 2).tolist()
        [[2, 4]]

    Source: half-pixel centres, as Pillow's NEAREST and OpenCV's INTER_NEAREST_EXACT, which may break ties
        (a centre exactly on the border of two pixels) the other way; here the right one wins.
    """
    rows = (2 * np.arange(height) + 1) * image.shape[0] // (2 * height)
    cols = (2 * np.arange(width) + 1) * image.shape[1] // (2 * width)
    return image[rows[:, None], cols]  # (height, width) or (height, width, C)


@_validate.arguments(old=_validate.positive_int, new=_validate.positive_int)
def resize_weights(old: int, new: int, antialias: bool) -> np.ndarray:
    """How much each old pixel counts in each new one when a row of pixels is resized bilinearly.

    Args:
        old: pixels in the row now.
        new: pixels in the row after.
        antialias: widen the triangle of weights to the step between new pixels when the row shrinks.

    Returns:
        (new, old) floats in [0, 1]; every row sums to 1.

    Example:
        >>> resize_weights(4, 2, antialias=False)
        array([[0.5, 0.5, 0. , 0. ],
               [0. , 0. , 0.5, 0.5]])

    Source: OpenCV's INTER_LINEAR (plain) and Pillow's BILINEAR (antialiased).
    """
    centers = (np.arange(new) + 0.5) * old / new - 0.5
    reach = max(old / new, 1) if antialias else 1
    distance = np.abs(np.arange(old) - centers[:, None]) / reach  # (new, old)
    weights = np.maximum(0, 1 - distance)
    return weights / weights.sum(axis=1, keepdims=True)


@_validate.arguments(image=_hwc, height=_validate.positive_int, width=_validate.positive_int)
def resize_bilinear(image: np.ndarray, height: int, width: int, antialias: bool = True) -> np.ndarray:
    """Resize by mixing neighbouring pixels, with or without antialiasing.

    Args:
        image: (H, W, C) picture, any dtype.
        height: rows of the result, at least 1.
        width: columns of the result, at least 1.
        antialias: let every old pixel count when the picture shrinks (as Pillow does; OpenCV does not).

    Returns:
        (height, width, C) floats on the scale of the input.

    Example:
        >>> resize_bilinear(np.array([[[1], [2], [3], [4]]]), 1, 2, antialias=False).ravel()
        array([1.5, 3.5])

    Source: `torchvision.transforms.v2.functional.resize` and its `antialias`.
    """
    down = resize_weights(image.shape[0], height, antialias)  # (height, H)
    across = resize_weights(image.shape[1], width, antialias)  # (width, W)
    return np.einsum("hH,HWc,wW->hwc", down, image, across, optimize=True)


@_validate.arguments(_per_channel, image=_float_image, mean=_validate.floats, std=_validate.floats)
def normalize(image: np.ndarray, mean, std) -> np.ndarray:
    """Shift and scale each channel: subtract its mean, divide by its standard deviation.

    Args:
        image: (H, W, C) picture of floats in [0, 1].
        mean: C numbers, the mean of each channel over the training data, on the same scale.
        std: C numbers above 0, its standard deviation.

    Returns:
        (H, W, C) floats, about 0 on average over the training data.

    Example:
        >>> normalize(np.full((1, 1, 3), 0.5), [0.5, 0.4, 0.6], [0.1, 0.1, 0.1]).round(3).tolist()
        [[[0.0, 1.0, -1.0]]]

    Source: `torchvision.transforms.v2.Normalize`.
    """
    return (image - mean) / std


@_validate.arguments(_per_channel, image=_float_image, mean=_validate.floats, std=_validate.floats)
def denormalize(image: np.ndarray, mean, std) -> np.ndarray:
    """Undo `normalize`, so that a picture can be displayed again.

    Args:
        image: (H, W, C) floats as `normalize` returned them.
        mean: the same C numbers as before.
        std: the same C numbers as before.

    Returns:
        (H, W, C) floats in [0, 1] when the input came from such a picture.

    Example:
        >>> denormalize(np.zeros((1, 1, 3)), [0.5, 0.4, 0.6], [0.1, 0.1, 0.1]).tolist()
        [[[0.5, 0.4, 0.6]]]
    """
    return image * std + mean


@_validate.arguments(image=_hwc)
def hwc_to_chw(image: np.ndarray) -> np.ndarray:
    """Move the channels from the last axis to the first, as PyTorch wants them.

    Args:
        image: (H, W, C) picture, any dtype.

    Returns:
        (C, H, W) view of the same numbers: element [c, y, x] is image[y, x, c].

    Example:
        >>> hwc_to_chw(np.zeros((4, 5, 3))).shape
        (3, 4, 5)
    """
    return image.transpose(2, 0, 1)  # (C, H, W)


@_validate.arguments(_crop_fits, image=_any_image, size=_validate.positive_int)
def center_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Cut the square in the middle of a picture.

    Args:
        image: (H, W) or (H, W, C) picture, any dtype.
        size: side of the square in pixels, at most the shorter side of the picture.

    Returns:
        (size, size) or (size, size, C) copy; an odd pixel left over stays at the bottom and right.

    Example:
        >>> center_crop(np.arange(12).reshape(3, 4), 2).tolist()
        [[1, 2], [5, 6]]
    """
    height, width = image.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size].copy()


@_validate.arguments(_comparable, a=_validate.as_array, b=_validate.as_array)
def psnr(a: np.ndarray, b: np.ndarray, peak: float = 255) -> float:
    """Peak signal-to-noise ratio: how close two pictures are, in decibels; higher is closer.

    Args:
        a: picture of any shape.
        b: picture of the same shape.
        peak: the largest value a pixel can have: 255 for uint8, 1 for floats in [0, 1].

    Returns:
        10 log10(peak^2 / mean squared difference) in dB; infinity for equal pictures.

    Example:
        >>> round(psnr(np.uint8([0, 10]), np.uint8([0, 20])), 2)
        31.14

    Source: `skimage.metrics.peak_signal_noise_ratio`.
    """
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))
