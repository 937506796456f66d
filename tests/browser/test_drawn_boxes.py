"""Lesson 06a's boxes to draw, in a real browser: by pointer, by keyboard, and the task done."""

import os
from pathlib import Path

import pytest
from support.shown import Shown, fresh

from cvlab.widgets import ProposalRecall
from cvlab.widgets.regions.proposal_recall import PARTS, ZOOM


@pytest.fixture
def widget(gallery):
    return fresh(gallery, "ProposalRecall")


def drag(widget: Shown, start: tuple, stop: tuple) -> None:
    """Drag between two places (x, y) in pixels of the scene."""
    widget.drag(*((ZOOM * x, ZOOM * y) for x, y in (start, stop)))


def drawn(widget: Shown, i: int) -> list[int]:
    state = widget.drawn_state()
    return [state[f"{part}_{i}"] for part in PARTS]


def agrees(widget: Shown) -> None:
    """The readout is that of the same widget here."""
    told = widget.readout()
    for line in ProposalRecall(**widget.drawn_state()).readout.splitlines()[:5]:
        assert line.replace(" ", "") in told


def near(numbers, wanted) -> None:
    assert all(abs(a - b) <= 1 for a, b in zip(numbers, wanted, strict=True)), numbers


def test_draw_resize_and_move_by_pointer(widget):
    drag(widget, (100, 110), (40, 50))  # from the lower right corner
    near(drawn(widget, 1), (40, 50, 60, 60))
    drag(widget, (100, 70), (120, 75))  # the right edge: the height stays
    near(drawn(widget, 1), (40, 50, 80, 60))
    drag(widget, (80, 80), (150, 80))  # the middle: the box ends at the scene
    near(drawn(widget, 1), (110, 50, 80, 60))
    drag(widget, (10, 10), (60, 40))
    near(drawn(widget, 2), (10, 10, 50, 30))
    assert widget.drawn_state()["active"] == 2
    agrees(widget)


def test_draw_by_keyboard(widget):
    for key in (" ", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", " ", "Shift+ArrowDown"):
        widget.press(key)
    assert (drawn(widget, 1), drawn(widget, 2)) == ([60, 60, 68, 64], [64, 64, 64, 68])
    agrees(widget)
    widget.press("Delete")
    assert drawn(widget, 2) == [0, 0, 0, 0]
    agrees(widget)


def test_the_task_is_done_by_drawing(widget):
    there = []  # a drag that begins on a box moves it
    for x0, y0, x1, y1 in ProposalRecall().values["objects"]:
        corners = [(x, y) for x in (x0 + 1, x1 - 1) for y in (y0 + 1, y1 - 1)]
        free = [
            (x, y)
            for x, y in corners
            if not any(a - 6 < x < c + 6 and b - 6 < y < d + 6 for a, b, c, d in there)
        ]
        x, y = free[0]
        drag(widget, (x, y), (x0 + x1 - x, y0 + y1 - y))
        there.append((x0, y0, x1, y1))
    agrees(widget)
    assert "✓Taskdone" in widget.readout()
    if folder := os.environ.get("CVLAB_SCREENSHOTS"):
        for look in ("Light", "Dark"):
            widget.notebook.theme(f"JupyterLab {look}")
            Path(folder, f"ProposalRecall {look}.png").write_bytes(widget.root.screenshot())
        widget.notebook.theme("JupyterLab Light")
