"""Seven ways to filter a photo, over kernel sides 3 to 63: seconds, and where the lines cross.

    python bench/filters.py [photo] [longest side]

Prints a table (median of repeats, milliseconds), the crossings, and the machine; writes nothing.
"""

import datetime
import os
import platform
import sys
from time import perf_counter

import cv2
import numpy as np
import torch

from cvlab.convolutions import fast_filters, filters
from cvlab.widgets._engine.picture import as_photo

SIDES = (3, 5, 7, 9, 11, 15, 19, 23, 31, 47, 63)
BUDGET = 0.3  # seconds spent on repeats of one measurement


def ways(image: np.ndarray, k: int) -> dict:
    """Return every way to filter `image` (H, W) by a k x k Gaussian, as functions that give (H - k + 1, W - k + 1)."""
    line = cv2.getGaussianKernel(k, -1).ravel().astype(np.float32)
    kernel, h = np.outer(line, line), k // 2
    tensor, weight = (torch.from_numpy(a)[None, None] for a in (image, kernel))
    return {
        "loop": lambda: filters.correlate2d(image, kernel),
        "shifted": lambda: fast_filters.correlate2d_shifted(image, kernel),
        "im2col": lambda: fast_filters.correlate2d_matrix(image, kernel),
        "FFT": lambda: fast_filters.correlate2d_fft(image, kernel),
        "separable": lambda: fast_filters.correlate2d_separable(image, line, line),
        "torch": lambda: torch.nn.functional.conv2d(tensor, weight)[0, 0].numpy(),
        "OpenCV": lambda: cv2.filter2D(image, cv2.CV_32F, kernel)[h:-h, h:-h],
    }


def median_ms(run) -> float:
    """Return the median time of `run` in milliseconds, after a warm-up, within the budget."""
    run()
    times, left = [], BUDGET
    while not times or (left > 0 and len(times) < 15):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
        left -= times[-1]
    return 1000 * float(np.median(times))


def crossing(slow: list[float], fast: list[float]) -> str:
    """Say from which side on `fast` stays below `slow`."""
    below = np.less(fast, slow)
    sides = [k for i, k in enumerate(SIDES) if below[i:].all()]
    return f"from {sides[0]} on" if sides else "never"


def main(name: str = "chelsea", longest: int = 224) -> None:
    photo = as_photo(name, longest=longest)
    image = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    table: dict[str, list[float]] = {}
    for k in SIDES:
        runs = ways(image, k)
        exact = runs["shifted"]()
        for way, run in runs.items():
            assert np.abs(run() - exact).max() < 1e-4, f"{way} gives other numbers at {k}"
            table.setdefault(way, []).append(median_ms(run))
    print(f"{name} {image.shape[0]} x {image.shape[1]}, float32, ms   " + datetime.date.today().isoformat())
    print(f"{'side':10}" + "".join(f"{k:9}" for k in SIDES))
    for way, times in table.items():
        print(f"{way:10}" + "".join(f"{t:9.2f}" for t in times))
    for slow in ("shifted", "im2col", "torch", "OpenCV"):
        print(f"FFT is faster than {slow}: {crossing(table[slow], table['FFT'])}")
    for slow in ("shifted", "torch", "OpenCV", "FFT"):
        print(f"separable is faster than {slow}: {crossing(table[slow], table['separable'])}")
    threads = f"{torch.get_num_threads()} torch threads, {cv2.getNumThreads()} OpenCV threads"
    versions = f"numpy {np.__version__}, torch {torch.__version__}, OpenCV {cv2.__version__}"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {threads}, Python {platform.python_version()}, {versions}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
