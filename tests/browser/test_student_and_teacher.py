"""Lesson 08a's sliders in a real browser: a longer memory, a lower temperature and a centre do the tasks."""

import pytest
from support.shown import agrees, fresh

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
def test_the_keyboard_does_the_task(opened, widget):
    name = widget.__name__
    live = fresh(opened("lesson 08a.ipynb", [f"from cvlab.widgets import {name}\n{name}()"]), name)
    assert "✓Taskdone" not in live.readout()
    for description, key, times in KEYS[widget]:
        handle = live.control(description).locator(".noUi-handle")
        for _ in range(times):
            before = live.look()
            handle.press(key)
            assert live.changed(before)
    agrees(live, widget())
    assert "✓Taskdone" in live.readout()
