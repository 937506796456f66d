"""`make quick` chooses the tests of what changed, and never those that take minutes."""

import subprocess
import sys

import pytest
from support.changed import ALWAYS, ROOT, RUN, chosen, places


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("cvlab/boxes.py", ["cvlab/boxes.py", "tests/test_boxes.py"]),
        ("cvlab/map/metrics.py", ["cvlab/map/metrics.py", "tests/map"]),
        ("cvlab/checks/map/mean.py", ["cvlab/checks/map/mean.py", "tests/engine/test_exercises.py"]),
        ("cvlab/widgets/live.py", ["cvlab/widgets/live.py", "tests/engine/test_widgets.py"]),
        (
            "cvlab/checks/_engine/run.py",
            ["cvlab/checks/_engine/run.py", "tests/engine/test_exercises.py", "tests/engine"],
        ),
        ("tests/coco/test_rle.py", ["tests/coco/test_rle.py"]),
        ("tests/support/lab.py", []),
        ("notebooks/source/07_map.py", ["tests/notebooks/test_page.py", "tests/notebooks/test_sittings.py"]),
        ("Makefile", ["tests/course/test_environment.py"]),
        ("README.md", []),
    ],
)
def test_each_file_has_its_tests(path, tests):
    assert places(path) == tests
    assert all((ROOT / place).exists() for place in tests)


def test_one_lesson_is_run():
    assert chosen([]) == [*ALWAYS, f"{RUN}[00_start_here-solution]"]
    paths = ["notebooks/source/07_map.py", "notebooks/solutions/07_map.ipynb"]
    assert chosen(paths)[-1] == f"{RUN}[07_map-solution]"
    assert chosen(["tests/notebooks/test_colab.py", "tests/browser/test_map.py"]) == chosen([])


def test_the_script_prints_what_pytest_takes():
    script = [sys.executable, ROOT / "tests/support/changed.py"]
    printed = subprocess.run(script, capture_output=True, text=True, check=True, cwd="/").stdout.split()
    assert set(ALWAYS) <= set(printed)
    assert printed[-1].startswith(RUN)
