"""The decorator that checks arguments: Python's own words where a call does not fit, and the checks' where it does."""

import numpy as np
import pytest

from cvlab import _validate
from cvlab.boxes import iou
from cvlab.convolutions.arithmetic import output_size


@_validate.arguments(size=_validate.positive_int, step=_validate.positive_int)
def crop(image, size, *, step=1, name="crop"):
    """Return what came."""
    return image, size, step, name


def plain(image, size, *, step=1, name="crop"):
    """Be called as `crop` is."""


plain.__name__ = plain.__qualname__ = "crop"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1,), {}),
        ((1, 2, 3), {}),
        ((1, 2), {"size": 3}),
        ((1, 2), {"sise": 3}),
        ((1,), {"step": 2}),
    ],
)
def test_a_call_that_does_not_fit_gets_pythons_own_words(args, kwargs):
    with pytest.raises(TypeError) as own:
        plain(*args, **kwargs)
    with pytest.raises(TypeError) as ours:
        crop(*args, **kwargs)
    assert str(ours.value) == str(own.value)


def test_a_misspelt_argument_is_named():
    with pytest.raises(TypeError, match=r"output_size\(\) got an unexpected keyword argument 'kernl'"):
        output_size(5, kernl=3)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((0, 3), {}), ((0,), {"size": 3}), ((), {"size": 3, "image": 0}), ((0, np.int64(3)), {})],
)
def test_every_way_to_call_gives_the_same(args, kwargs):
    assert crop(*args, **kwargs) == (0, 3, 1, "crop")
    assert crop(*args, **kwargs, step=2, name="x") == (0, 3, 2, "x")
    assert type(crop(*args, **kwargs)[1]) is int  # what the check returned


def test_the_checks_speak():
    with pytest.raises(ValueError, match="step must be at least 1; got 0"):
        crop(0, 3, step=0)


def test_iou_takes_any_four_numbers_and_refuses_the_same_as_ever():
    boxes = ([0, 0, 2, 2], (1, 0, 3, 2))
    for kind in (list, tuple, np.array, lambda box: np.array(box, np.float32)):
        assert iou(*map(kind, boxes)) == pytest.approx(1 / 3)
    for box in ([0, 0, 2], [2, 0, 0, 2], [0, 0, float("nan"), 2], [0, 0, float("inf"), 2], [0, 0, "2", 2]):
        with pytest.raises((TypeError, ValueError), match="^a"):
            iou(box, [0, 0, 1, 1])
