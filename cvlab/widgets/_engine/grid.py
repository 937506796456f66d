"""Small grids of numbers, drawn by Python for the static picture and by JavaScript for the live one."""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cvlab.widgets._engine.picture import ANCHORS, signed_map
from cvlab.widgets._engine.sheet import HERE, INK, Sheet, css, ink_on, text_width

__all__ = ["as_base64", "cells", "format_number", "framed", "grey", "scene_of", "signed"]

EMPTY = "#80808030"  # a cell without a value, or outside the picture: seen on light and on dark
SHARED_JS = f"""
const anchors = {[[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in ANCHORS]};
const mix = (share) => {{  // -1 blue, 0 white, +1 red
  const at = Math.min(9.999, Math.max(0, (share + 1) * 5)), i = Math.floor(at), t = at - i;
  return anchors[i].map((c, j) => Math.round(c + t * (anchors[i + 1][j] - c)));
}};
const css = (rgb) => `rgb(${{rgb.join(",")}})`;
const signed = (value, limit) => mix(limit ? value / limit : 0);
const grey = (value, limit) => Array(3).fill(Math.round(40 + 200 * Math.min(1, Math.max(0, limit ? value / limit : 0))));
const linear = (v) => (v <= 10.31 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const inkOn = (rgb) => (0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]) > 0.179 ? "#000" : "#fff");
const write = (v) => (Number.isInteger(v) ? String(v) : v.toFixed(2)).replace("-", "−");
// Write a number into a cell: large where it fits, with one decimal where two do not, never too small to read.
const fit = (ctx, value, room) => {{
  for (const words of Number.isInteger(value) ? [write(value)] : [write(value), value.toFixed(1).replace("-", "−")])
    for (const size of [15, 13, 12]) {{
      ctx.font = `${{size}}px system-ui, sans-serif`;
      if (ctx.measureText(words).width <= room) return words;
    }}
  return "";
}};
function cells(ctx, s, values, x, y, cell, paint, empty) {{
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  values.forEach((line, r) => line.forEach((value, c) => {{
    const rgb = value === null || empty?.(r, c) ? null : paint(value);
    ctx.fillStyle = rgb ? css(rgb) : "{EMPTY}";
    ctx.fillRect(x + c * cell + 0.5, y + r * cell + 0.5, cell - 1, cell - 1);
    if (value === null) return;
    ctx.fillStyle = rgb ? inkOn(rgb) : s.theme.ink;
    ctx.fillText(fit(ctx, value, cell - 3), x + (c + 0.5) * cell, y + (r + 0.5) * cell);
  }}));
}}
function framed(ctx, s, x, y, w, h) {{  // "here": seen on any cell, on any page
  for (const [colour, wide] of [["#000", 4.5], [s.theme.here, 2.5]]) {{
    ctx.strokeStyle = colour;
    ctx.lineWidth = wide;
    ctx.strokeRect(x, y, w, h);
  }}
}}
"""


def scene_of(file: str) -> str:
    """Return the scene in the .js beside a widget's `__file__`, with what it shares with the others."""
    code = Path(file).with_suffix(".js").read_text(encoding="utf-8")
    return f"(() => {{{SHARED_JS}{code}}})()"


def format_number(value: float) -> str:
    """Write whole numbers whole and others with two decimals, with a real minus.

    Example:
        >>> format_number(-3.0), format_number(1 / 9)
        ('−3', '0.11')
    """
    value = float(value)
    return (str(int(value)) if value.is_integer() else f"{value:.2f}").replace("-", "−")


def grey(value: float, limit: float) -> tuple[int, int, int]:
    """Return the colour of a pixel's value: dark grey at 0, nearly white at `limit`."""
    return (round(40 + 200 * min(1.0, max(0.0, value / limit if limit else 0.0))),) * 3


def signed(value: float, limit: float) -> tuple[int, int, int]:
    """Return the colour of a signed number: blue below 0, white at 0, red above."""
    return tuple(signed_map(np.array(float(value)), limit or 1).tolist())


def cells(
    sheet: Sheet, values: np.ndarray, x: float, y: float, cell: float, paint: Callable, empty=None
) -> None:
    """Draw a grid of numbered cells.

    Args:
        sheet: what is drawn on.
        values: (rows, cols) floats; NaN leaves a cell empty.
        x, y: the upper left corner.
        cell: the side of a cell.
        paint: a number -> its colour (R, G, B).
        empty: (rows, cols) bool, the cells to draw without a colour, such as padding.
    """
    for (r, c), value in np.ndenumerate(values):
        bare = np.isnan(value) or (empty is not None and empty[r, c])
        rgb = (0, 0, 0) if bare else paint(value)
        fill = EMPTY if bare else css(rgb)
        sheet.box(x + c * cell + 0.5, y + r * cell + 0.5, cell - 1, cell - 1, fill=fill)
        if not np.isnan(value):
            words, size = _fit(value, cell - 3)
            ink = INK if bare else ink_on(rgb)
            sheet.text(x + (c + 0.5) * cell, y + (r + 0.5) * cell, words, size=size, fill=ink, anchor="mm")


def _fit(value: float, room: float) -> tuple[str, int]:
    """Return a number and its size in type: as large as fits, with one decimal where two do not, else nothing."""
    whole = float(value).is_integer()
    for words in (format_number(value), "" if whole else f"{value:.1f}".replace("-", "−")):
        for size in (15, 13, 12):
            if text_width(words, size) <= room:
                return words, size
    return "", 12


def framed(sheet: Sheet, x: float, y: float, width: float, height: float) -> None:
    """Draw the frame around the place where the learner is: seen on any cell."""
    for ink, line in (("#000000", 4.5), (HERE, 2.5)):
        sheet.box(x, y, width, height, outline=ink, line=line)


def as_base64(pixels: np.ndarray) -> str:
    """Return uint8 pixels as text, to travel to the browser inside JSON."""
    return base64.b64encode(np.ascontiguousarray(pixels, np.uint8).tobytes()).decode()
