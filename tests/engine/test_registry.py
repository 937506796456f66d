"""What the folders say and what their modules hold is the same: exercises, widgets, lessons' words."""

import importlib
import inspect
from pathlib import Path

import pytest

import cvlab.widgets
from cvlab.checks._engine import registry
from cvlab.widgets import Widget

ROOT = Path(__file__).resolve().parents[2]
WORDS = dict(path.stem.split("_", 1) for path in (ROOT / "notebooks" / "source").glob("[0-9][0-9]*_*.py"))
FORM = 'FIRST = Exercise(\n    name="first",\n    lesson="04",\n)\nSECOND = Exercise(\n    name="second",\n    lesson="04",\n)\n'


def folders(place: str) -> set[str]:
    return {path.parent.name for path in (ROOT / place).glob("[a-z]*/*.py")}


def test_every_folder_of_checks_and_widgets_is_a_lessons_word():
    assert {number: folder for number, (folder, _) in registry.LESSONS.items()} == WORDS, (
        "a lesson's checks lie in cvlab/checks/<word>/, the word being that of notebooks/source/NN_<word>.py"
    )
    assert folders("cvlab/widgets") <= set(WORDS.values())


@pytest.mark.parametrize("folder", sorted(WORDS.values()))
def test_every_widget_of_a_folder_is_exported(folder):
    held = set()
    for path in sorted((ROOT / "cvlab" / "widgets" / folder).glob("[a-z]*.py")):
        module = importlib.import_module(f"cvlab.widgets.{folder}.{path.stem}")
        classes = inspect.getmembers(module, lambda v: inspect.isclass(v) and issubclass(v, Widget))
        held |= {name for name, value in classes if value.__module__ == module.__name__}
    exported = {name for name in cvlab.widgets.__all__ if cvlab.widgets._HOME[name].startswith(f"{folder}.")}
    assert held == exported, "write a widget as `class Name(Widget):` or `class Name(PointerWidget):`"


@pytest.fixture
def checks(tmp_path):
    """A folder of checks with two exercises in one file; the test writes the list."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new/part.py").write_text(FORM)

    def write(text: str) -> Path:
        (tmp_path / "new/__init__.py").write_text(text)
        return tmp_path / "new"

    return write


def test_a_folder_is_read_in_the_order_of_its_list(checks):
    assert registry.read_folder(checks("EXERCISES = [SECOND, FIRST]\n")) == ("04", ("second", "first"))
    assert registry.read_folder(checks("EXERCISES = [\n    FIRST,\n    SECOND,\n]\n")) == (
        "04",
        ("first", "second"),
    )


@pytest.mark.parametrize(
    ("text", "astray"),
    [
        ("EXERCISES = [FIRST]\n", "SECOND"),
        ("EXERCISES = [FIRST, SECOND, THIRD]\n", "THIRD"),
        ("", "FIRST, SECOND"),
    ],
)
def test_a_list_that_does_not_fit_its_folder_is_named(checks, text, astray):
    with pytest.raises(
        ValueError, match=rf"EXERCISES in cvlab/checks/new/__init__.py .*; got {astray} on one side"
    ):
        registry.read_folder(checks(text))


def test_one_folder_holds_one_lesson(checks):
    folder = checks("EXERCISES = [FIRST, SECOND, THIRD]\n")
    (folder / "more.py").write_text(
        FORM[: FORM.index("SECOND")].replace("FIRST", "THIRD").replace("04", "05")
    )
    with pytest.raises(ValueError, match="must be of one lesson; got 04, 05"):
        registry.read_folder(folder)


def test_one_lesson_has_one_folder(checks, tmp_path):
    checks("EXERCISES = [FIRST, SECOND]\n")
    assert registry.read_all(tmp_path) == {"04": ("new", ("first", "second"))}
    (tmp_path / "newer").mkdir()
    for name in ("part.py", "__init__.py"):
        (tmp_path / "newer" / name).write_text((tmp_path / "new" / name).read_text())
    with pytest.raises(ValueError, match="lesson 04 must have one folder of checks; got new and newer"):
        registry.read_all(tmp_path)
