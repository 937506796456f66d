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
CELLS = [f"from cvlab.widgets import {widget.__name__}\n{widget.__name__}()" for widget in KEYS]


@pytest.mark.parametrize("widget", KEYS, ids=lambda widget: widget.__name__)
def test_the_keyboard_does_the_task(opened, widget):
    live = fresh(opened("student and teacher.ipynb", CELLS), widget.__name__)
    assert "✓Taskdone" not in live.readout()
    for description, key, times in KEYS[widget]:
        handle = live.control(description).locator(".noUi-handle")
        for _ in range(times):
            before = live.look()
            handle.press(key)
            assert live.changed(before)
    agrees(live, widget())
    assert "✓Taskdone" in live.readout()
