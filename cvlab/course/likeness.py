"""Whether two saved figures look the same to a person: their size, and the structural similarity of each patch."""

import base64
import io

import numpy as np

__all__ = ["LEAST", "differences", "patch_similarity"]

LEAST = 0.9  # the similarity, 0 to 1, that every patch of two equal figures has
PATCH = 32  # pixels as seen; a changed word or marker must not drown in the rest of the figure
DENSE = 1.4  # pixels for each pixel as seen: from here on a figure is compared at half its size
KINDS = ("image/png", "image/jpeg")


def differences(saved: list, now: list) -> list[str]:
    """Return one line for each figure among a cell's outputs that does not look as it was saved.

    Args:
        saved: the cell's outputs as committed, nbformat's dicts.
        now: its outputs in this run.
    """
    before, after = _pictures(saved), _pictures(now)
    if len(before) != len(after):
        return [f"{len(before)} figures were saved, this run shows {len(after)}"]
    pairs = enumerate(zip(before, after, strict=True), 1)
    return [f"figure {number}: {text}" for number, (a, b) in pairs if (text := _difference(a, b))]


def patch_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the structural similarity (SSIM) of each patch of two pictures, about 1 where they are equal.

    Args:
        a: (H, W, 3) uint8, at least 7 pixels high and wide.
        b: the same shape.

    Returns:
        (rows, cols) mean of each patch of at most 32 x 32 pixels, in the channel in which they differ most: one
        hue may become another with hardly a change in the two others.

    Example:
        >>> black, white = np.zeros((40, 64, 3), np.uint8), np.full((40, 64, 3), 255, np.uint8)
        >>> patch_similarity(black, white).shape, patch_similarity(black, black).min()
        ((2, 2), np.float64(1.0))

    Source: Wang et al., Image quality assessment: from error visibility to structural similarity, 2004.
    """
    from skimage.metrics import structural_similarity

    each = structural_similarity(a, b, channel_axis=2, full=True)[1]  # (H, W, 3)
    rows, cols = (range(0, size, PATCH) for size in each.shape[:2])
    return np.array(
        [[each[y : y + PATCH, x : x + PATCH].mean(axis=(0, 1)).min() for x in cols] for y in rows]
    )


def _pictures(outputs: list) -> list[np.ndarray]:
    """Decode the figures among outputs to (H, W, 3) uint8, what is transparent on white, as large as they are shown.

    A figure that is drawn more densely than it is shown has four times the pixels: two by two become their mean.
    """
    from PIL import Image

    found = []
    for output in outputs:
        data, about = output.get("data", {}), output.get("metadata", {})
        for kind in (kind for kind in KINDS if kind in data):
            picture = Image.open(io.BytesIO(base64.b64decode(data[kind]))).convert("RGBA")
            paper = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(paper, picture).convert("RGB")
            if picture.width >= DENSE * about.get(kind, {}).get("width", picture.width):
                picture = picture.reduce(2)
            found.append(np.asarray(picture))
    return found


def _difference(a: np.ndarray, b: np.ndarray) -> str:
    if a.shape != b.shape:
        return f"saved with {a.shape[1]} x {a.shape[0]} pixels, now {b.shape[1]} x {b.shape[0]}"
    alike = np.ones((1, 1)) if np.array_equal(a, b) else patch_similarity(a, b)
    y, x = np.unravel_index(alike.argmin(), alike.shape)
    if alike[y, x] >= LEAST:
        return ""
    return f"looks different near x {x * PATCH}, y {y * PATCH} (similarity {alike[y, x]:.2f}, least {LEAST})"
