"""Exercises: `check` judges a function, `hint` helps, `solution` shows, `progress` counts.

One folder a lesson holds the exercises, the right answers and the wrong ones each check must catch.
"""

import importlib

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks._engine.grade import check, grade
from cvlab.checks._engine.help import hint, solution
from cvlab.checks._engine.registry import about, exercises
from cvlab.checks._engine.report import progress

# what teachers and makers of exercises use: no learner waits for its import
_LATER = {"classroom": "classroom", "mutation": "mutate", "table": "table"}

__all__ = [
    "Case",
    "Exercise",
    "Mistake",
    "about",
    "check",
    "classroom",
    "exercises",
    "grade",
    "hint",
    "mutation",
    "progress",
    "solution",
    "table",
]


def __getattr__(name: str):
    if name in _LATER:
        return getattr(importlib.import_module(f"cvlab.checks._engine.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
