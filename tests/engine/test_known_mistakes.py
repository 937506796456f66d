"""Which answers are called a known mistake: the same slip, and nothing that only ends with the same exception."""

import numpy as np
import pytest

from cvlab.checks import Case, Exercise, Mistake
from cvlab.checks._engine import registry
from cvlab.checks._engine.grade import grade

NAMED = "The first number is not counted."


def total(values):
    """Add up."""
    return sum(values)


def exercise_with(mistake):
    return Exercise(
        name="total",
        lesson="00",
        minutes=1,
        difficulty="easy",
        reference=total,
        other=sum,
        cases=lambda: [Case([0]), Case([1, 2]), Case([3, 4, 5]), Case([6, 7, 8, 9])],
        mistakes=[Mistake("first left out", mistake, NAMED)],
        hints=[],
    )


def without_first(values):
    return sum(values[1:])


def without_first_but(case, error):
    """Return the slip in a form that raises on the case of this length."""

    def answer(values):
        if len(values) == case:
            raise error
        return sum(values[1:])

    return answer


@pytest.mark.parametrize("case", [3, 4])
def test_the_same_slip_is_recognised_though_one_case_raises(case):
    answer = without_first_but(case, IndexError("4 is too many"))
    assert grade(exercise_with(without_first), answer).message == NAMED
    assert grade(exercise_with(answer), without_first).message == NAMED


def test_where_the_first_failing_case_raises_its_own_error_is_shown():
    answer = without_first_but(2, IndexError("2 is too many"))
    assert grade(exercise_with(without_first), answer).message == "It raised IndexError: 2 is too many"


def test_one_case_alike_is_too_little():
    def answer(values):
        if len(values) > 2:
            raise IndexError("too many")
        return sum(values[1:])

    result = grade(exercise_with(without_first), answer)
    assert result.message == "Expected 3, got 2."


def test_another_wrong_number_is_another_mistake():
    def answer(values):
        return sum(values[1:]) if len(values) < 4 else 0

    assert grade(exercise_with(without_first), answer).message == "Expected 3, got 2."


def test_the_type_of_an_exception_alone_names_no_mistake():
    def known(values):
        raise ValueError("start must be given")

    def other(values):
        raise ValueError("something else")

    assert grade(exercise_with(known), known).message == NAMED
    assert grade(exercise_with(known), other).message == "It raised ValueError: something else"


@pytest.mark.parametrize("copied", [True, False])
def test_a_view_does_not_hide_another_mistake(copied):
    def center_crop(image, size):
        corner = image[:size, :size]
        return corner.copy() if copied else corner

    result = grade(registry.find("center_crop"), center_crop)
    assert result.message.startswith("You cut from the top left corner.")


def test_a_view_of_the_right_pixels_is_told():
    def center_crop(image, size):
        top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
        return image[top : top + size, left : left + size]

    assert "this is a view" in grade(registry.find("center_crop"), center_crop).message


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unclipped_indices_are_told_by_the_cases_that_do_not_raise(dtype):
    def resize_nearest(image, height, width):
        rows = (np.arange(height, dtype=dtype) * image.shape[0] / height + 0.5).astype(int)
        cols = (np.arange(width, dtype=dtype) * image.shape[1] / width + 0.5).astype(int)
        return image[rows[:, None], cols]

    assert grade(registry.find("resize_nearest"), resize_nearest).message.startswith(
        "You added `0.5` after scaling."
    )
