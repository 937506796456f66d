"""Judge a learner's function: not attempted, wrong (and why), or right."""

import inspect
import re
import threading
from collections.abc import Callable
from typing import Any

from cvlab.checks._engine import progress, registry
from cvlab.checks._engine.apart import Ending, can_fork, judged_apart
from cvlab.checks._engine.compare import dtype_slip
from cvlab.checks._engine.describe import cut, describe
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks._engine.fault import ended, fault
from cvlab.checks._engine.lookup import NOTHING, lookup, next_step, signature_slip
from cvlab.checks._engine.outcomes import arguments, expected, known_mistake, outcomes_of, same_outcomes
from cvlab.checks._engine.result import Result
from cvlab.checks._engine.run import Outcome, Problem
from cvlab.checks._engine.versions import body, learners_source

__all__ = ["check", "grade", "judge", "outcomes_of", "same_outcomes"]

_CONTROL = 30.0  # seconds in which the right answer must be judged
_UNFIT = re.compile("^It raised RuntimeError: .*fork")  # what torch refuses in a forked process only
_judging = threading.Event()  # no plain name: `kept_world` may put those back after all else


def check(function: Any = NOTHING, /, *others: Any) -> Result:
    """Judge your function; the exercise is found by the function's name.

    The function runs on copies of the inputs, in a process of its own where the system can fork (`CVLAB_FORK=0`
    says no), with 2 GB of memory and a few seconds for all cases together.

    Args:
        function: the function itself, as in `check(mirror)`: without brackets and arguments.

    Returns:
        A result that shows itself: *right*, *wrong* with the smallest failing case, or *not attempted*.
        It is true where the answer is right.
    """
    try:
        exercise, complaint = lookup(function, "check")
        if others:
            complaint = "`check` takes one function at a time, as in `check(mirror)`."
        if complaint:
            return Result("not checked", "check", complaint)
        result = signature_slip(exercise, function)
        if result is None and _judging.is_set():
            text = "`check` was called by the function that is being checked. Call it on its own, outside."
            return Result("not checked", "check", text)
        if result is None:
            result = judge(exercise, function)
    except (Exception, SystemExit) as error:  # whatever a learner passes, the notebook goes on
        text = f"The check itself failed: {type(error).__name__}: {cut(str(error))}. Please report it."
        return Result("not checked", "check", text)
    return _placed(_recorded(result))


def _placed(result: Result) -> Result:
    """Add which exercise it is, how long it takes, and how far the learner is with it."""
    try:
        state = progress.state(progress.entry(result.name))
        return result.but(place=f"{registry.about(result.name)} · {state}")
    except KeyError:  # not checked: there is no exercise
        return result


def _recorded(result: Result) -> Result:
    """Keep the result in the progress file; add a remark where that failed."""
    if result.outcome == "not attempted":
        return result

    def change(record: dict) -> dict:
        changed = record | {"attempts": record["attempts"] + 1, "solved": record["solved"] or bool(result)}
        if result.mistake:
            met = progress.mistakes_met(record)
            changed["mistakes"] = met | {result.mistake: met.get(result.mistake, 0) + 1}
        return changed

    remark = progress.record(result.name, change)
    return result.but(notes=(*result.notes, remark)) if remark else result


def judge(exercise: Exercise, function: Callable) -> Result:
    """Judge in a process of its own where the system can fork, so that the notebook lives; else as `grade` does."""
    _judging.set()
    try:
        result = _judge_apart(exercise, function) if can_fork() else None
        return grade(exercise, function) if result is None else result
    finally:
        _judging.clear()


