"""Progress survives two kernels, damaged files, full disks; it never gets in a learner's way."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlab.checks import check, hint, progress, solution
from cvlab.checks._engine import progress as stored
from cvlab.checks._engine.registry import LESSONS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "_unsaved", {})
    monkeypatch.setattr(stored, "LESSONS", {key: LESSONS[key] for key in ("00", "01")})
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def mirror(image):
    return image[:, ::-1]


def saved(home):
    return json.loads((home / "progress.json").read_text(encoding="utf-8"))["exercises"]


def test_attempts_hints_and_solutions_are_counted(home):
    def to_batch(images):
        return None

    check(to_batch), hint(to_batch), hint("to_batch"), solution("mirror"), check(mirror)
    assert saved(home) == {
        "mirror": {"attempts": 1, "hints": 0, "solved": True, "solution_seen": True},
        "to_batch": {"attempts": 1, "hints": 2, "solved": False, "solution_seen": False},
    }
    assert repr(progress()) == (
        "lesson  done   attempts  hints\n"
        "00       1/2          2      2  still open: to_batch\n"
        "01       0/7          0      0  still open: to_rgb, resize_nearest, normalize, denormalize, hwc_to_chw,"
        " center_crop, psnr\n"
        "1 of 9 exercises solved."
    )


def test_solved_stays_solved_and_stubs_are_no_attempts(home):
    check(mirror)

    def stub(image):
        raise NotImplementedError

    stub.__name__ = "mirror"
    stub.__code__ = stub.__code__.replace(co_qualname="mirror")
    assert check(stub).outcome == "not attempted"
    assert saved(home)["mirror"]["attempts"] == 1
    stub.__code__ = (lambda image: image).__code__
    assert check(stub).outcome == "wrong"
    assert saved(home)["mirror"] == {"attempts": 2, "hints": 0, "solved": True, "solution_seen": False}


def test_nothing_yet():
    assert repr(progress()).endswith("0 of 9 exercises solved.")


def test_two_kernels_at_once_lose_nothing(home):
    code = (
        "from cvlab.checks._engine import progress\n"
        "for _ in range(40):\n"
        "    assert progress.record('mirror', lambda r: r | {'attempts': r['attempts'] + 1}) == ''\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    assert saved(home)["mirror"]["attempts"] == 80
    assert sorted(p.name for p in home.iterdir()) == ["progress.json", "progress.lock"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"null", b"[]", b'{"exercises": 3}', b'{"exercises": {"mirror": 3}}',
     b'{"exercises": {"mirror": {"attempts": -1}}}', b'{"exercises": {"mirror": {"attempts": NaN}}}',
     b'{"exercises": {"mirror": {"solved": "yes"}}}', b"[" * 100_000],
)  # fmt: skip
def test_damaged_file_is_kept_aside(home, content):
    home.mkdir()
    (home / "progress.json").write_bytes(content)
    result = check(mirror)
    assert result
    assert result.notes[-1] == (
        "Your progress file was damaged; it is kept as progress.json.bak, and what could be read is used."
    )
    assert (home / "progress.json.bak").read_bytes() == content
    assert saved(home)["mirror"]["solved"]
    assert not check(mirror).notes


def test_sound_records_of_a_hand_edited_file_are_kept(home):
    home.mkdir()
    text = '{"exercises": {"mirror": {"attempts": 7, "mine": 1}, "to_batch": 3, "later": {"solved": true}}}'
    (home / "progress.json").write_text(text)
    check(mirror)
    assert saved(home)["mirror"]["attempts"] == 8
    assert saved(home)["mirror"]["mine"] == 1
    assert saved(home)["later"]["solved"]
    assert "to_batch" not in saved(home)


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), lambda v: st.dictionaries(st.sampled_from(["exercises", "mirror", "attempts", "solved"]), v)).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_any_file_content_is_survived(content):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVLAB_HOME", folder)
        (Path(folder) / "progress.json").write_bytes(content)
        assert repr(progress())
        assert stored.record("mirror", lambda r: r | {"attempts": r["attempts"] + 1}) is not None
        assert stored.entry("mirror")["attempts"] >= 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_unwritable_disk_does_not_stop_the_check(home, monkeypatch, code):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    check(mirror)
    with monkeypatch.context() as full:
        full.setattr("cvlab.checks._engine.progress.os.replace", refuse)
        result = check(mirror)
        assert result
        assert result.notes[-1] == (
            f"Your progress could not be saved ({os.strerror(code)}); it is kept until this kernel ends."
        )
        assert [repr(hint("mirror")).splitlines()[0][:6] for _ in range(2)] == ["Hint 1", "Hint 2"]
        assert stored.entry("mirror")["attempts"] == 2
        assert not list(home.glob("*.part"))
    check(mirror)
    assert saved(home)["mirror"]["attempts"] == 3
    assert saved(home)["mirror"]["hints"] == 2


def test_home_below_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "file" / "home"))
    result = check(mirror)
    assert result
    assert "could not be saved" in result.notes[-1]
    assert "could not be read" in repr(progress())


def test_file_is_a_folder(home):
    (home / "progress.json").mkdir(parents=True)
    assert check(mirror)
    assert "could not be read (Is a directory)" in repr(progress())


def test_a_lock_held_for_ever_only_delays(home, monkeypatch):
    monkeypatch.setattr(stored, "_WAIT", 0.05)
    home.mkdir()
    with stored._locked(home / "progress.lock"):
        assert check(mirror)
    assert saved(home)["mirror"]["solved"]


def test_export(home, tmp_path):
    check(mirror)
    target = tmp_path / "my progress.json"
    target.write_text("old")
    assert repr(progress(export=target)) == repr(progress())
    data = json.loads(target.read_text(encoding="utf-8"))
    assert data["lessons"]["00"] == ["mirror", "to_batch"]
    assert data["exercises"]["mirror"]["solved"] is True
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["my progress.json"]


def test_export_says_what_is_wrong(tmp_path):
    with pytest.raises(
        IsADirectoryError, match="export must be a file name, such as progress.json; got the folder"
    ):
        progress(export=tmp_path)
    with pytest.raises(FileNotFoundError, match="export must lie in an existing folder; there is no"):
        progress(export=str(tmp_path / "missing" / "p.json"))


def test_export_is_never_half_written(tmp_path, monkeypatch):
    target = tmp_path / "p.json"
    target.write_text("old")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cvlab.checks._engine.progress.os.replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        progress(export=target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["p.json"]


def test_progress_of_one_lesson_counts_only_its_exercises():
    text = repr(progress("00"))
    assert text.splitlines()[-1] == "0 of 2 exercises solved."
    assert "to_rgb" not in text
    with pytest.raises(ValueError, match="lesson must be one of '00'"):
        progress("0")
