"""What a lesson's page is like: the lesson in the learner's cells, the author's tests elsewhere."""

import ast
import re

import nbformat
import pytest
from support.sealed import ROOT

from cvlab.course.banner import MARK
from cvlab.course.compose import notebook_path, read_lessons
from cvlab.course.execute import WIDGET
from cvlab.course.pictures import SIZE, cover, trimmed
from cvlab.course.source import solved

FITS, WIDEST, WIDE_SHARE = 66, 100, 0.1  # characters of a line of code; the share of lines that may be wider
COVERED = 0.6  # of the README's small picture
FIRST_CELLS = 4  # code cells, the set-up cell among them
THING = "(?:picture|figure|plot|chart|widget|table|image)s?"
PLACES = re.compile(
    rf"(?:above|below|under|beneath|beside|next to|to the (?:left|right) of) the {THING}"
    rf"|the {THING} (?:above|below|beside|at the (?:left|right)|on the (?:left|right))"
)
LESSONS = {lesson.name: lesson for lesson in read_lessons(ROOT)}
each_lesson = pytest.mark.parametrize("name", LESSONS)


def judge(lesson, rule: str, found: list) -> None:
    """Fail when something was found; a line `# not yet: rule` above a lesson's first cell expects it until it is mended."""
    preamble = (ROOT / lesson.path).read_text(encoding="utf-8").split("# %%")[0]
    said = re.search(r"^# not yet: (.+)$", preamble, re.MULTILINE)
    if rule in (said[1].split(", ") if said else []):
        assert found, f"{lesson.path} keeps the rule {rule!r}: take it out of its line '# not yet:'"
    else:
        assert found == [], f"{lesson.path}: {rule}"


def committed(name):
    return nbformat.read(notebook_path(ROOT, LESSONS[name], "student"), as_version=4)


def code(lesson):
    return [cell for cell in lesson.page if cell.kind == "code"]


@each_lesson
def test_learners_cells_have_no_assert(name):
    lesson = LESSONS[name]
    lines = [
        cell.lines[node.lineno - 1]
        for cell in code(lesson)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Assert)
    ]
    judge(lesson, "assert", lines)


@each_lesson
def test_task_code_and_check_of_an_exercise_stand_together(name):
    """A text cell that begins with the mark, for which the build writes the banner; the exercise; its check."""
    lesson = LESSONS[name]
    found = []
    for n, cell in enumerate(lesson.page):
        if "exercise" in cell.tags:
            before, after = lesson.page[n - 1], lesson.page[n + 1]
            (exercise,) = [word for word in lesson.exercises() if lesson.exercises()[word] == cell.lines[0]]
            whole = before.source.startswith(MARK) and re.search(
                rf"^check\({exercise}\)$", after.source, re.M
            )
            found += [] if whole else [exercise]
    judge(lesson, "banner", found)


@each_lesson
def test_code_fits_a_narrow_window(name):
    """800 px hold 66 characters of code; a line that is better whole may be longer, up to a limit."""
    lesson = LESSONS[name]
    lines = [
        (number, len(line))
        for cell in solved(lesson).cells
        if cell.kind == "code"
        for number, line in zip(cell.lines, cell.source.split("\n"), strict=False)
        if line
    ]
    wide = [number for number, length in lines if length > FITS]
    too_wide = [number for number, length in lines if length > WIDEST]
    judge(lesson, "lines", too_wide if len(wide) <= WIDE_SHARE * len(lines) else wide)


@each_lesson
def test_text_leaves_the_layout_open(name):
    """Whether a caption or a slider stands below a picture or beside it is the window's business."""
    lesson = LESSONS[name]
    texts = [cell.source for cell in lesson.page if cell.kind == "markdown"]
    found = [match[0] for text in texts for match in PLACES.finditer(" ".join(text.split()))]
    judge(lesson, "places", found)


@each_lesson
def test_something_answers_on_the_first_screen(name):
    cells = [cell for cell in committed(name).cells if cell.cell_type == "code"][:FIRST_CELLS]
    live = any(WIDGET in output.get("data", {}) for cell in cells for output in cell.outputs)
    judge(LESSONS[name], "live", [] if live else [f"no widget in the first {FIRST_CELLS} code cells"])


@each_lesson
def test_the_last_cell_shows_what_was_solved(name):
    lesson = LESSONS[name]
    *_, last = [cell.source for cell in lesson.page if cell.kind == "code"]
    judge(lesson, "last", [] if last.endswith(f'progress("{lesson.number}")') else [last])


@each_lesson
def test_the_cover_is_readable_when_small(name):
    """The README shows it in 240 x 150: one that is much wider or higher would leave most of that white."""
    lesson = LESSONS[name]
    if lesson.draft:
        pytest.skip("the README shows no draft")
    width, height = trimmed(cover(notebook_path(ROOT, lesson, "student"))).size
    scale = min(SIZE[0] / width, SIZE[1] / height)
    share = scale**2 * width * height / (SIZE[0] * SIZE[1])
    judge(
        lesson, "cover", [] if share >= COVERED else [f"{share:.0%} covered; tag the cell of another picture"]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Read the words under the picture.", "under the picture"),
        ("the figure\nbelow shows", "the figure below"),
        ("the sliders to the right of the picture", "to the right of the picture"),
        ("what stands next to the chart", "next to the chart"),
        ("the area under the curve; go on below; the picture gets brighter to the right", None),
    ],
)
def test_words_for_places_are_noticed(text, said):
    found = PLACES.search(" ".join(text.split()))
    assert (found and found[0]) == said
