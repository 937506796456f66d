"""A class at a glance, for its teacher: many exported files in one table, read on this machine only."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cvlab.checks._engine.progress import clean, mistakes_met, new_record, reason, state
from cvlab.checks._engine.registry import about, names
from cvlab.store.files import write_whole

__all__ = ["Classroom", "classroom"]

_MOST = 2**20  # bytes of a file; an export of all lessons has about ten thousand
_COLUMNS = ("learner", "lesson", "exercise", "state", "attempts", "hints", "solution_seen", "wrong_answers")


@dataclass(frozen=True)
class Classroom:
    """What a folder of exported files says; prints as a table.

    Args:
        folder: where the files lie.
        learners: file name without its end -> records by exercise.
        skipped: file name -> why it was not read.
        remarks: file name -> what of it could not be used.
    """

    folder: Path
    learners: Mapping[str, Mapping[str, dict]]
    skipped: Mapping[str, str]
    remarks: Mapping[str, str]

    def __repr__(self) -> str:
        parts = [f"{len(self.learners)} learner{'s' * (len(self.learners) != 1)} in {self.folder}"]
        if self.learners:
            parts += [*self._table(), *self._stuck()]
        for title, found in (("Read in part", self.remarks), ("Skipped", self.skipped)):
            parts += ["", f"{title}:", *(f"  {name}: {why}" for name, why in found.items())] if found else []
        return "\n".join(parts)

    def _met(self, name: str) -> list[dict]:
        return [records[name] for records in self.learners.values() if name in records]

    def _table(self) -> Iterator[str]:
        width = max(len(name) for name in names())
        yield f"\nlesson  {'exercise':<{width}}  solved  tried  open  hints  solution  wrong answers, most frequent first"
        for name in names():
            met = self._met(name)
            how = Counter(map(state, met))
            counts = (
                how["solved"],
                how["tried"],
                len(self.learners) - how["solved"] - how["tried"],
                sum(record["hints"] for record in met),
                sum(record["solution_seen"] for record in met),
            )
            numbers = "{:>6}  {:>5}  {:>4}  {:>5}  {:>8}".format(*counts)
            wrong = ", ".join(f"{mistake} ({n})" for mistake, n in wrong_answers(met).most_common(3))
            yield f"{about(name).lesson:<6}  {name:<{width}}  {numbers}  {wrong}".rstrip()

    def _stuck(self) -> Iterator[str]:
        """Name, for each learner, the exercises that were tried and are not solved."""
        yield "\nStuck, by attempts:"
        stuck = {}
        for learner, records in self.learners.items():
            tried = [
                (r["attempts"], r["hints"], name)
                for name in names()
                if (r := records.get(name)) and state(r) == "tried"
            ]
            if tried:
                stuck[learner] = sorted(tried, key=lambda row: -row[0])
        for learner, tried in sorted(stuck.items(), key=lambda pair: -pair[1][0][0]):
            yield f"  {learner}: " + "; ".join(f"{name}, {a} attempts, {h} hints" for a, h, name in tried)
        if not stuck:
            yield "  nobody"

    def csv(self) -> str:
        """Return one line for each learner and exercise, for a spreadsheet."""
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n").writerow
        write(_COLUMNS)
        for learner, records in self.learners.items():
            for name in names():
                record = records.get(name, new_record())
                met = sorted(mistakes_met(record).items(), key=lambda pair: -pair[1])
                wrong = "; ".join(f"{_printable(mistake)} ({n})" for mistake, n in met)
                counts = record["attempts"], record["hints"], record["solution_seen"]
                row = _as_text(learner), about(name).lesson, name, state(record), *counts, _as_text(wrong)
                write(row)
        return out.getvalue()


def wrong_answers(records: list[dict]) -> Counter:
    """Count the known mistakes in the records, by name: how many learners met each."""
    return Counter(_printable(mistake) for record in records for mistake in mistakes_met(record))


def classroom(folder: str | Path, *, table: str | Path | None = None) -> Classroom:
    """Read the files that learners exported with `cvlab progress --export FILE`; nothing leaves this machine.

    Args:
        folder: where the files lie; each learner is called as their file is.
        table: path of a CSV file to write, one line for each learner and exercise.

    Raises:
        NotADirectoryError: `folder` is no folder.
        OSError: the table cannot be written there.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"--class must name a folder of exported files; got {folder}")
    learners, skipped, remarks = {}, {}, {}
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        try:
            records, remark = _read(path)
            learners[path.name if path.stem in learners else path.stem] = records
        except ValueError as error:
            skipped[_printable(path.name)] = str(error)
        except OSError as error:
            skipped[_printable(path.name)] = reason(error)
        else:
            remarks |= {_printable(path.name): remark} if remark else {}
    found = Classroom(
        folder, {_printable(name): records for name, records in learners.items()}, skipped, remarks
    )
    if table is not None:
        write_whole(Path(table).expanduser(), found.csv().encode())
    return found


def _read(path: Path) -> tuple[dict[str, dict], str]:
    """Return a file's records of this course's exercises, and what of it could not be used.

    Raises:
        ValueError: it is no export of this course; says why.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError("not a file")
    if path.stat().st_size > _MOST:
        raise ValueError(f"larger than {_MOST // 2**20} MB, which no export is")
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError("no JSON: not made by `cvlab progress --export`") from None
    if not isinstance(data, dict) or not isinstance(data.get("exercises"), dict):
        raise ValueError("other JSON: not made by `cvlab progress --export`")
    if data.get("version") != 1:
        raise ValueError(f"of version {data.get('version')!r}, expected 1: made by another cvlab")
    records, sound = clean(data)
    known = {name: record for name, record in records.items() if name in names()}
    if records and not known:
        raise ValueError("it holds exercises, but none of this course")
    foreign = len(records) - len(known)
    parts = [] if sound else ["damaged records were left out"]
    parts += [f"{foreign} exercise{'s' * (foreign > 1)} of another course left out"] if foreign else []
    return known, "; ".join(parts)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)


def _as_text(text: str) -> str:
    """Keep a spreadsheet from reading a file's name as a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@")) else text
