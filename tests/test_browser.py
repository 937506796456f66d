"""Every widget in a real browser on a real JupyterLab: dragged, moved by keyboard, read, in both themes.

A new widget is tested by being exported; a new lesson by lying in `notebooks/`.
"""

import io
import os
import re
import shutil
from pathlib import Path

import _chromium
import _lab
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

import cvlab.widgets
from cvlab.widgets._controls import allowed

NAMES = sorted(cvlab.widgets.__all__)
LESSONS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
GALLERY = "every widget, все, 모두.ipynb"
FOCUSABLE = ".noUi-handle, select, input[type=checkbox], button, canvas"
POINTER = '''
import ipywidgets, numpy
from cvlab.widgets import PointerWidget
class Dot(PointerWidget):
    scene = """{
      size: () => [300, 60],
      draw(ctx, s) { ctx.fillStyle = s.theme.ink; ctx.fillRect(s.state.x - 5, 25, 10, 10); },
      drag: (from, to) => ({ x: Math.round(Math.min(300, Math.max(0, to.x))) }),
      key: (key, shift, s) => key === "ArrowRight" ? { x: Math.min(300, s.state.x + 1) } : null,
    }"""
    def controls(self): return {"x": ipywidgets.IntSlider(100, 0, 300, description="x")}
    def compute(self, x):
        if x == 13: raise RuntimeError("thirteen")
        return {"x": x}
    def draw(self, values): return numpy.full((60, 300, 3), 255, numpy.uint8)
    def text(self, values): return f"x: {values['x']}"
Dot()
'''


@pytest.fixture(scope="module")
def browser_path():
    return _chromium.find_or_install()


@pytest.fixture
def opened(browser_path, request):
    """The function that opens a notebook; without a browser, skip by name, or fail on CI."""
    if browser_path is None:
        message = f"NOT TESTED: {request.node.name}: no browser found; {_chromium.HOW}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return request.getfixturevalue("in_lab")


@pytest.fixture(scope="module")
def in_lab(browser_path, tmp_path_factory):
    """Open and run a notebook by name, once; all in one browser on one server, from a copy."""
    from playwright.sync_api import sync_playwright

    root = tmp_path_factory.mktemp("class")
    for lesson in LESSONS:
        shutil.copy(lesson, root)
    code = [f"from cvlab.widgets import {name}\nwidget = {name}()\nwidget" for name in NAMES] + [POINTER]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell(c) for c in code], metadata=kernel), root / GALLERY)
    notebooks = {}
    options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
    with _lab.serve(root, tmp_path_factory.mktemp("lab")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=options)

        def open_notebook(name, run=True):
            if name not in notebooks:
                notebooks[name] = _lab.Notebook(browser, address, name)
                if run:
                    notebooks[name].run()
            return notebooks[name]

        yield open_notebook
        browser.close()


@pytest.fixture
def gallery(opened):
    return opened(GALLERY)


def only_words(text: str) -> str:
    """The text without its layout."""
    return re.sub(r"\s+", "", text)


class Shown:
    """One widget in the page: its parts, and the state that its controls show."""

    def __init__(self, notebook, root):
        self.notebook, self.root = notebook, root
        self.image = root.locator("img.widget-image")

    def control(self, description: str):
        by_label = self.root.locator(
            ".widget-inline-hbox", has=self.root.page.get_by_text(description, exact=True)
        )
        return by_label.first

    def value(self, control, description: str):
        """What the page shows for a control, in the type of `control` (the same widget's, in this process)."""
        part = self.control(description)
        if isinstance(control.value, bool):
            return part.locator("input").is_checked()
        if hasattr(control, "options"):
            return allowed(control)[part.locator("select").evaluate("e => e.selectedIndex")]
        words = part.locator(".widget-readout").inner_text().replace("−", "-")
        if isinstance(control.value, tuple):
            return tuple(type(control.value[0])(word) for word in words.split("–"))
        return type(control.value)(words)

    def readout(self) -> str:
        return only_words(self.root.locator(".cvlab-readout").inner_text())

    def look(self) -> tuple[str, str | None]:
        """What there is to see: the readout, and the address of the picture, new for every picture."""
        return self.readout(), self.image.get_attribute("src") if self.image.count() else None

    def changed(self, old: tuple, seconds: float = 6) -> bool:
        """Wait until the readout or the picture is another; then until Python has nothing more to do."""
        page = self.root.page
        for _ in range(int(seconds * 20)):
            if self.look() != old:
                break
            page.wait_for_timeout(50)
        page.wait_for_function(_lab.IDLE)
        page.wait_for_timeout(150)
        return self.look() != old


def shown(notebook, name: str) -> Shown:
    root = notebook.page.locator(f".cvlab-{name}").first
    root.scroll_into_view_if_needed()
    return Shown(notebook, root)


def agrees(live: Shown, twin) -> None:
    """The page shows the readout and the very picture that Python makes for the state of the controls."""
    state = {key: live.value(control, control.description) for key, control in twin._controls.items()}
    twin.set(**state)
    assert live.readout() == only_words(twin.readout)
    if live.image.count():
        assert live.notebook.bytes_of(live.image) == twin.snapshot


def drag(live: Shown, description: str, share: float) -> None:
    """Drag a slider's handle by the mouse along a share of its track."""
    part = live.control(description)
    part.scroll_into_view_if_needed()
    handle, track = (
        part.locator(".noUi-handle").first.bounding_box(),
        part.locator(".noUi-target").bounding_box(),
    )
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    mouse = live.root.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(track["x"] + share * track["width"], y, steps=5)
    mouse.up()


