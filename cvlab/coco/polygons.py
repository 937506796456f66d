"""Masks as polygons: looked at in Python, because pycocotools, which draws them, ends the kernel over a bad one."""

import numpy as np

from cvlab.coco.columns import NUMBER, check_picture, shown, stranger

__all__ = ["check_polygons", "polygons_to_mask"]

_MOST_STEPS = 2 * 10**6  # pixels along one outline, all of which pycocotools keeps in memory five times


def polygons_to_mask(polygons: list, height: int, width: int) -> np.ndarray:
    """Draw polygons, as pycocotools does.

    Args:
        polygons: a list of polygons, each a list x0, y0, x1, y1, ... in pixels.
        height: rows of the picture.
        width: columns of the picture.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: names the polygon and the number.

    Example:
        >>> polygons_to_mask([[0, 0, 2, 0, 2, 1, 0, 1]], 2, 2).tolist()
        [[True, True], [False, False]]
    """
    from pycocotools import mask as library

    check_polygons(polygons, height, width)
    plain = [[float(number) for number in polygon] for polygon in polygons]
    return library.decode(library.merge(library.frPyObjects(plain, height, width))).astype(bool)


def check_polygons(polygons: list, height: int, width: int) -> None:
    """Refuse polygons that cannot be drawn; arguments and errors as of `polygons_to_mask`."""
    check_picture(height, width)
    if not isinstance(polygons, list | tuple) or not polygons:
        raise ValueError(f"a segmentation must be run lengths or a list of polygons; got {shown(polygons)}")
    least, most = (-width, -height), (2 * width, 2 * height)  # of x, of y
    for i, polygon in enumerate(polygons):
        if not isinstance(polygon, list | tuple) or len(polygon) < 6 or len(polygon) % 2:
            slip = f". One polygon? Pass [{shown(polygons)}]" if isinstance(polygon, NUMBER) else ""
            raise ValueError(
                f"polygon {i} must be a list of x, y pairs, at least three; got {shown(polygon)}{slip}"
            )
        bad = stranger(polygon, NUMBER)
        if bad is None:
            bad = next((k for k, v in enumerate(polygon) if not least[k % 2] <= v <= most[k % 2]), None)
        if bad is not None:
            raise ValueError(
                f"polygon {i} must be finite numbers, in the picture, {width} wide and {height} high, or no farther from it "
                f"than its own size; number {bad} is {shown(polygon[bad])}"
            )
        if len(polygon) * max(height, width) > _MOST_STEPS and _steps(polygon) > _MOST_STEPS:
            raise ValueError(f"polygon {i} must have an outline of at most {_MOST_STEPS} pixels")


def _steps(polygon: list) -> float:
    """Length of the outline, the larger of both directions at each side."""
    corners = np.array(polygon, dtype=float).reshape(-1, 2)  # (P, 2) x, y
    return abs(corners - np.roll(corners, -1, axis=0)).max(axis=1).sum()
