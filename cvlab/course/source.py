"""Read a lesson's source, and derive the student's and the solved copy of its cells from it.

A source is Python with cells in the percent format: `# %%` starts a code cell, `# %% [markdown]` a
text cell, `tags=["core"]` in that line gives tags. Lines before the first cell are for authors; one of
them declares what an honest run has at least: `# minimum: code 20, check 5, widget 2`. A line `# draft`
says that the lesson may still have fewer exercises and widgets than a lesson needs.
"""

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path

from cvlab.course.cells import Cell, SourceError, read_cells

__all__ = [
    "Cell",
    "Heading",
    "Lesson",
    "SourceError",
    "definitions",
    "read_lesson",
    "signature",
    "solved",
    "student",
]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_MINIMUM = re.compile(r"^# minimum:(?P<list>( *[a-z]+ \d+,?)+)\s*$")


@dataclass(frozen=True)
class Heading:
    """What a lesson's first cell says of it: title, the question it answers, and minutes."""

    title: str
    question: str
    minutes: int


@dataclass(frozen=True)
class Lesson:
    """A lesson as written: where it is, what it is called (`01_preprocessing`), its cells, its minimum."""

    path: Path
    name: str
    cells: tuple[Cell, ...]
    minimum: dict[str, int]
    draft: bool = False

    @property
    def number(self) -> str:
        """Two digits, and a letter where one lesson is two notebooks: "01", "06a"."""
        return self.name.partition("_")[0]

    @property
    def page(self) -> tuple[Cell, ...]:
        """The cells that learners get: all but the author's."""
        return tuple(cell for cell in self.cells if "author" not in cell.tags)

    def heading(self) -> Heading:
        """Read the first cell.

        Raises:
            SourceError: it lacks a part.
        """
        text = self.cells[0].source
        words = " ".join(text.split())  # a question may go over two lines
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        question, minutes = re.search(r"\*\*(.+?\?)\*\*", words), re.search(r"(\d+) minutes", words)
        parts = {"'# Title'": title, "'**a question?**'": question, "'N minutes' (a figure)": minutes}
        if absent := [part for part, found in parts.items() if not found]:
            line = self.cells[0].lines[0]
            raise SourceError(
                self.path, line, f"the first cell must have {' and '.join(absent)}; got {words!r}"
            )
        return Heading(title[1].strip(), question[1], int(minutes[1]))

    def exercises(self) -> dict[str, int]:
        """Return the names of the exercises and the lines on which their cells start."""
        found = {}
        for cell in self.cells:
            for begin, _ in _solution_spans(cell, self.path):
                found.setdefault(_owner(cell, begin, self.path), cell.lines[0])
        return found


def read_lesson(path: Path, *, shown: Path | None = None) -> Lesson:
    """Read and judge one source file.

    Args:
        path: the file, `notebooks/source/NN_topic.py`.
        shown: how error messages call the file; its path when absent.

    Raises:
        SourceError: at the first mistake, with the line it is on.
    """
    shown = shown or path
    preamble, cells = read_cells(path, shown)
    lesson = Lesson(
        shown, path.stem, tuple(cells), _read_minimum(preamble, shown), draft="# draft" in preamble
    )
    _judge_exercises(lesson)
    return lesson


def _read_minimum(preamble: list[str], path: Path) -> dict[str, int]:
    for line in preamble:
        if found := _MINIMUM.match(line):
            return {key: int(count) for key, count in re.findall(r"([a-z]+) (\d+)", found["list"])}
    raise SourceError(
        path,
        1,
        "the lesson declares no minimum: write '# minimum: code 20, check 5, widget 2' above the first cell",
    )


def definitions(source: str) -> dict[str, ast.AST]:
    """Return the top-level functions and classes of a cell, by name."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name: node for node in ast.parse(source).body if isinstance(node, kinds)}


def signature(node: ast.AST) -> str:
    """Write a function's or a class's signature as it stands in the code, methods included.

    Example:
        >>> signature(definitions("def crop(image, size=3): ...")["crop"])
        'crop(image, size=3)'
    """
    if isinstance(node, ast.ClassDef):
        methods = [signature(item) for item in node.body if isinstance(item, ast.FunctionDef)]
        return f"{node.name}({', '.join(map(ast.unparse, node.bases))}): {'; '.join(methods)}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


def _judge_exercises(lesson: Lesson) -> None:
    seen: dict[str, int] = {}
    for cell in lesson.cells:
        spans = _solution_spans(cell, lesson.path)
        if spans and "exercise" not in cell.tags:
            raise SourceError(
                lesson.path, cell.lines[spans[0][0]], 'a solution outside a cell with tags=["exercise"]'
            )
        if "exercise" not in cell.tags:
            continue
        names = [_owner(cell, begin, lesson.path) for begin, _ in spans]
        if not names:
            line = cell.lines[0] if cell.lines else 1
            raise SourceError(
                lesson.path, line, f"an exercise cell without a function that has {BEGIN} in its body"
            )
        for name in dict.fromkeys(names):
            if name in seen:
                raise SourceError(
                    lesson.path,
                    cell.lines[0],
                    f"exercise {name!r} appears twice; the first is on line {seen[name]}",
                )
            seen[name] = cell.lines[0]


def _solution_spans(cell: Cell, path: Path) -> list[tuple[int, int]]:
    """Return (first, last) line indices of each solution in a code cell, both markers included."""
    spans, begin = [], None
    for i, text in enumerate(cell.source.split("\n") if cell.kind == "code" else []):
        if text.strip() == BEGIN:
            if begin is not None:
                raise SourceError(path, cell.lines[i], f"{BEGIN} inside another solution")
            begin = i
        elif text.strip() == END:
            if begin is None:
                raise SourceError(path, cell.lines[i], f"{END} without {BEGIN}")
            spans.append((begin, i))
            begin = None
    if begin is not None:
        raise SourceError(path, cell.lines[begin], f"{BEGIN} is never closed by {END} in its cell")
    return spans


def _owner(cell: Cell, begin: int, path: Path) -> str:
    for name, node in definitions(cell.source).items():
        if node.lineno <= begin < node.end_lineno:
            return name
    raise SourceError(path, cell.lines[begin], f"{BEGIN} must stand in the body of a function or method")


def student(lesson: Lesson) -> Lesson:
    """Return the learners' lesson with every solution replaced by one line that raises NotImplementedError."""
    return replace(lesson, cells=tuple(_rewrite(cell, lesson.path, stub=True) for cell in lesson.page))


def solved(lesson: Lesson, *, author: bool = False) -> Lesson:
    """Return the lesson with every solution in place and the markers around it gone; `author` keeps the author's cells."""
    cells = lesson.cells if author else lesson.page
    return replace(lesson, cells=tuple(_rewrite(cell, lesson.path, stub=False) for cell in cells))


def _rewrite(cell: Cell, path: Path, *, stub: bool) -> Cell:
    numbered = list(zip(cell.source.split("\n"), cell.lines, strict=False))
    for begin, end in reversed(_solution_spans(cell, path)):
        text, line = numbered[begin]
        indent = text[: len(text) - len(text.lstrip())]
        call = f'{indent}raise NotImplementedError("Your turn: write {_owner(cell, begin, path)}")'
        numbered[begin : end + 1] = [(call, line)] if stub else numbered[begin + 1 : end]
    return replace(
        cell, source="\n".join(text for text, _ in numbered), lines=tuple(number for _, number in numbered)
    )
