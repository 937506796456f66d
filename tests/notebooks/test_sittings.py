"""A lesson in sittings: their minutes add up, and each goes on in a fresh kernel from its `again` cell."""

import re
import subprocess
import sys

import pytest
from support.sealed import ROOT
from support.sittings import alone, code_lines, forgetful, header, sections, tagged

from cvlab.course.compose import inputs, read_lessons
from cvlab.course.execute import CellError, run_notebook

AGAIN_LINES, LONGEST = 6, 60  # lines of an `again` cell; minutes of a sitting
SOLVED = {lesson.name: inputs(lesson, "solution") for lesson in read_lessons(ROOT)}
PARTS = [
    pytest.param(part, id=f"{name}-{number}")
    for name, notebook in SOLVED.items()
    for number, part in enumerate(alone(notebook), 1)
]


@pytest.mark.parametrize("name", SOLVED)
def test_minutes_add_up(name):
    """The header's total is the sum of its sittings, and each sitting the sum of its sections."""
    (total, sittings), minutes = header(SOLVED[name]), sections(SOLVED[name])
    assert list(minutes) == list(range(1, len(minutes) + 1))
    assert total == sum(minutes.values())
    if not sittings:
        assert total <= LONGEST, f"at most {LONGEST} minutes at one go: name the sittings in the first cell"
    assert [n for s in sittings for n in range(s.first, s.last + 1)] == (list(minutes) if sittings else [])
    for sitting in sittings:
        assert sitting.minutes == sum(minutes[n] for n in range(sitting.first, sitting.last + 1)), sitting
        assert sitting.minutes <= LONGEST, sitting


@pytest.mark.parametrize("name", SOLVED)
def test_each_later_sitting_begins_with_an_again_cell(name):
    _, sittings = header(SOLVED[name])
    parts = alone(SOLVED[name])
    assert [list(sections(part)) for part in parts[1:]] == [
        list(range(s.first, s.last + 1)) for s in sittings[1:]
    ], "the sections from one `again` cell to the next are those that the first cell promises"
    for cell in SOLVED[name].cells:
        if tagged(cell, "again"):
            assert code_lines(cell) <= AGAIN_LINES, cell.id


@pytest.mark.parametrize("part", PARTS)
def test_a_sitting_uses_no_name_of_an_earlier_one(part):
    """Names alone, but in every line, those of solved exercises too; test_colab.py runs the student's sittings so."""
    code = "\n\n".join(cell.source for cell in part.cells if cell.cell_type == "code")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821", "--quiet", "-"]
    done = subprocess.run(command, input=code, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", PARTS)
def test_a_solved_sitting_runs_alone_and_every_check_is_right(part):
    run_notebook(part, timeout=600)
    for cell in part.cells:
        if re.search(r"^check\(", cell.source, re.MULTILINE):
            shown = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
            assert shown.startswith("Right"), f"{cell.id}: {shown}"


def test_a_missing_name_and_a_wrong_sum_are_noticed():
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    first = new_markdown_cell("# A\n\n*30 minutes, in two sittings: sections 1 (10 min), 2 to 3 (20 min).*")
    texts = [new_markdown_cell(f"## {n} · Title *({m} min)*") for n, m in ((1, 10), (2, 15), (3, 5))]
    again = new_code_cell("b = 2", metadata={"tags": ["again"]})
    setup = new_code_cell("", metadata={"tags": ["setup"]})
    cells = [first, setup, texts[0], new_code_cell("a = 1"), again, *texts[1:], new_code_cell("a + b")]
    trial = new_notebook(cells=cells)
    assert header(trial)[0] == 30
    assert [(s.first, s.last, s.minutes) for s in header(trial)[1]] == [(1, 1, 10), (2, 3, 20)]
    assert sections(trial) == {1: 10, 2: 15, 3: 5}
    one, two = alone(trial)
    assert [cell.source for cell in one.cells if cell.cell_type == "code"] == ["", "a = 1"]
    assert [cell.source for cell in two.cells if cell.cell_type == "code"] == ["", "b = 2", "a + b"]
    once = forgetful(trial)
    sources = [cell.source for cell in once.cells if cell.cell_type == "code"]
    assert sources == ["", "a = 1", "%reset -f", "b = 2", "a + b"]
    with pytest.raises(CellError, match="name 'a' is not defined"):
        run_notebook(once, timeout=600)
    with pytest.raises(AssertionError, match="Undefined name `a`"):
        test_a_sitting_uses_no_name_of_an_earlier_one(two)
