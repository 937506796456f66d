"""Judge a learner's function: not attempted, wrong (and why), or right."""

import difflib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from cvlab.checks import _exercise, _progress
from cvlab.checks._compare import difference, shares_memory
from cvlab.checks._describe import cut, describe, is_tensor, kind
from cvlab.checks._exercise import Case, Exercise
from cvlab.checks._result import Result
from cvlab.checks._run import Outcome, Problem, run

__all__ = ["check", "grade", "lookup"]

_NOTHING = object()


def check(function: Any = _NOTHING, /, *others: Any) -> Result:
    """Judge your function; the exercise is found by the function's name.

    Args:
        function: the function itself, as in `check(mirror)`: without brackets and arguments.

    Returns:
        A result that shows itself: *right*, *wrong* with the smallest failing case, or *not attempted*.
        It is true where the answer is right.
    """
    try:
        exercise, complaint = lookup(function, "check")
        if others:
            complaint = "check takes one function at a time, as in check(mirror)."
        if complaint:
            return Result("not checked", "check", complaint)
        result = _signature(exercise, function)
        if result is None:
            result = grade(exercise, function)
    except Exception as error:  # whatever a learner passes, the notebook goes on
        text = f"The check itself failed: {type(error).__name__}: {cut(str(error))}. Please report it."
        return Result("not checked", "check", text)
    return _recorded(result)


def _recorded(result: Result) -> Result:
    """Keep the result in the progress file; add a remark where that failed."""
    if result.outcome == "not attempted":
        return result

    def change(record: dict) -> dict:
        return record | {"attempts": record["attempts"] + 1, "solved": record["solved"] or bool(result)}

    remark = _progress.record(result.name, change)
    if not remark:
        return result
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    return Result(**fields | {"notes": (*result.notes, remark)})


def lookup(value: Any, verb: str) -> tuple[Exercise | None, str]:
    """Return the exercise meant by a function (for hints also by a name), or what is wrong with the value."""
    by_name = verb != "check" and isinstance(value, str)
    name = value if by_name else getattr(value, "__name__", None)
    if not by_name and (not callable(value) or not isinstance(name, str)):
        return None, _not_a_function(value, verb)
    if name == "<lambda>":
        return None, f"{verb} finds the exercise by the function's name, and a lambda has none: write def."
    known = _exercise.names()
    if name in known:
        return _exercise.find(name), ""
    near = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.5)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        None,
        f"There is no exercise called {cut(name, 60)!r}.{meant} The exercises are: {', '.join(known)}.",
    )


def _not_a_function(value: Any, verb: str) -> str:
    example = f"{verb}({_exercise.names()[0]})"
    if value is _NOTHING:
        return f"{verb} wants your function: {example}."
    if isinstance(value, str):
        name = value if value.isidentifier() and len(value) < 40 else _exercise.names()[0]
        return f"{verb} wants the function itself, not its name in quotes: {verb}({name})."
    if callable(value):
        return f"{verb} wants a function that you wrote with def, as in {example}; got {kind(value)}."
    given = describe(value) if not isinstance(value, type) else kind(value)
    return f"{verb} wants the function itself, without brackets: {example}. You gave a value: {given}."


def _signature(exercise: Exercise, function: Callable) -> Result | None:
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
    return Result("wrong", exercise.name, message, rows=rows, notes=(_next(exercise),))


def _parameter_slip(wanted: Sequence[inspect.Parameter], found: Sequence[inspect.Parameter]) -> str:
    for index, parameter in enumerate(wanted):
        if index >= len(found):
            return f"The parameter {parameter.name} is missing."
        if found[index].name != parameter.name:
            names = [p.name for p in found]
            swapped = parameter.name in names
            what = "The parameters are in another order" if swapped else "A parameter has another name"
            return f"{what}: number {index + 1} is called {found[index].name}, expected {parameter.name}."
        if parameter.default is not parameter.empty and found[index].default is parameter.empty:
            return f"The parameter {parameter.name} needs its default: write {parameter.name}={parameter.default!r}."
    extra = [p.name for p in found[len(wanted) :] if p.default is p.empty]
    return f"The parameter {extra[0]} is one too many." if extra else ""


