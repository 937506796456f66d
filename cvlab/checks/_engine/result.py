"""What `check` hands back: a short text that reads well aloud, and the same as a card in the notebook."""

import base64
from dataclasses import asdict, dataclass, field, replace

from cvlab.checks._engine.card import Picture, card

__all__ = ["Result"]


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
        mistake: the name of the known mistake that was made.
        place: which exercise of its lesson it is, how long it takes, whether it is solved; on the card only.
    """

    outcome: str
    name: str
    message: str
    title: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    mistake: str = ""
    place: str = ""

    def __bool__(self) -> bool:
        return self.outcome == "right"

    @property
    def heading(self) -> str:
        """The outcome, the exercise and where it failed, in one line."""
        return f"{self.outcome.capitalize()}: {self.title or self.name}"

    def but(self, **changes) -> "Result":
        """Return the same result with some of it changed."""
        return replace(self, **changes)

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
        return card(
            self.outcome,
            self.heading,
            self.message,
            place=self.place,
            rows=self.rows,
            pictures=self.pictures,
            notes=self.notes,
        )


def _indent(text: str, width: int) -> str:
    return text.replace("\n", "\n" + " " * width)
