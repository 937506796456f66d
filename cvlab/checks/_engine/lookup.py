"""Find the exercise that a learner means, and compare signatures before anything runs."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from cvlab._validate import nearest
from cvlab.checks._engine import registry
from cvlab.checks._engine.describe import cut, describe, kind
from cvlab.checks._engine.exercise import Exercise
from cvlab.checks._engine.result import Result

__all__ = ["NOTHING", "lookup", "next_step", "signature_slip"]

NOTHING = object()  # stands for an argument that was left out


def lookup(value: Any, verb: str) -> tuple[Exercise | None, str]:
    """Return the exercise meant by a function (for hints also by a name), or what is wrong with the value."""
    try:
        return _lookup(value, verb)
    except Exception:  # an object whose own methods fail
        return None, _not_a_function(NOTHING, verb)


def _lookup(value: Any, verb: str) -> tuple[Exercise | None, str]:
    by_name = verb != "check" and isinstance(value, str)
    name = value if by_name else getattr(value, "__name__", None)
    if not by_name and (not callable(value) or not isinstance(name, str)):
        return None, _not_a_function(value, verb)
    if name == "<lambda>":
        return (
            None,
            f"`{verb}` finds the exercise by the function's name, and a lambda has none: write `def`.",
        )
    known = registry.names()
    if name in known:
        return registry.find(name), ""
    unknown = f"There is no exercise called {cut(name, 60)!r}{nearest(name, known) or '.'}"
    return None, f"{unknown} The exercises are: {cut(', '.join(known), 500)}. `progress()` shows all."


def _not_a_function(value: Any, verb: str) -> str:
    example = f"`{verb}({registry.names()[0]})`"
    if value is NOTHING:
        return f"`{verb}` wants your function: {example}."
    if isinstance(value, str):
        name = value if value.isidentifier() and len(value) < 40 else registry.names()[0]
        return f"`{verb}` wants the function itself, not its name in quotes: `{verb}({name})`."
    if callable(value):
        return f"`{verb}` wants a function that you wrote with `def`, as in {example}; got {kind(value)}."
    given = describe(value) if not isinstance(value, type) else kind(value)
    return f"`{verb}` wants the function itself, without brackets: {example}. You gave a value: {given}."


def signature_slip(exercise: Exercise, function: Callable) -> Result | None:
    """Tell before running when the parameters differ; more of them are fine when they have defaults."""
    if inspect.isclass(exercise.reference) != inspect.isclass(function):
        wanted = "class" if inspect.isclass(exercise.reference) else "function"
        return Result("wrong", exercise.name, f"{exercise.name} must be a {wanted}; got {kind(function)}.")
    try:
        wanted = list(inspect.signature(exercise.reference).parameters.values())
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C: nothing to compare
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found):
        return None
    message = _parameter_slip(wanted, found)
    if not message:
        return None
    header = f"{exercise.name}({', '.join(map(_bare, wanted))})"
    yours = f"{exercise.name}({', '.join(map(_bare, found))})"
    rows = (("Expected", f"def {header}"), ("Got", f"def {yours}"))
    return Result("wrong", exercise.name, message, rows=rows, notes=(next_step(exercise),))


def _parameter_slip(wanted: Sequence[inspect.Parameter], found: Sequence[inspect.Parameter]) -> str:
    for index, parameter in enumerate(wanted):
        if index >= len(found):
            return f"The parameter `{parameter.name}` is missing."
        if found[index].name != parameter.name:
            names = [p.name for p in found]
            swapped = parameter.name in names
            what = "The parameters are in another order" if swapped else "A parameter has another name"
            return f"{what}: number {index + 1} is called `{found[index].name}`, expected `{parameter.name}`."
        if parameter.default is not parameter.empty and found[index].default is parameter.empty:
            return f"The parameter `{parameter.name}` needs its default: write `{parameter.name}={parameter.default!r}`."
    extra = [p.name for p in found[len(wanted) :] if p.default is p.empty]
    return f"The parameter `{extra[0]}` is one too many." if extra else ""


def _bare(parameter: inspect.Parameter) -> str:
    has_default = parameter.default is not parameter.empty
    return parameter.name + (f"={cut(repr(parameter.default), 30)}" if has_default else "")


def next_step(exercise: Exercise) -> str:
    """Say what to do when stuck."""
    return f"Stuck? `hint({exercise.name})`"
