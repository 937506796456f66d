"""Lesson 08b's patches in a real browser: by pointer and by keyboard."""

import pytest
from support.shown import fresh

from cvlab.widgets import ClickPatch
from cvlab.widgets.dino.click_patch import BIG, TOP


@pytest.fixture
def widget(gallery):
    return fresh(gallery, "ClickPatch")


def agrees(widget) -> None:
    """The readout is that of the same widget here."""
    told = widget.readout()
    for line in ClickPatch(**widget.drawn_state()).readout.splitlines()[:5]:
        assert line.replace(" ", "") in told


def click(widget, row: int, col: int) -> None:
    box, before = widget.canvas.bounding_box(), widget.look()
    widget.root.page.mouse.click(box["x"] + (col + 0.5) * BIG, box["y"] + TOP + (row + 0.5) * BIG)
    assert widget.changed(before)


def test_the_task_is_done_by_a_click(widget):
    answer = ClickPatch.answer
    click(widget, answer["row"], answer["col"])
    state = widget.drawn_state()
    assert (state["row"], state["col"]) == (answer["row"], answer["col"])
    agrees(widget)
    assert "✓Taskdone" in widget.readout()


def test_the_keyboard_goes_to_the_next_patch_and_stops_at_the_edge(widget):
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        widget.press(key)
    widget.canvas.press("ArrowUp")
    state = widget.drawn_state()
    assert (state["row"], state["col"]) == (0, 3)
    agrees(widget)
