"""Lesson 08a's sliders in a real browser: a longer memory, a lower temperature and a centre do the tasks."""

import pytest
from support.shown import agrees, fresh, twin_of

from cvlab.widgets import MovingAverage, SharpenCenter

KEYS = {
    MovingAverage: [("memory, in steps", "PageUp", 5), ("memory, in steps", "ArrowRight", 4)],
    SharpenCenter: [
        ("centre taken off, in %", "End", 1),
        ("temperature, in hundredths", "Home", 1),
        ("temperature, in hundredths", "ArrowRight", 3),
    ],
}


@pytest.mark.parametrize("widget", KEYS, ids=lambda widget: widget.__name__)
def test_the_keyboard_does_the_task(gallery, widget):
    live = fresh(gallery, widget.__name__)
    assert "✓Taskdone" not in live.readout()
    for description, key, times in KEYS[widget]:
        handle = live.control(description).locator(".noUi-handle")
        for _ in range(times):
            before = live.look()
            handle.press(key)
            assert live.changed(before)
    agrees(live, twin_of(widget.__name__))
    assert "✓Taskdone" in live.readout()
