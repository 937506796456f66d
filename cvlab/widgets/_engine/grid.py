"""Small grids of numbers, drawn by Python for the static picture and by JavaScript for the live one."""

import base64
import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cvlab.widgets._engine.picture import ANCHORS, BOARD, font, signed_map

__all__ = ["as_base64", "format_number", "number_grid", "scene_of"]

COLOURS_JS = f"""
const anchors = {[[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in ANCHORS]};
const mix = (share) => {{  // -1 blue, 0 white, +1 red
  const at = Math.min(9.999, Math.max(0, (share + 1) * 5)), i = Math.floor(at), t = at - i;
  return anchors[i].map((c, j) => Math.round(c + t * (anchors[i + 1][j] - c)));
}};
const css = (rgb) => `rgb(${{rgb.join(",")}})`;
const signed = (value, limit) => mix(limit ? value / limit : 0);
const grey = (value, limit) => Array(3).fill(Math.round(40 + 200 * Math.min(1, Math.max(0, limit ? value / limit : 0))));
const inkOn = (rgb) => (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2] > 130 ? "#111" : "#fff");
const write = (v) => (Number.isInteger(v) ? String(v) : v.toFixed(2)).replace("-", "−");
"""


def scene_of(file: str) -> str:
    """Return the scene in the .js beside a widget's `__file__`, with the colours it shares with the others."""
    code = Path(file).with_suffix(".js").read_text(encoding="utf-8")
    return f"(() => {{{COLOURS_JS}{code}}})()"


def format_number(value: float) -> str:
    """Write whole numbers whole and others with two decimals, with a real minus.

    Example:
        >>> format_number(-3.0), format_number(1 / 9)
        ('−3', '0.11')
    """
    value = float(value)
    return (str(int(value)) if value.is_integer() else f"{value:.2f}").replace("-", "−")


def number_grid(values: np.ndarray, cell: int, *, signed: bool, limit: float, dim=None) -> np.ndarray:
    """Draw a grid of numbered cells: (rows * cell + 1, cols * cell + 1, 3) uint8.

    Args:
        values: (rows, cols) floats; NaN leaves a cell empty.
        cell: side of a cell in pixels.
        signed: blue, white, red around 0; otherwise black to white from 0.
        limit: the number with the strongest colour.
        dim: (rows, cols) bool: the cells to draw hatched-grey, such as padding.
    """
    rows, cols = values.shape
    limit = limit or 1
    shown = np.nan_to_num(values)
    grey = np.repeat((40 + 200 * np.clip(shown / limit, 0, 1)).round().astype(np.uint8)[..., None], 3, axis=2)
    colours = signed_map(shown, limit) if signed else grey  # (rows, cols, 3)
    colours = np.where(np.isnan(values)[..., None], np.array(BOARD, np.uint8) + 14, colours)
    if dim is not None:
        colours = np.where(dim[..., None], np.array(BOARD, np.uint8) + 40, colours)
    out = np.full((rows * cell + 1, cols * cell + 1, 3), 110, np.uint8)
    for r, c in np.ndindex(rows, cols):
        out[r * cell + 1 : (r + 1) * cell, c * cell + 1 : (c + 1) * cell] = colours[r, c]
    picture = Image.fromarray(out)
    draw = ImageDraw.Draw(picture)
    for r, c in np.ndindex(rows, cols):
        if not np.isnan(values[r, c]):
            text = format_number(values[r, c])
            ink = (17, 17, 17) if colours[r, c] @ [0.3, 0.59, 0.11] > 130 else (255, 255, 255)
            where = ((c + 0.5) * cell, (r + 0.5) * cell)
            draw.text(where, text, font=_fitting(text, cell), fill=ink, anchor="mm")
    return np.asarray(picture)


@functools.lru_cache(512)
def _fitting(text: str, cell: int):
    return next((font(s) for s in (15, 13, 12, 11, 10, 9) if font(s).getlength(text) <= cell - 5), font(8))


def as_base64(pixels: np.ndarray) -> str:
    """Return uint8 pixels as text, to travel to the browser inside JSON."""
    return base64.b64encode(np.ascontiguousarray(pixels, np.uint8).tobytes()).decode()
