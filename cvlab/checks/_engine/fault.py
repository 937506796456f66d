"""Words for what is wrong with one call."""

from typing import Any

from cvlab.checks._engine import apart
from cvlab.checks._engine.compare import difference
from cvlab.checks._engine.exercise import Exercise
from cvlab.checks._engine.outcomes import LOOKING
from cvlab.checks._engine.run import Outcome, Problem

__all__ = ["ended", "fault"]


def fault(exercise: Exercise, wanted: Any, outcome: Outcome, index: int = 0) -> str | None:
    """Return what is wrong with the outcome of case `index`, or None."""
    if outcome.timed_out:
        return _endless(exercise, outcome, index)
    if outcome.problem:
        return _exception(exercise, outcome.problem)
    if outcome.changed:
        return f"Your function changed its input {' and '.join(outcome.changed)}. Work on a copy: `.copy()`."
    if outcome.value is None and wanted is not None:
        printed = (
            ": did you `print` instead of `return`?" if outcome.printed else ": is the `return` missing?"
        )
        return "It returned None" + printed
    text = difference(wanted, outcome.value, tolerance=exercise.tolerance, any_float=exercise.any_float)
    if text and outcome.unchanged:
        return f"It returned {outcome.unchanged[0]} as it came. {text}"
    if text:
        return f"{text} Python warned: {outcome.warned}." if outcome.warned else text
    if outcome.shared and not exercise.view_allowed:
        return f"The values are right, but the result shares memory with {outcome.shared[0]}: add `.copy()`."
    return None


def _endless(exercise: Exercise, outcome: Outcome, index: int) -> str:
    text = f"Still running after {exercise.seconds:g} seconds, so it was stopped. Does every loop come to an end?"
    if outcome.stopped:
        return f"{text} The time is for all cases together." if index else text
    return (
        f"Still running after {exercise.seconds:g} seconds, and it does not react (is it waiting for something?). "
        "Restart the kernel if the notebook becomes slow."
    )


def _exception(exercise: Exercise, problem: Problem) -> str:
    if problem.type == "RecursionError":
        return f"{exercise.name} calls itself without end (RecursionError). When should it stop?"
    if problem.type == "SystemExit":
        return "It ended Python (`exit` or `sys.exit`). End a function with `return` instead."
    if problem.type == "MemoryError":
        return "It ran out of memory" + (f": {problem.message}" if problem.message else " (MemoryError).")
    if problem.type == "NotImplementedError" and problem.raised_in:
        return f"It reaches a part that is still to be written, in {problem.raised_in.split('.')[-1]}."
    return f"It raised {problem.type}" + (f": {problem.message}" if problem.message else "")


def ended(exercise: Exercise, ending: apart.Ending) -> str:
    """Say what a function did whose process ended without a verdict."""
    texts = {
        "silent": f"Still running after {exercise.seconds:g} seconds, so it was ended. One call in it does not come "
        "back: does it wait for something, or is one number, one range or one pattern in it far too large?",
        "memory": f"It took more than {apart.MEMORY / 1e9:g} GB of memory, so it was ended. "
        "Does a list, an array or a recursion grow without end?",
        "exit": f"It ended Python itself (`os._exit`, status {ending.detail}). End a function with `return` instead.",
        "parent": "It ended the process that called it (`os.kill`). That was not the notebook, which goes on.",
        "closed": "It closed files that it did not open (`os.close`), so its result could not be read.",
        "broken": f"The check could not go on after your function ({ending.detail}). Does it change Python or a "
        "library, or return an object whose own methods fail?",
    }
    if ending.reason == "silent" and ending.index == LOOKING:
        return "It returned something that cannot be compared in time. Return plain values or arrays."
    crashes = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP"}
    if ending.detail in crashes:
        return (
            f"It crashed Python ({ending.detail}). Your notebook goes on. Does it call itself without end, "
            "or use memory through ctypes or C code?"
        )
    return texts.get(
        ending.reason,
        f"Its process was ended by the signal {ending.detail}: it sent that itself, or the machine had too little memory.",
    )
