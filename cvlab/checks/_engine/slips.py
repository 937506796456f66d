"""The slips that make a mutant: what a hasty learner may write in place of one node of the right answer."""

import ast
from collections.abc import Sequence
from types import ModuleType

__all__ = ["Slips"]

_OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Add, ast.Div],
    ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Mult, ast.Div],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)
_PAIRS = ["min max", "minimum maximum", "sum mean", "zeros ones", "floor ceil", "argmin argmax", "any all"]
_PAIRS += ["log log10", "train eval", "float int", "float32 float64", "cumsum cumprod", "values indices"]
_TWINS = dict(pair.split() for pair in _PAIRS)
_TWINS |= {second: first for first, second in _TWINS.items()} | {"sorted": "list", "reversed": "list"}
_SYMMETRIC = ("min", "max", "minimum", "maximum", "zip")  # their arguments may stand in any order


class Slips(ast.NodeVisitor):
    """Ask it for a node's slips: the nodes that a hasty learner may have written in its place."""

    def __init__(self, tree: ast.Module, scope: dict):
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        self.scope = scope
        self.parameters = [[a.arg for a in f.args.args if a.arg != "self"] for f in functions]

    def generic_visit(self, node: ast.AST) -> list[ast.AST]:
        return [ast.Pass()] if isinstance(node, ast.stmt) else []

    def visit_Pass(self, node):
        return []

    visit_Import = visit_ImportFrom = visit_Pass

    def visit_Return(self, node):
        return []  # None is refused everywhere

    def visit_Break(self, node):
        return [ast.Pass(), ast.Continue()]

    def visit_Continue(self, node):
        return [ast.Pass(), ast.Break()]

    def visit_AugAssign(self, node):
        others = [ast.AugAssign(node.target, other(), node.value) for other in _others(node.op)]
        return [ast.Pass(), *others, ast.Assign([node.target], node.value)]

    def visit_For(self, node):
        loops = [ast.For(node.target, part, node.body, node.orelse) for part in _parts(node.iter)]
        return [ast.Pass(), *loops]

    def visit_If(self, node):
        changed = [ast.If(test, node.body, node.orelse) for test in (_not(node.test), ast.Constant(True))]
        return [ast.Pass(), *changed, *([ast.If(node.test, node.body, [])] if node.orelse else [])]

    def visit_With(self, node):
        return [ast.Pass(), ast.If(ast.Constant(True), node.body, [])]

    def visit_BinOp(self, node):
        others = [ast.BinOp(node.left, other(), node.right) for other in _others(node.op)]
        swapped = [ast.BinOp(node.right, node.op, node.left)] if isinstance(node.op, _ORDERED) else []
        return [*others, *swapped, node.left, node.right]

    def visit_UnaryOp(self, node):
        return [node.operand]

    def visit_BoolOp(self, node):
        parts = [ast.BoolOp(node.op, values) for values in _without_one(node.values)]
        return [*(ast.BoolOp(other(), node.values) for other in _others(node.op)), *parts]

    def visit_Compare(self, node):
        return [ast.Compare(node.left, [other()], node.comparators) for other in _others(node.ops[0])]

    def visit_IfExp(self, node):
        return [node.body, node.orelse, ast.IfExp(_not(node.test), node.body, node.orelse)]

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            return [ast.Constant(not value)]
        if isinstance(value, int):
            return [ast.Constant(other) for other in (value + 1, value - 1)]
        if isinstance(value, float):
            return [ast.Constant(other) for other in (value * 2, value + 1)]
        return [ast.Constant("_" + value)] if isinstance(value, str) else []

    def visit_Name(self, node):
        if not isinstance(node.ctx, ast.Load):
            return []
        twins = [_TWINS[node.id]] if node.id in _TWINS else []
        others = [p for names in self.parameters if node.id in names for p in names if p != node.id]
        return [ast.Name(name, ast.Load()) for name in [*twins, *others]]

    def visit_Attribute(self, node):
        twins = [ast.Attribute(node.value, _TWINS[node.attr], node.ctx)] if node.attr in _TWINS else []
        return [*twins, *([node.value] if node.attr == "T" else [])]

    def visit_Tuple(self, node):
        return [ast.Tuple(elements, node.ctx) for elements in _swapped(node.elts)]

    def visit_List(self, node):
        return [ast.List(part, node.ctx) for part in [*_swapped(node.elts), *_without_one(node.elts)]]

    def visit_Dict(self, node):
        pairs = list(zip(node.keys, node.values, strict=True))
        return [ast.Dict(*map(list, zip(*rest, strict=True))) for rest in _without_one(pairs)]

    def visit_comprehension(self, node):
        loops = [ast.comprehension(node.target, part, node.ifs, 0) for part in _parts(node.iter)]
        return loops + [ast.comprehension(node.target, node.iter, ifs, 0) for ifs in _without_one(node.ifs)]

    def visit_Slice(self, node):
        starts = _near(node.lower) if node.lower else [ast.Constant(1)]
        ends = _near(node.upper) if node.upper else [ast.Constant(-1)]
        shorter = [ast.Slice(lower, node.upper, node.step) for lower in [*starts, None]]
        shorter += [ast.Slice(node.lower, upper, node.step) for upper in [*ends, None]]
        return [*shorter, *([ast.Slice(node.lower, node.upper, None)] if node.step else [])]

    def visit_Subscript(self, node):
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        result = [node.value] if isinstance(node.ctx, ast.Load) else []
        for i, item in enumerate(items):
            for other in [] if isinstance(item, ast.Slice | ast.Constant) else _near(item):
                changed = [*items[:i], other, *items[i + 1 :]]
                index = ast.Tuple(changed, ast.Load()) if len(items) > 1 else other
                result.append(ast.Subscript(node.value, index, node.ctx))
        return result

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        result = [ast.Call(node.func, args, node.keywords) for args in _swapped(node.args)]
        result += [ast.Call(node.func, node.args, rest) for rest in _without_one(node.keywords)]
        if name in _SYMMETRIC:
            result = []
        method = isinstance(node.func, ast.Attribute) and not self._is_module(node.func.value)
        if len(node.args) > 1 or (method and node.args):
            result.append(ast.Call(node.func, node.args[:-1], node.keywords))
        return [*result, *([node.func.value] if method else []), *node.args[:1]]

    def _is_module(self, node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and isinstance(self.scope.get(node.id), ModuleType)


def _others(operator: ast.AST) -> list[type]:
    return _OPERATORS.get(type(operator), [])


def _not(test: ast.expr) -> ast.UnaryOp:
    return ast.UnaryOp(ast.Not(), test)


def _near(index: ast.expr) -> list[ast.expr]:
    """Return the index one higher and one lower."""
    return [ast.BinOp(index, operator, ast.Constant(1)) for operator in (ast.Add(), ast.Sub())]


def _parts(items: ast.expr) -> list[ast.expr]:
    """Return the things to loop over without the first, and without the last."""
    listed = ast.Call(ast.Name("list", ast.Load()), [items], [])
    cuts = ast.Slice(ast.Constant(1), None), ast.Slice(None, ast.Constant(-1))
    return [ast.Subscript(listed, cut, ast.Load()) for cut in cuts]


def _swapped(items: Sequence) -> list[list]:
    """Return the items with two neighbours exchanged, in every way."""
    return [[*items[:i], items[i + 1], items[i], *items[i + 2 :]] for i in range(len(items) - 1)]


def _without_one(items: Sequence) -> list[list]:
    return [[*items[:i], *items[i + 1 :]] for i in range(len(items))]
