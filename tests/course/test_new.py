"""`cvlab new`: the skeleton of a lesson, written into a copy of the course, builds and passes the course's tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cvlab.course import new
from cvlab.course.source import read_lesson

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "notebooks/source/95_some_new_topic.py"
FILES = [
    SOURCE,
    "cvlab/checks/some_new_topic/__init__.py",
    "cvlab/checks/some_new_topic/example.py",
    "cvlab/widgets/some_new_topic/__init__.py",
    "cvlab/widgets/some_new_topic/example.py",
    "tests/some_new_topic/test_some_new_topic_example.py",
]
# What every test of a lesson is called in the end; the rest of these files is about the other lessons.
OURS = "some_new_topic or SomeNewTopic or 95_ or house or registry or lesson_00_maps or follows"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A clone with two small lessons."""
    for name in ("00_start", "07_map"):
        path = tmp_path / f"notebooks/source/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# minimum: code 1\n# %%\n1\n")
    (tmp_path / "cvlab/draw").mkdir(parents=True)
    (tmp_path / "cvlab/boxes.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_the_files_of_a_draft(course, capsys):
    assert new.main(["95", "some_new_topic"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[: len(FILES)] == FILES
    assert "Now: cvlab build 95." in said
    assert all((course / name).is_file() for name in FILES)
    lesson = read_lesson(course / SOURCE)
    assert lesson.draft
    assert lesson.heading().title == "95 · Some new topic"
    assert lesson.exercises().keys() == {"some_new_topic_example"}


@pytest.mark.parametrize(
    ("number", "word", "message"),
    [
        ("4", "topic", "number must be two digits, as in 04 or 06a; got '4'"),
        ("", "topic", "number must be two digits"),
        ("07", "topic", "lesson 07 must be new; got that of notebooks/source/07_map.py"),
        ("04", "Topic", "word must be like transfer_learning; got 'Topic'"),
        ("04", "a-b", "word must be like transfer_learning"),
        ("04", "class", "word must be like transfer_learning"),
        ("04", "draw", "the word 'draw' must be new; got one that cvlab has already"),
        ("04", "boxes", "the word 'boxes' must be new"),
    ],
)
def test_what_cannot_be_a_lesson_is_refused(course, capsys, number, word, message):
    before = sorted(course.rglob("*"))
    assert new.main([number, word]) == 1
    assert message in capsys.readouterr().err
    assert sorted(course.rglob("*")) == before


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_skeleton_builds_and_passes(tmp_path):
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("cvlab", "notebooks", "tests", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    (copy / "data").symlink_to(ROOT / "data")

    def run(*words: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(copy)}
        environment.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(
            [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]

    run("-m", "cvlab.course.cli", "new", "95", "some_new_topic")
    written = [name for name in FILES if name != SOURCE]
    run("-m", "ruff", "check", *FILES)
    run("-m", "ruff", "format", "--check", *written)
    run("-m", "cvlab.course.cli", "build", "95")
    run("-m", "cvlab.course.cli", "build", "--check", "95")
    places = ["tests/test_house.py", "tests/some_new_topic", "tests/course/test_publish.py", *written[:4]]
    places += [f"tests/notebooks/test_{name}.py" for name in ("notebooks", "page", "sync", "sittings")]
    places += [
        f"tests/engine/test_{name}.py" for name in ("exercises", "cards", "mutants", "widgets", "registry")
    ]
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", OURS, *places)
