"""A lesson's sittings: what its first cell says of them, and the cells that each one is made of."""

import re
from dataclasses import dataclass

import nbformat.v4 as v4

__all__ = ["Sitting", "alone", "code_lines", "forgetful", "header", "sections", "tagged"]

_TOTAL = re.compile(r"^\*(\d+) minutes", re.MULTILINE)
_SITTING = re.compile(r"(\d+)(?: (?:to|and) (\d+))? \((\d+) min\)")
_SECTION = re.compile(r"^## (\d+) · .*\*\((\d+) min\)\*$", re.MULTILINE)


@dataclass(frozen=True)
class Sitting:
    """What can be learnt at one go: sections `first` to `last`, and the minutes stated for them."""

    first: int
    last: int
    minutes: int


def tagged(cell, tag: str) -> bool:
    """Tell whether a notebook's cell has the tag."""
    return tag in cell.metadata.get("tags", [])


def code_lines(cell) -> int:
    """Count a cell's lines, one that is only a comment not among them."""
    return sum(not line.startswith("#") for line in cell.source.splitlines())


def header(notebook) -> tuple[int, list[Sitting]]:
    """Read the first cell: the lesson's minutes, and its sittings; none where the whole lesson is one.

    It says `*25 minutes. You need ...*`, or `*90 minutes, in two sittings: sections 1 to 3 (45 min), 4 (45 min). ...*`.
    """
    text = notebook.cells[0].source
    found = _TOTAL.search(text)
    assert found, "the first cell has a line that starts with '*N minutes'"
    sittings = [Sitting(int(a), int(b or a), int(minutes)) for a, b, minutes in _SITTING.findall(text)]
    return int(found[1]), sittings


def sections(notebook) -> dict[int, int]:
    """Return the minutes of each numbered section: `## 3 · Now in two directions *(20 min)*` gives 3: 20."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return {int(number): int(minutes) for text in texts for number, minutes in _SECTION.findall(text)}


def alone(notebook) -> list:
    """Cut a notebook where a cell tagged `again` starts a new sitting; each part is a notebook with the set-up cell."""
    setup = [cell for cell in notebook.cells if tagged(cell, "setup")]
    starts = [i for i, cell in enumerate(notebook.cells) if tagged(cell, "again")]
    pieces = [notebook.cells[a:b] for a, b in zip([0, *starts], [*starts, None], strict=True)]
    parts = [pieces[0], *(setup + piece for piece in pieces[1:])]
    return [v4.new_notebook(metadata=notebook.metadata, cells=part) for part in parts]


def forgetful(notebook):
    """Return the notebook with a cell before each `again` cell that makes the kernel forget every name."""
    cells = []
    for cell in notebook.cells:
        cells += [v4.new_code_cell("%reset -f"), cell] if tagged(cell, "again") else [cell]
    return v4.new_notebook(metadata=notebook.metadata, cells=cells)
