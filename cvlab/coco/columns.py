"""The records of a COCO file, looked at a column at a time; whatever does not fit is named by record and field."""

import contextlib
import reprlib
import sys
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from cvlab._validate import positive_int

__all__ = [
    "INT64",
    "MAX_PIXELS",
    "MAX_SIDE",
    "NUMBER",
    "WHOLE",
    "Records",
    "as_array",
    "check_picture",
    "in_file",
    "shown",
    "stranger",
]

WHOLE = (int, np.integer)
NUMBER = (*WHOLE, float, np.floating)
INT64 = (-(2**63), 2**63 - 1)
MAX_SIDE = 10**6  # pixels; no picture is wider or higher
MAX_PIXELS = 1 << 26  # of one mask, 8192 x 8192: more than that is a slip, and would fill the memory
_MOST = 10 * MAX_SIDE  # no box number is larger, so that no area overflows
_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = 8
_SHORT.maxstring = _SHORT.maxother = 60


def shown(value: Any) -> str:
    """Write a value of a file for an error: short, however long or deep it is.

    Example:
        >>> shown([1, [2, "x" * 99]])[:22]
        "[1, [2, 'xxxxxxxxxxxxx"
    """
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # Python writes no number of more than 4,300 digits
        return f"a {type(value).__name__} too long to be written"


def stranger(values: Sequence, kinds: tuple[type, ...]) -> int | None:
    """Find the first value that is of none of the `kinds`; a bool is no number unless `kinds` name it."""

    def fits(kind: type) -> bool:
        return issubclass(kind, kinds) and (kind is not bool or bool in kinds)

    if all(map(fits, set(map(type, values)))):
        return None
    return next(i for i, value in enumerate(values) if not fits(type(value)))


def as_array(values: Sequence, dtype: type) -> np.ndarray | None:
    """Make an array of numbers; None when one is too large for the type."""
    try:
        return np.fromiter(values, dtype, len(values))
    except OverflowError:
        return None


def check_picture(height: int, width: int) -> None:
    """Refuse the size of a picture in which no mask can be drawn."""
    positive_int(height, "height")
    positive_int(width, "width")
    if height * width > MAX_PIXELS:
        raise ValueError(f"height x width must be at most {MAX_PIXELS} pixels; got {height} x {width}")


@contextlib.contextmanager
def in_file(source: Any):
    """Put the name of the file before an error about what is in it; content that is no path has no name."""
    try:
        yield
    except ValueError as error:
        if not isinstance(source, str | Path):
            raise
        raise ValueError(f"{Path(source).name}: {error}") from error