def _bare(parameter: inspect.Parameter) -> str:
    has_default = parameter.default is not parameter.empty
    return parameter.name + (f"={cut(repr(parameter.default), 30)}" if has_default else "")


def grade(exercise: Exercise, function: Callable) -> Result:
    """Run all cases and judge, without recording anything."""
    outcomes = outcomes_of(exercise, function)
    if _is_stub(exercise, outcomes[0].problem):
        message = outcomes[0].problem.message or "The function still raises NotImplementedError."
        return Result("not attempted", exercise.name, message, notes=(_next(exercise),))
    wanted = expected(exercise)
    texts = [_fault(exercise, *pair) for pair in zip(wanted, outcomes, strict=False)]
    failing = next((index for index, text in enumerate(texts) if text), None)
    if failing is None:
        message = f"All {len(wanted)} cases pass." + (f" {exercise.note}" if exercise.note else "")
        return Result("right", exercise.name, message)
    message = _known_mistake(exercise, outcomes) or texts[failing]
    return _wrong(exercise, failing, message, outcomes[failing])


def outcomes_of(exercise: Exercise, function: Callable) -> list[Outcome]:
    """Run every case on fresh inputs; stop at the first that runs for ever."""
    left, outcomes = exercise.seconds, []
    for case, pristine in zip(exercise.cases(), exercise.cases(), strict=True):
        outcome = run(lambda case=case: exercise.call(function, case), left)
        outcomes.append(outcome)
        if outcome.timed_out:
            break
        given, before = _arguments(exercise, case), _arguments(exercise, pristine)
        outcome.changed = tuple(name for name in given if _is_changed(before[name], given[name]))
        outcome.shared = tuple(name for name in given if shares_memory(outcome.value, given[name]))
    return outcomes


def expected(exercise: Exercise) -> list[Any]:
    """Return the reference's results, computed once."""
    if "expected" not in exercise.memo:
        exercise.memo["expected"] = [exercise.call(exercise.reference, case) for case in exercise.cases()]
    return exercise.memo["expected"]


def _arguments(exercise: Exercise, case: Case) -> dict[str, Any]:
    """Return the case's arguments by the reference's parameter names."""
    try:
        return dict(inspect.signature(exercise.reference).bind(*case.args, **case.kwargs).arguments)
    except TypeError:  # an exercise with its own `apply`
        return {f"argument {index + 1}": value for index, value in enumerate(case.args)} | case.kwargs


def _is_changed(before: Any, after: Any) -> bool:
    """Compare inputs before and after the call; modules, generators and the like are not compared."""
    if (
        isinstance(before, int | float | str | bool | list | tuple | dict)
        or is_tensor(before)
        or hasattr(before, "dtype")
    ):
        return difference(before, after, tolerance=0) is not None
    return False


def _is_stub(exercise: Exercise, problem: Problem | None) -> bool:
    return (
        problem is not None
        and problem.type == "NotImplementedError"
        and exercise.name in problem.raised_in.split(".")
    )


def _fault(exercise: Exercise, wanted: Any, outcome: Outcome) -> str | None:
    """Return what is wrong with one outcome, or None."""
    if outcome.timed_out:
        return _endless(exercise, outcome)
    if outcome.problem:
        return _exception(exercise, outcome.problem)
    if outcome.changed:
        return f"Your function changed its input {' and '.join(outcome.changed)}. Work on a copy: .copy()."
    if outcome.value is None and wanted is not None:
        printed = ": did you print instead of return?" if outcome.printed else ": is the return missing?"
        return "It returned None" + printed
    text = difference(wanted, outcome.value, tolerance=exercise.tolerance, any_float=exercise.any_float)
    if text:
        return f"{text} Python warned: {outcome.warned}." if outcome.warned else text
    if outcome.shared and not exercise.view_allowed:
        return f"The values are right, but the result shares memory with {outcome.shared[0]}: add .copy()."
    return None


