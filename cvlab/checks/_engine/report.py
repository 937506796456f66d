"""Progress as a picture: lessons as rows, exercises as dots, what to do next; and a lesson's card at its end."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cvlab import _validate
from cvlab.checks._engine.card import card
from cvlab.checks._engine.markup import safe, to_html
from cvlab.checks._engine.progress import as_json, new_record, read, reason, state
from cvlab.checks._engine.registry import LESSONS, Facts, about, names, words
from cvlab.store.files import write_whole

__all__ = ["LessonEnd", "Overview", "progress"]

DOTS = {  # the sign, and a colour of 3:1 on a light and on a dark page
    "solved": ("●", "#2e8b57"),
    "tried": ("◐", "#c77700"),
    "open": ("○", "inherit"),
}
_LEGEND = "  ".join(f"{DOTS[kind][0]} {kind}" for kind in DOTS)
_CELL = "text-align: left; padding: 3px 18px 3px 0; background-color: transparent; border: none; white-space: nowrap"
_NUMBER = _CELL.replace("left", "right")
HINTS = 3  # every exercise has so many


class _Reader:
    """The learner's records, asked by lesson."""

    def __init__(self, records: Mapping[str, dict]):
        self.records = records

    def of(self, name: str) -> dict:
        return self.records.get(name, new_record())

    def states(self, lesson: str) -> dict[str, str]:
        return {name: state(self.of(name)) for name in names(lesson)}

    def minutes_left(self, lesson: str) -> int:
        return sum(about(name).minutes for name, how in self.states(lesson).items() if how != "solved")

    def unsolved(self, lessons: Iterable[str]) -> str:
        """Return the first exercise that is not solved, "" where all are."""
        found = (name for lesson in lessons for name, how in self.states(lesson).items() if how != "solved")
        return next(found, "")


class Overview:
    """How far the learner is, lesson by lesson: prints as a table, shows as a card."""

    def __init__(
        self, records: Mapping[str, dict], remark: str = "", lessons: Sequence[str] = tuple(LESSONS)
    ):
        self.reader, self.remark, self.lessons = _Reader(records), remark, lessons

    @property
    def heading(self) -> str:
        """How many exercises are solved, and the minutes that are left."""
        every = [how for lesson in self.lessons for how in self.reader.states(lesson).values()]
        left = sum(map(self.reader.minutes_left, self.lessons))
        return f"{every.count('solved')} of {len(every)} exercises solved{_minutes(left)}"

    @property
    def next(self) -> str:
        """What to do next."""
        name = self.reader.unsolved(self.lessons)
        if not name:
            return "Everything is solved."
        facts = about(name)
        title = words(facts.lesson).title
        return f"Next: `{name}` in lesson {facts.lesson}, {title} ({facts.minutes} min, {facts.difficulty})."

    def _rows(self) -> list[tuple[str, dict[str, str], int]]:
        reader = self.reader
        return [
            (f"{lesson} {words(lesson).title}", reader.states(lesson), reader.minutes_left(lesson))
            for lesson in self.lessons
        ]

    def __repr__(self) -> str:
        rows = [
            (title, "".join(DOTS[how][0] for how in states.values()), _count(states), str(left))
            for title, states, left in self._rows()
        ]
        rows = [("lesson", "exercises", "solved", "minutes left"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}" for a, b, c, d in rows
        ]
        return "\n".join(
            part for part in (*lines, _LEGEND, f"{self.heading}.", self.next, self.remark) if part
        )

    def _repr_html_(self) -> str:
        rows = [
            (safe(title), _dots(states), _count(states), str(left)) for title, states, left in self._rows()
        ]
        table = _table(
            [("Lesson", _CELL), ("Exercises", _CELL), ("Solved", _NUMBER), ("Minutes left", _NUMBER)], rows
        )
        return card("progress", self.heading, body=table + _legend(), notes=_some(self.next, self.remark))


