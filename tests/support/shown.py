"""What the browser tests do to one widget in the page: read it, drag it, press its keys, compare it with Python."""

import base64
import functools
import json
import re
import time

import ipywidgets
import numpy as np

import cvlab.widgets
from cvlab.widgets._engine.controls import allowed
from cvlab.widgets._engine.palette import DARK, LIGHT

# All that a widget shows, at one moment: what each control says, the canvas' state, the picture.
READ = """async (root, descriptions) => {
  const rows = [...root.querySelectorAll(".widget-inline-hbox, .widget-toggle-buttons")];
  const says = (row, words) => [...row.querySelectorAll("*")].some((e) => e.textContent.trim() === words);
  const controls = descriptions.map((words) => {
    const row = rows.find((one) => says(one, words));
    return {
      checked: row.querySelector("input[type=checkbox]")?.checked,
      pressed: [...row.querySelectorAll("button")].findIndex((b) => b.classList.contains("mod-active")),
      chosen: row.querySelector("select")?.selectedIndex,
      readout: row.querySelector(".widget-readout")?.innerText,
    };
  });
  const canvas = root.querySelector("canvas"), img = root.querySelector("img.widget-image");
  const readout = root.querySelector(".cvlab-readout").innerText, dark = document.body.dataset.jpThemeLight === "false";
  const data = img && new Uint8Array(await (await fetch(img.src)).arrayBuffer());
  const picture = img && btoa(Array.from(data, (b) => String.fromCharCode(b)).join(""));
  return { controls, readout, dark, picture, alt: img?.alt, state: canvas?.dataset.state };
}"""
LOOK = """root => [
  root.querySelector(".cvlab-readout").innerText,
  root.querySelector("canvas")?.dataset.state ?? root.querySelector("img.widget-image")?.src,
]"""
PATIENCE = 60  # seconds: only what hangs takes so long


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

    def read(self, controls=()) -> dict:
        """All that the page shows; the values of `controls` (the same widget's, in this process) in their types."""
        controls = list(controls)
        seen = self.root.evaluate(READ, [control.description for control in controls])
        seen["controls"] = [
            told(control, row) for control, row in zip(controls, seen["controls"], strict=True)
        ]
        seen["state"] = state_of(seen.get("state"))
        seen["readout"] = only_words(seen["readout"])
        seen["picture"] = base64.b64decode(seen["picture"]) if seen["picture"] else None
        return seen

    def drawn_state(self) -> dict:
        """The state that the canvas shows."""
        return state_of(self.canvas.get_attribute("data-state"))

    def readout(self) -> str:
        return self.look()[0]

    def look(self) -> tuple[str, str | None]:
        """What there is to see: the readout, and the state of the canvas or the picture's address, always new."""
        readout, other = self.root.evaluate(LOOK)
        return only_words(readout), other

    def changed(self, old: tuple) -> bool:
        """Wait until Python has nothing more to do, and the readout or the picture is another."""
        end = time.monotonic() + PATIENCE
        while True:
            self.notebook.rest()
            if self.look() != old:
                return True
            if time.monotonic() > end:
                return False

    def press(self, key: str) -> None:
        """Press a key on the canvas; something changes."""
        before = self.look()
        self.canvas.press(key)
        assert self.changed(before), key

    def drag(self, start: tuple, stop: tuple) -> None:
        """Drag by the mouse between two places (x, y) in pixels of the canvas; something changes."""
        box, mouse, before = self.canvas.bounding_box(), self.root.page.mouse, self.look()
        mouse.move(box["x"] + start[0], box["y"] + start[1])
        mouse.down()
        mouse.move(box["x"] + stop[0], box["y"] + stop[1], steps=6)
        mouse.up()
        assert self.changed(before)

    def reset(self) -> "Shown":
        """Press Reset, and wait until Python has put everything back."""
        self.root.get_by_role("button", name="Reset").press("Enter")
        self.notebook.rest()
        return self


