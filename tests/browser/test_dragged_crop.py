"""Lesson 08a's crop in a real browser: dragged, moved and sized by keys, its task done."""

import pytest
from support.shown import agrees, shown

from cvlab.widgets import CropViews
from cvlab.widgets.distillation.crop_views import SIDE, TOP, WIDE

ZOOM = WIDE / SIDE


@pytest.fixture
def live(opened):
    notebook = opened("crops.ipynb", ["from cvlab.widgets import CropViews\nCropViews()"])
    return shown(notebook, "CropViews")


def press(live, key: str) -> None:
    before = live.look()
    live.canvas.press(key)
    assert live.changed(before), key


def test_the_crop_is_dragged_and_stays_inside(live):
    live.root.get_by_role("button", name="Reset").click()
    box, mouse, before = live.canvas.bounding_box(), live.root.page.mouse, live.look()
    first = live.drawn_state()
    middle = [first["x"] + first["size"] / 2, first["y"] + first["size"] / 2]
    for dx, dy, do in ((0, 0, mouse.down), (20, 30, mouse.up)):
        x, y = middle[0] + dx, middle[1] + dy
        mouse.move(box["x"] + x * ZOOM, box["y"] + TOP + y * ZOOM, steps=4)
        do()
    assert live.changed(before)
    state = live.drawn_state()
    assert abs(state["x"] - first["x"] - 20) <= 1
    assert abs(state["y"] - first["y"] - 30) <= 1
    agrees(live, CropViews())


def test_the_task_is_done_by_keys(live):
    live.root.get_by_role("button", name="Reset").click()
    for _ in range(12):
        press(live, "Shift+ArrowDown")  # 112 to 64
    assert live.drawn_state()["size"] == 64
    goal = CropViews.answer
    for key, part in (("ArrowRight", "x"), ("ArrowDown", "y")):
        while live.drawn_state()[part] < goal[part]:
            press(live, key)
    assert "✓Taskdone" in live.readout()
    agrees(live, CropViews())
