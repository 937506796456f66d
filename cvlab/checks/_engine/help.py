"""Hints one at a time, and in the end the solution."""

from typing import Any

from cvlab.checks._engine import progress
from cvlab.checks._engine.card import card
from cvlab.checks._engine.lookup import lookup
from cvlab.checks._engine.markup import code_block
from cvlab.checks._engine.result import Result
from cvlab.checks._engine.versions import bare, beside, learners_source, source

__all__ = ["Hint", "Solution", "hint", "solution"]


class Hint:
    """One hint: prints as text, shows as a card."""

    def __init__(self, heading: str, message: str, notes: tuple[str, ...] = ()):
        self.heading, self.message, self.notes = heading, message, notes

    def __repr__(self) -> str:
        return "\n".join([self.heading, self.message, *self.notes])

    def _repr_html_(self) -> str:
        return card("hint", self.heading, self.message, notes=self.notes)


class Solution:
    """One right answer: prints as a title and code, shows as a card with the learner's own version beside it.

    Args:
        name: the exercise.
        source: the code of the right answer.
        own: the learner's code, "" where there is none.
        remark: what else there is to say.
    """

    def __init__(self, name: str, source: str, own: str = "", remark: str = ""):
        self.name, self.source, self.own, self.remark = name, source, own, remark

    @property
    def heading(self) -> str:
        """The title."""
        return f"Solution: {self.name}"

    def __repr__(self) -> str:
        return "\n".join([self.heading, self.source, *([self.remark] if self.remark else [])])

    def _repr_html_(self) -> str:
        same = self.own == self.source
        body = beside(self.own, self.source) if self.own and not same else code_block(self.source)
        notes = [*(["Yours reads the same."] if same else []), *([self.remark] if self.remark else [])]
        return card("hint", self.heading, body=body, notes=notes, wide=True)


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
    after = f"This was the last one; to see an answer: `solution({exercise.name})`" if number == total else ""
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
    remark = progress.record(exercise.name, lambda r: r | {"solution_seen": True})
    own = learners_source(function)
    return Solution(exercise.name, bare(source(exercise.reference)), bare(own) if own else "", remark)
