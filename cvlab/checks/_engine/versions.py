"""Two versions of a function side by side: the reference's code and the learner's own."""

import ast
import difflib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from cvlab.checks._engine.markup import safe

__all__ = ["bare", "beside", "body", "learners_source", "source"]

_FONT = "font-family: monospace; font-size: 0.92em; line-height: 1.45"
_PRE = f"{_FONT}; margin: 0; padding: 0; white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; color: inherit; background-color: transparent"
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
    lines = [line.encode() for line in code.splitlines()]  # ast counts bytes
    nodes = list(ast.walk(ast.parse(code)))
    for row, start, end, text in sorted(
        (e for node in nodes for e in _annotations(node, lines)), reverse=True
    ):
        lines[row] = lines[row][:start] + text + lines[row][end:]
    for first, last in sorted((span for node in nodes for span in _docstring(node)), reverse=True):
        del lines[first:last]
        while first < len(lines) and not lines[first].strip():
            del lines[first]
    return "\n".join(line.decode().rstrip() for line in lines).rstrip()


def _annotations(node: ast.AST, lines: list[bytes]) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (row, start, end, text in its place) of what a node annotates within one line."""
    if isinstance(node, ast.arg) and node.annotation and node.lineno == node.end_lineno:
        start, end, line = (
            node.col_offset + len(node.arg.encode()),
            node.end_col_offset,
            lines[node.lineno - 1],
        )
        default = line[end:].startswith(b" = ")
        yield node.lineno - 1, start, end + 3 * default, b"=" * default
    returns = getattr(node, "returns", None)
    if isinstance(returns, ast.expr) and returns.lineno == returns.end_lineno:
        start = lines[returns.lineno - 1].rfind(b" ->", 0, returns.col_offset)
        if start >= 0:
            yield returns.lineno - 1, start, returns.end_col_offset, b""


def _docstring(node: ast.AST) -> Iterator[tuple[int, int]]:
    """Yield the lines of a docstring that others follow."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None:
        first = node.body[0]
        if len(node.body) > 1 and node.lineno < first.lineno and first.end_lineno < node.body[1].lineno:
            yield first.lineno - 1, first.end_lineno


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
    hang = 0.6 * (len(text) - len(text.lstrip()) + 4)  # em: a letter of a code font is about so wide
    layout = f"display: block; padding-left: {1.6 + hang:.1f}em; text-indent: -{hang:.1f}em; border-left: 3px solid "
    shown = f"{safe(text) or ' '}\n</span>"
    if not sign:
        return f'<span style="{layout}transparent">{shown}'
    mark, word, ground, edge = _MARKED[sign]
    gutter = "display: inline-block; width: 1.6em; margin-left: -1.6em; text-indent: 0; text-align: center; font-weight: bold"
    return (
        f'<span style="{layout}{edge}; background-color: {ground}">'
        f'<span role="img" aria-label="{word}" style="{gutter}">{mark}</span>{shown}'
    )
