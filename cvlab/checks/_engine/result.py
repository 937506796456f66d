"""What `check` hands back: a short text that reads well aloud, and the same as a card in the notebook."""

import base64
import html
from dataclasses import asdict, dataclass, field

__all__ = ["Picture", "Result", "card"]

_ACCENTS = {  # icon, JupyterLab's variable, the colour elsewhere; the word always stands beside the icon
    "right": ("&#10003;", "--jp-success-color1", "#2e7d32"),
    "wrong": ("&#10007;", "--jp-error-color1", "#c62828"),
    "not attempted": ("&#9998;", "--jp-info-color1", "#0277bd"),
    "not checked": ("&#63;", "--jp-warn-color1", "#b26a00"),
    "hint": ("&#8250;", "--jp-info-color1", "#0277bd"),
}


@dataclass(frozen=True)
class Picture:
    """A small PNG with its caption and the text that stands for it."""

    caption: str
    alt: str
    png: bytes


@dataclass(frozen=True)
class Result:
    """The outcome of one `check`; true where the answer is right.

    Args:
        outcome: "right", "wrong" or "not attempted"; "not checked" where there was nothing to check.
        name: the exercise.
        message: what to know, and what to change.
        rows: (label, text) pairs: the call, expected, got.
        notes: remarks after the rows, such as the next step.
        pictures: input, expected, got, difference, where these are images.
    """

    outcome: str
    name: str
    message: str
    title: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return self.outcome == "right"

    @property
    def heading(self) -> str:
        """The outcome, the exercise and where it failed, in one line."""
        return f"{self.outcome.capitalize()}: {self.title or self.name}"

    def as_json(self) -> dict:
        """Return all of it as plain lists and texts."""
        fields = asdict(self)
        for picture in fields["pictures"]:
            picture["png"] = base64.b64encode(picture["png"]).decode()
        return fields

    @classmethod
    def from_json(cls, fields: dict) -> "Result":
        """Return the result that `as_json` took apart."""
        drawn = tuple(Picture(p["caption"], p["alt"], base64.b64decode(p["png"])) for p in fields["pictures"])
        rows = tuple((label, text) for label, text in fields["rows"])
        return cls(**fields | {"rows": rows, "notes": tuple(fields["notes"]), "pictures": drawn})

    def __repr__(self) -> str:
        width = max((len(label) for label, _ in self.rows), default=0) + 2
        rows = [f"  {label + ':':<{width}}{_indent(text, width + 2)}" for label, text in self.rows]
        return "\n".join([self.heading, self.message, *rows, *self.notes])

    def _repr_html_(self) -> str:
        return card(self.outcome, self.heading, self.message, self.rows, self.notes, self.pictures)


def _indent(text: str, width: int) -> str:
    return text.replace("\n", "\n" + " " * width)


def card(kind: str, heading: str, message: str, rows=(), notes=(), pictures=()) -> str:
    """Return an HTML card that follows JupyterLab's theme, and the page's own colours elsewhere."""
    icon, variable, colour = _ACCENTS[kind]
    accent = f"var({variable}, {colour})"
    parts = [
        f'<section aria-label="{_safe(heading)}" style="border-left: 4px solid {accent}; padding: 4px 12px; '
        'margin: 4px 0; max-width: 50em; color: var(--jp-content-font-color1, inherit); line-height: 1.5">',
        f'<div><span aria-hidden="true" style="color: {accent}; font-weight: bold">{icon}</span> '
        f"<strong>{_safe(heading)}</strong></div>",
        f'<div style="white-space: pre-wrap">{_safe(message)}</div>',
    ]
    if rows:
        cells = "".join(f"<dt>{_safe(label)}</dt>{_value(text)}" for label, text in rows)
        layout = "display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 6px 0"
        parts.append(f'<dl style="{layout}">{cells}</dl>')
    if pictures:
        layout = "display: flex; flex-wrap: wrap; gap: 12px; margin: 6px 0"
        parts.append(f'<div style="{layout}">{"".join(map(_figure, pictures))}</div>')
    parts += [f"<div>{_safe(note)}</div>" for note in notes]
    return "\n".join([*parts, "</section>"])


def _safe(text: str) -> str:
    return html.escape(text, quote=True)


def _value(text: str) -> str:
    font = "font-family: var(--jp-code-font-family, monospace)"
    return f'<dd style="margin: 0; {font}; white-space: pre-wrap; overflow-wrap: anywhere">{_safe(text)}</dd>'


def _figure(picture: Picture) -> str:
    source = base64.b64encode(picture.png).decode()
    return (
        f'<figure style="margin: 0"><img alt="{_safe(picture.alt)}" src="data:image/png;base64,{source}" '
        'style="image-rendering: pixelated; border: 1px solid var(--jp-border-color1, #888)">'
        f'<figcaption style="max-width: 11em">{_safe(picture.caption)}</figcaption></figure>'
    )
