"""Lesson 08b's search engine in a real browser: the task is done by its slider."""

import pytest
from support.shown import agrees, fresh, twin_of

from cvlab.widgets import NearestThings


@pytest.fixture
def live(gallery):
    return fresh(gallery, "NearestThings")


def test_the_task_is_done_by_the_slider(live):
    twin = twin_of("NearestThings")
    handle = live.control("thing").locator(".noUi-handle")
    key = "End" if NearestThings.answer["thing"] else "Home"
    before = live.look()
    handle.press(key)
    assert live.changed(before)
    agrees(live, twin)
    steps = abs(NearestThings.answer["thing"] - (668 if key == "End" else 0))
    for _ in range(steps):
        before = live.look()
        handle.press("ArrowLeft" if key == "End" else "ArrowRight")
        assert live.changed(before)
    agrees(live, twin)
    assert "✓Taskdone" in live.readout()