class LessonEnd:
    """What was solved of one lesson, what to do next, and one question to carry along."""

    def __init__(self, records: Mapping[str, dict], remark: str, lesson: str):
        self.reader, self.remark, self.lesson = _Reader(records), remark, lesson

    @property
    def heading(self) -> str:
        """The lesson, how many of its exercises are solved, and the minutes that are left."""
        states = self.reader.states(self.lesson)
        left = _minutes(self.reader.minutes_left(self.lesson))
        title = words(self.lesson).title
        return f"Lesson {self.lesson} · {title}: {_count(states, ' of ')} exercises solved{left}"

    @property
    def next(self) -> str:
        """The most useful next step."""
        name = self.reader.unsolved([self.lesson])
        if name:
            return _help_with(name, self.reader.of(name))
        seen = [name for name in names(self.lesson) if self.reader.of(name)["solution_seen"]]
        if seen:
            return f"Next: write `{seen[0]}` once more in an empty cell, as you have seen its solution."
        later = [lesson for lesson in LESSONS if lesson > self.lesson and self.reader.unsolved([lesson])]
        return f"Next: lesson {later[0]}, {words(later[0]).title}." if later else "All solved."

    @property
    def question(self) -> str:
        """What to think about until the next lesson, "" where the lesson asks nothing."""
        asked = words(self.lesson).question
        return f"To carry along: {asked}" if asked else ""

    def _lines(self) -> list[tuple[str, str, Facts, int]]:
        states = self.reader.states(self.lesson)
        return [(name, how, about(name), self.reader.of(name)["attempts"]) for name, how in states.items()]

    def __repr__(self) -> str:
        width = max(len(name) for name in names(self.lesson))
        lines = [
            f"{DOTS[how][0]} {name:<{width}}  {facts.minutes:>2} min, {facts.difficulty}{_tries(how, attempts)}"
            for name, how, facts, attempts in self._lines()
        ]
        return "\n".join(_some(self.heading, *lines, self.next, self.question, self.remark))

    def _repr_html_(self) -> str:
        rows = [
            (f"{_dot(how)} {_code(name)}", str(facts.minutes), facts.difficulty, how + _tries(how, attempts))
            for name, how, facts, attempts in self._lines()
        ]
        columns = [("Exercise", _CELL), ("Minutes", _NUMBER), ("Difficulty", _CELL), ("State", _CELL)]
        body = _table(columns, rows) + f'<div style="margin-top: 4px">{to_html(self.next)}</div>'
        if self.question:
            asked = to_html(words(self.lesson).question)
            body += f'<div style="margin-top: 8px"><strong>To carry along</strong>{asked}</div>'
        return card("progress", self.heading, body=body, notes=_some(self.remark))


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose rows are named by their first cell; the cells are HTML."""
    head = "".join(f'<th scope="col" style="{style}">{text}</th>' for text, style in columns)
    lines = []
    for first, *rest in rows:
        cells = [f'<th scope="row" style="{columns[0][1]}; font-weight: normal">{first}</th>']
        cells += [
            f'<td style="{style}">{cell}</td>' for cell, (_, style) in zip(rest, columns[1:], strict=True)
        ]
        lines.append(f'<tr style="background-color: transparent">{"".join(cells)}</tr>')
    plain = "border-collapse: collapse; border: none; margin: 6px 0; font-size: 1em; table-layout: auto"
    return (
        f'<table style="{plain}"><thead style="border: none"><tr style="background-color: transparent">{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _code(name: str) -> str:
    return f'<code style="background-color: transparent; color: inherit">{name}</code>'


def _some(*texts: str) -> list[str]:
    return [text for text in texts if text]


def _minutes(left: int) -> str:
    return f", about {left} minutes left" if left else ""


def _count(states: Mapping[str, str], between: str = "/") -> str:
    return f"{list(states.values()).count('solved')}{between}{len(states)}"


def _tries(how: str, attempts: int) -> str:
    return f", {attempts} attempt{'s' * (attempts > 1)}" if how == "tried" else ""


def _help_with(name: str, record: Mapping[str, Any]) -> str:
    facts = about(name)
    if not record["attempts"]:
        return f"Next: `{name}` ({facts.minutes} min, {facts.difficulty})."
    left = HINTS - min(record["hints"], HINTS)
    if left:
        return f"Next: `{name}`. `hint({name})` has {left} hint{'s' * (left > 1)} left for you."
    return f"Next: `{name}`. You have seen its hints: `solution({name})` puts one right answer beside yours."


def _dot(how: str, name: str = "") -> str:
    sign, colour = DOTS[how]
    told = f'role="img" aria-label="{name}: {how}" title="{name}: {how}"' if name else 'aria-hidden="true"'
    return f'<span {told} style="color: {colour}; font-size: 1.25em; line-height: 1">{sign}</span>'


def _dots(states: Mapping[str, str]) -> str:
    return " ".join(_dot(how, name) for name, how in states.items())


def _legend() -> str:
    parts = " &nbsp; ".join(f"{_dot(how)} {how}" for how in DOTS)
    return f'<div style="font-size: 0.92em">{parts}</div>'


def progress(lesson: str | None = None, *, export: str | Path | None = None) -> Overview | LessonEnd:
    """Show how far you are; with `export`, also write it to a JSON file, to hand in or to keep.

    Args:
        lesson: show this lesson only, as in "01": its exercises, what to do next, a question to carry along.
        export: path of the JSON file to write; it is replaced if it exists. Its name is yours to choose: a
            teacher's `cvlab progress --class FOLDER` shows you under it.

    Raises:
        ValueError: there is no such lesson.
        OSError: the file cannot be written there.
    """
    if lesson is not None:
        _validate.one_of(lesson, "lesson", tuple(LESSONS))
    records, remark = read()
    if export is not None:
        lessons = {key: names(key) for key in LESSONS}
        _export(export, {"version": 1, "lessons": lessons, "exercises": records})
    return Overview(records, remark, tuple(LESSONS)) if lesson is None else LessonEnd(records, remark, lesson)


def _export(export: str | Path, content: Any) -> None:
    try:
        target = Path(export).expanduser().absolute()
        if target.is_dir():
            raise IsADirectoryError(
                f"export must be a file name, such as progress.json; got the folder {target}"
            )
        if not target.parent.is_dir():
            raise FileNotFoundError(f"export must lie in an existing folder; there is no {target.parent}")
        write_whole(target, as_json(content))
    except RuntimeError as error:  # a "~name" of nobody
        raise FileNotFoundError(f"export must lie in an existing folder; got {export}: {error}") from None
    except OSError as error:
        if error.errno is None:  # said above
            raise
        raise type(error)(
            f"export could not be written to {target}: {reason(error)}; name another place"
        ) from error
