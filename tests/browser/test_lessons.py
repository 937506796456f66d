"""Every widget in a real browser on a real JupyterLab: dragged, moved by keyboard, read, in both themes.

A new widget is tested by being exported; a new lesson by lying in `notebooks/`.
"""

import io

import nbformat
import numpy as np
import pytest
from PIL import Image
from support import chromium, lab
from support.accessible import THEMES, ours
from support.browser import LESSONS, NAMES
from support.shown import Shown, agrees, drag, fresh, moves, shown, twin_of, visible_of

from cvlab.widgets._engine.base import VIEW

FOCUSABLE = ".noUi-handle, select, input[type=checkbox], button, canvas"


@pytest.mark.parametrize("name", NAMES)
def test_every_control_moves_picture_and_readout(gallery, name):
    live, twin = fresh(gallery, name), twin_of(name)
    agrees(live, twin)
    for control in visible_of(twin).values():
        for move in moves(control):
            before, value = live.look(), control.value
            move(live, control)
            if hasattr(control, "min"):  # the others need not change anything: an antialias that is no switch
                assert live.changed(before), f"{control.description} is dead"
            agrees(live, twin)
            assert control.value != value
    if live.canvas.count():
        press_arrows(live, twin)
    live.reset()
    agrees(live, twin, twin._first)
    assert not gallery.errors


def press_arrows(live: Shown, twin) -> None:
    """On a canvas at least one arrow key moves something, and none does what Python would not."""
    states = [twin.state]
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        live.canvas.press(key)
        agrees(live, twin)
        states.append(twin.state)
    assert any(state != states[0] for state in states), "no arrow key moves the canvas"


@pytest.mark.parametrize("name", NAMES)
def test_keyboard_reaches_every_control(gallery, name):
    live = shown(gallery, name)
    targets = live.root.locator(FOCUSABLE)
    missing = set(range(targets.count()))
    targets.first.focus()
    for _ in range(3 * len(missing) + 3):
        places = "(e, list) => Array.from(e.querySelectorAll(list)).indexOf(document.activeElement)"
        missing.discard(live.root.evaluate(places, FOCUSABLE))
        if not missing:
            break
        live.root.page.keyboard.press("Tab")
    assert not missing, f"Tab did not reach {sorted(missing)} of {FOCUSABLE}"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", NAMES)
def test_readable_in_both_themes(looks, name, theme):
    grey = Image.open(io.BytesIO(looks[theme].screenshots[name])).convert("L")
    assert np.asarray(grey).std() > 20, f"{name} looks blank"
    assert [words for contrast, words in looks[theme].contrasts[name] if contrast < 4.5] == []


def test_a_canvas_is_moved_by_pointer_and_keyboard(gallery):
    live = fresh(gallery, "Dot")
    assert "arrow keys" in live.canvas.get_attribute("aria-label")
    live.drag((100, 30), (200, 30))
    assert live.readout() == "x:200"
    live.press("ArrowRight")
    assert live.readout() == "x:201"
    assert live.control("x").locator(".widget-readout").inner_text() == "201"
    before = live.look()
    drag(live, "x", 0.5)
    assert live.changed(before)
    assert live.readout() in ("x:149", "x:150", "x:151")


def test_an_exception_is_shown_and_the_widget_lives_on(gallery):
    live = shown(gallery, "Dot")
    number = live.control("x").locator(".widget-readout")
    for typed, expected in (("13", "⚠RuntimeError:thirteen"), ("14", "x:14")):
        before = live.look()
        number.fill(typed)
        number.press("Enter")
        assert live.changed(before)
        assert live.readout() == expected


def test_a_wrong_chromium_is_named(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(
        FileNotFoundError, match="CHROMIUM must be the path of a browser that can run; got '/no/such"
    ):
        chromium.find()


def test_nothing_leaves_this_machine(gallery):
    assert len(gallery.requests) > 20
    assert gallery.strangers() == []


def move_somehow(live: Shown) -> None:
    """Move the first thing that a widget has to move: its canvas, a slider, a list, a row of buttons."""
    handle, choice = live.root.locator(".noUi-handle"), live.root.locator("select")
    if live.canvas.count() or handle.count():
        target, other = (live.canvas, "ArrowDown") if live.canvas.count() else (handle.first, "ArrowLeft")
        before = live.look()
        target.press("ArrowRight")
        live.notebook.rest()
        if live.look() == before:  # at the end already
            target.press(other)
    elif choice.count():
        choice.first.select_option(index=int(choice.first.evaluate("e => e.selectedIndex ? 0 : 1")))
    else:
        live.root.locator(".widget-toggle-button:not(.mod-active)").first.press("Enter")


def widget_cells(lesson: str) -> tuple[list[int], list[int]]:
    """Return the cells of a lesson that must run to show its widgets, and those that show one."""
    cells = nbformat.read(next(path for path in LESSONS if path.name == lesson), as_version=4).cells
    shows = [
        i for i, c in enumerate(cells) if any(VIEW in out.get("data", {}) for out in c.get("outputs", []))
    ]
    return lab.needed([c.source if c.cell_type == "code" else "" for c in cells], shows), shows


def test_needed_cells_are_found():
    cells = ["import numpy as np", "# a heading", "a = np.ones(3)", "b = 2", "%timeit a", "a", "print(b)"]
    assert lab.needed(cells, [5]) == [0, 2, 5]


@pytest.mark.parametrize(
    "lesson", [LESSONS[0].name, *(pytest.param(p.name, marks=pytest.mark.exhaustive) for p in LESSONS[1:])]
)
def test_a_lesson_shows_pictures_then_runs_and_its_widgets_move(opened, lesson):
    notebook = opened(lesson, run=False)
    output = notebook.page.locator(".jp-OutputArea-output")
    assert output.locator("img").count() > 0, "before it is run, a lesson shows the pictures that were kept"
    assert output.get_by_text("Error displaying widget").count() == 0
    cells, shows = widget_cells(lesson)
    notebook.run(None if lesson == LESSONS[0].name else cells)  # the first one whole, as a newcomer does
    widgets = notebook.page.locator(".cvlab-widget")
    assert widgets.count() == len(shows)
    for index in range(widgets.count()):
        live = Shown(notebook, widgets.nth(index))
        live.root.scroll_into_view_if_needed()
        before = live.look()
        move_somehow(live)
        assert live.changed(before), f"widget {index + 1} of {lesson} does not answer"
    if lesson == LESSONS[0].name:
        assert ours(notebook) == []
    assert notebook.errors == []
    assert notebook.strangers() == []
    notebook.close()
