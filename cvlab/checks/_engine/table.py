"""Prove the checks: every exercise against every wrong answer it must catch."""

from dataclasses import dataclass

from cvlab.checks._engine import registry
from cvlab.checks._engine.grade import grade

__all__ = ["Row", "Table", "table"]


@dataclass(frozen=True)
class Row:
    """One wrong answer, and the message it got."""

    lesson: str
    exercise: str
    mistake: str
    message: str
    caught: bool  # wrong, and by its own message


@dataclass(frozen=True)
class Table:
    """All wrong answers; prints as a table."""

    rows: tuple[Row, ...]

    @property
    def caught(self) -> int:
        """How many wrong answers got their own message."""
        return sum(row.caught for row in self.rows)

    def __repr__(self) -> str:
        lines, before = [], ""
        for row in self.rows:
            if row.exercise != before:
                lines.append(f"{row.lesson} {row.exercise}")
            before = row.exercise
            mark = "caught" if row.caught else "MISSED"
            lines.append(f"  {mark}  {row.mistake}: {row.message}")
        return "\n".join(
            [*lines, f"{self.caught} of {len(self.rows)} wrong answers caught by their own message."]
        )


def table(lesson: str | None = None) -> Table:
    """Run every known wrong answer through its check.

    Args:
        lesson: two digits, such as "01"; all lessons without it.
    """
    rows = []
    for exercise in registry.exercises(lesson):
        for mistake in exercise.mistakes:
            result = grade(exercise, mistake.function)
            caught = result.outcome == "wrong" and result.message == mistake.message
            rows.append(Row(exercise.lesson, exercise.name, mistake.name, result.message, caught))
    return Table(tuple(rows))
