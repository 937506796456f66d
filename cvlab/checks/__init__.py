"""Exercises: `check` judges a function, `hint` helps, `solution` shows, `progress` counts.

One file a lesson holds the exercises, the right answers and the wrong ones each check must catch.
"""

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks._engine.grade import check, grade
from cvlab.checks._engine.help import hint, solution
from cvlab.checks._engine.mutate import mutation
from cvlab.checks._engine.progress import progress
from cvlab.checks._engine.registry import about, exercises
from cvlab.checks._engine.table import table

__all__ = [
    "Case",
    "Exercise",
    "Mistake",
    "about",
    "check",
    "exercises",
    "grade",
    "hint",
    "mutation",
    "progress",
    "solution",
    "table",
]
