"""Judge a learner's function: not attempted, wrong (and why), or right."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from cvlab.checks._engine import progress
from cvlab.checks._engine.compare import difference, shares_memory
from cvlab.checks._engine.describe import cut, describe, is_tensor
from cvlab.checks._engine.exercise import Case, Exercise
from cvlab.checks._engine.lookup import NOTHING, lookup, next_step, signature_slip
from cvlab.checks._engine.result import Result
from cvlab.checks._engine.run import Outcome, Problem, run

__all__ = ["check", "grade"]


def check(function: Any = NOTHING, /, *others: Any) -> Result:
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
        result = signature_slip(exercise, function)
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

    remark = progress.record(result.name, change)
    if not remark:
        return result
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    return Result(**fields | {"notes": (*result.notes, remark)})


def grade(exercise: Exercise, function: Callable) -> Result:
    """Run all cases and judge, without recording anything."""
    if inspect.iscoroutinefunction(function):
        text = "Write def, not async def: an async function hands back a promise, not the result."
        return Result("wrong", exercise.name, text, notes=(next_step(exercise),))
    outcomes = outcomes_of(exercise, function)
    if _is_stub(exercise, outcomes[0].problem):
        message = outcomes[0].problem.message or "The function still raises NotImplementedError."
        return Result("not attempted", exercise.name, message, notes=(next_step(exercise),))
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
        outcome.unchanged = tuple(
            name
            for name, value in before.items()
            if hasattr(value, "shape") and _is_same(value, outcome.value)
        )
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


def _is_same(given: Any, returned: Any) -> bool:
    return returned is not None and difference(given, returned, tolerance=0) is None


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
    if text and outcome.unchanged:
        return f"It returned {outcome.unchanged[0]} as it came. {text}"
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
    from cvlab.checks._engine.picture import pictures

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
    return Result("wrong", exercise.name, message, title, tuple(rows), (next_step(exercise),), shown)


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
