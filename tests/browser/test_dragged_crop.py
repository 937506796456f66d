"""Lesson 08a's crop in a real browser: dragged, moved and sized by keys, its task done."""

import pytest
from support.shown import agrees, fresh, twin_of

from cvlab.widgets import CropViews
from cvlab.widgets.distillation.crop_views import SIDE, TOP, WIDE

ZOOM = WIDE / SIDE


@pytest.fixture
def live(gallery):
    return fresh(gallery, "CropViews")


def test_the_crop_is_dragged_and_stays_inside(live):
    first = live.drawn_state()
    x, y = ((first[part] + first["size"] / 2) * ZOOM for part in ("x", "y"))
    live.drag((x, TOP + y), (x + 20 * ZOOM, TOP + y + 30 * ZOOM))
    state = live.drawn_state()
    assert abs(state["x"] - first["x"] - 20) <= 1
    assert abs(state["y"] - first["y"] - 30) <= 1
    agrees(live, twin_of("CropViews"))


def test_the_task_is_done_by_keys(live):
    for _ in range(12):
        live.press("Shift+ArrowDown")  # 112 to 64
    assert live.drawn_state()["size"] == 64
    goal = CropViews.answer
    for key, part in (("ArrowRight", "x"), ("ArrowDown", "y")):
        while live.drawn_state()[part] < goal[part]:
            live.press(key)
    assert "✓Taskdone" in live.readout()
    agrees(live, twin_of("CropViews"))
