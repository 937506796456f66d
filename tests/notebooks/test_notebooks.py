"""Every committed notebook: made from its source, complete, run without a network with the same outputs."""

import base64
import copy
import functools
import io
import re

import nbformat
import numpy as np
import pytest
from PIL import Image
from support.sealed import ROOT, run_nbval
from support.sittings import code_lines, tagged

from cvlab.checks._engine import registry
from cvlab.course.build import KEEP, count
from cvlab.course.compare import CORE_LINES, problems
from cvlab.course.compose import KINDS, inputs, notebook_path, read_lessons
from cvlab.course.execute import AUTHOR, WIDGET

NAMES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("*.py"))
CODE_LINES, SETUP_LINES, WORDS, BULLETS = CORE_LINES, 6, 150, 5
SIZE, PIXELS = 3e6, (16, 1900)  # bytes of a notebook; least and most width and height of a picture
MEMORY, OWN = (
    1200,
    700,
)  # MB that a kernel has at the end, and of it those it shares with nobody; see CONTRIBUTING.md
OWN_MORE = {
    "04_transfer_learning": 850,
    "05_segmentation": 850,
    "06a_regions": 850,
    "06b_detection": 850,
    "08a_distillation": 850,
    "08b_dino": 850,
}  # timm and torchvision take them over the limit: CONTRIBUTING.md, "Memory"
EXERCISES, WIDGETS = 5, 2
FEWER = {"00_start_here": 2}  # a first lesson is for a first evening

BANNER = re.compile(
    r">Exercise (\d+) of \d+ · <code>\w+</code> · [●○]{3} (?P<difficulty>\w+) · (?P<minutes>\d+) minutes?<"
)
BY_HAND = re.compile(
    r"\*\*Exercise[^*]*\*\* \*\((?P<minutes>\d+) minutes?, (?P<difficulty>easy|medium|hard)\)"
)

each_lesson = pytest.mark.parametrize("name", NAMES)
each_kind = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def lesson_of(name):
    return read_lessons(ROOT, [name.partition("_")[0]])[0]


