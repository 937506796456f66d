"""Lesson 07's two canvases in a real browser: what is dragged is what Python hears; how smooth it is."""

import json
import os
from pathlib import Path

import pytest
from support.frames import smoothness
from support.shown import Shown, fresh

from cvlab.widgets import IouBoxes, RankingGame


def agrees(widget: Shown, kind, number: str) -> None:
    """The number drawn by JavaScript, the readout by Python and the same widget here tell the same."""
    twin = kind(**widget.drawn_state())
    drawn = float(widget.canvas.get_attribute(f"data-{number}"))
    assert drawn == pytest.approx(twin.values[number], abs=1e-5)
    assert f"{twin.values[number]:.3f}" in widget.readout()
    assert f"{twin.values[number]:.3f}" in widget.canvas.get_attribute("aria-label"), "the label is of now"
    if places := widget.canvas.get_attribute("data-tags"):
        (ax, ay, aw, ah), (bx, by, bw, bh) = json.loads(places).values()
        assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay, "the names collide"


def test_boxes_are_moved_and_resized_by_pointer(gallery):
    widget = fresh(gallery, "IouBoxes")
    first = widget.drawn_state()
    widget.drag((first["box_x"] + 60, first["box_y"] + 150), (first["box_x"] + 40, first["box_y"] + 130))
    state = widget.drawn_state()
    assert (state["box_x"], state["box_y"]) == (first["box_x"] - 20, first["box_y"] - 20)
    assert (state["box_w"], state["box_h"]) == (first["box_w"], first["box_h"])
    agrees(widget, IouBoxes, "iou")
    right, middle = state["box_x"] + state["box_w"], state["box_y"] + state["box_h"] // 2
    onto = (first["truth_x"] + 60, first["truth_y"] + 150)
    widget.drag((state["box_x"] + 60, state["box_y"] + 150), onto)  # both names at one corner
    agrees(widget, IouBoxes, "iou")
    widget.drag(onto, (state["box_x"] + 60, state["box_y"] + 150))
    widget.drag((right, middle), (right - 50, middle + 30))  # the right edge: only the width
    assert widget.drawn_state() == state | {"box_w": state["box_w"] - 50}
    agrees(widget, IouBoxes, "iou")
    left, top = first["truth_x"], first["truth_y"]
    widget.drag((left, top), (left - 30, top + 10))  # a corner of the other box
    state = widget.drawn_state()
    assert state["active"] == "truth"
    assert (state["truth_x"], state["truth_y"]) == (left - 30, top + 10)
    assert (state["truth_w"], state["truth_h"]) == (first["truth_w"] + 30, first["truth_h"] - 10)
    agrees(widget, IouBoxes, "iou")


def test_boxes_stay_on_the_photo_and_never_turn_inside_out(gallery):
    widget = fresh(gallery, "IouBoxes")
    first = widget.drawn_state()
    widget.drag((first["box_x"] + 60, first["box_y"] + 150), (-200, 900))
    state = widget.drawn_state()
    assert (state["box_x"], state["box_y"] + state["box_h"]) == (0, 320)
    right = state["box_w"]
    widget.drag((right, state["box_y"] + 100), (-90, state["box_y"] + 100))
    assert widget.drawn_state()["box_w"] == 0
    agrees(widget, IouBoxes, "iou")


def test_boxes_are_moved_and_resized_by_keyboard(gallery):
    widget = fresh(gallery, "IouBoxes")
    first = widget.drawn_state()
    for key, changes in [
        ("ArrowRight", {"box_x": 5}),
        ("ArrowDown", {"box_y": 5}),
        ("Shift+ArrowLeft", {"box_w": -5}),
        ("Shift+ArrowUp", {"box_h": -5}),
    ]:
        state = widget.drawn_state()
        widget.press(key)
        assert widget.drawn_state() == state | {name: state[name] + by for name, by in changes.items()}
        agrees(widget, IouBoxes, "iou")
    widget.press("Space")
    widget.press("ArrowRight")
    assert widget.drawn_state()["truth_x"] == first["truth_x"] + 5


def test_ranking_by_pointer_and_keyboard(gallery):
    widget = fresh(gallery, "RankingGame")
    first = widget.drawn_state()
    x, y = 18 + first["score_10"] / 100 * 354, 34 + 9 * 25
    widget.drag((x, y), (18 + 354, y))
    assert widget.drawn_state() == first | {"score_10": 100, "selected": 10}
    agrees(widget, RankingGame, "ap")
    assert "✓Taskdone" in widget.readout()
    for key, wanted in [
        ("ArrowUp", ("selected", 9)),
        ("ArrowLeft", ("score_9", 26)),
        ("Shift+ArrowRight", ("score_9", 36)),
    ]:
        widget.press(key)
        assert widget.drawn_state()[wanted[0]] == wanted[1]
    agrees(widget, RankingGame, "ap")


@pytest.mark.parametrize("name", ["IouBoxes", "RankingGame"])
def test_a_drag_ends_where_python_ends(gallery, name, record_property):
    """A circle of dragging; the speed is reported, not judged: machines differ."""
    widget = fresh(gallery, name)
    numbers = f"{name}: {smoothness(widget, (250, 150), (60, 80))}"
    record_property("frames", numbers)
    print(numbers)
    gallery.rest()
    agrees(
        widget,
        {"IouBoxes": IouBoxes, "RankingGame": RankingGame}[name],
        "iou" if name == "IouBoxes" else "ap",
    )
    if folder := os.environ.get("CVLAB_SCREENSHOTS"):
        Path(folder, f"{name} dragged.png").write_bytes(widget.root.screenshot())
    assert not gallery.errors
