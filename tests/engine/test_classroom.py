"""A teacher reads a class's files: what is sound is counted, what is not is named with the reason."""

import csv
import json

import pytest

from cvlab.checks import check, classroom, hint, progress, solution
from cvlab.checks._engine import progress as stored
from cvlab.checks._engine import registry
from cvlab.course import cli


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "_unsaved", [])
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The exports of three learners."""
    place = tmp_path / "class"
    place.mkdir()

    def mirror(image):
        return image[::-1]

    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "ada"))
    check(mirror), check(mirror), hint(mirror)
    progress(export=place / "ada.json")
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "bo"))
    check(mirror), solution(mirror)
    mirror.__code__ = (lambda image: image[:, ::-1]).__code__
    check(mirror)
    progress(export=place / "bo.json")
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "cy"))
    progress(export=place / "cy.json")
    return place


def row(text, name):
    return next(line for line in text.splitlines() if line.split()[1:2] == [name]).split(maxsplit=7)


def test_a_class_in_one_table(folder):
    text = repr(classroom(folder))
    assert text.startswith(f"3 learners in {folder}\n")
    assert row(text, "mirror") == ["00", "mirror", "1", "1", "1", "1", "1", "reverses rows (2)"]
    assert row(text, "slope") == ["00", "slope", "0", "0", "3", "0", "0"]
    assert "Stuck, by attempts:\n  ada: mirror, 2 attempts, 1 hints" in text
    assert "Skipped" not in text
    assert all(row(text, name) for name in registry.names())


def test_wrong_answers_are_kept_by_name_and_bounded():
    record = {"mistakes": {f"m{n}": n for n in range(1, 1000)} | {"x" * 101: 1, "y": -1, "z": "1", "w": True}}
    met = stored.mistakes_met(record)
    assert len(met) == 50
    assert met["m1"] == 1
    for odd in ({"mistakes": None}, {"mistakes": [1]}, {}, {"mistakes": {"": 0}}):
        assert stored.mistakes_met(odd) == {}


FOREIGN = {
    "notes.txt": (b"dear teacher", "no JSON: not made by `cvlab progress --export`"),
    "deep.json": (b"[" * 100_000, "no JSON: not made by `cvlab progress --export`"),
    "list.json": (b"[1]", "other JSON: not made by `cvlab progress --export`"),
    "other.json": (b'{"exercises": {"sorting": {"solved": true}}, "version": 1}', "it holds exercises, but none of this course"),
    "later.json": (b'{"exercises": {}, "version": 2}', "of version 2, expected 1: made by another cvlab"),
    "large.json": (b" " * (2**20 + 1), "larger than 1 MB, which no export is"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_named_and_skipped(folder, name):
    content, why = FOREIGN[name]
    (folder / name).write_bytes(content)
    found = classroom(folder)
    assert found.skipped == {name: why}
    assert f"Skipped:\n  {name}: {why}" in repr(found)
    assert len(found.learners) == 3


def test_a_folder_and_a_broken_link_are_named_and_hidden_files_are_not(folder):
    (folder / "week 2").mkdir()
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "gone.json").symlink_to(folder / "nowhere")
    assert classroom(folder).skipped == {"gone.json": "not a file", "week 2": "not a file"}


def test_what_is_sound_of_a_damaged_file_counts(folder):
    text = {
        "version": 1,
        "exercises": {"mirror": {"solved": True}, "slope": 3, "to_batch": {"attempts": 2}, "sort": {}},
    }
    (folder / "dee.json").write_text(json.dumps(text))
    found = classroom(folder)
    assert found.remarks == {
        "dee.json": "damaged records were left out; 1 exercise of another course left out"
    }
    assert row(repr(found), "mirror")[2] == "2"
    assert "dee: to_batch, 2 attempts" in repr(found)


def test_equal_names_are_two_learners(folder):
    (folder / "ada.txt").write_bytes((folder / "bo.json").read_bytes())
    assert set(classroom(folder).learners) == {"ada", "ada.txt", "bo", "cy"}


def test_names_cannot_write_into_the_table_or_the_spreadsheet(folder, tmp_path):
    (folder / "=cmd\n\x1b[2J.json").write_bytes((folder / "ada.json").read_bytes())
    found = classroom(folder, table=tmp_path / "out.csv")
    assert "\x1b" not in repr(found)
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * len(registry.names())
    assert {r["learner"] for r in rows} == {"ada", "bo", "cy", "'=cmd??[2J"}
    (mine,) = [r for r in rows if r["learner"] == "ada" and r["exercise"] == "mirror"]
    assert mine == {
        "learner": "ada",
        "lesson": "00",
        "exercise": "mirror",
        "state": "tried",
        "attempts": "2",
        "hints": "1",
        "solution_seen": "False",
        "wrong_answers": "reverses rows (2)",
    }


def test_an_empty_folder_and_no_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert repr(classroom(tmp_path / "empty")) == f"0 learners in {tmp_path / 'empty'}"
    with pytest.raises(NotADirectoryError, match="--class must name a folder of exported files; got"):
        classroom(tmp_path / "missing")


def test_the_command(folder, tmp_path, capsys):
    assert cli.main(["progress", "--class", str(folder), "--csv", str(tmp_path / "out.csv")]) == 0
    assert "3 learners in" in capsys.readouterr().out
    assert (tmp_path / "out.csv").read_text().startswith("learner,lesson,exercise,state,")
    assert cli.main(["progress", "--class", str(tmp_path / "missing")]) == 1
    assert capsys.readouterr().err.startswith("cvlab progress: --class must name a folder")
    for words in (["--csv", "x"], ["--class", "x", "--export", "y"]):
        with pytest.raises(SystemExit):
            cli.main(["progress", *words])