class Records:
    """A list of a COCO file, such as its annotations.

    Args:
        records: the list, of dicts.
        name: what the errors call it.

    Raises:
        ValueError: everywhere, as "annotations[3] (id 17): area must be at least 0; got -2".

    Example:
        >>> Records([{"id": 4, "area": 9}, {"id": 5, "area": -2}], "annotations").numbers("area", least=0)
        Traceback (most recent call last):
        ...
        ValueError: annotations[1] (id 5): area must be at least 0; got -2
    """

    def __init__(self, records: list, name: str):
        self.records, self.name = records, name
        bad = stranger(records, (dict,))
        if bad is not None:
            raise ValueError(f"{name}[{bad}] must be a dict; got {shown(records[bad])}")

    def __len__(self) -> int:
        return len(self.records)

    def place(self, i: int) -> str:
        """Return "annotations[3] (id 17)"; the id is left out where there is none that could be right."""
        own = self.records[i].get("id")
        known = stranger([own], WHOLE) is None and INT64[0] <= own <= INT64[1]
        return f"{self.name}[{i}]{f' (id {own})' if known else ''}"

    def refuse(self, i: int, field: str, wanted: str, slip: str = "") -> NoReturn:
        """Say what the field of record `i` must be, and what it is."""
        got = self.records[i][field]
        if isinstance(got, str) and wanted.startswith("a "):
            slip = ". In quotes it is text"
        raise ValueError(f"{self.place(i)}: {field} must be {wanted}; got {shown(got)}{slip}")

    def refuse_any(self, bad: np.ndarray, field: str, wanted: str, slip: str = "") -> None:
        """Refuse the first record whose place in `bad`, (N,) bool, is True."""
        if bad.any():
            self.refuse(int(np.flatnonzero(bad)[0]), field, wanted, slip)

    def column(self, field: str) -> list:
        """Return one field of all N records; each must have it."""
        try:
            return list(map(itemgetter(field), self.records))
        except KeyError:
            i = next(i for i, record in enumerate(self.records) if field not in record)
            has = ", ".join(map(str, self.records[i])) or "nothing"
            raise ValueError(f"{self.place(i)} has no {field!r}; it has {has}") from None

    def whole(self, field: str, least: int = INT64[0], most: int = INT64[1], *, absent=None, kinds=WHOLE):
        """Return a column of whole numbers, (N,) int64, each from `least` to `most`.

        Args:
            field: the key.
            least: smallest number that is right.
            most: largest.
            absent: stands for the number of a record without the field; None demands the field.
            kinds: types to accept.
        """
        if absent is None:
            values = self.column(field)
        else:
            values = [record.get(field, least) for record in self.records]
        bad = stranger(values, kinds)
        if bad is None:
            array = as_array(values, np.int64)
            if array is None or array.min(initial=least) < least or array.max(initial=most) > most:
                bad = next(i for i, value in enumerate(values) if not least <= value <= most)
        if bad is not None:
            ends = "of 64 bits" if (least, most) == INT64 else f"from {least} to {most}"
            self.refuse(bad, field, f"a whole number {ends}")
        if absent is not None:
            array[[field not in record for record in self.records]] = absent
        return array

    def numbers(self, field: str, *, least: float | None = None) -> np.ndarray:
        """Return a column of finite numbers, (N,) float, each of at least `least`."""
        values = self.column(field)
        bad = stranger(values, NUMBER)
        if bad is not None:
            self.refuse(bad, field, "a finite number")
        array = as_array(values, float)
        if array is None or not np.isfinite(array).all():
            self.refuse(_first_beyond(values, sys.float_info.max), field, "a finite number")
        if least is not None:
            self.refuse_any(array < least, field, f"at least {least}")
        return array

    def boxes(self) -> np.ndarray:
        """Return the column "bbox", (N, 4) x, y, w, h in pixels, no size negative."""
        values, wanted = self.column("bbox"), "four finite numbers x, y, w, h"
        bad = stranger(values, (list, tuple))
        if bad is not None and isinstance(values[bad], np.ndarray):
            values = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
            bad = stranger(values, (list, tuple))
        if bad is None and set(map(len, values)) - {4}:
            bad = next(i for i, value in enumerate(values) if len(value) != 4)
        if bad is not None:
            self.refuse(bad, "bbox", wanted)
        flat = list(chain.from_iterable(values))
        bad = stranger(flat, NUMBER)
        if bad is not None:
            self.refuse(bad // 4, "bbox", wanted)
        boxes = as_array(flat, float)
        if boxes is None or not (abs(boxes) <= _MOST).all():
            self.refuse(_first_beyond(flat, _MOST) // 4, "bbox", f"{wanted}, none beyond {_MOST} pixels")
        boxes = boxes.reshape(-1, 4)  # (N, 4)
        if boxes[:, 2:].min(initial=0) < 0:
            negative = (boxes[:, 2:] < 0).any(axis=1)
            wanted = "x, y, w, h with w and h of at least 0"
            self.refuse_any(negative, "bbox", wanted, ". Written as x0, y0, x1, y1?")
        return boxes

    def unique_ids(self) -> np.ndarray:
        """Return the column "id", (N,) int64, no two alike."""
        ids = self.whole("id")
        order = np.argsort(ids, kind="stable")
        twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
        if len(twice):
            first, second = order[twice[0]], order[twice[0] + 1]
            name = self.name
            raise ValueError(f"{name}[{second}]: id {ids[second]} is already the id of {name}[{first}]")
        return ids

    def index(self, field: str, known: np.ndarray, of: str) -> np.ndarray:
        """Return where each record's id stands among the `known`, sorted ids of `of`: (N,) int."""
        ids = self.whole(field)
        place = np.searchsorted(known, ids)
        bad = place >= len(known)
        bad[~bad] = known[place[~bad]] != ids[~bad]
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise ValueError(f"{self.place(i)}: {field} {ids[i]} is not among {of} ({len(known)} ids)")
        return place


def _first_beyond(values: list, limit: float) -> int:
    return next(i for i, value in enumerate(values) if not -limit <= value <= limit)
