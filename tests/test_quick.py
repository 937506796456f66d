"""`make quick` chooses the tests of what changed, and never those that take minutes."""

import os
import subprocess
import sys

import pytest
from support import changed
from support.changed import ALWAYS, ROOT, RUN, chosen, last_changed, places


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


def test_the_notebooks_that_changed_last_are_found(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # those of a commit under way
    paths = [f"{n}.ipynb" for n in "1234"]
    monkeypatch.setattr(changed, "ROOT", tmp_path)
    assert last_changed(paths, 2) == paths[2:], "without git the highest numbers"

    def git(*words, at="0"):
        day = {"GIT_COMMITTER_DATE": f"{at} +0000", "GIT_AUTHOR_DATE": f"{at} +0000"}
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, env=os.environ | day)

    git("init", "-q")
    for number, path in enumerate(paths):
        (tmp_path / path).write_text("first")
        git("add", path)
        git("commit", "-qm", path, at=f"{1_700_000_000 + 10 * [3, 1, 1, 2][number]}")
    assert last_changed(paths, 2) == ["4.ipynb", "1.ipynb"]
    assert last_changed(paths[1:3], 1) == ["3.ipynb"], "equal times: the higher number"
    (tmp_path / "2.ipynb").write_text("second")
    assert last_changed(paths, 2) == ["1.ipynb", "2.ipynb"], "what is not committed is the newest"
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "new.py").touch()
    assert last_changed(["map", "3.ipynb", "4.ipynb"], 1) == ["map"], "a folder by what is in it"
