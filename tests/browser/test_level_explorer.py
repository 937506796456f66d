"""Lesson 04's level explorer in a real browser: pointed at by mouse and by keys, it says what Python says."""

import pytest
from support.shown import agrees, fresh, twin_of

CELL, HEAD, STEP = 15, 24, 218  # as in level_explorer.js: a patch, a caption, from picture to picture


@pytest.fixture
def live(gallery):
    return fresh(gallery, "LevelExplorer")


def click(live, picture: int, row: int, col: int) -> None:
    before = live.look()
    x = picture % 3 * STEP + (col + 0.5) * CELL
    y = picture // 3 * (STEP + HEAD) + HEAD + (row + 0.5) * CELL
    live.canvas.click(position={"x": x, "y": y})
    assert live.changed(before)


def test_the_task_is_done_by_pointer_and_slider(live):
    twin = twin_of("LevelExplorer")
    click(live, 0, 5, 5)
    assert "row5,column5(aneye)" in live.readout()
    agrees(live, twin)
    handle = live.control("level").locator(".noUi-handle")
    for _ in range(5):
        before = live.look()
        handle.press("ArrowRight")
        assert live.changed(before)
    agrees(live, twin)
    assert "✓Taskdone" in live.readout()
    assert "aneyein5of5" in live.readout()


def test_any_picture_can_be_pointed_at(live):
    click(live, 5, 6, 9)
    assert "drawndog2,row6,column9(aneye)" in live.readout()
    agrees(live, twin_of("LevelExplorer"))


def test_keys_move_the_patch_and_choose_the_picture(live):
    click(live, 1, 4, 4)
    for key, wanted in [
        ("ArrowRight", "row4,column5"),
        ("ArrowDown", "row5,column5"),
        ("Shift+ArrowLeft", "row5,column2"),
        ("Space", "drawncat1,row5,column2"),
    ]:
        live.press(key)
        assert wanted in live.readout()
    agrees(live, twin_of("LevelExplorer"))
