"""What the checks said in a notebook that was run: Right in a solution, Not attempted in a student's copy."""

import re
from collections.abc import Iterator

from cvlab.course.source import Lesson

__all__ = ["CHECK", "wrong_outcomes"]

CHECK = re.compile(r"^check\((\w+)\)", re.MULTILINE)
WORDS = {"student": "Not attempted", "solution": "Right"}


def wrong_outcomes(notebook, lesson: Lesson, kind: str) -> Iterator[tuple[int, str]]:
    """Yield the index of each cell whose check does not say what it should, and what is wrong.

    Args:
        notebook: nbformat's notebook, run.
        lesson: what it was made from.
        kind: "student" or "solution".
    """
    checked, exercises = set(), lesson.exercises()
    for index, cell in enumerate(notebook.cells):
        names = CHECK.findall(cell.source) if cell.cell_type == "code" else []
        if len(names) > 1:
            yield (
                index,
                f"one cell checks {' and '.join(names)}: only the last would be shown; use a cell for each",
            )
        elif names:
            checked.add(names[0])
            if problem := _problem(cell, names[0], exercises, WORDS[kind]):
                yield index, problem
    starts = {cell.lines[0]: index for index, cell in enumerate(lesson.page) if cell.lines}
    for name, line in exercises.items():
        if name not in checked:
            yield (
                starts[line],
                f"exercise {name!r} is never checked: write check({name}) in a cell of its own",
            )


def _problem(cell, name: str, exercises: dict[str, int], word: str) -> str:
    said = "".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in cell.outputs)
    first = said.splitlines()[0] if said else "nothing"
    if first.split(":")[0] == word and name in exercises:
        return ""
    if name not in exercises:
        return f'check({name}): this lesson has no exercise {name!r}, a cell with tags=["exercise"]'
    if first.startswith("Not checked"):
        why = "; register it: cvlab/checks/ needs a folder with an Exercise of this name (CONTRIBUTING.md)"
    else:
        why = ""
    return f"check({name}) says {first!r}, expected {word!r}{why}"
