"""`cvlab build`: make the student and the solution notebook of each lesson from its one source."""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cvlab.course.compare import problems
from cvlab.course.compose import KINDS, copy_of, find_root, inputs, notebook_path, read_lessons
from cvlab.course.execute import AUTHOR, WIDGET, CellError, Run, run_notebook, stable_outputs
from cvlab.course.outcomes import CHECK, wrong_outcomes
from cvlab.course.source import Lesson, SourceError
from cvlab.store.files import write_whole

__all__ = ["Row", "count", "main", "table"]

KEEP = "nbval-ignore-output"
COUNTED = ("code", "output", "picture", "widget", "check")


@dataclass(frozen=True)
class Row:
    """One notebook in the table: what its run amounted to, its size in MB, and what became of the file."""

    name: str
    counts: dict[str, int]
    run: Run
    size: float
    outcome: str


def main(argv: list[str] | None = None) -> int:
    """Build the lessons named in `argv` (all when none is), or compare them with `--check`.

    Returns:
        The exit code: 0 when all went well, 1 after a clear message on stderr.
    """
    parser = argparse.ArgumentParser(prog="cvlab build", description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; all when absent")
    parser.add_argument(
        "--check", action="store_true", help="run nothing; fail when a notebook is out of date"
    )
    parser.add_argument("--fresh", action="store_true", help=f"renew the outputs of cells tagged {KEEP} too")
    options = parser.parse_args(argv)
    try:
        root = find_root()
        lessons = read_lessons(root, options.lessons)
        if options.check:
            found = problems(root, lessons, orphans=not options.lessons)
            print("\n".join(found), file=sys.stderr, end="\n" if found else "")
            print(f"{len(lessons)} lessons compared with their notebooks: {len(found) or 'no'} problems")
            return 1 if found else 0
        rows = [row for lesson in lessons for row in _build(root, lesson, fresh=options.fresh)]
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(rows))
    return 0


def _build(root: Path, lesson: Lesson, *, fresh: bool) -> list[Row]:
    """Run both notebooks of a lesson, then write both; after a failure the old ones are as they were."""
    import nbformat

    finished = []
    for kind in KINDS:
        path = notebook_path(root, lesson, kind)
        print(f"running {path.relative_to(root)}", flush=True)
        notebook = inputs(lesson, kind, author=kind == "solution")
        run = _run(notebook, lesson, kind)
        if not fresh and path.exists():
            _keep_outputs(notebook, path)
        stable_outputs(notebook, f"{kind}/{lesson.name}")
        nbformat.validate(notebook)
        finished.append((path, nbformat.writes(notebook) + "\n", count(notebook), run))
    rows = []
    for path, text, counts, run in finished:
        outcome = _write(path, text)
        rows.append(Row(str(path.relative_to(root)), counts, run, len(text.encode()) / 1e6, outcome))
    return rows


def _run(notebook, lesson: Lesson, kind: str) -> Run:
    """Run a notebook, then take the author's cells out; what is wrong with it becomes a SourceError."""
    try:
        run = run_notebook(notebook)
    except CellError as error:
        lines = copy_of(lesson, kind, author=True).cells[error.index].lines or (1,)
        line = lines[min(error.line, len(lines)) - 1]
        raise SourceError(lesson.path, line, f"the {kind} notebook fails here: {error}") from None
    notebook.cells = [cell for cell in notebook.cells if AUTHOR not in cell.metadata.get("tags", [])]
    if run.left:
        message = f"a run leaves {', '.join(run.left)} beside the notebook; write to tempfile.mkdtemp()"
        raise SourceError(lesson.path, 1, message)
    found = (*_shown_errors(notebook), *_addresses(notebook), *wrong_outcomes(notebook, lesson, kind))
    for index, message in found:
        line = (copy_of(lesson, kind).cells[index].lines or (1,))[0]
        raise SourceError(lesson.path, line, f"the {kind} notebook: {message}")
    counts = count(notebook)
    for what, least in lesson.minimum.items():
        if what not in COUNTED:
            raise SourceError(lesson.path, 1, f"minimum of {what!r}; known are {', '.join(COUNTED)}")
        if counts[what] < least:
            raise SourceError(
                lesson.path, 1, f"the {kind} notebook has {counts[what]} {what}, its minimum is {least}"
            )
    return run


def _shown_errors(notebook) -> Iterator[tuple[int, str]]:
    """Find errors that stopped no cell, as when a figure cannot be drawn: the cell's index, and what is wrong."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if output.output_type == "error":
                    yield index, f"the cell ran, and its output is an error: {output.ename}: {output.evalue}"


def _addresses(notebook) -> Iterator[tuple[int, str]]:
    """Find memory addresses in outputs that are compared: the cell's index, and what is wrong."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or KEEP in cell.metadata.get("tags", []):
            continue
        for output in cell.outputs:
            shown = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            if found := re.search(r"\bat (0x[0-9a-f]{6,})", shown):
                address = f"the output shows a memory address ({found[1]}), which changes with every run"
                yield index, f"{address}; end the last line with ';' or print less"


def count(notebook) -> dict[str, int]:
    """Count a notebook's run code cells, those with an output, a picture, a widget, and those that check."""
    counts = dict.fromkeys(COUNTED, 0)
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.execution_count is None:
            continue
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        counts["code"] += 1
        counts["output"] += bool(cell.outputs)
        counts["picture"] += bool(kinds & {"image/png", "image/jpeg"})
        counts["widget"] += WIDGET in kinds
        counts["check"] += bool(CHECK.search(cell.source))
    return counts


def _keep_outputs(notebook, path: Path) -> None:
    """Give cells tagged as not reproducible the outputs they had, where their source has not changed."""
    import nbformat

    before = defaultdict(list)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and cell.execution_count is not None:
            before[cell.source].append(cell.outputs)
    for cell in notebook.cells:
        if KEEP in cell.metadata.get("tags", []) and before[cell.source]:
            cell.outputs = before[cell.source].pop(0)


def _write(path: Path, text: str) -> str:
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return "same"
    outcome = "changed" if path.exists() else "new"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return outcome


def table(rows: list[Row]) -> str:
    """Lay the rows out as text: what was run, how long it took, how much memory the kernel needed."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'notebook':<{width}}  {'  '.join(COUNTED)}  seconds  end MB  peak MB  size MB"]
    for row in rows:
        cells = "  ".join(f"{row.counts[what]:>{len(what)}}" for what in COUNTED)
        figures = f"{row.run.seconds:>7.1f}  {row.run.memory:>6.0f}  {row.run.peak:>7.0f}  {row.size:>7.2f}"
        lines.append(f"{row.name:<{width}}  {cells}  {figures}  {row.outcome}".rstrip())
    return "\n".join(lines)
