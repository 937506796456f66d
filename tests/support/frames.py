"""How smoothly a canvas follows a dragged pointer in the browser: frames a second, and the work of a frame."""

import numpy as np

START = """() => {
  const plain = window.requestAnimationFrame.bind(window);
  const seen = window.cvlabFrames = { work: [], at: [], moves: 0, on: true, plain };
  window.requestAnimationFrame = (call) => plain((time) => {
    const start = performance.now();
    call(time);
    seen.work.push(performance.now() - start);
  });
  seen.count = () => { seen.moves += 1; };
  document.addEventListener("pointermove", seen.count, true);
  const tick = (time) => { if (seen.on) { seen.at.push(time); plain(tick); } };
  plain(tick);
}"""
STOP = """() => {
  const seen = window.cvlabFrames;
  seen.on = false;
  window.requestAnimationFrame = seen.plain;
  document.removeEventListener("pointermove", seen.count, true);
  return [seen.at, seen.work, seen.moves];
}"""


def smoothness(live, start: tuple, radius: tuple, turns: int = 1, steps: int = 60) -> str:
    """Drag the mouse from a place of the canvas in circles, and say how the browser kept up.

    Args:
        live: a `Shown` with a canvas.
        start: x, y in CSS pixels of the canvas, where the mouse is pressed.
        radius: how far the circles go across and down.
        turns: how many circles.
        steps: pointer moves a circle.
    """
    page, box = live.root.page, live.canvas.bounding_box()
    x, y = box["x"] + start[0], box["y"] + start[1]
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(START)
    for angle in np.linspace(0, 2 * np.pi * turns, turns * steps):
        page.mouse.move(x + radius[0] * np.sin(angle), y + radius[1] * (1 - np.cos(angle)) / 2)
    at, work, moves = page.evaluate(STOP)
    page.mouse.up()
    gaps = np.diff(at)
    return (
        f"{1000 / gaps.mean():.0f} frames a second (95 % at most {np.percentile(gaps, 95):.1f} ms apart), "
        f"{moves} moves, {np.percentile(work, 50):.1f} ms of work a frame (95 %: {np.percentile(work, 95):.1f})"
    )
