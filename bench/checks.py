"""What a check of a right answer costs, in a process apart and in the notebook's own: `python bench/checks.py`."""

import os
import statistics
import time
from contextlib import suppress

import cv2  # noqa: F401 - what a lesson's notebook has loaded
import matplotlib.pyplot  # noqa: F401
import torch  # noqa: F401

from cvlab.checks import Exercise, exercises
from cvlab.checks._engine.grade import judge

REPEATS = 7


def milliseconds(exercise: Exercise, fork: str) -> float:
    """Return the median of several checks of the reference; the first is not counted."""
    os.environ["CVLAB_FORK"] = fork
    took = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        assert judge(exercise, exercise.reference)
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took[1:])


def main() -> None:
    """Print one line an exercise, and the medians."""
    resident = 0
    with suppress(ImportError):
        import psutil

        exercises()
        resident = psutil.Process().memory_info().rss / 1e6
    print(f"this process holds {resident:.0f} MB; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'exercise':<24}{'apart, ms':>10}{'inside, ms':>12}{'ratio':>8}")
    rows = [(e.name, milliseconds(e, "1"), milliseconds(e, "0")) for e in exercises()]
    for name, apart, inside in rows:
        print(f"{name:<24}{apart:>10.0f}{inside:>12.0f}{apart / inside:>8.1f}")
    columns = [statistics.median(column) for column in list(zip(*rows, strict=True))[1:]]
    ratio = statistics.median(apart / inside for _, apart, inside in rows)
    print(f"{'median':<24}{columns[0]:>10.0f}{columns[1]:>12.0f}{ratio:>8.1f}")


if __name__ == "__main__":
    main()
