"""Record the animated picture at the top of the README: a widget that is moved, a check that fails, then passes.

    .venv/bin/python docs/make_animation.py

Needs Chromium, as the browser tests do. A real JupyterLab is opened on a notebook of two cells; each frame is a
picture of it, shown for as long as the frame says, so that a slow machine makes the same animation.
"""

import io
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import chromium, lab  # noqa: E402
from support.browser import KERNEL, OPTIONS  # noqa: E402
from support.shown import shown  # noqa: E402

OUT = ROOT / "docs" / "pictures" / "cvlab.webp"
LARGEST = 1_500_000  # bytes
WIDTH, HEIGHT = 940, 600
WIDGET = "from cvlab.widgets import IouBoxes\n\nIouBoxes()"
WRONG = '''from cvlab import check

def to_rgb(image_bgr):
    """Return the picture with its channels in the order red, green, blue."""
    return image_bgr.copy()

check(to_rgb)'''
RIGHT = WRONG.replace("image_bgr.copy()", "image_bgr[:, :, ::-1].copy()")
WRITE = """([index, source]) => {
  window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(source);
}"""
# A screenshot has no pointer in it: one is drawn where the mouse is.
POINTER = """() => {
  const arrow = document.createElement("div");
  arrow.innerHTML = `<svg width="22" height="22"><path d="M2 1 L2 17 L6.5 13 L9.5 20 L12.5 18.7 L9.5 12 L15.5 12 Z"
    fill="#000" stroke="#fff" stroke-width="1.5"/></svg>`;
  arrow.style.cssText = "position:fixed;left:-40px;top:0;z-index:99999;pointer-events:none";
  document.body.append(arrow);
  document.addEventListener("pointermove", (event) => {
    arrow.style.left = `${event.clientX - 2}px`;
    arrow.style.top = `${event.clientY - 1}px`;
  }, true);
}"""
BARE = """async () => {
  const { commands } = window.jupyterapp;
  for (const side of ["left", "right"]) await commands.execute("application:toggle-side-tabbar", { side });
  if (commands.hasCommand("statusbar:toggle")) await commands.execute("statusbar:toggle");
}"""


class Film:
    """Frames of a page, each with the milliseconds it is shown."""

    def __init__(self, page):
        self.page, self.frames, self.times = page, [], []

    def shoot(self, milliseconds: int) -> None:
        """Take one frame, once the browser has painted what was asked for."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        box = self.page.locator(".jp-NotebookPanel").bounding_box()
        png = self.page.screenshot(clip=box | {"height": HEIGHT})
        self.frames.append(Image.open(io.BytesIO(png)).convert("RGB"))
        self.times.append(milliseconds)

    def glide(self, start: tuple, stop: tuple, steps: int, milliseconds: int = 70) -> None:
        """Move the mouse, slowly at both ends, and shoot each step."""
        for i in range(1, steps + 1):
            share = i / steps
            share = share * share * (3 - 2 * share)
            self.page.mouse.move(*(a + share * (b - a) for a, b in zip(start, stop, strict=True)))
            self.shoot(milliseconds)

    def save(self, path: Path) -> int:
        """Write the animation, coarser until it is small enough; return its bytes."""
        for quality in (90, 75, 60, 45):
            options = {
                "duration": self.times,
                "loop": 0,
                "quality": quality,
                "method": 6,
                "minimize_size": True,
            }
            self.frames[0].save(path, save_all=True, append_images=self.frames[1:], **options)
            if path.stat().st_size <= LARGEST:
                return path.stat().st_size
        raise ValueError(
            f"{path.name} must be at most {LARGEST} bytes; got {path.stat().st_size} at quality {quality}"
        )


def move_boxes(film: Film, notebook) -> None:
    """Drag the detection over the truth, then its corner, until the task is done."""
    live = shown(notebook, "IouBoxes")
    state, box = live.drawn_state(), live.canvas.bounding_box()

    def at(x: float, y: float) -> tuple:
        return box["x"] + x, box["y"] + y

    mouse = notebook.page.mouse
    middle = at(state["box_x"] + 120, state["box_y"] + 110)
    mouse.move(*at(430, 300))
    film.shoot(900)
    film.glide(at(430, 300), middle, 6)
    mouse.down()
    aim = middle[0] + state["truth_x"] - state["box_x"] + 3, middle[1] + state["truth_y"] - state["box_y"] + 2
    film.glide(middle, aim, 20)
    mouse.up()
    film.shoot(500)
    state = live.drawn_state()
    corner = at(state["box_x"] + state["box_w"], state["box_y"] + state["box_h"])
    film.glide(aim, corner, 6)
    mouse.down()
    goal = at(state["truth_x"] + state["truth_w"] + 2, state["truth_y"] + state["truth_h"] - 3)
    film.glide(corner, goal, 12)
    mouse.up()
    notebook.rest()
    film.shoot(1700)


def solve(film: Film, notebook) -> None:
    """Run a wrong answer, read its card, mend the answer, run it again."""
    page = notebook.page
    page.mouse.move(WIDTH - 10, HEIGHT + 95)  # out of the picture
    page.evaluate("() => { const n = window.jupyterapp.shell.currentWidget.content; n.activeCellIndex = 1; }")
    page.locator(".jp-Cell").nth(1).evaluate("e => e.scrollIntoView({ block: 'start' })")
    film.shoot(1100)
    notebook.run([1])
    page.wait_for_timeout(500)
    film.shoot(2600)
    head, tail = RIGHT.split("[:, :, ::-1]")
    for end in range(0, len("[:, :, ::-1]") + 1, 2):
        page.evaluate(WRITE, [1, f"{head}{'[:, :, ::-1]'[:end]}{tail}"])
        film.shoot(80)
    film.shoot(500)
    notebook.run([1])
    page.wait_for_timeout(500)
    film.shoot(2400)


def main() -> None:
    """Record, save, and say how large the file is."""
    cells = [WIDGET, WRONG]
    root, home = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=KERNEL
    )
    nbformat.write(book, root / "cvlab.ipynb")
    with lab.serve(root, home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find_or_install(), args=OPTIONS)
        notebook = lab.Notebook(browser, address, "cvlab.ipynb")
        notebook.page.set_viewport_size({"width": WIDTH, "height": HEIGHT + 100})
        notebook.page.evaluate(BARE)
        notebook.page.evaluate(POINTER)
        notebook.run([0])
        film = Film(notebook.page)
        move_boxes(film, notebook)
        solve(film, notebook)
        browser.close()
    size = film.save(OUT)
    print(
        f"{OUT.relative_to(ROOT)}: {size:,} bytes, {len(film.frames)} frames, {sum(film.times) / 1000:.1f} s"
    )


if __name__ == "__main__":
    main()
