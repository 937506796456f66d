"""The card that closes an exercise's block in the notebook: it follows JupyterLab's theme, and the page's own colours elsewhere."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from cvlab.checks._engine.markup import safe, to_html

__all__ = ["ACCENTS", "Picture", "card"]

ACCENTS = {  # sign, JupyterLab's variable, the colour elsewhere; the word always stands beside the sign
    "right": ("&#10003;", "--jp-success-color1", "#2e7d32"),
    "wrong": ("&#10007;", "--jp-error-color1", "#c62828"),
    "not attempted": ("&#9998;", "--jp-info-color1", "#0277bd"),
    "not checked": ("&#63;", "--jp-warn-color1", "#b26a00"),
    "hint": ("&#8250;", "--jp-info-color1", "#0277bd"),
    "progress": ("&#8250;", "--jp-brand-color1", "#1565c0"),
}
_FRAMES = {"Expected": "#009E73", "Got": "#0072B2"}  # the course's colours of truth and of an answer
_BOX = (
    "border-left: 4px solid {accent}; padding: 6px 14px 8px; margin: 4px 0; max-width: {width}; "
    "color: var(--jp-content-font-color1, inherit); line-height: 1.5; "
    "background: var(--jp-layout-color1, transparent)"
)
_PLAIN = "margin: 0; padding: 0; width: auto; float: none"  # as a page's own style sheet may say otherwise
_TOP = "display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px"


@dataclass(frozen=True)
class Picture:
    """A small PNG with its caption and the text that stands for it."""

    caption: str
    alt: str
    png: bytes


def card(
    kind: str,
    heading: str,
    message: str = "",
    *,
    place: str = "",
    rows: Sequence[tuple[str, str]] = (),
    pictures: Sequence[Picture] = (),
    body: str = "",
    notes: Sequence[str] = (),
    wide: bool = False,
) -> str:
    """Return a card as HTML.

    Args:
        kind: a key of `ACCENTS`.
        heading: the outcome, in one line.
        message: a text in the light markup of `markup`.
        place: which exercise it is, how long it takes, whether it is solved; at the right of the heading.
        rows: (label, code) pairs.
        pictures: shown side by side.
        body: HTML that stands between the pictures and the notes.
        notes: texts in the same markup.
        wide: leave room for two columns of code.
    """
    sign, variable, colour = ACCENTS[kind]
    accent = f"var({variable}, {colour})"
    muted = '<span style="color: var(--jp-content-font-color1, inherit); opacity: 0.85">'
    parts = [
        f'<div role="group" aria-label="{safe(heading)}" style="{_BOX.format(accent=accent, width="76em" if wide else "56em")}">',
        f'<div style="{_TOP}"><span><span aria-hidden="true" style="color: {accent}; font-weight: bold">{sign}</span> '
        f"<strong>{safe(heading)}</strong></span>{f'{muted}{safe(place)}</span>' if place else ''}</div>",
    ]
    if message:
        parts.append(to_html(message))
    if rows:
        cells = "".join(f'<dt style="{_PLAIN}">{safe(label)}</dt>{_value(text)}' for label, text in rows)
        layout = "display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 6px 0"
        parts.append(f'<dl style="{layout}">{cells}</dl>')
    if pictures:
        layout = "display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0"
        parts.append(f'<div style="{layout}">{"".join(map(_figure, pictures))}</div>')
    parts += [body] if body else []
    parts += [f'<div style="margin-top: 4px">{to_html(note)}</div>' for note in notes]
    return "\n".join([*parts, "</div>"])


def _value(text: str) -> str:
    font = "font-family: var(--jp-code-font-family, monospace); font-size: 0.92em"
    return f'<dd style="{_PLAIN}; {font}; white-space: pre-wrap; overflow-wrap: anywhere">{safe(text)}</dd>'


def _figure(picture: Picture) -> str:
    source = base64.b64encode(picture.png).decode()
    colour = _FRAMES.get(picture.caption.split(",")[0])
    border = f"2px solid {colour or 'var(--jp-border-color1, #888)'}"
    return (
        f'<figure style="margin: 0"><img alt="{safe(picture.alt)}" src="data:image/png;base64,{source}" '
        f'style="image-rendering: pixelated; border: {border}">'
        f'<figcaption style="max-width: 9.5em">{safe(picture.caption)}</figcaption></figure>'
    )
