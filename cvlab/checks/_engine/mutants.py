"""Mutants: a right answer with one slip in it, made by machine; a check that lets one pass has a hole."""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cvlab.checks._engine.slips import Slips
from cvlab.checks._engine.versions import source

__all__ = ["EndlessError", "Mutant", "mutants"]

_STEPS = 20_000  # turns of all loops together, after which a mutant counts as endless


class EndlessError(Exception):
    """The loops of a mutant have turned too often."""


@dataclass(frozen=True)
class Mutant:
    """One slip: `text` is the changed line as it reads now, or says which line is gone or moved."""

    text: str
    function: Callable


def mutants(reference: Callable) -> list[Mutant]:
    """Return every mutant of a function or class: operators, constants, indices, arguments, omitted lines ...

    Each has exactly one slip. Mutants of the same code are given once; lines that read the same are numbered.

    Example:
        >>> from cvlab.convolutions.arithmetic import output_size
        >>> [mutant.text for mutant in mutants(output_size)][:2]
        ['without reach = dilation * (kernel - 1) + 1', 'reach = dilation * (kernel - 1) - 1']
    """
    scope = vars(sys.modules[reference.__module__])
    tree = ast.parse(source(reference))
    _drop_docstrings(tree)
    right = ast.unparse(tree)
    texts: dict[str, str] = {}  # the code of each mutant -> its text
    for code in _slipped(tree, scope):
        if code != right and code not in texts:
            text, number = _changed_line(right, code), 1
            while text in texts.values():
                text, number = f"{text.split(' (#')[0]} (#{number + 1})", number + 1
            texts[code] = text
    name = reference.__name__
    return [Mutant(text, _compiled(code, name, scope)) for code, text in texts.items()]


def _slipped(tree: ast.Module, scope: dict) -> Iterator[str]:
    """Yield the code with one slip in it, for every slip; the tree is as before in the end."""
    slips = Slips(tree, scope)
    for place in list(_places(tree.body[0])):
        for slip in slips.visit(place.node):
            place.put(ast.fix_missing_locations(slip))
            yield ast.unparse(tree)
            place.put(place.node)
    for node in [node for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]:
        body = node.body
        for i, pair in enumerate(zip(body, body[1:], strict=False)):
            if not _independent(*pair):
                node.body = [*body[:i], *reversed(pair), *body[i + 2 :]]
                yield ast.unparse(tree)
        node.body = body


def _independent(first: ast.stmt, second: ast.stmt) -> bool:
    """Tell whether two neighbouring lines can change places: each only names a value the other does not use."""
    if any(isinstance(line, ast.Import | ast.ImportFrom) for line in (first, second)):
        return True
    if not all(isinstance(line, ast.Assign | ast.FunctionDef) for line in (first, second)):
        return False
    names = [[node for node in ast.walk(line) if isinstance(node, ast.Name)] for line in (first, second)]
    stored = [{name.id for name in group if isinstance(name.ctx, ast.Store)} for group in names]
    used = [{name.id for name in group} for group in names]
    return not (stored[0] & used[1] or stored[1] & used[0])


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]


def _changed_line(right: str, wrong: str) -> str:
    lines, now = right.splitlines(), wrong.splitlines()
    pairs = zip(lines, [*now, *[""] * len(lines)], strict=False)
    index = next((i for i, (old, new) in enumerate(pairs) if old != new), len(lines))
    old, new = lines[index].strip(), now[index].strip()
    if new == "pass":
        return f"without {old}"
    if old.startswith("with "):
        return f"what stands in {old}"
    return f"{new} before {old}" if sorted(lines) == sorted(now) else new


def _compiled(code: str, name: str, scope: dict) -> Callable:
    """Return the mutant in the reference's surroundings; its loops count their turns."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.While):
            node.body.insert(0, ast.parse("_turn()").body[0])
    turns = 0

    def _turn() -> None:
        nonlocal turns
        turns += 1
        if turns > _STEPS:
            raise EndlessError

    scope = scope | {"_turn": _turn}
    exec(compile(tree, "<mutant>", "exec"), scope)
    return scope[name]


@dataclass
class _Place:
    """Where a node hangs in the tree."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _places(node: ast.AST) -> Iterator[_Place]:
    """Yield every node below `node` that is code: no annotations, parameters or defaults, no `strict=True`."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "args", "decorator_list", "bases") and not isinstance(
            node, ast.Call
        ):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST) and getattr(child, "arg", "") != "strict":
                yield _Place(node, field, index, child)
                yield from _places(child)
