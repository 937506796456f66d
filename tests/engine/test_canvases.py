"""Canvases without a browser: names that never collide, tasks that take every right way, paper that is drawn on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlab.widgets import KernelLab, ReceptiveField, SlidingKernel
from cvlab.widgets._engine.grid import cells, grey
from cvlab.widgets._engine.sheet import Sheet, ink_on
from cvlab.widgets.map.iou_boxes import TAG, tags

SIZE = (480, 320)
SMALL = np.array([[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2]])  # lesson 02's


@st.composite
def a_box(draw):
    x, y = draw(st.integers(0, SIZE[0])), draw(st.integers(0, SIZE[1]))
    return x, y, draw(st.integers(0, SIZE[0] - x)), draw(st.integers(0, SIZE[1] - y))


@given(a_box(), a_box())
def test_the_names_of_two_boxes_stay_on_the_picture_and_never_collide(truth, box):
    (ax, ay, aw, ah), (bx, by, bw, bh) = tags([truth, box], (45, 70), SIZE)
    for x, y, w in ((ax, ay, aw), (bx, by, bw)):
        assert 0 <= x <= SIZE[0] - w
        assert 0 <= y <= SIZE[1] - TAG
    assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay


def weights(rows: list[list[int]]) -> dict[str, int]:
    """The edits that turn "vertical edges" into a kernel."""
    base = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    return {f"edit_{r}{c}": rows[r][c] - base[r][c] for r, c in np.ndindex(3, 3)}


@pytest.mark.parametrize(
    ("kernel", "done"),
    [
        ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], True),
        ([[0, 0, 0], [0, -1, 0], [0, 1, 0]], True),  # the first row need not take part
        ([[0, -1, 0], [0, 1, 0], [0, 0, 0]], True),
        ([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], False),  # brighter upwards
        ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], False),
        ([[-1, 0, 1], [0, 0, 0], [1, 0, -1]], False),  # corners
        ([[-1, -1, -1], [2, 2, 2], [-1, -1, -1]], False),  # either way
        ([[0, 0, 0]] * 3, False),
    ],
)
def test_every_kernel_that_finds_brighter_below_is_right(kernel, done):
    lab = KernelLab(np.zeros((9, 9, 3), np.uint8))
    lab.set(**weights(kernel))
    assert ("✓ Task done" in lab.readout) == done


def test_the_lessons_own_picture_begins_unsolved_and_says_what_was_learnt():
    sliding = SlidingKernel(SMALL)
    assert sliding.readout.endswith("○ Task not done yet")
    sliding.set(step=1)
    assert sliding.readout.endswith(f"✓ Task done. {SlidingKernel.learnt}")


def test_a_sheet_has_one_size_for_every_state():
    sliding, field = SlidingKernel(SMALL), ReceptiveField()
    shapes = {sliding.picture.shape}
    for state in ({"padding": 2}, {"padding": 0, "stride": 3}, {"dilation": 2}, {"kernel": "twos, 2 × 2"}):
        sliding.set(**state)
        shapes.add(sliding.picture.shape)
    assert len(shapes) == 1
    before = field.picture.shape
    field.set(fourth="5 wide")
    assert field.picture.shape == before


def test_a_number_that_would_be_too_small_to_read_is_left_out():
    def drawn(value: float, cell: int) -> np.ndarray:
        sheet = Sheet(cell, cell)
        cells(sheet, np.array([[value]]), 0, 0, cell, lambda v: grey(0, 1))
        return sheet.pixels

    bare = drawn(0.123456, 8)
    assert len(np.unique(bare.reshape(-1, 3), axis=0)) == 2, "the cell and its edge"
    assert not np.array_equal(drawn(0.123456, 44), drawn(0.1, 44))
    assert np.array_equal(drawn(0.123, 26), drawn(0.1, 26)), "one decimal where two do not fit"


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_ink_is_readable_on_any_colour(rgb):
    share = np.array(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    light = float(linear @ [0.2126, 0.7152, 0.0722])
    contrast = (light + 0.05) / 0.05 if ink_on(rgb) == "#000000" else 1.05 / (light + 0.05)
    assert contrast >= 4.5
