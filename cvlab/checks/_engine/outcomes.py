"""What a function does on the cases of an exercise, and what it should do."""

import inspect
import math
import re
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from cvlab.checks._engine.accept import array_of
from cvlab.checks._engine.compare import difference, dtype_slip, shares_memory
from cvlab.checks._engine.describe import is_tensor, plain
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks._engine.run import Outcome, Problem, run
from cvlab.checks._engine.world import kept_world

__all__ = ["LOOKING", "arguments", "expected", "known_mistake", "look", "outcomes_of", "same_outcomes"]

LOOKING = -1
_REST = 30.0


def outcomes_of(
    exercise: Exercise, function: Callable, tell: Callable[[int, float], None] = lambda index, left: None
) -> list[Outcome]:
    """Run every case on fresh inputs, all within the exercise's time; stop where it is over.

    Args:
        exercise: gives the cases and the time.
        function: what is judged.
        tell: called again and again with the number of the case that is running and the seconds left; in the
            end with `LOOKING`, and the seconds for comparing and describing what was returned.
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
    tell(LOOKING, _REST)
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


def known_mistake(exercise: Exercise, outcomes: Sequence[Outcome]) -> Mistake | None:
    """Return the known mistake behind these outcomes, None where it is none of them.

    It gives the same on every case; failing that, the same on the first case that fails and on one more, where
    on the others one of the two raises: the same slip, met with another index or another import; failing that, the
    same numbers in another dtype or container, so that the value is named before its dtype is; failing that, the
    same numbers on the first case that fails and on one more, where on the others another dtype spoils them.
    """
    if any(outcome.timed_out for outcome in outcomes):
        return None
    for alike in (same_outcomes, _alike_where_both_end, _alike_in_numbers, _alike_but_for_dtype):
        for mistake in exercise.mistakes:
            key = f"mistake {mistake.name}"
            if key not in exercise.memo:
                exercise.memo[key] = outcomes_of(exercise, mistake.function)
            if alike(exercise, exercise.memo[key], outcomes):
                return mistake
    return None


def same_outcomes(
    exercise: Exercise, first: Sequence[Outcome], second: Sequence[Outcome], *, loosely: bool = False
) -> bool:
    """Tell whether two functions did the same on every case: values, exceptions, changed inputs.

    Exceptions are the same where type, place and message are. The numbers in the message may differ where
    other cases gave results, which agree.

    Args:
        exercise: its tolerance and its cases count.
        first: the outcomes of one function.
        second: the outcomes of the other.
        loosely: compare the numbers alone, whatever dtype and container they come in.
    """
    exact = all(outcome.problem for outcome in first)
    views_count = not loosely and not exercise.view_allowed
    return len(first) == len(second) and all(
        _same(exercise, a, b, exact, loosely) and not (views_count and bool(a.shared) != bool(b.shared))
        for a, b in zip(first, second, strict=True)
    )


def _same(
    exercise: Exercise, first: Outcome, second: Outcome, exact: bool = False, loosely: bool = False
) -> bool:
    causes = [_cause(exercise, outcome.problem, exact) for outcome in (first, second)]
    if first.changed != second.changed or causes[0] != causes[1]:
        return False
    values, tolerance = [first.value, second.value], exercise.tolerance
    if values[0] is None or values[1] is None:
        return values[0] is values[1]
    if loosely:
        try:
            values, tolerance = [_numbers(value) for value in values], max(tolerance, 1e-5)
        except Exception:  # a list in itself, a tensor without numbers
            return False
    return difference(*values, tolerance=tolerance, any_float=exercise.any_float) is None


def _numbers(value: Any) -> Any:
    """Return a result with all its numbers as float64, in arrays and tuples; anything else as it came."""
    if (type(value) is list or isinstance(value, tuple)) and len(value) <= 10**4:
        return tuple(map(_numbers, value))
    if is_tensor(value) and not _is_huge(value):
        value = plain(value)
    if type(value) is np.ndarray and value.dtype.kind in "biuf" and not _is_huge(value):
        return value.astype(float)
    return float(value) if isinstance(value, Real) and abs(value) < 1e300 else value


def _is_huge(array: Any) -> bool:
    return math.prod(array.shape) > 10**6


def _alike_in_numbers(exercise: Exercise, known: Sequence[Outcome], found: Sequence[Outcome]) -> bool:
    wanted = [Outcome(value) for value in expected(exercise)]
    return same_outcomes(exercise, known, found, loosely=True) and not same_outcomes(
        exercise, known, wanted, loosely=True
    )


def _alike_but_for_dtype(exercise: Exercise, known: Sequence[Outcome], found: Sequence[Outcome]) -> bool:
    agreed: list[bool] = []  # whether the numbers agree, on each case that the second fails in its numbers
    for wanted, *pair in zip(expected(exercise), known, found, strict=True):
        if any(outcome.problem for outcome in pair):
            return False
        same = _same(exercise, *pair, loosely=True)
        if not same and not dtype_slip(wanted, pair[1].value, any_float=exercise.any_float):
            return False
        if not _same(exercise, Outcome(wanted), pair[1], loosely=True):
            agreed.append(same)
    return sum(agreed) >= 2 and agreed[0]


def _alike_where_both_end(exercise: Exercise, known: Sequence[Outcome], found: Sequence[Outcome]) -> bool:
    agreed: list[bool] = []  # whether the two agree, on each case that the second fails
    results = 0  # how often with a result
    for wanted, *pair in zip(expected(exercise), known, found, strict=True):
        same = _same(exercise, *pair)
        if not same and not any(outcome.problem for outcome in pair):
            return False
        if not _is_right(exercise, wanted, pair[1]):
            agreed.append(same)
            results += same and not pair[1].problem
    return sum(agreed) >= 2 and agreed[0] and results > 0


def _is_right(exercise: Exercise, wanted: Any, outcome: Outcome) -> bool:
    return _same(exercise, Outcome(wanted), outcome)


def _cause(exercise: Exercise, problem: Problem | None, exact: bool = False) -> tuple | None:
    """Return an exception's type, its message (without the numbers, unless `exact`), and whether the answer raised it."""
    if problem is None:
        return None
    own_apply = exercise.apply is not None and exercise.apply.__module__ != array_of.__module__
    message = problem.message if exact else re.sub(r"\d+", "#", problem.message)
    return problem.type, message, problem.depth > own_apply