def told(control, row: dict):
    """What the page shows for a control, in the control's type."""
    if isinstance(control.value, bool):
        return row["checked"]
    if isinstance(control, ipywidgets.ToggleButtons):
        return allowed(control)[row["pressed"]]
    if isinstance(control, ipywidgets.SelectionSlider):
        labels = [pair[0] if isinstance(pair, tuple) else str(pair) for pair in control.options]
        return allowed(control)[labels.index(row["readout"])]
    if hasattr(control, "options"):
        return allowed(control)[row["chosen"]]
    words = row["readout"].replace("−", "-")
    if isinstance(control.value, tuple):
        return tuple(type(control.value[0])(word) for word in words.split("–"))
    return type(control.value)(words)


def state_of(text: str | None) -> dict:
    """The state that a canvas wrote down, {} without one."""
    state = json.loads(text or "{}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in state.items()}


def shown(notebook, name: str) -> Shown:
    root = notebook.page.locator(f".cvlab-{name}").first
    root.scroll_into_view_if_needed()
    return Shown(notebook, root)


def fresh(notebook, name: str) -> Shown:
    """Find a widget, and reset it."""
    return shown(notebook, name).reset()


@functools.cache
def twin_of(name: str):
    """The widget of that name in this process, one for all tests: `agrees` moves it to where the page is."""
    return getattr(cvlab.widgets, name)()


def agrees(live: Shown, twin, state: dict | None = None) -> None:
    """Wait until the page shows the readout and the very picture that Python makes for the state of the controls.

    A canvas may tell Python of a pause only: what counts is where it comes to rest, in `state` where one is expected.
    """
    end = time.monotonic() + PATIENCE
    while True:
        live.notebook.rest()
        try:
            _agrees_now(live, twin)
            assert state in (None, twin.state)
            return
        except AssertionError:
            if time.monotonic() > end:
                raise


def _agrees_now(live: Shown, twin) -> None:
    visible = visible_of(twin)
    now = live.read(visible.values())
    state = now["state"]
    for key, value in zip(visible, now["controls"], strict=True):
        assert state.setdefault(key, value) == value, f"the canvas and the control disagree about {key}"
    if now["picture"]:
        twin.palette = DARK if now["dark"] else LIGHT
    twin.set(**state)
    assert now["readout"] == only_words(twin.readout)
    if now["picture"]:
        assert now["picture"] == twin._image.value
        assert only_words(now["alt"]) == only_words(f"{twin.alt}. {twin.readout}")


def visible_of(twin) -> dict:
    """The controls that a learner sees; the others are moved on the canvas only."""
    return {key: one for key, one in twin._controls.items() if one.layout.display != "none"}


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


# The words of a widget with their ink and what lies behind them.
INKS = """root => [...root.querySelectorAll(".cvlab-readout div, .cvlab-task, .widget-label")].map((e) => {
  const numbers = s => (s.match(/[\\d.]+/g) || []).map(Number);
  let behind = [255, 255, 255];
  for (let up = e; up; up = up.parentElement) {
    const c = numbers(getComputedStyle(up).backgroundColor);
    if (c.length === 3 || c[3] > 0.99) { behind = c.slice(0, 3); break; }
  }
  return [e.innerText, numbers(getComputedStyle(e).color), behind];
})"""


def contrasts(live: Shown) -> list[tuple[float, str]]:
    """The contrast of each text of a widget with what lies behind it, 1 to 21, as WCAG 2 defines it, and the text."""
    return [(contrast(ink, paper), words) for words, ink, paper in live.root.evaluate(INKS)]


def contrast(ink: list, paper: list) -> float:
    alpha = ink[3] if len(ink) > 3 else 1
    ink = [alpha * a + (1 - alpha) * b for a, b in zip(ink, paper, strict=False)]
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb) -> float:
    linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb[:3]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
