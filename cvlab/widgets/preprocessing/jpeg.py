"""Lesson 01: what JPEG throws away, and what it saves."""

import io

import ipywidgets
import numpy as np
from PIL import Image

from cvlab.preprocessing.preprocess import psnr
from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.picture import (
    DENSE,
    as_photo,
    board,
    decibels,
    enlarge,
    outlined,
    signed_map,
    stretch,
)

__all__ = ["JpegQuality"]

WINDOW = (24, 40)  # rows and columns of the enlarged window: 3 x 5 of JPEG's 8 x 8 blocks
LIMIT = 32  # errors from -32 to 32 fill the colours
SUBSAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}  # Pillow's numbers


class JpegQuality(Widget):
    """Save a photo as JPEG at any quality; see the damage close up, and count the bytes.

    Args:
        image: a photo's name, a path, or a (H, W, 3) uint8 RGB array of at least 24 x 40 pixels.

    Example:
        >>> jpeg = JpegQuality("coffee", quality=10)
        >>> jpeg.values["bytes"] < jpeg.values["png_bytes"] / 20
        True
    """

    alt = "A photo saved as JPEG, its error map, and a window of it before and after, enlarged"
    default_task = "Make the file at least 10 times smaller than PNG, and keep the PSNR at 30 dB or more."
    learnt = "A tenth of the bytes is enough for a picture that looks nearly the same."
    answer = {"quality": 60, "subsampling": "4:2:0"}
    quality = 90

    def __init__(self, image="coffee", **options):
        self.image = as_photo(image, longest=320)
        if self.image.shape[0] < WINDOW[0] or self.image.shape[1] < WINDOW[1]:
            raise ValueError(f"image must have at least 24 rows and 40 columns; got shape {self.image.shape}")
        self.png_bytes = len(encoded(self.image, "png", optimize=True))
        super().__init__(**options)

    def controls(self):
        rows, cols = self.image.shape[0] - WINDOW[0], self.image.shape[1] - WINDOW[1]
        return {
            "quality": ipywidgets.IntSlider(95, 1, 100, description="quality"),
            "subsampling": ipywidgets.Dropdown(
                options=list(SUBSAMPLING), value="4:2:0", description="colour"
            ),
            "row": ipywidgets.IntSlider(rows // 2, 0, rows, description="window row"),
            "col": ipywidgets.IntSlider(cols // 2, 0, cols, description="window col"),
        }

    def compute(self, quality, subsampling, row, col):
        data = encoded(self.image, "jpeg", quality=quality, subsampling=SUBSAMPLING[subsampling])
        result = np.asarray(Image.open(io.BytesIO(data)))  # (H, W, 3)
        error = result.astype(np.int16) - self.image
        return {
            "result": result,
            "error": error,
            "bytes": len(data),
            "png_bytes": self.png_bytes,
            "psnr": psnr(self.image, result),
            "changed": float((error != 0).mean()),
            "worst": int(np.abs(error).max()),
            "name": f"JPEG, quality {quality}, {subsampling}",
            "row": row,
            "col": col,
        }

    def draw(self, values):
        row, col, result = values["row"], values["col"], values["result"]
        here = np.s_[row : row + WINDOW[0], col : col + WINDOW[1]]
        width = max(result.shape[1], WINDOW[1]) * DENSE  # the enlarged windows are as wide as the photo
        height = width * WINDOW[0] // WINDOW[1]
        error = signed_map(values["error"].mean(axis=2), LIMIT)
        box = [DENSE * side for side in (row, col, *WINDOW)]
        top = [
            (values["name"], outlined(enlarge(result, DENSE), *box)),
            (f"error: −{LIMIT} blue, 0 white, +{LIMIT} red", outlined(enlarge(error, DENSE), *box)),
        ]
        bottom = [
            ("window before", stretch(self.image[here], height, width)),
            ("window after", stretch(result[here], height, width)),
        ]
        return board([top, bottom], self.palette)

    def text(self, values):
        size, png = values["bytes"], values["png_bytes"]
        pixels = self.image.shape[0] * self.image.shape[1]
        return (
            f"JPEG: {size} bytes, {size * 8 / pixels:.2f} bits a pixel\n"
            f"PNG: {png} bytes, {png / size:.1f} times\n"
            f"PSNR: {decibels(values['psnr'])}\n"
            f"numbers changed: {values['changed']:.1%}\n"
            f"worst error: {values['worst']} of 255"
        )

    def goal(self, values):
        return values["png_bytes"] >= 10 * values["bytes"] and values["psnr"] >= 30


def encoded(image: np.ndarray, kind: str, **options) -> bytes:
    """Return the bytes of the file that Pillow would write."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()
