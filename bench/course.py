"""Measure the course as a whole: import time, sizes, and the seconds and memory of each notebook.

    .venv/bin/python bench/course.py [--notebooks]

Prints medians of five fresh processes; the notebooks (slow) are run once each, as the tests run them.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "torchvision", "timm", "cv2", "matplotlib", "skimage", "sklearn", "numpy", "ipywidgets")


def import_seconds(statement: str) -> float:
    """Return the seconds that one fresh Python spends on `statement`, start-up not counted."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


def modules_imported(statement: str) -> tuple[int, list[str]]:
    """Return how many modules `statement` adds to a fresh Python, and which heavy ones are among them."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    added = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    return len(added), [name for name in HEAVY if name in added]


def megabytes(paths) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def wheel_megabytes() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return megabytes(Path(folder).glob("*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notebooks", action="store_true", help="also run every student notebook once")
    chosen = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, Python {platform.python_version()}")
    for statement in (
        "import cvlab",
        "from cvlab import check",
        "from cvlab import show",
        "import cvlab.store.weights",
    ):
        seconds = statistics.median(import_seconds(statement) for _ in range(5))
        count, heavy = modules_imported(statement)
        print(f"{statement:25} {seconds:6.3f} s  {count:4} modules  heavy: {', '.join(heavy) or 'none'}")
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    print(
        f"files in the repository   {megabytes(ROOT / name for name in files.split(chr(0)) if name):6.1f} MB"
    )
    print(f"wheel                     {wheel_megabytes():6.1f} MB")
    if chosen.notebooks:
        start = time.perf_counter()
        tests = [
            "tests/notebooks/test_notebooks.py",
            "-k",
            "runs_offline and student",
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        subprocess.run([sys.executable, "-m", "pytest", *tests], cwd=ROOT, check=False)
        print(f"all student notebooks     {time.perf_counter() - start:6.0f} s, one after the other")


if __name__ == "__main__":
    main()