def _endless(exercise: Exercise, outcome: Outcome) -> str:
    text = f"Still running after {exercise.seconds:g} seconds, so it was stopped. Does every loop come to an end?"
    if outcome.stopped:
        return text
    return (
        f"Still running after {exercise.seconds:g} seconds, and it does not react (is it waiting for something?). "
        "Restart the kernel if the notebook becomes slow."
    )


def _exception(exercise: Exercise, problem: Problem) -> str:
    if problem.type == "RecursionError":
        return f"{exercise.name} calls itself without end (RecursionError). When should it stop?"
    if problem.type == "SystemExit":
        return "It ended Python (exit or sys.exit). End a function with return instead."
    if problem.type == "NotImplementedError" and problem.raised_in:
        return f"It reaches a part that is still to be written, in {problem.raised_in.split('.')[-1]}."
    return f"It raised {problem.type}" + (f": {problem.message}" if problem.message else "")


def _known_mistake(exercise: Exercise, outcomes: Sequence[Outcome]) -> str | None:
    """Return the message of the known mistake that gives the same outcomes on every case."""
    if any(outcome.timed_out for outcome in outcomes):
        return None
    for mistake in exercise.mistakes:
        key = f"mistake {mistake.name}"
        if key not in exercise.memo:
            exercise.memo[key] = outcomes_of(exercise, mistake.function)
        if same_outcomes(exercise, exercise.memo[key], outcomes):
            return mistake.message
    return None


def same_outcomes(exercise: Exercise, first: Sequence[Outcome], second: Sequence[Outcome]) -> bool:
    """Tell whether two functions did the same on every case: values, exceptions, changed inputs."""
    return len(first) == len(second) and all(
        _same(exercise, *pair) for pair in zip(first, second, strict=True)
    )


def _same(exercise: Exercise, first: Outcome, second: Outcome) -> bool:
    if first.changed != second.changed or (first.problem is None) != (second.problem is None):
        return False
    if not exercise.view_allowed and bool(first.shared) != bool(second.shared):
        return False
    if first.problem:
        return first.problem.type == second.problem.type
    if first.value is None or second.value is None:
        return first.value is second.value
    return (
        difference(first.value, second.value, tolerance=exercise.tolerance, any_float=exercise.any_float)
        is None
    )


def _wrong(exercise: Exercise, index: int, message: str, outcome: Outcome) -> Result:
    """Build the result: the call, what was expected, what came, and pictures of it."""
    from cvlab.checks._picture import pictures

    case, total = exercise.cases()[index], len(exercise.cases())
    wanted = expected(exercise)[index]
    rows = [*_call(exercise, case), ("Expected", describe(wanted))]
    shown = ()
    if outcome.problem:
        if outcome.problem.line:
            rows.append(("Your line", f"{outcome.problem.line_number}: {outcome.problem.line}"))
    elif not outcome.timed_out:
        rows.append(("Got", describe(outcome.value)))
        given = next((v for v in _arguments(exercise, case).values() if hasattr(v, "shape")), None)
        shown = pictures(given, wanted, outcome.value, exercise.to_image)
    if outcome.printed:
        rows.append(("Printed", outcome.printed))
    title = f"{exercise.name}, case {index + 1} of {total}"
    return Result("wrong", exercise.name, message, title, tuple(rows), (_next(exercise),), shown)


def _call(exercise: Exercise, case: Case) -> list[tuple[str, str]]:
    """Write the call with short values in it, and the arrays by name below."""
    arguments, rows, parts = _arguments(exercise, case), [], []
    for name, value in arguments.items():
        text = describe(value)
        if hasattr(value, "shape") or len(text) > 40:
            rows.append((name, text))
            text = name
        parts.append(f"{name}={text}" if name in case.kwargs else text)
    return [("Call", case.text or f"{exercise.name}({', '.join(parts)})"), *rows]


def _next(exercise: Exercise) -> str:
    return f"Stuck? hint({exercise.name})"
