"""Still pages that are at home: a widget keeps its height while it is moved, and takes the page's light or dark."""

import io

import numpy as np
import pytest
from PIL import Image
from support import lab
from support.accessible import THEMES
from support.browser import NAMES
from support.shown import shown, twin_of

from cvlab.widgets._engine.controls import allowed


def ends(control) -> list:
    """Every option of a control, else its least, middle and largest value."""
    if (options := allowed(control)) is not None:
        return options
    if isinstance(control.value, bool):
        return [True, False]
    middle = (control.min + control.max) / 2
    if isinstance(control.value, tuple):
        return [(control.min, control.min), (control.min, control.max)]
    return [control.min, type(control.value)(middle), control.max]


# Set a control in Python, then measure the widget at the widths that an output has on pages of 800 and 1200 pixels.
MOVE = """async ([index, key, values, widths]) => {
  const root = document.querySelectorAll(".cvlab-widget")[index], heights = widths.map(() => []);
  const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
  const run = async (code) => {
    const reply = await kernel.requestExecute({ code, silent: true, store_history: false }).done;
    if (reply.content.status !== "ok") throw new Error(`${code}: ${reply.content.evalue}`);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  };
  const seen = new Set();
  for (const value of values) {
    await run(`w = gallery[${index}]; w.set(**w._first | {${JSON.stringify(key)}: ${value}})`);
    seen.add(root.innerHTML);
    widths.forEach((width, i) => {
      root.style.width = `${width}px`;
      heights[i].push(root.getBoundingClientRect().height);
    });
    root.style.width = "";
  }
  return [heights, seen.size];
}"""
WIDTHS = {800: 632, 1200: 1032}


@pytest.mark.parametrize("page", WIDTHS)
def test_an_output_is_as_wide_as_the_test_takes_it_to_be(gallery, page):
    gallery.page.set_viewport_size({"width": page, "height": 1500})
    gallery.rest()
    width = shown(gallery, NAMES[0]).root.bounding_box()["width"]
    gallery.page.set_viewport_size(lab.VIEW)
    assert abs(width - WIDTHS[page]) < 20


@pytest.mark.parametrize("name", NAMES)
def test_a_widget_keeps_its_height(gallery, name, record_property):
    heights, moved = [set(), set()], 0
    for key, control in twin_of(name)._controls.items():
        if control.layout.display == "none" and key[-1].isdigit() and not key.endswith("_1"):
            continue  # moved on the canvas: one of many alike is enough
        values = [repr(value) for value in ends(control)]
        found, looks = gallery.page.evaluate(MOVE, [NAMES.index(name), key, values, list(WIDTHS.values())])
        heights = [
            known | {round(height) for height in new} for known, new in zip(heights, found, strict=True)
        ]
        moved += looks > 1
    record_property("heights", f"{name}: {heights}")
    print(name, heights)
    assert moved, "nothing in the page changed"
    assert [len(known) for known in heights] == [1, 1], f"heights at {list(WIDTHS)} pixels: {heights}"
    assert gallery.errors == []


def border(png: bytes) -> float:
    """The mean grey of a picture's outermost pixels."""
    grey = np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)
    return float(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).mean())


@pytest.mark.parametrize("theme", THEMES)
def test_a_widget_stands_on_the_ground_of_its_page(looks, theme):
    grounds = {name: border(png) for name, png in looks[theme].screenshots.items()}
    strange = {n: round(g) for n, g in grounds.items() if (g < 200 if "Light" in theme else g > 60)}
    assert strange == {}, f"{theme}: the borders of these have another grey"


def test_a_dark_page_turns_charts_over_and_no_photo(cards):
    filters = "() => [...document.querySelectorAll('.jp-RenderedImage img')].slice(-2).map(e => getComputedStyle(e).filter)"
    cards.theme("JupyterLab Dark")
    assert cards.page.evaluate(filters) == ["invert(0.9333) hue-rotate(180deg)", "none"]
    cards.theme("JupyterLab Light")
    assert cards.page.evaluate(filters) == ["none", "none"]
