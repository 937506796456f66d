"""One resize in four libraries, with what each cannot do said in words."""

import numpy as np
from PIL import Image

__all__ = ["LIBRARIES", "METHODS", "resize"]

METHODS = ("nearest", "bilinear", "bicubic", "area", "lanczos")
LIBRARIES = ("OpenCV", "Pillow", "torchvision", "scikit-image")
PILLOW = {"area": "BOX"}  # the others are called as here, in capitals
OPENCV = {"bilinear": "LINEAR", "bicubic": "CUBIC", "lanczos": "LANCZOS4"}
ORDERS = {"nearest": 0, "bilinear": 1, "bicubic": 3}  # the degree of scikit-image's splines


def resize(image: np.ndarray, height: int, width: int, *, method: str, library: str, antialias: bool):
    """Resize with one library's own function.

    Args:
        image: (H, W, 3) uint8 RGB.
        height: rows wanted.
        width: columns wanted.
        method: one of `METHODS`.
        library: one of `LIBRARIES`.
        antialias: ask the library to blur before it shrinks, where it has that switch.

    Returns:
        the (height, width, 3) uint8 picture, or None where the library has no such method; and a remark, "" when
        there is nothing to say.

    Example:
        >>> photo = np.zeros((8, 8, 3), np.uint8)
        >>> small, remark = resize(photo, 4, 4, method="area", library="OpenCV", antialias=True)
        >>> small.shape, remark
        ((4, 4, 3), 'OpenCV has no antialias switch: the box changes nothing')
    """
    functions = {"OpenCV": _opencv, "Pillow": _pillow, "torchvision": _torchvision, "scikit-image": _skimage}
    return functions[library](image, height, width, method, antialias)


def _opencv(image, height, width, method, antialias):
    import cv2

    flag = getattr(cv2, f"INTER_{OPENCV.get(method, method.upper())}")
    remark = "OpenCV has no antialias switch: the box changes nothing" if antialias else ""
    return cv2.resize(image, (width, height), interpolation=flag), remark


def _pillow(image, height, width, method, antialias):
    resample = Image.Resampling[PILLOW.get(method, method.upper())]
    if method == "nearest":
        remark = "Pillow's nearest never antialiases: the box changes nothing" if antialias else ""
    else:
        remark = "" if antialias else "Pillow always antialiases when it shrinks: the box changes nothing"
    return np.asarray(Image.fromarray(image).resize((width, height), resample)), remark


def _torchvision(image, height, width, method, antialias):
    if method in ("area", "lanczos"):
        return None, f"torchvision has no {method} for tensors: nothing to show"
    import torch
    from torchvision.transforms.v2 import InterpolationMode, functional

    remark = "torchvision's nearest never antialiases: the box changes nothing" if antialias else ""
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    mode = InterpolationMode[method.upper()]
    small = functional.resize(tensor, [height, width], interpolation=mode, antialias=antialias)
    return small.permute(1, 2, 0).numpy(), remark if method == "nearest" else ""  # (3, h, w) -> (h, w, 3)


def _skimage(image, height, width, method, antialias):
    if method == "lanczos":
        return None, "scikit-image has no Lanczos: nothing to show"
    from skimage import transform

    if method == "area":
        remark = (
            ""
            if antialias
            else "scikit-image's area (resize_local_mean) always averages: the box changes nothing"
        )
        small = transform.resize_local_mean(image, (height, width), preserve_range=True)
    else:
        remark = ""
        options = {"order": ORDERS[method], "anti_aliasing": antialias, "preserve_range": True}
        # Channel by channel: the same numbers as in one call, in a sixth of the time.
        small = np.stack(
            [transform.resize(c, (height, width), **options) for c in image.transpose(2, 0, 1)], axis=2
        )
    return np.clip(np.rint(small), 0, 255).astype(np.uint8), remark
