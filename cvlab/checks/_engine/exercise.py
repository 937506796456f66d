"""What an exercise is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Case", "Exercise", "Mistake"]


class Case:
    """One call of an exercise: its arguments, and how the call is written when it is shown.

    Example:
        >>> Case([3, 1], reverse=True)
        Case([3, 1], reverse=True)
    """

    def __init__(self, *args: Any, **kwargs: Any):
        self.args, self.kwargs, self.text = args, kwargs, ""

    def shown_as(self, text: str) -> "Case":
        """Show this call as `text`, for exercises with their own `apply`."""
        self.text = text
        return self

    def __repr__(self) -> str:
        parts = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"Case({', '.join(parts)})"


@dataclass(frozen=True)
class Mistake:
    """A wrong answer the check must recognise: `message` names the misconception and what to change."""

    name: str
    function: Callable
    message: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: the right answer twice, the cases that judge, the wrong answers known beforehand.

    Args:
        name: the name of the function (or class) that the learner writes.
        lesson: two digits, "01".
        minutes: how long it takes.
        difficulty: "easy", "medium" or "hard".
        reference: the answer that `solution()` shows; its signature is the one demanded.
        other: a second, genuinely different right answer.
        cases: returns the cases, smallest first, with fresh inputs at every call.
        mistakes: at least five.
        hints: from a nudge to nearly there.
        tolerance: allowed difference of floats, absolute and relative; integers are compared exactly.
        any_float: accept any float dtype where the reference returns a float array.
        view_allowed: whether the result may share memory with an input.
        apply: how to get the result, `apply(function, *args, **kwargs)`; needed where the learner writes a class.
        to_image: turns a result into a picture (H, W) or (H, W, 3), where it is not one already.
        seconds: the time allowed for all cases together.
        equivalent: mutants of the reference that are right as well, each with the reason; see `mutate`.
        note: one sentence worth noticing, told after any right answer, so it must be true of every one.
        shorter: an expression in the parameters' names that gives the same on every case; told after a longer answer.
    """

    name: str
    lesson: str
    minutes: int
    difficulty: str
    reference: Callable
    other: Callable
    cases: Callable[[], Sequence[Case]]
    mistakes: Sequence[Mistake]
    hints: Sequence[str]
    tolerance: float = 1e-6
    any_float: bool = False
    view_allowed: bool = True
    apply: Callable | None = None
    to_image: Callable | None = None
    seconds: float = 5.0
    note: str = ""
    shorter: str = ""
    equivalent: Mapping[str, str] = field(default_factory=dict)
    memo: dict = field(default_factory=dict, repr=False, compare=False)

    def call(self, function: Callable, case: Case) -> Any:
        """Return what `function` gives for `case`."""
        if self.apply is not None:
            return self.apply(function, *case.args, **case.kwargs)
        return function(*case.args, **case.kwargs)
