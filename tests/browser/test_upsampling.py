"""Lesson 05's upsampling explorer in a real browser: pointed at by mouse and by keys, it says what Python says."""

import os
from pathlib import Path

import pytest
from support.shown import agrees, fresh, twin_of

from cvlab.widgets.segmentation.upsampling import CELL, GAP, GROWN, LEFT, MOST, TOP

RIGHT = LEFT + MOST * CELL + GAP


@pytest.fixture
def live(gallery):
    return fresh(gallery, "UpsamplingExplorer")


def click(live, row: int, col: int, pixels: int) -> None:
    before, cell = live.look(), GROWN // pixels
    live.canvas.click(position={"x": RIGHT + (col + 0.5) * cell, "y": TOP + (row + 0.5) * cell})
    assert live.changed(before)


def test_the_task_is_done_by_pointer_and_slider(live):
    twin = twin_of("UpsamplingExplorer")
    click(live, 0, 9, 10)
    assert "newpixel:row0,column9of10×10" in live.readout()
    agrees(live, twin)
    before = live.look()
    live.control("factor").locator(".noUi-handle").press("ArrowRight")
    assert live.changed(before)
    click(live, 4, 7, 15)
    agrees(live, twin)
    assert "madeof:1oldpixel" in live.readout()
    assert "✓Taskdone" in live.readout()


def test_keys_walk_over_the_grown_map(live):
    before = live.look()
    live.control("mode").locator("select").select_option("bicubic")
    assert live.changed(before)
    for key, wanted in [
        ("Home", "row0,column0"),
        ("ArrowRight", "row0,column1"),
        ("ArrowDown", "row1,column1"),
        ("End", "row9,column9"),
        ("ArrowUp", "row8,column9"),
        ("ArrowLeft", "row8,column8"),
    ]:
        live.press(key)
        assert wanted in live.readout()
        agrees(live, twin_of("UpsamplingExplorer"))
    if folder := os.environ.get("CVLAB_SCREENSHOTS"):
        for look in ("Light", "Dark"):
            live.notebook.theme(f"JupyterLab {look}")
            Path(folder, f"UpsamplingExplorer {look}.png").write_bytes(live.root.screenshot())
        live.notebook.theme("JupyterLab Light")
