"""Lesson 04's schedule designer in a real browser: knots by pointer and keyboard, and the loss that Python tells."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.shown import Shown, fresh

from cvlab.widgets import ScheduleDesigner
from cvlab.widgets.transfer_learning.schedule_designer import KNOTS, LEFT, LEVELS, STEPS, TALL, TOP, WIDE


@pytest.fixture
def widget(gallery):
    return fresh(gallery, "ScheduleDesigner")


def place(knot: int, level: float) -> tuple[float, float]:
    return LEFT + WIDE * (knot - 1) / (KNOTS - 1), TOP + TALL * (1 - level / LEVELS)


def agrees(widget: Shown) -> None:
    """The loss drawn by JavaScript, the readout and the same widget here tell the same."""
    twin = ScheduleDesigner(**widget.drawn_state())
    drawn, losses = widget.canvas.get_attribute("data-loss"), twin.values["losses"]
    if len(losses) <= STEPS:
        assert drawn == "lost"
    else:
        assert float(drawn) == pytest.approx(np.log10(losses[-1]), abs=1e-3)
    assert twin.readout.splitlines()[0].split(": ")[1].replace(" ", "") in widget.readout()


def test_knots_by_pointer(widget):
    widget.drag(place(3, 22), place(3, 30))
    state = widget.drawn_state()
    assert (state["edit_3"], state["selected"], state["edit_2"]) == (8, 3, 0)
    agrees(widget)
    widget.drag(place(3, 30), place(3, 99))  # off the chart: it stays at the top, and the training runs away
    assert widget.drawn_state()["edit_3"] == LEVELS - 22
    agrees(widget)
    assert "growswithoutend" in widget.readout()


def test_all_knots_at_once_do_the_task(widget):
    before = widget.look()
    widget.control("shape").locator("select").select_option("one cycle")
    assert widget.changed(before)
    agrees(widget)
    widget.drag(place(4, 45), place(4, 57))  # no knot is there
    state = widget.drawn_state()
    assert [state[f"edit_{i}"] for i in range(1, KNOTS + 1)] == [12] * KNOTS
    agrees(widget)
    assert "✓Taskdone" in widget.readout()


def test_knots_by_keyboard(widget):
    wanted = {
        "ArrowRight": ("selected", 2),
        "ArrowUp": ("edit_2", 1),
        "ArrowDown": ("edit_2", 0),
        "Shift+ArrowDown": ("edit_7", -1),
        "ArrowLeft": ("selected", 1),
    }
    for key, (name, value) in wanted.items():
        widget.press(key)
        assert widget.drawn_state()[name] == value
        agrees(widget)
    if folder := os.environ.get("CVLAB_SCREENSHOTS"):
        for look in ("Light", "Dark"):
            widget.notebook.theme(f"JupyterLab {look}")
            Path(folder, f"ScheduleDesigner {look}.png").write_bytes(widget.root.screenshot())
        widget.notebook.theme("JupyterLab Light")