@functools.lru_cache(maxsize=2)  # both copies of one lesson: its tests run one after the other
def committed(name, kind):
    """Return a notebook as it lies there, read once for all tests of its lesson: change a copy only."""
    return nbformat.read(notebook_path(ROOT, lesson_of(name), kind), as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose_words(text):
    """Count the words of a text cell, its tables and banners left out."""
    return sum(len(line.split()) for line in text.splitlines() if not line.startswith(("|", "<")))


def test_there_are_lessons():
    assert len(NAMES) >= 2
    assert NAMES[0] == "00_start_here"


def test_notebooks_agree_with_their_sources():
    assert problems(ROOT, read_lessons(ROOT)) == []


@each_kind
@each_lesson
def test_file_is_slim_and_was_run_in_order(name, kind):
    path, notebook = notebook_path(ROOT, lesson_of(name), kind), committed(name, kind)
    nbformat.validate(notebook)
    assert path.stat().st_size <= SIZE
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    failed = [c.id for c in cells if any(o.output_type == "error" for o in c.outputs)]
    assert [c.id for c in cells if c.id in failed and not tagged(c, "raises-exception")] == []
    assert [c.id for c in cells if tagged(c, "raises-exception") and c.id not in failed] == []
    assert [c.id for c in cells if any(o.get("name") == "stderr" for o in c.outputs)] == []


@each_kind
@each_lesson
def test_pictures_decode_and_are_not_blank(name, kind):
    seen = 0
    for cell in code_cells(committed(name, kind)):
        for output in cell.outputs:
            for mime in {"image/png", "image/jpeg"} & set(output.get("data", {})):
                picture = Image.open(io.BytesIO(base64.b64decode(output.data[mime]))).convert("RGB")
                assert PIXELS[0] <= min(picture.size), f"{cell.id}: {picture.size}"
                assert max(picture.size) <= PIXELS[1], f"{cell.id}: {picture.size}"
                assert np.asarray(picture).std() > 1, f"{cell.id}: a picture of one colour"
                seen += 1
    assert seen


@each_kind
@each_lesson
def test_every_widget_has_a_static_picture_and_text(name, kind):
    views = [
        o.data for c in code_cells(committed(name, kind)) for o in c.outputs if WIDGET in o.get("data", {})
    ]
    assert len(views) >= (1 if lesson_of(name).draft else WIDGETS)
    for data in views:
        assert {"text/plain"} < set(data)
        assert {"image/png", "image/jpeg"} & set(data), data["text/plain"]


@each_kind
@each_lesson
def test_checks_say_what_they_should(name, kind):
    """A solution notebook is green throughout; a student's has only stubs, and says so."""
    word = "Not attempted" if kind == "student" else "Right"
    checks = {
        found[1]: "".join(o.get("data", {}).get("text/plain", "") + o.get("text", "") for o in cell.outputs)
        for cell in code_cells(committed(name, kind))
        if (found := re.search(r"^check\((\w+)\)", cell.source, re.MULTILINE))
    }
    assert set(checks) == set(lesson_of(name).exercises())
    assert {exercise: text.split(":")[0] for exercise, text in checks.items()} == dict.fromkeys(checks, word)


@each_lesson
def test_lesson_has_its_parts(name):
    cells = inputs(lesson_of(name), "solution").cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    everything = "\n\n".join(prose)
    assert prose[0].startswith("# ")
    assert "?" in prose[0], "the first cell asks the lesson's question"
    assert re.search(r"\d+ minutes", prose[0]), "the first cell says how many minutes"
    setup = [cell for cell in cells if tagged(cell, "setup")]
    assert len(setup) == 1
    assert code_lines(setup[0]) <= SETUP_LINES
    least = 1 if lesson_of(name).draft else FEWER.get(name, EXERCISES)
    assert len(lesson_of(name).exercises()) >= least
    for part in ("in the library", "where it breaks", "sources"):
        assert re.search(rf"(\*\*|^#+ ){part}", everything, re.IGNORECASE | re.MULTILINE), part
    sources = re.split(r"(?:\*\*|^#+ )sources", everything, flags=re.IGNORECASE | re.MULTILINE)[-1]
    assert re.search(r"\]\(https?://", sources), "the sources have links"
    recap = re.search(r"^#+ Recap\n(.*?)(?=^#|\Z)", everything, re.MULTILINE | re.DOTALL)
    assert recap, "a recap"
    assert 1 <= len(re.findall(r"^[-*] ", recap[1].split("\n\n**")[0], re.MULTILINE)) <= BULLETS


@each_lesson
def test_cells_are_short(name):
    cells = inputs(lesson_of(name), "solution").cells
    long_code = {
        c.id: n for c in cells if c.cell_type == "code" and (n := len(c.source.splitlines())) > CODE_LINES
    }
    assert long_code == {}
    words = {c.id: n for c in cells if c.cell_type == "markdown" and (n := prose_words(c.source)) > WORDS}
    assert words == {}


@each_lesson
def test_each_exercise_states_minutes_and_difficulty(name):
    prose = ""
    for cell in inputs(lesson_of(name), "solution").cells:
        if cell.cell_type == "markdown":
            prose = cell.source
        if tagged(cell, "exercise"):
            said = BANNER.search(prose) or BY_HAND.search(prose)
            assert said, cell.id
            asked = [registry.find(found) for found in re.findall(r"(?:`|<code>)(\w+)", said[0])]
            assert int(said["minutes"]) == sum(exercise.minutes for exercise in asked), said[0]
            assert {said["difficulty"]} == {exercise.difficulty for exercise in asked}, said[0]


def shown(cell):
    """A cell's outputs, without the number that each widget's view gets."""
    outputs = copy.deepcopy(cell.outputs)
    for output in outputs:
        output.get("data", {}).pop(WIDGET, None)
    return outputs


@each_lesson
def test_the_students_outputs_are_the_solutions(name):
    """Byte for byte, pictures too, but for checks and volatile cells: what the solution's run proves holds for both."""
    solved = {cell.id: cell for cell in code_cells(committed(name, "solution"))}
    compared = 0
    for cell in code_cells(committed(name, "student")):
        if cell.source != solved[cell.id].source or tagged(cell, KEEP):
            continue
        if not re.search(r"^(check|progress)\(", cell.source, re.MULTILINE):
            assert shown(cell) == shown(solved[cell.id]), cell.id
            compared += 1
    assert compared >= len(solved) / 2


def with_authors_cells(notebook, lesson, kind):
    """Put the author's cells of the source, whose outputs nobody compares, into a solution that was run."""
    ran = {cell.id: cell for cell in copy.deepcopy(notebook.cells)}
    whole = inputs(lesson, kind, author=True)
    whole.cells = [ran.get(cell.id, cell) for cell in whole.cells]
    for cell in whole.cells:
        if tagged(cell, AUTHOR):
            cell.metadata.tags.append(KEEP)
    return whole


@pytest.mark.parametrize("kind", ["solution", pytest.param("student", marks=pytest.mark.exhaustive)])
@each_lesson
def test_runs_offline_with_the_committed_outputs(name, kind, tmp_path, record_property):
    """nbval runs it in an empty folder with the network blocked; nothing even tries to get out."""
    lesson, notebook = lesson_of(name), committed(name, kind)
    whole = with_authors_cells(notebook, lesson, kind)
    run = run_nbval(whole, tmp_path)
    assert run.code == 0, run.text[-6000:]
    assert run.attempts == []
    counts = count(notebook)
    figures = {"name": f"{name} {kind}", "checks": counts["check"]} | run.figures
    record_property("notebook", figures)
    assert run.figures["cells"] == len(code_cells(whole)), "an honest run: nothing skipped"
    assert {what: counts[what] for what, least in lesson.minimum.items() if counts[what] < least} == {}
    assert figures["left"] == [], "written beside the notebook; a lesson writes to tempfile.mkdtemp()"
    assert figures["memory"] < MEMORY
    assert figures["own"] < OWN_MORE.get(name, OWN)
