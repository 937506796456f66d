"""The card that closes an exercise's block in the notebook, at home on a light and on a dark page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from cvlab.checks._engine.markup import safe, to_html

__all__ = ["ACCENTS", "Picture", "card"]

# Colours that reach 3:1 on a light and on a dark page. No CSS variables: JupyterLab takes them off the outputs of a
# notebook that it does not know yet, which is how every learner first meets a lesson.
ACCENTS = {  # a sign and a colour; the word always stands beside the sign
    "right": ("&#10003;", (46, 139, 87)),
    "wrong": ("&#10007;", (217, 54, 62)),
    "not attempted": ("&#9998;", (25, 118, 210)),
    "not checked": ("&#63;", (199, 119, 0)),
    "hint": ("&#8250;", (25, 118, 210)),
    "progress": ("&#8250;", (25, 118, 210)),
}
_FRAMES = {"Expected": "#009E73", "Got": "#0072B2"}  # the course's colours of truth and of an answer
_BOX = (
    "border-left: 4px solid rgb({colour}); background-color: rgba({colour}, 0.07); padding: 6px 14px 8px; "
    "margin: 4px 0; max-width: {width}; line-height: 1.5"
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
    sign, rgb = ACCENTS[kind]
    colour = ", ".join(map(str, rgb))
    width = "76em" if wide else "56em"
    muted = '<span style="opacity: 0.85">'
    parts = [
        f'<div role="group" aria-label="{safe(heading)}" style="{_BOX.format(colour=colour, width=width)}">',
        f'<div style="{_TOP}"><span><span aria-hidden="true" style="color: rgb({colour}); font-weight: bold">{sign}</span> '
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
    font = "font-family: monospace; font-size: 0.92em"
    return f'<dd style="{_PLAIN}; {font}; white-space: pre-wrap; overflow-wrap: anywhere">{safe(text)}</dd>'


def _figure(picture: Picture) -> str:
    source = base64.b64encode(picture.png).decode()
    colour = _FRAMES.get(picture.caption.split(",")[0])
    border = f"2px solid {colour or '#888888'}"
    return (
        f'<figure style="margin: 0"><img alt="{safe(picture.alt)}" src="data:image/png;base64,{source}" '
        f'style="image-rendering: pixelated; border: {border}">'
        f'<figcaption style="max-width: 9.5em">{safe(picture.caption)}</figcaption></figure>'
    )
