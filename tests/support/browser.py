"""One JupyterLab and one browser for all browser tests; without a browser they are skipped, or fail on CI."""

import dataclasses
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import chromium, lab
from support.accessible import THEMES, findings
from support.shown import contrasts, shown

import cvlab.widgets

__all__ = ["LESSONS", "NAMES", "cards", "gallery", "looks", "opened"]

NAMES = sorted(cvlab.widgets.__all__)
GALLERY = "every widget, все, 모두.ipynb"
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
CARDS = """
from cvlab import check, hint, progress, solution
def to_rgb(image_bgr):
    return image_bgr.copy()
check(to_rgb)
---
hint(to_rgb)
---
solution(to_rgb)
---
def to_rgb(image_bgr):
    return image_bgr[:, :, ::-1].copy()
check(to_rgb)
---
def center_crop(image, size):
    raise NotImplementedError
check(center_crop)
---
check(print)
---
progress("01")
---
import matplotlib.pyplot as plt, numpy as np
from cvlab.draw import show, theme
theme()
fig, ax = plt.subplots(figsize=(3, 2)); ax.plot([1, 3, 2]); ax.set_title("a chart");
---
show(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8), title="a picture");
---
from cvlab.widgets import BrightnessSlider
BrightnessSlider()
"""
LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    """The function that opens a notebook by name, once: a copy of a lesson, or one made of `cells`; `run` runs it."""
    path = chromium.find_or_install()
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"NOT TESTED: widgets in the browser: no browser found; {chromium.HOW}")
    from playwright.sync_api import sync_playwright

    root, notebooks, made_of = tmp_path_factory.mktemp("class"), {}, {}
    for lesson in LESSONS:
        shutil.copy(lesson, root)
    with lab.serve(root, tmp_path_factory.mktemp("lab")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)

        def open_notebook(name: str, cells: list[str] | None = None, run: bool = True) -> lab.Notebook:
            assert made_of.setdefault(name, cells) == cells, f"{name} is open already, made of other cells"
            if name not in notebooks:
                if cells:
                    made = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=KERNEL)
                    nbformat.write(made, root / name)
                notebooks[name] = lab.Notebook(browser, address, name)
                if run:
                    notebooks[name].run()
            return notebooks[name]

        yield open_notebook
        browser.close()


@pytest.fixture(scope="session")
def gallery(opened):
    """Every widget, in a list `gallery` too, and one made for the tests, in one notebook: each test resets what it moves."""
    first = f"from cvlab import widgets\ngallery = [getattr(widgets, name)() for name in {NAMES}]"
    return opened(GALLERY, [first, *(f"gallery[{i}]" for i in range(len(NAMES))), POINTER])


@dataclasses.dataclass
class Look:
    """How the gallery looks in one theme: what axe has against it, and by widget a screenshot, the contrasts of its words
    and the picture that Python sent."""

    axe: list[str]
    screenshots: dict[str, bytes] = dataclasses.field(default_factory=dict)
    contrasts: dict[str, list[tuple[float, str]]] = dataclasses.field(default_factory=dict)
    pictures: dict[str, bytes | None] = dataclasses.field(default_factory=dict)


@pytest.fixture(scope="session")
def looks(gallery) -> dict[str, Look]:
    """How the gallery looks in each theme; in the light one last, where all other tests are at home."""
    gallery.execute("for widget in gallery: widget.reset()")
    found = {}
    for theme in THEMES:
        gallery.theme(theme)
        look = found[theme] = Look(findings(gallery.page))
        for name in NAMES:
            live = shown(gallery, name)
            look.screenshots[name] = live.root.screenshot()
            look.contrasts[name] = contrasts(live)
            look.pictures[name] = live.read()["picture"]
            if folder := os.environ.get("CVLAB_SCREENSHOTS"):
                Path(folder, f"{name} {theme}.png").write_bytes(look.screenshots[name])
    return found


@pytest.fixture(scope="session")
def cards(opened):
    """Every kind of card, a chart, a picture and a widget, in one notebook that was run."""
    return opened("cards.ipynb", CARDS.strip().split("\n---\n"))
