"""What a lesson's page is like: the lesson in the learner's cells, the author's tests elsewhere."""

import ast
import re

import pytest
from support.sealed import ROOT

from cvlab.course.compose import read_lessons

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
