"""Which lessons there are, and what each one's notebooks contain before any cell has run."""

from pathlib import Path

from cvlab.course import publish
from cvlab.course.banner import with_banners
from cvlab.course.source import Lesson, SourceError, read_lesson, solved, student

__all__ = ["FOLDED", "KINDS", "RUN_FIRST", "copy_of", "find_root", "inputs", "notebook_path", "read_lessons"]

KINDS = ("student", "solution")
RUN_FIRST = "# Set-up: run this cell first"
FOLDED = {
    "jupyter": {"source_hidden": True},
    "cellView": "form",
}  # JupyterLab's word and Colab's; VS Code has none


def find_root() -> Path:
    """Return the clone that the current folder is in."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "notebooks" / "source").is_dir():
            return folder
    raise SourceError(
        Path("notebooks/source"), 1, f"no such folder in {Path.cwd()} or above it; go to your clone"
    )


def read_lessons(root: Path, numbers: list[str] | None = None) -> list[Lesson]:
    """Read the sources under `root`, all or the numbered ones; no exercise name may come twice."""
    folder = root / "notebooks" / "source"
    shown = folder.relative_to(root)
    lessons = [read_lesson(path, shown=shown / path.name) for path in sorted(folder.glob("[0-9][0-9]*_*.py"))]
    if not lessons:
        raise SourceError(shown, 1, "no lesson; expected files called NN_topic.py")
    known = [lesson.number for lesson in lessons]
    wanted = {number.zfill(2) if number else "" for number in numbers or known}
    if unknown := sorted(wanted - set(known)):
        raise SourceError(shown, 1, f"no lesson {unknown[0]!r}; known are {', '.join(known)}")
    seen: dict[str, Path] = {}
    for lesson in lessons:
        for name, line in lesson.exercises().items():
            if name in seen:
                raise SourceError(lesson.path, line, f"exercise {name!r} is also in {seen[name]}")
            seen[name] = lesson.path
    return [lesson for lesson in lessons if lesson.number in wanted]


def notebook_path(root: Path, lesson: Lesson, kind: str) -> Path:
    """Return where the lesson's `"student"` or `"solution"` notebook is."""
    folder = root / "notebooks" / ("solutions" if kind == "solution" else "")
    return folder / f"{lesson.name}.ipynb"


def copy_of(lesson: Lesson, kind: str, *, author: bool = False) -> Lesson:
    """Return the lesson with stubs (`"student"`) or with its solutions (`"solution"`, with the author's cells if wanted)."""
    return student(lesson) if kind == "student" else solved(lesson, author=author)


def inputs(lesson: Lesson, kind: str, *, author: bool = False):
    """Return the lesson's `"student"` or `"solution"` notebook with ids and tags, not yet run.

    With `author`, a solution has the author's cells in their places: it is what is run, and never what is written.
    """
    import nbformat.v4 as v4

    setup = publish.setup_cell().rstrip()
    badge = publish.badge(lesson.name) if kind == "student" else ""
    notebook = v4.new_notebook()
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    exercises, number, hidden = with_banners(lesson), 0, 0
    for cell in copy_of(lesson, kind, author=author).cells:
        mine = "author" in cell.tags
        number, hidden = number + (not mine), hidden + mine
        name = f"{lesson.number}-author-{hidden:03d}" if mine else f"{lesson.number}-{number:03d}"
        text = setup if "setup" in cell.tags else cell.source
        if {"setup", "fold"} <= set(cell.tags):
            text = f"{RUN_FIRST}\n{text}"
        if cell.kind == "markdown":
            text = exercises.get(cell.lines[0], text)
        make = v4.new_markdown_cell if cell.kind == "markdown" else v4.new_code_cell
        if badge and cell.kind == "markdown":
            title, _, rest = text.partition("\n")
            text, badge = f"{title}\n\n{badge}\n{rest}".rstrip(), ""
        metadata = {"tags": list(cell.tags)} if cell.tags else {}
        if "fold" in cell.tags:
            metadata |= FOLDED
        notebook.cells.append(make(text, id=name, metadata=metadata))
    return notebook
