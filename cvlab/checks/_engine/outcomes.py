"""What a function does on the cases of an exercise, and what it should do."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from cvlab.checks._engine.compare import difference, shares_memory
from cvlab.checks._engine.describe import is_tensor
from cvlab.checks._engine.exercise import Case, Exercise
from cvlab.checks._engine.run import Outcome, run
from cvlab.checks._engine.world import kept_world

__all__ = ["arguments", "expected", "known_mistake", "look", "outcomes_of", "same_outcomes"]


def outcomes_of(
    exercise: Exercise, function: Callable, tell: Callable[[int, float], None] = lambda index, left: None
) -> list[Outcome]:
    """Run every case on fresh inputs, all within the exercise's time; stop where it is over.

    Args:
        exercise: gives the cases and the time.
        function: what is judged.
        tell: called again and again with the number of the case that is running and the seconds left.
    """
    cases, outcomes, left = exercise.cases(), [], exercise.seconds
    with kept_world():
        for index, case in enumerate(cases):
            tell(index, left)
            call = lambda case=case: exercise.call(function, case)  # noqa: E731
            outcomes.append(run(call, left, lambda left, index=index: tell(index, left)))
            left = outcomes[-1].left
            if outcomes[-1].timed_out:
                break
    for case, pristine, outcome in zip(cases, exercise.cases(), outcomes, strict=False):
        if not outcome.timed_out:
            look(exercise, case, pristine, outcome)
    return outcomes


def look(exercise: Exercise, case: Case, pristine: Case, outcome: Outcome) -> None:
    """Note what has become of the arguments: changed, returned as they came, shared with the result."""
    given, before = arguments(exercise, case), arguments(exercise, pristine)
    outcome.changed = tuple(name for name in given if _is_changed(before[name], given[name]))
    outcome.unchanged = tuple(
        name for name, value in before.items() if hasattr(value, "shape") and _is_same(value, outcome.value)
    )
    outcome.shared = tuple(name for name in given if shares_memory(outcome.value, given[name]))


def expected(exercise: Exercise) -> list[Any]:
    """Return the reference's results, computed once."""
    if "expected" not in exercise.memo:
        with kept_world():
            results = [exercise.call(exercise.reference, case) for case in exercise.cases()]
        exercise.memo["expected"] = results
    return exercise.memo["expected"]


def arguments(exercise: Exercise, case: Case) -> dict[str, Any]:
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


def known_mistake(exercise: Exercise, outcomes: Sequence[Outcome]) -> str | None:
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
