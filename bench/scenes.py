"""Measure how many scenes a second one core paints: `python bench/scenes.py`.

The rate is the median over rounds of different scenes, after one warm-up round; beside it stands the same count for the
plain way (open the file, resize and turn it with Pillow, for each object anew), in the same run.
"""

import platform
import statistics
import time

import numpy as np
from PIL import Image

from cvlab.world import photos, scenes, stickers

ROUNDS, EACH = 7, 300


def rate(paint, first: int) -> float:
    """Scenes a second over EACH scenes from number `first`."""
    start = time.perf_counter()
    for index in range(first, first + EACH):
        paint(index)
    return EACH / (time.perf_counter() - start)


def naive(index: int) -> np.ndarray:
    """The plain way: Pillow from the file to the paste, nothing kept."""
    rng = np.random.default_rng(index)
    canvas = Image.fromarray(photos.load("china")).crop((0, 0, 384, 384)).resize((96, 96))
    for _ in range(rng.integers(1, 6)):
        name = stickers.COCO_VOC[rng.integers(len(stickers.COCO_VOC))]
        length = int(rng.integers(23, 56))
        drawing = Image.fromarray(stickers.load(name, "noto", 1)).resize(
            (length, length), Image.Resampling.BICUBIC
        )
        drawing = drawing.rotate(int(rng.integers(-25, 26)), Image.Resampling.BICUBIC, expand=True)
        canvas.paste(drawing, tuple(int(v) for v in rng.integers(0, 96 - length, 2)), drawing)
    return np.array(canvas)


def main() -> None:
    rate(scenes.make_scene, 1_000_000)
    rates = [rate(scenes.make_scene, round_ * EACH) for round_ in range(ROUNDS)]
    plain = [rate(naive, round_ * EACH) for round_ in range(2)]
    median = statistics.median(rates)
    print(
        f"scenes of 96 x 96 a second: median {median:.0f} (from {min(rates):.0f} to {max(rates):.0f}, {ROUNDS} rounds)"
    )
    print(f"the plain way: {statistics.median(plain):.0f}; ratio {median / statistics.median(plain):.1f}")
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")


if __name__ == "__main__":
    main()
