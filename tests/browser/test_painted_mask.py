"""Lesson 05's mask to paint, in a real browser: by pointer, by keyboard, with the errors shown."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.shown import Shown, fresh

from cvlab.widgets import PaintMask
from cvlab.widgets.segmentation.paint_mask import CELL, LEFT, SIDE, TOP


@pytest.fixture
def widget(gallery):
    return fresh(gallery, "PaintMask")


def painted(widget: Shown) -> np.ndarray:
    state = widget.drawn_state()
    rows = [state[f"row_{r:02}"] for r in range(SIDE)]
    return np.array([[row >> c & 1 for c in range(SIDE)] for row in rows], bool)


def drag(widget: Shown, start: tuple, stop: tuple) -> None:
    """Drag from the middle of a square (row, column) to that of another one."""
    widget.drag(*((LEFT + (col + 0.5) * CELL, TOP + (row + 0.5) * CELL) for row, col in (start, stop)))


def agrees(widget: Shown) -> None:
    """The readout is that of the same widget here."""
    twin = PaintMask(**widget.drawn_state())
    told = widget.readout()
    for line in twin.readout.splitlines()[:5]:
        assert line.replace(" ", "") in told


def test_paint_and_erase_by_pointer(widget):
    drag(widget, (20, 2), (20, 31))  # to the last column: the highest bit
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[20:22, 2:] = True  # the brush is 2 x 2, and nothing lies beyond the edge
    assert np.array_equal(painted(widget), wanted)
    agrees(widget)
    drag(widget, (20, 31), (20, 17))  # begun on a painted square
    wanted[20:22, 17:] = False
    assert np.array_equal(painted(widget), wanted)
    agrees(widget)


def test_paint_by_keyboard(widget):
    for key in ("ArrowUp", "ArrowLeft", " ", "Shift+ArrowRight", "ArrowDown", "ArrowDown", " "):
        widget.press(key)
    state = widget.drawn_state()
    assert (state["row"], state["col"]) == (17, 16)
    wanted = np.zeros((SIDE, SIDE), bool)
    wanted[15:17, 15:18] = wanted[17:19, 16:18] = True
    assert np.array_equal(painted(widget), wanted)
    agrees(widget)


def test_the_task_is_done_by_painting(widget):
    truth = PaintMask().values["truth"]
    for row in np.flatnonzero(truth.any(axis=1))[::2]:
        columns = np.flatnonzero(truth[row])
        drag(widget, (row, columns[0]), (row, columns[-1] - 1))
    agrees(widget)
    assert "✓Taskdone" in widget.readout()
    before = widget.look()
    widget.root.locator("input[type=checkbox]").press(" ")
    assert widget.changed(before)
    if folder := os.environ.get("CVLAB_SCREENSHOTS"):
        for look in ("Light", "Dark"):
            widget.notebook.theme(f"JupyterLab {look}")
            Path(folder, f"PaintMask {look}.png").write_bytes(widget.root.screenshot())
        widget.notebook.theme("JupyterLab Light")
