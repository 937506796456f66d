"""The head of an exercise on the page: which of how many it is, its name, difficulty and minutes."""

from cvlab.course.source import Lesson, SourceError

__all__ = ["MARK", "banner", "with_banners"]

MARK = "**Exercise.**"  # what a text cell of the source begins with
CIRCLES = {"easy": "●○○", "medium": "●●○", "hard": "●●●"}
# JupyterLab, Colab and VS Code keep these styles; GitHub takes them off and shows a quotation with its own bar.
FRAME = (
    "margin: 0; padding: 8px 12px; border-left: 4px solid #1976d2; background-color: rgba(33, 150, 243, 0.08)"
)


def banner(name: str) -> str:
    """Return the line of Markdown, in one piece, for an exercise of the course.

    Example:
        >>> banner("mirror").partition("<h4")[2]
        ' style="margin: 0">Exercise 1 of 3 · <code>mirror</code> · ●○○ easy · 3 minutes</h4></blockquote>'

    Raises:
        KeyError: there is no such exercise.
    """
    from cvlab import checks

    _, number, total, minutes, difficulty = checks.about(name)
    time = f"{minutes} minute{'s' * (minutes > 1)}"
    facts = (
        f"Exercise {number} of {total} · <code>{name}</code> · {CIRCLES[difficulty]} {difficulty} · {time}"
    )
    return f'<blockquote style="{FRAME}"><h4 style="margin: 0">{facts}</h4></blockquote>'


def with_banners(lesson: Lesson) -> dict[int, str]:
    """Return the text of each cell that begins with `MARK`, by its line in the source, with the banner in its place.

    Raises:
        SourceError: no cell with one exercise follows, or the exercise is not registered.
    """
    texts = {}
    for cell, below in zip(lesson.page, [*lesson.page[1:], None], strict=True):
        if cell.kind == "code" or not cell.source.startswith(MARK):
            continue
        start, next_start = cell.lines[0], below.lines[0] if below and below.lines else 0
        found = [name for name, line in lesson.exercises().items() if line == next_start]
        if len(found) != 1:
            raise SourceError(lesson.path, start, f"a cell with one exercise must follow {MARK}")
        try:
            line = banner(found[0])
        except KeyError:
            why = f"exercise {found[0]!r} is not registered: cvlab/checks/ needs it (CONTRIBUTING.md)"
            raise SourceError(lesson.path, start, why) from None
        texts[start] = f"{line}\n\n{cell.source.removeprefix(MARK).lstrip()}"
    return texts
