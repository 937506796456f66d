"""The cells of a lesson's source: Python in the percent format, each with its tags and the lines it comes from."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from cvlab._validate import nearest

__all__ = ["TAGS", "Cell", "SourceError", "read_cells"]

TAGS = (
    "again",
    "author",
    "core",
    "cover",
    "exercise",
    "fold",
    "nbval-ignore-output",
    "raises-exception",
    "setup",
)  # CONTRIBUTING explains

_MARKER = re.compile(r"^# %%(?P<markdown> \[markdown\])?(?: tags=(?P<tags>\[[^\]]*\]))?\s*$")


class SourceError(Exception):
    """A mistake in a lesson's source; its text is `file:line: what is wrong`."""

    def __init__(self, path: Path, line: int, message: str):
        super().__init__(f"{path}:{line}: {message}")


@dataclass(frozen=True)
class Cell:
    """One cell: `lines[i]` is the line of the source file that the cell's line `i` comes from."""

    kind: str
    tags: tuple[str, ...]
    source: str
    lines: tuple[int, ...]


def read_cells(path: Path, shown: Path) -> tuple[list[str], list[Cell]]:
    """Return the lines before the first cell, and the cells.

    Args:
        path: the file.
        shown: how error messages call it.

    Raises:
        SourceError: at the first mistake, with the line it is on.
    """
    lines = _text(path, shown).split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    if not starts:
        raise SourceError(shown, 1, "no cell: start one with a line '# %%' or '# %% [markdown]'")
    cells = [_read_cell(lines, a, b, shown) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
    covers = [(cell, start) for cell, start in zip(cells, starts, strict=True) if "cover" in cell.tags]
    if len(covers) > 1:
        raise SourceError(
            shown, covers[1][1] + 1, "a lesson has one cover: this is the second cell tagged so"
        )
    return lines[: starts[0]], cells


def _text(path: Path, shown: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise SourceError(shown, line, message) from None


def _read_cell(lines: list[str], start: int, stop: int, path: Path) -> Cell:
    marker = _MARKER.match(lines[start])
    if not marker:
        raise SourceError(
            path, start + 1, f'cell marker not understood: {lines[start]!r}; write # %% tags=["core"]'
        )
    tags = _read_tags(marker["tags"] or "[]", path, start + 1)
    numbered = [(i + 1, lines[i].rstrip()) for i in range(start + 1, stop)]
    while numbered and not numbered[-1][1]:
        numbered.pop()
    while numbered and not numbered[0][1]:
        numbered.pop(0)
    if not numbered and "setup" not in tags:
        raise SourceError(path, start + 1, "empty cell")
    kind = "markdown" if marker["markdown"] else "code"
    if kind == "markdown":
        numbered = [(number, _uncomment(text, number, path)) for number, text in numbered]
    cell = Cell(kind, tags, "\n".join(text for _, text in numbered), tuple(number for number, _ in numbered))
    if kind == "code":
        _tree(cell, path)
    _judge_tags(cell, path, start + 1)
    return cell


def _read_tags(text: str, path: Path, line: int) -> tuple[str, ...]:
    try:
        tags = json.loads(text)
    except json.JSONDecodeError:
        tags = [None]
    if not all(isinstance(tag, str) for tag in tags):
        raise SourceError(path, line, f'tags must be a list of "words"; got {text}')
    for tag in tags:
        if tag not in TAGS:
            known = f"Known are {', '.join(TAGS)} (a new one goes into TAGS in cvlab/course/cells.py)"
            raise SourceError(path, line, f"unknown tag {tag!r}{nearest(tag, TAGS) or '.'} {known}")
    if len(set(tags)) < len(tags):
        raise SourceError(path, line, f"a tag stands twice in {text}")
    return tuple(tags)


def _judge_tags(cell: Cell, path: Path, line: int) -> None:
    if "author" in cell.tags and (cell.kind, cell.tags) != ("code", ("author",)):
        raise SourceError(path, line, "a cell of the author's is code, and has no other tag")
    if "fold" in cell.tags and "setup" not in cell.tags and not re.match(r"# \S", cell.source):
        raise SourceError(path, line, "a folded cell is code that starts with a comment: what it does")
    if {"fold", "exercise"} <= set(cell.tags):
        raise SourceError(path, line, "an exercise is never folded")


def _uncomment(text: str, number: int, path: Path) -> str:
    if text and not re.match(r"#( |$)", text):
        raise SourceError(path, number, f"a markdown cell has only lines that start with '# '; got {text!r}")
    return text[2:]


def _tree(cell: Cell, path: Path) -> ast.Module:
    try:
        return ast.parse(cell.source)
    except SyntaxError as error:
        line = cell.lines[min(error.lineno or 1, len(cell.lines)) - 1]
        raise SourceError(path, line, f"syntax error: {error.msg}") from None
