"""Four scenes in one picture, as YOLOv4 trains on: more objects a step, cut ones among them, and other neighbours."""

from collections.abc import Sequence

import numpy as np

from cvlab.world.scenes import Scene

__all__ = ["mosaic"]


def mosaic(scenes: Sequence[Scene], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a part out of each of four scenes, and lay the parts around one point.

    Args:
        scenes: to draw from; square, of one size.
        rng: draws the point, in the middle third, the scenes and the parts.

    Returns:
        The picture, as large as a scene, (H, W, 3) uint8; boxes (N, 4) float32 x0, y0, x1, y1 in its pixels, of every object of
        which more than a quarter of the box is left, N may be 0; labels (N,) int64.

    Example:
        >>> from cvlab.world.scenes import make_scenes
        >>> image, boxes, labels = mosaic(make_scenes(4, size=96), np.random.default_rng(0))
        >>> image.shape, len(boxes) == len(labels)
        ((96, 96, 3), True)

    Source: Bochkovskiy, Wang, Liao, YOLOv4, arXiv:2004.10934, 2020.
    """
    side = len(scenes[0].image)
    x, y = rng.integers(side // 3, 2 * side // 3, 2)
    image, boxes, labels = np.zeros((side, side, 3), np.uint8), [], []
    for i, scene in enumerate(scenes[k] for k in rng.integers(0, len(scenes), 4)):
        low = np.array([x * (i % 2), y * (i // 2)])
        high = np.array([side if i % 2 else x, side if i // 2 else y])
        corner = rng.integers(0, side - (high - low) + 1)  # of the part, in its scene
        part = scene.image[corner[1] :, corner[0] :][: high[1] - low[1], : high[0] - low[0]]
        image[low[1] : high[1], low[0] : high[0]] = part
        moved = scene.boxes - np.tile(corner - low, 2)
        cut = moved.clip(np.tile(low, 2), np.tile(high, 2))
        left = (cut[:, 2:] - cut[:, :2]).prod(1) / (moved[:, 2:] - moved[:, :2]).prod(1)
        boxes.append(cut[left > 0.25])
        labels.append(scene.labels[left > 0.25])
    return image, np.concatenate(boxes).astype(np.float32), np.concatenate(labels).astype(np.int64)
