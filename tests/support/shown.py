"""What the browser tests do to one widget in the page: read it, drag it, press its keys, compare it with Python."""

import json
import re

import ipywidgets
import numpy as np
from support import lab

from cvlab.widgets._engine.base import encode
from cvlab.widgets._engine.controls import allowed
from cvlab.widgets._engine.palette import DARK, LIGHT

IS_DARK = "() => document.body.dataset.jpThemeLight === 'false'"


def only_words(text: str) -> str:
    """The text without its layout."""
    return re.sub(r"\s+", "", text)


class Shown:
    """One widget in the page: its parts, and the state that its controls show."""

    def __init__(self, notebook, root):
        self.notebook, self.root = notebook, root
        self.image = root.locator("img.widget-image")
        self.canvas = root.locator("canvas")

    def control(self, description: str):
        by_label = self.root.locator(
            ".widget-inline-hbox, .widget-toggle-buttons",
            has=self.root.page.get_by_text(description, exact=True),
        )
        return by_label.first

    def value(self, control, description: str):
        """What the page shows for a control, in the type of `control` (the same widget's, in this process)."""
        part = self.control(description)
        if isinstance(control.value, bool):
            return part.locator("input").is_checked()
        if isinstance(control, ipywidgets.ToggleButtons):
            marks = part.locator("button").evaluate_all(
                "all => all.map(b => b.classList.contains('mod-active'))"
            )
            return allowed(control)[marks.index(True)]
        if isinstance(control, ipywidgets.SelectionSlider):
            labels = [pair[0] if isinstance(pair, tuple) else str(pair) for pair in control.options]
            return allowed(control)[labels.index(part.locator(".widget-readout").inner_text())]
        if hasattr(control, "options"):
            return allowed(control)[part.locator("select").evaluate("e => e.selectedIndex")]
        words = part.locator(".widget-readout").inner_text().replace("−", "-")
        if isinstance(control.value, tuple):
            return tuple(type(control.value[0])(word) for word in words.split("–"))
        return type(control.value)(words)

    def drawn_state(self) -> dict:
        """The state that the canvas shows, where the widget has one."""
        if not self.canvas.count():
            return {}
        state = json.loads(self.canvas.get_attribute("data-state"))
        return {key: tuple(value) if isinstance(value, list) else value for key, value in state.items()}

    def readout(self) -> str:
        return only_words(self.root.locator(".cvlab-readout").inner_text())

    def look(self) -> tuple[str, str | None]:
        """What there is to see: the readout, and the state of the canvas or the picture's address, always new."""
        if self.canvas.count():
            return self.readout(), self.canvas.get_attribute("data-state")
        return self.readout(), self.image.get_attribute("src") if self.image.count() else None

    def changed(self, old: tuple, seconds: float = 60) -> bool:
        """Wait until the readout or the picture is another; then until Python has nothing more to do."""
        page = self.root.page
        for _ in range(int(seconds * 20)):
            if self.look() != old:
                break
            page.wait_for_timeout(50)
        page.wait_for_function(lab.IDLE)
        page.wait_for_timeout(150)
        return self.look() != old


def shown(notebook, name: str) -> Shown:
    root = notebook.page.locator(f".cvlab-{name}").first
    root.scroll_into_view_if_needed()
    return Shown(notebook, root)


def fresh(notebook, name: str) -> Shown:
    """Find a widget and reset it; wait until Python has put it back, because what is done before that would be undone."""
    live = shown(notebook, name)
    before = live.look()
    live.root.get_by_role("button", name="Reset").press("Enter")
    live.changed(before, seconds=1)
    return live


def agrees(live: Shown, twin, seconds: float = 60) -> None:
    """Wait until the page shows the readout and the very picture that Python makes for the state of the controls.

    A move may reach the page in several messages: what counts is where it comes to rest.
    """
    for _ in range(int(seconds * 10)):
        try:
            return _agrees_now(live, twin)
        except AssertionError:
            live.root.page.wait_for_timeout(100)
    return _agrees_now(live, twin)


def _agrees_now(live: Shown, twin) -> None:
    state = live.drawn_state()
    for key, control in twin._controls.items():
        if control.layout.display != "none":  # the others are moved on the canvas only
            value = live.value(control, control.description)
            assert state.setdefault(key, value) == value, f"the canvas and the control disagree about {key}"
    twin.set(**state)
    assert live.readout() == only_words(twin.readout)
    if live.image.count():
        picture = twin._drawn(DARK if live.root.page.evaluate(IS_DARK) else LIGHT)
        assert live.notebook.bytes_of(live.image) == encode(picture, twin.format, twin.quality)
        assert only_words(live.image.get_attribute("alt")) == only_words(f"{twin.alt}. {twin.readout}")


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
    if isinstance(control, ipywidgets.ToggleButtons):
        other = (allowed(control).index(control.value) + 1) % len(control.options)
        return [
            lambda live, control: (
                live.control(control.description).locator("button").nth(other).press("Enter")
            )
        ]
    if isinstance(control, ipywidgets.SelectionSlider):
        key = "ArrowLeft" if allowed(control).index(control.value) else "ArrowRight"
        return [lambda live, control: part(live, control, ".noUi-handle").press(key)]
    if hasattr(control, "options"):
        other = (allowed(control).index(control.value) + 1) % len(control.options)
        return [lambda live, control: part(live, control, "select").select_option(index=other)]
    place, key = (0.1, "ArrowRight") if share(control) > 0.25 else (0.9, "ArrowLeft")
    return [
        lambda live, control: drag(live, control.description, place),
        lambda live, control: part(live, control, ".noUi-handle").press(key),
    ]


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
