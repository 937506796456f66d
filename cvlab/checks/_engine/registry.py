"""Which exercises there are: what the folders beside this one hold, read without importing them.

An import of every lesson's checks would bring torch into lesson 00. So the folders are read as text, for the one
form that an exercise is written in; a test compares the outcome with what an import gives.
"""

import ast
import functools
import importlib
import re
from pathlib import Path
from typing import NamedTuple

from cvlab.checks._engine.exercise import Exercise

__all__ = [
    "LESSONS",
    "Facts",
    "Words",
    "about",
    "exercises",
    "find",
    "names",
    "read_all",
    "read_folder",
    "words",
]

_EXERCISE = re.compile(r'^(\w+) = Exercise\(\s*name="(\w+)",\s*lesson="(\d\d[a-z]?)",', re.MULTILINE)
_FACTS = re.compile(
    r'^\w+ = Exercise\(\s*name="(\w+)",\s*lesson="\d\d[a-z]?",\s*minutes=(\d+),\s*difficulty="(\w+)",',
    re.MULTILINE,
)
_ORDER = re.compile(r"^EXERCISES = \[(.*?)\]", re.MULTILINE | re.DOTALL)


def read_folder(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return the lesson of a folder, as in "04" or "06a", and its exercises' names in the order of `EXERCISES`.

    Raises:
        ValueError: an exercise is missing from the list or from the files, or belongs to another lesson.
    """
    files = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("[a-z]*.py"))]
    found = {variable: (name, lesson) for text in files for variable, name, lesson in _EXERCISE.findall(text)}
    order = _ORDER.search((folder / "__init__.py").read_text(encoding="utf-8"))
    listed = re.findall(r"\w+", order[1]) if order else []
    place = f"cvlab/checks/{folder.name}/__init__.py"
    if not listed or set(listed) != set(found):
        astray = ", ".join(sorted(set(listed) ^ set(found))) or "nothing"
        raise ValueError(
            f'EXERCISES in {place} must list each `X = Exercise(name="...", lesson="NN", ...)` of its folder; '
            f"got {astray} on one side only"
        )
    lessons = sorted({lesson for _, lesson in found.values()})
    if len(lessons) > 1:
        raise ValueError(f"the exercises that {place} lists must be of one lesson; got {', '.join(lessons)}")
    return lessons[0], tuple(found[variable][0] for variable in listed)


def read_all(folder: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return {lesson: (folder, names)}, in the order of the lessons."""
    found = {}
    for part in sorted(path.parent for path in folder.glob("[a-z]*/__init__.py")):
        lesson, exercise_names = read_folder(part)
        if lesson in found:
            raise ValueError(
                f"lesson {lesson} must have one folder of checks; got {found[lesson][0]} and {part.name}"
            )
        found[lesson] = part.name, exercise_names
    return dict(sorted(found.items()))


LESSONS = read_all(Path(__file__).parents[1])


def names(lesson: str | None = None) -> list[str]:
    """Return the names of the exercises of one lesson, or of all.

    Example:
        >>> names("00")
        ['mirror', 'to_batch', 'slope']
    """
    if lesson is not None and lesson not in LESSONS:
        raise ValueError(f"lesson must be one of {', '.join(LESSONS)}; got {lesson!r}")
    return [name for key, (_, found) in LESSONS.items() if lesson in (None, key) for name in found]


class Facts(NamedTuple):
    """What is known of an exercise without importing it: its lesson, "the `number`th of `total`", minutes, difficulty."""

    lesson: str
    number: int
    total: int
    minutes: int
    difficulty: str

    def __str__(self) -> str:
        return f"Exercise {self.number} of {self.total} · {self.minutes} min · {self.difficulty}"


class Words(NamedTuple):
    """What a lesson's `__init__.py` says of it: `TITLE`, and the `QUESTION` that a learner carries along ("" without one)."""

    title: str
    question: str


@functools.cache
def _facts(folder: str) -> dict[str, tuple[int, str]]:
    files = (Path(__file__).parents[1] / folder).glob("[a-z]*.py")
    found = [row for path in files for row in _FACTS.findall(path.read_text(encoding="utf-8"))]
    return {name: (int(minutes), difficulty) for name, minutes, difficulty in found}


def about(name: str) -> Facts:
    """Return an exercise's place in its lesson, its minutes and its difficulty; nothing is imported for it.

    Example:
        >>> print(about("to_batch"))
        Exercise 2 of 3 · 4 min · medium

    Raises:
        KeyError: there is no such exercise.
    """
    for lesson, (folder, found) in LESSONS.items():
        if name in found:
            return Facts(lesson, found.index(name) + 1, len(found), *_facts(folder)[name])
    raise KeyError(name)


@functools.cache
def words(lesson: str) -> Words:
    """Return a lesson's title and its question to carry along, as its folder's `__init__.py` has them.

    Example:
        >>> words("00").title
        'Start here'
    """
    folder = LESSONS[lesson][0]
    path = Path(__file__).parents[1] / folder / "__init__.py"
    said = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("TITLE", "QUESTION")
    }
    return Words(said.get("TITLE", folder.replace("_", " ").capitalize()), said.get("QUESTION", ""))


def find(name: str) -> Exercise:
    """Return the exercise called `name`; only its own lesson's module is imported.

    Raises:
        KeyError: there is no such exercise.
    """
    for module, found in LESSONS.values():
        if name in found:
            lesson = importlib.import_module(f"cvlab.checks.{module}")
            return {exercise.name: exercise for exercise in lesson.EXERCISES}[name]
    raise KeyError(name)


def exercises(lesson: str | None = None) -> list[Exercise]:
    """Return the exercises of one lesson ("01"), or of all lessons, in the order of the notebooks."""
    return [find(name) for name in names(lesson)]
