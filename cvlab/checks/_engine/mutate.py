"""Prove the checks by mutation: each must refuse every mutant of its reference, but for the equivalent ones."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from cvlab.checks._engine import registry
from cvlab.checks._engine.exercise import Exercise
from cvlab.checks._engine.fault import fault
from cvlab.checks._engine.mutants import mutants
from cvlab.checks._engine.outcomes import expected, look
from cvlab.checks._engine.run import Outcome
from cvlab.checks._engine.world import kept_world, steady_world

__all__ = ["Survey", "Surveys", "mutation", "passes", "survey"]


@dataclass(frozen=True)
class Survey:
    """What became of the mutants of one exercise.

    Args:
        exercise: its lesson and name.
        made: how many there are.
        equivalent: those that pass and are listed as equivalent.
        survivors: those that pass and are not: holes in the check.
        stale: entries of the list that name no mutant that passes.
    """

    exercise: str
    made: int
    equivalent: tuple[str, ...]
    survivors: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def refused(self) -> int:
        """How many the check calls wrong."""
        return self.made - len(self.equivalent) - len(self.survivors)


@dataclass(frozen=True)
class Surveys:
    """The surveys of several exercises; prints as a table with the survivors below."""

    rows: tuple[Survey, ...]

    def __repr__(self) -> str:
        counts = [
            (row.exercise, row.made, row.refused, len(row.equivalent), len(row.survivors))
            for row in self.rows
        ]
        total = ("all", *(sum(column) for column in list(zip(*counts, strict=True))[1:]))
        form = "{:<24}{:>8}{:>9}{:>12}{:>11}".format
        lines = [form("mutants", "made", "refused", "equivalent", "survivors")]
        lines += [form(*row) for row in [*counts, total]]
        lines += [f"SURVIVES {row.exercise}: {text}" for row in self.rows for text in row.survivors]
        return "\n".join(lines)


def mutation(lesson: str | None = None) -> Surveys:
    """Put every mutant of every reference to its check.

    Args:
        lesson: two digits, such as "01"; all lessons without it.
    """
    return Surveys(tuple(survey(exercise) for exercise in registry.exercises(lesson)))


def survey(exercise: Exercise) -> Survey:
    """Put every mutant of the exercise's reference to its check."""
    found = mutants(exercise.reference)
    passed = [mutant.text for mutant in found if passes(exercise, mutant.function)]
    known = exercise.equivalent
    return Survey(
        exercise=f"{exercise.lesson} {exercise.name}",
        made=len(found),
        equivalent=tuple(text for text in passed if text in known),
        survivors=tuple(text for text in passed if text not in known),
        stale=tuple(text for text in known if text not in passed),
    )


def passes(exercise: Exercise, function: Callable) -> bool:
    """Tell whether the check would call `function` right; stops at the first case that fails.

    It runs in this thread and without a time limit, so it is for functions that are known to end.
    """
    rows = zip(exercise.cases(), exercise.cases(), expected(exercise), strict=True)
    with kept_world():
        for case, pristine, wanted in rows:
            try:
                with steady_world(io.StringIO()):
                    outcome = Outcome(exercise.call(function, case))
            except Exception:
                return False
            look(exercise, case, pristine, outcome)
            if fault(exercise, wanted, outcome):
                return False
    return True
