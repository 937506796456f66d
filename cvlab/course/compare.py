"""`cvlab build --check`: say where committed notebooks and their sources disagree, without running any."""

from collections.abc import Iterator
from pathlib import Path

from cvlab.course.compose import KINDS, inputs, notebook_path
from cvlab.course.outcomes import wrong_outcomes
from cvlab.course.source import Lesson, definitions, signature

__all__ = ["CORE_LINES", "problems"]

CORE_LINES = 25


def problems(root: Path, lessons: list[Lesson], *, orphans: bool = True) -> list[str]:
    """Return one line for each disagreement, each starting with the file at fault; empty when all is well.

    Args:
        root: the clone.
        lessons: the lessons to compare.
        orphans: whether to also look for notebooks without a source among `lessons`.
    """
    found = [text for lesson in lessons for text in _long_core_cells(lesson)]
    for lesson in lessons:
        for kind in KINDS:
            path = notebook_path(root, lesson, kind)
            found += [f"{path.relative_to(root)}: {text}" for text in _notebook_problems(path, lesson, kind)]
    return found + (list(_orphans(root, lessons)) if orphans else [])


def _long_core_cells(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.cells:
        length = len(cell.lines)
        if "core" in cell.tags and length > CORE_LINES:
            yield f"{lesson.path}:{cell.lines[0]}: a core cell has at most {CORE_LINES} lines; this one has {length}"


def _notebook_problems(path: Path, lesson: Lesson, kind: str) -> Iterator[str]:
    import nbformat

    again = f"run: cvlab build {lesson.number}"
    if not path.exists():
        yield f"missing, its source is {lesson.path}; {again}"
        return
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds for a broken file
        yield f"not a readable notebook ({type(error).__name__}); {again}"
        return
    expected = inputs(lesson, kind)
    drifts = list(_signature_drifts(notebook, expected)) if kind == "student" else []
    yield from drifts
    difference = "" if drifts else _first_difference(notebook, expected)
    if difference:
        yield f"{difference} differs from {lesson.path}; {again}"
    unrun = [
        cell.get("id", "?")
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.execution_count is None
    ]
    yield from (f"cell {name} was never run; {again}" for name in unrun)
    if not (drifts or difference or unrun):
        for index, message in wrong_outcomes(notebook, lesson, kind):
            yield f"cell {notebook.cells[index].id}: {message}"


def _signature_drifts(notebook, expected) -> Iterator[str]:
    """Compare each exercise's stub, found by its cell id, with the signature its solution has."""
    committed = {cell.get("id"): cell for cell in notebook.cells}
    for cell in expected.cells:
        if "exercise" not in cell.metadata.get("tags", []) or cell.id not in committed:
            continue
        try:
            stubs = definitions(committed[cell.id].source)
        except SyntaxError:
            continue  # reported as a difference
        for name, node in definitions(cell.source).items():
            if name in stubs and signature(stubs[name]) != signature(node):
                yield f"the stub {signature(stubs[name])} drifts from its solution's signature {signature(node)}"


def _first_difference(notebook, expected) -> str:
    """Return what differs first between two notebooks' inputs (`"cell 01-004 (source)"`), or nothing."""
    if notebook.metadata != expected.metadata:
        return "metadata"
    for mine, theirs in zip(notebook.cells, expected.cells, strict=False):
        for part in ("id", "cell_type", "source", "metadata"):
            if mine.get(part) != theirs.get(part):
                return f"cell {theirs.id} ({part})"
    if len(notebook.cells) != len(expected.cells):
        return f"the number of cells, {len(notebook.cells)} and not {len(expected.cells)},"
    return ""


def _orphans(root: Path, lessons: list[Lesson]) -> Iterator[str]:
    known = {notebook_path(root, lesson, kind) for lesson in lessons for kind in KINDS}
    folder = root / "notebooks"
    for path in sorted([*folder.glob("*.ipynb"), *(folder / "solutions").glob("*.ipynb")]):
        if path not in known:
            yield f"{path.relative_to(root)}: orphaned, there is no notebooks/source/{path.stem}.py"
