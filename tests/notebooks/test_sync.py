"""What a lesson writes out in full is what the package has: core cells and solutions, compared as code."""

import ast
import functools
import inspect
import textwrap
from pathlib import Path

import pytest

from cvlab.checks._engine import registry
from cvlab.course.compose import read_lessons
from cvlab.course.source import definitions, solved

ROOT = Path(__file__).resolve().parents[2]
LESSONS = read_lessons(ROOT)


TOP = ("checks", "widgets", "course")
MODULES = {path.stem for path in (ROOT / "cvlab").glob("*/*.py") if path.parent.name not in TOP}


REGISTER = "an exercise of the source is an `X = Exercise(...)` in cvlab/checks/<the lesson's word>/, named in its EXERCISES"


class _Bare(ast.NodeTransformer):
    """Takes out what a notebook does without: docstrings, annotations, decorators, imports in functions."""

    def visit_FunctionDef(self, node):
        node.decorator_list, node.returns = [], None
        node.body = [part for part in node.body if not isinstance(part, ast.Import | ast.ImportFrom)]
        return self._without_docstring(node)

    def visit_ClassDef(self, node):
        node.decorator_list = []
        return self._without_docstring(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_Attribute(self, node):
        """`loop.accuracy` and `accuracy` are one function: the lesson imports a module, the module itself does not."""
        if isinstance(node.value, ast.Name) and node.value.id in MODULES:
            return ast.Name(node.attr, node.ctx)
        return self.generic_visit(node)

    def _without_docstring(self, node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)


def bare(node: ast.AST) -> str:
    """Return a function's or class's code, as text, without what may differ."""
    copy = ast.parse(ast.unparse(node)).body[0]
    return ast.unparse(_Bare().visit(copy))


@functools.cache
def package() -> dict[str, dict[str, ast.AST]]:
    """Return what each file of the package defines, read once for all tests."""
    paths = sorted((ROOT / "cvlab").rglob("*.py"))
    return {str(path.relative_to(ROOT)): definitions(path.read_text(encoding="utf-8")) for path in paths}


def package_copies(name: str) -> dict[str, str]:
    return {path: bare(nodes[name]) for path, nodes in package().items() if name in nodes}


CORE = [
    pytest.param(node, id=f"{lesson.number}-{name}")
    for lesson in LESSONS
    for cell in lesson.cells
    if "core" in cell.tags
    for name, node in definitions(cell.source).items()
]
SOLVED = [
    pytest.param(lesson, node, id=f"{lesson.number}-{name}")
    for lesson in LESSONS
    for cell in solved(lesson).cells
    if "exercise" in cell.tags
    for name, node in definitions(cell.source).items()
    if name in lesson.exercises()
]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_core_cells_define_something(lesson):
    empty = [cell.lines[0] for cell in lesson.cells if "core" in cell.tags and not definitions(cell.source)]
    assert empty == [], "lines of core cells without a function or class"


@pytest.mark.parametrize("node", CORE)
def test_core_function_is_the_packages(node):
    copies = package_copies(node.name)
    assert copies, (
        f"a cell tagged core stands in the package too: write {node.name} in cvlab/<the lesson's word>/"
    )
    assert bare(node) in copies.values(), f"\nlesson:\n{bare(node)}\n\npackage {copies}"


@pytest.mark.parametrize(("lesson", "node"), SOLVED)
def test_solution_is_the_checks_reference(lesson, node):
    assert node.name in registry.names(), f"no check knows {node.name}: {REGISTER}"
    exercise = registry.find(node.name)
    assert exercise.lesson == lesson.number
    reference = ast.parse(textwrap.dedent(inspect.getsource(exercise.reference))).body[0]
    assert bare(node) == bare(reference)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_checks_and_lesson_have_the_same_exercises(lesson):
    known = [name for name in registry.names() if registry.find(name).lesson == lesson.number]
    assert known == list(lesson.exercises()), REGISTER


def test_comparison_notices_a_change_and_forgives_documentation():
    one = definitions("@checked\ndef f(a: int) -> int:\n    'Doc.'\n    import torch\n    return a + 1")["f"]
    same = definitions("def f(a):\n    return a + 1  # why")["f"]
    other = definitions("def f(a):\n    return a + 2")["f"]
    assert bare(one) == bare(same)
    module = definitions("def f(a):\n    return loop.accuracy(a).loop")["f"]
    assert bare(module) == bare(definitions("def f(a):\n    return accuracy(a).loop")["f"])
    assert bare(one) != bare(other)
