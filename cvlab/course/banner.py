"""The head of an exercise on the page: which of how many it is, its name, difficulty and minutes."""

from cvlab.course.source import Lesson, SourceError

__all__ = ["MARK", "banner", "with_banners"]

MARK = "**Exercise.**"  # what a text cell of the source begins with
CIRCLES = {"easy": "●○○", "medium": "●●○", "hard": "●●●"}
# JupyterLab, Colab and VS Code keep these styles; GitHub takes them off and shows a quotation with its own bar.
FRAME = (
    "margin: 0; padding: 8px 12px; border-left: 4px solid #1976d2; background-color: rgba(33, 150, 243, 0.08)"
)


def banner(name: str, place: int, total: int, minutes: int, difficulty: str) -> str:
    """Return the line of Markdown, in one piece.

    Example:
        >>> banner("iou", 2, 7, 8, "medium").partition("<h4")[2]
        ' style="margin: 0">Exercise 2 of 7 · <code>iou</code> · ●●○ medium · 8 minutes</h4></blockquote>'
    """
    facts = f"Exercise {place} of {total} · <code>{name}</code> · {CIRCLES[difficulty]} {difficulty} · {minutes} minute{'s' * (minutes > 1)}"
    return f'<blockquote style="{FRAME}"><h4 style="margin: 0">{facts}</h4></blockquote>'


def with_banners(lesson: Lesson) -> dict[int, str]:
    """Return the text of each cell that begins with `MARK`, by its line in the source, with the banner in its place.

    Raises:
        SourceError: no cell with one exercise follows, or the exercise is in no table.
    """
    marked = [
        n for n, cell in enumerate(lesson.page) if cell.kind == "markdown" and cell.source.startswith(MARK)
    ]
    if not marked:
        return {}
    names, texts = list(lesson.exercises()), {}
    table = _table(lesson)
    for n in marked:
        cell, below = lesson.page[n], lesson.page[n + 1 : n + 2]
        found = [name for name, line in lesson.exercises().items() if below and line == below[0].lines[0]]
        if len(found) != 1:
            raise SourceError(lesson.path, cell.lines[0], f"a cell with one exercise must follow {MARK}")
        if found[0] not in table:
            why = f"no exercise {found[0]!r} of lesson {lesson.number} is registered: cvlab/checks/ (CONTRIBUTING.md)"
            raise SourceError(lesson.path, cell.lines[0], why)
        exercise = table[found[0]]
        line = banner(
            exercise.name, names.index(exercise.name) + 1, len(names), exercise.minutes, exercise.difficulty
        )
        texts[cell.lines[0]] = f"{line}\n\n{cell.source.removeprefix(MARK).lstrip()}"
    return texts


def _table(lesson: Lesson) -> dict:
    """Return the lesson's registered exercises by name; none where it has no folder of checks yet."""
    from cvlab import checks

    try:
        return {exercise.name: exercise for exercise in checks.exercises(lesson.number)}
    except ValueError:
        return {}
