"""Two versions of a function side by side: the reference's code and the learner's own."""

import ast
import difflib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from cvlab.checks._engine.markup import safe

__all__ = ["bare", "beside", "body", "learners_source", "source"]

_FONT = "font-family: var(--jp-code-font-family, monospace); font-size: 0.92em; line-height: 1.45"
_PRE = f"{_FONT}; margin: 0; padding: 0; white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; color: inherit; background: none"
_MARKED = {  # sign, word, colours that stay readable on a light and on a dark page
    "-": ("&minus;", "only here:", "rgba(0, 114, 178, 0.18)", "#0072B2"),
    "+": ("+", "only here:", "rgba(0, 158, 115, 0.20)", "#009E73"),
}


def source(function: Callable) -> str:
    """Return the source of a function or class without its decorators."""
    text = textwrap.dedent(inspect.getsource(function))
    first = ast.parse(text).body[0].lineno - 1  # the line of def or class
    return "\n".join(text.splitlines()[first:]).rstrip()


def learners_source(function: Any) -> str:
    """Return the code that a learner wrote, "" where there is none: a name, a stub, something without source."""
    if not callable(function):
        return ""
    try:
        text = source(function)
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""
    except Exception:  # an object whose own methods fail
        return ""
    return "" if "raise NotImplementedError" in text else text


def bare(code: str) -> str:
    """Return the code of a function or class without docstrings and annotations; comments stay.

    Example:
        >>> print(bare('def twice(x: int) -> int:\\n    \"\"\"Double it.\"\"\"\\n    return 2 * x  # even'))
        def twice(x):
            return 2 * x  # even
    """
    lines = code.splitlines()
    nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    for node in sorted(nodes, key=lambda n: -n.lineno):
        docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
        first = node.body[0].lineno
        if first == node.lineno:
            continue  # all on one line
        if docstring and len(node.body) > 1:
            del lines[docstring.lineno - 1 : docstring.end_lineno]
            while docstring.lineno <= len(lines) and not lines[docstring.lineno - 1].strip():
                del lines[docstring.lineno - 1]
        if isinstance(node, ast.FunctionDef):
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            node.returns, node.decorator_list, node.body = None, [], [ast.Pass()]
            head = ast.unparse(node).splitlines()[0]
            lines[node.lineno - 1 : first - 1] = [" " * node.col_offset + head]
    return "\n".join(line.rstrip() for line in lines).rstrip()


def body(code: str) -> str:
    """Return what a function does, without its head, docstring, comments and spaces at will; "" for no function."""
    tree = ast.parse(code).body if code else []
    if not tree or not isinstance(tree[0], ast.FunctionDef):
        return ""
    rest = tree[0].body[1:] if ast.get_docstring(tree[0]) is not None else tree[0].body
    return "\n".join(map(ast.unparse, rest))


def beside(own: str, reference: str) -> str:
    """Return two columns as HTML, the learner's code and the reference's, what differs marked by sign and colour."""
    left, right = own.splitlines(), reference.splitlines()
    marks = {"-": set(), "+": set()}
    for tag, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag != "equal":
            marks["-"].update(range(i, j))
            marks["+"].update(range(k, m))
    columns = _column("Yours", left, "-", marks["-"]) + _column("One right answer", right, "+", marks["+"])
    return f'<div style="display: flex; flex-wrap: wrap; gap: 8px 20px; margin: 6px 0">{columns}</div>'


def _column(label: str, lines: list[str], sign: str, marked: set[int]) -> str:
    shown = "".join(_line(text, sign if index in marked else "") for index, text in enumerate(lines))
    return (
        f'<div role="group" aria-label="{label}" style="flex: 1 1 27em; min-width: 0">'
        f'<div style="font-weight: bold">{label}</div><pre style="{_PRE}">{shown}</pre></div>'
    )


def _line(text: str, sign: str) -> str:
    """Return one line of code; where it is too long, it goes on indented by four more."""
    hang = len(text) - len(text.lstrip()) + 4
    layout = f"display: block; padding-left: calc(1.6em + {hang}ch); text-indent: -{hang}ch; border-left: 3px solid "
    shown = f"{safe(text) or ' '}\n</span>"
    if not sign:
        return f'<span style="{layout}transparent">{shown}'
    mark, word, ground, edge = _MARKED[sign]
    gutter = "display: inline-block; width: 1.6em; margin-left: -1.6em; text-indent: 0; text-align: center; font-weight: bold"
    return (
        f'<span style="{layout}{edge}; background: {ground}">'
        f'<span role="img" aria-label="{word}" style="{gutter}">{mark}</span>{shown}'
    )