def _judge_apart(exercise: Exercise, function: Callable) -> Result | None:
    """Return the result from a process of its own; None where such a process is unfit to judge."""
    expected(exercise)  # here, so that it is computed only once

    def ending_of(answer: Callable, seconds: float) -> Ending:
        return judged_apart(lambda tell: grade(exercise, answer, tell).as_json(), seconds)

    try:
        ending = ending_of(function, exercise.seconds)
        if ending.reason == "verdict":
            result = Result.from_json(ending.verdict)
            return None if _UNFIT.match(result.message) else result
        control = ending_of(exercise.reference, _CONTROL)
    except OSError:
        return None
    if control.reason != "verdict" or control.verdict["outcome"] != "right":
        return None  # not even the right answer can be judged there
    return _wrong(exercise, max(ending.index, 0), ended(exercise, ending), Outcome(timed_out=True))


def grade(
    exercise: Exercise, function: Callable, tell: Callable[[int, float], None] = lambda index, left: None
) -> Result:
    """Run all cases in this process and judge, without recording anything."""
    if inspect.iscoroutinefunction(function):
        text = "Write `def`, not `async def`: an async function hands back a promise, not the result."
        return Result("wrong", exercise.name, text, notes=(next_step(exercise),))
    wanted = expected(exercise)
    outcomes = outcomes_of(exercise, function, tell)
    if _is_stub(exercise, outcomes[0].problem):
        message = outcomes[0].problem.message or "The function still raises NotImplementedError."
        return Result("not attempted", exercise.name, message, notes=(next_step(exercise),))
    texts = [fault(exercise, *row) for row in zip(wanted, outcomes, range(len(wanted)), strict=False)]
    failing = next((index for index, text in enumerate(texts) if text), None)
    if failing is None:
        return Result(
            "right", exercise.name, f"All {len(wanted)} cases pass.", notes=noticed(exercise, function)
        )
    mistake = known_mistake(exercise, outcomes)
    if mistake is None:
        return _wrong(exercise, failing, texts[failing], outcomes[failing])
    slip = dtype_slip(wanted[failing], outcomes[failing].value, any_float=exercise.any_float)
    if slip == texts[failing] or _same_dtype(exercise, mistake, failing, outcomes[failing]):
        slip = ""  # it is what the mistake is about
    result = _wrong(exercise, failing, mistake.message, outcomes[failing])
    return result.but(mistake=mistake.name, notes=(*([slip] if slip else []), *result.notes))


def _same_dtype(exercise: Exercise, mistake: Mistake, index: int, outcome: Outcome) -> bool:
    known = exercise.memo[f"mistake {mistake.name}"][index]
    return not dtype_slip(known.value, outcome.value)


def noticed(exercise: Exercise, function: Callable) -> tuple[str, ...]:
    """Return what is worth noticing after the right answer, and a line that does the same, where that is shorter."""
    own = body(learners_source(function))
    shorter = exercise.shorter if not own or len(exercise.shorter) + len("return ") < len(own) else ""
    return tuple(text for text in (exercise.note, shorter and f"In one line:\n    {shorter}") if text)


def _is_stub(exercise: Exercise, problem: Problem | None) -> bool:
    return (
        problem is not None
        and problem.type == "NotImplementedError"
        and exercise.name in problem.raised_in.split(".")
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
    elif outcome.timed_out:
        if outcome.line:
            rows.append(("Your line", f"{outcome.line_number}: {outcome.line}"))
    else:
        rows.append(("Got", describe(outcome.value)))
        given = next((v for v in arguments(exercise, case).values() if hasattr(v, "shape")), None)
        shown = pictures(given, wanted, outcome.value, exercise.to_image)
    if outcome.printed:
        rows.append(("Printed", outcome.printed))
    title = f"{exercise.name}, case {index + 1} of {total}"
    return Result("wrong", exercise.name, message, title, tuple(rows), (next_step(exercise),), shown)


def _call(exercise: Exercise, case: Case) -> list[tuple[str, str]]:
    """Write the call with short values in it, and the arrays by name below."""
    given, rows, parts = arguments(exercise, case), [], []
    for name, value in given.items():
        text = describe(value)
        if hasattr(value, "shape") or len(text) > 40:
            rows.append((name, text))
            text = name
        parts.append(f"{name}={text}" if name in case.kwargs else text)
    return [("Call", case.text or f"{exercise.name}({', '.join(parts)})"), *rows]