def share(control) -> float:
    """Where a slider stands (the lower handle, when it has two), 0 to 1."""
    value = control.value[0] if isinstance(control.value, tuple) else control.value
    return (value - control.min) / (control.max - control.min)


def moves(control) -> list:
    """How a learner moves a control: a list of functions of the live widget and the control."""

    def part(live, control, selector):
        return live.control(control.description).locator(selector).first

    if isinstance(control.value, bool):
        return [lambda live, control: part(live, control, "input").press("Space")]
    if hasattr(control, "options"):
        other = (allowed(control).index(control.value) + 1) % len(control.options)
        return [lambda live, control: part(live, control, "select").select_option(index=other)]
    return [
        lambda live, control: drag(live, control.description, 0.1 if share(control) > 0.25 else 0.4),
        lambda live, control: part(live, control, ".noUi-handle").press("ArrowRight"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_control_moves_picture_and_readout(gallery, name):
    live, twin = shown(gallery, name), getattr(cvlab.widgets, name)()
    agrees(live, twin)
    for control in twin._controls.values():
        for move in moves(control):
            before, value = live.look(), live.value(control, control.description)
            move(live, control)
            sliding = hasattr(
                control, "min"
            )  # the others need not change anything: an antialias that is no switch
            assert live.changed(before, seconds=6 if sliding else 1) or not sliding, (
                f"{control.description} is dead"
            )
            assert live.value(control, control.description) != value
            agrees(live, twin)
    before = live.look()
    live.root.get_by_role("button", name="Reset").press("Enter")
    live.changed(before, seconds=2)
    agrees(live, getattr(cvlab.widgets, name)())
    assert not gallery.errors


@pytest.mark.parametrize("name", NAMES)
def test_keyboard_reaches_every_control(gallery, name):
    live = shown(gallery, name)
    targets = live.root.locator(FOCUSABLE)
    count = targets.count()
    targets.first.focus()
    reached = set()
    for _ in range(3 * count + 3):
        places = "(e, list) => Array.from(e.querySelectorAll(list)).indexOf(document.activeElement)"
        reached.add(live.root.evaluate(places, FOCUSABLE))
        live.root.page.keyboard.press("Tab")
    assert set(range(count)) <= reached, f"Tab reached {sorted(reached)} of {count}"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_readable_in_both_themes(gallery, theme):
    gallery.theme(theme)
    folder = os.environ.get("CVLAB_SCREENSHOTS")
    for name in NAMES:
        live = shown(gallery, name)
        png = live.root.screenshot()
        if folder:
            Path(folder, f"{name} {theme}.png").write_bytes(png)
        assert np.asarray(Image.open(io.BytesIO(png)).convert("L")).std() > 20, f"{name} looks blank"
        for words in live.root.locator(".cvlab-readout div, .cvlab-task, .widget-label").all():
            assert contrast(words) >= 4.5, f"{name}: {words.inner_text()!r} is hard to read in {theme}"


def contrast(words) -> float:
    """The contrast of text with what lies behind it, 1 to 21, as WCAG 2 defines it."""
    script = """e => {
      const numbers = s => (s.match(/[\\d.]+/g) || []).map(Number);
      let behind = [255, 255, 255];
      for (let up = e; up; up = up.parentElement) {
        const c = numbers(getComputedStyle(up).backgroundColor);
        if (c.length === 3 || c[3] > 0.99) { behind = c.slice(0, 3); break; }
      }
      return [numbers(getComputedStyle(e).color), behind];
    }"""
    ink, paper = words.evaluate(script)
    alpha = ink[3] if len(ink) > 3 else 1
    ink = [alpha * a + (1 - alpha) * b for a, b in zip(ink, paper, strict=False)]
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb) -> float:
    linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb[:3]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_a_canvas_is_moved_by_pointer_and_keyboard(gallery):
    live = shown(gallery, "Dot")
    canvas = live.root.locator("canvas")
    assert "arrow keys" in canvas.get_attribute("aria-label")
    box, before = canvas.bounding_box(), live.look()
    page = live.root.page
    page.mouse.move(box["x"] + 100, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 30, steps=4)
    page.mouse.up()
    assert live.changed(before)
    assert live.readout() == "x:200"
    before = live.look()
    canvas.press("ArrowRight")
    assert live.changed(before)
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
        _chromium.find()


def test_nothing_leaves_this_machine(gallery):
    assert len(gallery.requests) > 20
    assert gallery.strangers() == []


@pytest.mark.parametrize("lesson", [path.name for path in LESSONS])
def test_a_lesson_shows_pictures_then_runs_and_its_widgets_move(opened, lesson):
    notebook = opened(lesson, run=False)
    output = notebook.page.locator(".jp-OutputArea-output")
    assert output.locator("img").count() > 0, "before it is run, a lesson shows the pictures that were kept"
    assert output.get_by_text("Error displaying widget").count() == 0
    notebook.run()
    widgets = notebook.page.locator(".cvlab-widget")
    for index in range(widgets.count()):
        live = Shown(notebook, widgets.nth(index))
        live.root.scroll_into_view_if_needed()
        before = live.look()
        handle = live.root.locator(".noUi-handle")
        if handle.count():
            handle.first.press("ArrowRight")
        else:
            choice = live.root.locator("select").first
            choice.select_option(index=int(choice.evaluate("e => e.selectedIndex ? 0 : 1")))
        assert live.changed(before), f"widget {index + 1} of {lesson} does not answer"
    assert notebook.errors == []
    assert notebook.strangers() == []
