"""Tables of numbers: aligned, with units, sorted; as HTML on a page, as text anywhere else."""

from html import escape
from numbers import Integral, Real

from cvlab._validate import nearest

__all__ = ["Table", "table"]

NONE = "–"  # what stands for None and NaN


class Table:
    """A table that is already written out; `table` makes it.

    Attributes:
        columns: the head's texts, units included.
        rows: the cells' texts, row by row.
        numeric: for each column, whether it holds numbers.
        title: its caption, or None.
        marked: numbers of the rows that are set in bold.
    """

    def __init__(self, columns, rows, numeric, title=None, marked=()):
        self.columns, self.rows, self.numeric = list(columns), list(rows), list(numeric)
        self.title, self.marked = title, frozenset(marked)

    def __repr__(self) -> str:
        """Return the table as text: numbers to the right, words to the left."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]

        def written(line, mark=""):
            cells = zip(line, widths, self.numeric, strict=True)
            return ("  ".join(t.rjust(w) if right else t.ljust(w) for t, w, right in cells) + mark).rstrip()

        body = [written(row, " *" if i in self.marked else "") for i, row in enumerate(self.rows)]
        head = [self.title] if self.title else []
        return "\n".join([*head, written(self.columns), "  ".join("─" * w for w in widths), *body])

    def _repr_html_(self) -> str:
        sides = ["right" if right else "left" for right in self.numeric]
        heads = "".join(
            f'<th scope="col" style="text-align:{side}">{escape(text)}</th>'
            for text, side in zip(self.columns, sides, strict=True)
        )
        body = []
        for i, row in enumerate(self.rows):
            cells = []
            for j, (text, side) in enumerate(zip(row, sides, strict=True)):
                text = f"<strong>{escape(text)}</strong>" if i in self.marked else escape(text)
                open_tag, style = ('th scope="row"', ";font-weight:normal") if j == 0 else ("td", "")
                cells.append(f'<{open_tag} style="text-align:{side}{style}">{text}</{open_tag[:2]}>')
            body.append(f"<tr>{''.join(cells)}</tr>")
        caption = f'<caption style="text-align:left">{escape(self.title)}</caption>' if self.title else ""
        rows = "\n".join(body)
        return (
            '<table class="cvlab-table" style="font-variant-numeric:tabular-nums">'
            f"{caption}\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
        )


def table(rows, *, units=None, digits=None, sort=None, ascending=True, title=None, highlight=None) -> Table:
    """Make a table of numbers and words, for the last line of a cell.

    Args:
        rows: a list of dicts, one a row; or a dict of columns; or a pandas DataFrame (its index is left out).
        units: column -> unit, written behind the column's name: {"time": "s"}.
        digits: digits behind the point, for all columns of floats or as column -> digits; a format such as ".1%"
            or "+.2f" is possible too. By default three significant digits, the same number of decimals in a column.
        sort: the column to sort by.
        ascending: whether the smallest comes first.
        title: what the table shows or proves.
        highlight: the rows to set in bold: a function that takes a row as dict, or the value of the first column.

    Returns:
        A Table: HTML in a notebook, aligned text by `print` and `repr`.

    Raises:
        TypeError: `rows` is nothing of that kind.
        ValueError: no rows, columns of different length, or a column that does not exist; the nearest is named.

    Example:
        >>> nets = [{"net": "dense", "accuracy": 0.5123, "time": 3}, {"net": "LeNet", "accuracy": 0.75, "time": 12}]
        >>> table(nets, units={"time": "s"}, digits={"accuracy": ".1%"}, sort="accuracy", ascending=False)
        net    accuracy  time (s)
        ─────  ────────  ────────
        LeNet     75.0%        12
        dense     51.2%         3
    """
    columns = _columns(rows)
    names = list(columns)
    units, digits = units or {}, digits if digits is not None else {}
    for argument, asked in (("units", units), ("digits", digits if isinstance(digits, dict) else ())):
        for name in asked:
            _known(name, names, argument)
    count = len(columns[names[0]])
    order = list(range(count))
    if sort is not None:
        _known(sort, names, "sort")
        order = _sorted(columns[sort], ascending, sort)
    texts, numeric = [], []
    for name, values in columns.items():
        wanted = digits.get(name) if isinstance(digits, dict) else digits
        written, right = _written(values, wanted, name)
        texts.append(written)
        numeric.append(right)
    heads = [f"{name} ({units[name]})" if name in units else str(name) for name in names]
    marked = []
    if highlight is not None:
        chosen = highlight if callable(highlight) else lambda row: row[names[0]] == highlight
        marked = [at for at, i in enumerate(order) if chosen({name: columns[name][i] for name in names})]
        if not marked and not callable(highlight):
            first = [str(value) for value in columns[names[0]]]
            raise ValueError(
                f"highlight must be in the first column; got {highlight!r}{nearest(highlight, first)}"
            )
    return Table(heads, [[column[i] for column in texts] for i in order], numeric, title, marked)


def _columns(rows) -> dict[str, list]:
    """Return column -> values, whatever `rows` is."""
    if type(rows).__module__.startswith("pandas") and hasattr(rows, "columns"):
        columns = {name: rows[name].tolist() for name in rows.columns}
    elif isinstance(rows, dict):
        wrong = next(
            (name for name, v in rows.items() if isinstance(v, str) or not hasattr(v, "__len__")), None
        )
        if wrong is not None:
            raise TypeError(
                f"rows[{wrong!r}] must be a list of values; got {rows[wrong]!r}. One row? Pass [rows]"
            )
        columns = {name: list(values) for name, values in rows.items()}
    elif isinstance(rows, str) or not hasattr(rows, "__iter__"):
        raise TypeError(f"rows must be a list of dicts, a dict of lists or a DataFrame; got {rows!r}")
    else:
        rows = list(rows)
        for i, row in enumerate(rows):
            if not isinstance(row, dict):
                raise TypeError(f"rows[{i}] must be a dict; got {row!r}")
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: [row.get(name) for row in rows] for name in names}
    if not columns or not max(map(len, columns.values())):
        raise ValueError("rows must hold at least one row; got none")
    if len({len(values) for values in columns.values()}) > 1:
        lengths = {name: len(values) for name, values in columns.items()}
        raise ValueError(f"rows must hold columns of one length; got {lengths}")
    return columns


def _known(name, names, argument: str) -> None:
    if name not in names:
        raise ValueError(
            f"{argument} must name a column ({', '.join(map(str, names))}); got {name!r}{nearest(name, map(str, names))}"
        )


def _sorted(values: list, ascending: bool, name) -> list[int]:
    """Return the order of the rows; what is missing comes last, equal values stay in their order."""
    there = [i for i, value in enumerate(values) if not _missing(value)]
    try:
        there.sort(key=lambda i: values[i], reverse=not ascending)
    except TypeError as error:
        raise ValueError(
            f"sort must name a column whose values can be compared; got {name!r}: {error}"
        ) from None
    return there + [i for i, value in enumerate(values) if _missing(value)]


def _missing(value) -> bool:
    return value is None or (isinstance(value, Real) and value != value)


def _number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _written(values: list, digits, name) -> tuple[list[str], bool]:
    """Return a column's texts, and whether they are numbers."""
    values = [
        value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        for value in values
    ]
    there = [value for value in values if not _missing(value)]
    if not there or not all(map(_number, there)):
        return [NONE if _missing(value) else str(value) for value in values], False
    if isinstance(digits, str):
        form = digits
    elif all(isinstance(value, Integral) for value in there):
        form = ","
    else:
        form = f",.{_decimals(there) if digits is None else digits}f"
    try:
        return [NONE if _missing(v) else format(v, form).replace("-", "−") for v in values], True
    except ValueError:
        raise ValueError(
            f"digits must be a whole number or a format such as '.1%'; got {digits!r} for {name!r}"
        ) from None


def _decimals(values: list) -> int:
    """Return the decimals that show three significant digits of the largest value and one of the smallest, at most six."""
    from math import floor, isinf, log10

    sizes = [floor(log10(abs(value))) for value in values if value and not isinf(value)]
    return min(6, max(0, 2 - max(sizes), -min(sizes))) if sizes else 0
