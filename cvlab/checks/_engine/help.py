"""Hints one at a time, and in the end the solution."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from cvlab.checks._engine import progress
from cvlab.checks._engine.lookup import lookup
from cvlab.checks._engine.result import Result, card

__all__ = ["Hint", "Solution", "hint", "solution", "source"]


class Hint:
    """One hint: prints as text, shows as a card."""

    def __init__(self, heading: str, message: str, notes: tuple[str, ...] = ()):
        self.heading, self.message, self.notes = heading, message, notes

    def __repr__(self) -> str:
        return "\n".join([self.heading, self.message, *self.notes])

    def _repr_html_(self) -> str:
        return card("hint", self.heading, self.message, notes=self.notes)


class Solution:
    """The source of the reference answer: prints as text, shows as highlighted code."""

    def __init__(self, name: str, source: str):
        self.name, self.source = name, source

    def __repr__(self) -> str:
        return self.source

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.source}\n```"


def hint(function: Any = None, /) -> Hint | Result:
    """Show the next hint for an exercise; each call goes one step further.

    Args:
        function: your function, or its name as text.
    """
    exercise, complaint = lookup(function, "hint")
    if complaint:
        return Result("not checked", "hint", complaint)
    total = len(exercise.hints)
    seen = min(progress.entry(exercise.name)["hints"], total)
    number = min(seen + 1, total)
    remark = ""
    if number > seen:
        remark = progress.record(exercise.name, lambda r: r | {"hints": max(r["hints"], number)})
    after = f"This was the last one; to see an answer: solution({exercise.name})" if number == total else ""
    heading = f"Hint {number} of {total} for {exercise.name}"
    return Hint(heading, exercise.hints[number - 1], tuple(note for note in (after, remark) if note))


def solution(function: Any = None, /) -> Solution | Result:
    """Show one right answer to an exercise.

    Args:
        function: your function, or its name as text.
    """
    exercise, complaint = lookup(function, "solution")
    if complaint:
        return Result("not checked", "solution", complaint)
    progress.record(exercise.name, lambda r: r | {"solution_seen": True})
    return Solution(exercise.name, source(exercise.reference))


def source(function: Callable) -> str:
    """Return the source of a function or class without its decorators."""
    text = textwrap.dedent(inspect.getsource(function))
    first = ast.parse(text).body[0].lineno - 1  # the line of def or class
    return "\n".join(text.splitlines()[first:]).rstrip()
