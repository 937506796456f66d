"""Exercises: `check` judges a function, `hint` helps, `solution` shows, `progress` counts.

One file a lesson holds the exercises, the right answers and the wrong ones each check must catch.
"""

from cvlab.checks._exercise import Case, Exercise, Mistake, exercises
from cvlab.checks._grade import check, grade
from cvlab.checks._help import hint, solution
from cvlab.checks._progress import progress
from cvlab.checks._table import table

__all__ = [
    "Case",
    "Exercise",
    "Mistake",
    "check",
    "exercises",
    "grade",
    "hint",
    "progress",
    "solution",
    "table",
]
