"""Progress survives two kernels, damaged files, full disks; it never gets in a learner's way."""

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlab.checks import check, hint, progress, solution
from cvlab.checks._engine import progress as stored
from cvlab.checks._engine import report
from cvlab.checks._engine.registry import LESSONS
from cvlab.course import cli


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "_unsaved", [])
    monkeypatch.setattr(report, "LESSONS", {key: LESSONS[key] for key in ("00", "01")})
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
        "lesson                       exercises  solved  minutes left\n"
        "00 Start here                ●◐○           1/3             7\n"
        "01 Images and preprocessing  ○○○○○○○       0/7            30\n"
        "● solved  ◐ tried  ○ open\n"
        "1 of 10 exercises solved, about 37 minutes left.\n"
        "Next: `to_batch` in lesson 00, Start here (4 min, medium)."
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
    assert saved(home)["mirror"] == {
        "attempts": 2,
        "hints": 0,
        "solved": True,
        "solution_seen": False,
        "mistakes": {"returns a copy unchanged": 1},
    }


def test_nothing_yet():
    assert repr(progress()).endswith(
        "0 of 10 exercises solved, about 40 minutes left.\nNext: `mirror` in lesson 00, Start here (3 min, easy)."
    )


WRITER = """
from cvlab.checks._engine import progress
for _ in range({times}):
    assert progress.record("mirror", lambda r: r | {{"attempts": r["attempts"] + 1}}) == ""
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kernels", "times"), [(2, 40)])
def test_two_kernels_at_once_lose_nothing(home, kernels, times):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER.format(times=times)], stderr=subprocess.PIPE)
        for _ in range(kernels)
    ]
    assert [writer.communicate()[1] for writer in writers] == [b""] * kernels
    assert saved(home)["mirror"]["attempts"] == kernels * times
    assert sorted(p.name for p in home.iterdir()) == ["progress.json", "progress.lock"]


FIFTY = """
import os, time
from cvlab.checks._engine import progress
def one_more(record):
    time.sleep(0.02)  # a slow disk: together they need longer than anybody's patience of old, two seconds
    return record | {"attempts": record["attempts"] + 1}
children = []
for _ in range(50):
    if not (child := os.fork()):
        said = [progress.record("mirror", one_more) for _ in range(4)]
        os._exit(any(said))
    children.append(child)
print(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the fifty are forked")
def test_fifty_kernels_at_once_lose_nothing_in_silence(home):
    done = subprocess.run([sys.executable, "-c", FIFTY], capture_output=True, text=True, check=True)
    unlucky = int(done.stdout)
    assert unlucky < 50
    assert saved(home)["mirror"]["attempts"] >= 4 * (50 - unlucky), (
        "those who were told nothing have their four"
    )


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
    assert "damaged" not in repr(check(mirror))


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
        full.setattr("os.replace", refuse)
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


@pytest.fixture
def held(home):
    """Another process holds the lock until the test is over."""
    home.mkdir()
    code = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(home / "progress.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        yield other
        other.stdin.close()


def test_a_lock_held_for_ever_is_said_and_nothing_is_lost(home, held, monkeypatch):
    monkeypatch.setattr(stored, "_WAIT", 0.05)
    result = check(mirror)
    assert result
    assert result.notes[-1] == (
        "Your progress could not be saved (another notebook has held its lock for 0.05 seconds); "
        "it is kept until this kernel ends."
    )
    assert stored.entry("mirror")["solved"]
    assert not (home / "progress.json").exists()
    held.communicate(b"")
    monkeypatch.setattr(stored, "_WAIT", 30)
    (home / "progress.json").write_text('{"exercises": {"mirror": {"attempts": 5}}}')  # the other one's
    hint("mirror")
    assert saved(home)["mirror"] == {"attempts": 6, "hints": 1, "solved": True, "solution_seen": False}
    assert stored._unsaved == []


def test_a_disk_without_locks_is_said(home, monkeypatch):
    def none(self, *_, **__):
        raise NotImplementedError("no flock here")

    monkeypatch.setattr(stored.FileLock, "acquire", none)
    assert "has no file locks" in check(mirror).notes[-1]
    assert saved(home)["mirror"]["solved"]


posix = pytest.mark.skipif(os.name == "nt", reason="links and permissions as POSIX has them")


@posix
def test_a_link_stays_a_link(home, tmp_path):
    real = tmp_path / "synced" / "mine.json"
    real.parent.mkdir()
    home.mkdir()
    (home / "progress.json").symlink_to(real)
    check(mirror)
    assert (home / "progress.json").is_symlink()
    assert json.loads(real.read_text())["exercises"]["mirror"]["attempts"] == 1
    check(mirror)
    assert saved(home)["mirror"]["attempts"] == 2
    assert sorted(p.name for p in real.parent.iterdir()) == ["mine.json", "progress.lock"]


@posix
def test_nobody_else_may_look(home, monkeypatch):
    monkeypatch.setenv("CVLAB_HOME", str(home / "deeper"))
    before = os.umask(0)
    try:
        check(mirror)
        (home / "deeper" / "progress.json").write_text("{")
        check(mirror)
    finally:
        os.umask(before)
    modes = {p.name: oct(p.stat().st_mode & 0o777) for p in [home, *home.rglob("*")]}
    files = dict.fromkeys(["progress.json", "progress.lock", "progress.json.bak"], "0o600")
    assert modes == {"home": "0o700", "deeper": "0o700"} | files


def test_a_file_that_cannot_be_read_is_not_overwritten(home, monkeypatch):
    check(mirror)
    before = (home / "progress.json").read_bytes()

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as closed:
        closed.setattr(Path, "read_bytes", refuse)
        assert "could not be saved (Permission denied)" in check(mirror).notes[-1]
    assert (home / "progress.json").read_bytes() == before
    check(mirror)
    assert saved(home)["mirror"]["attempts"] == 3


def test_export(home, tmp_path):
    check(mirror)
    target = tmp_path / "my progress.json"
    target.write_text("old")
    assert repr(progress(export=target)) == repr(progress())
    data = json.loads(target.read_text(encoding="utf-8"))
    assert data["lessons"]["00"] == ["mirror", "to_batch", "slope"]
    assert data["exercises"]["mirror"]["solved"] is True
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["my progress.json"]


def test_export_says_what_is_wrong(tmp_path):
    with pytest.raises(
        IsADirectoryError, match="export must be a file name, such as progress.json; got the folder"
    ):
        progress(export=tmp_path)
    with pytest.raises(FileNotFoundError, match="export must lie in an existing folder; there is no"):
        progress(export=str(tmp_path / "missing" / "p.json"))
    with pytest.raises(FileNotFoundError, match="got ~nobody-of-this-name/p.json"):
        progress(export="~nobody-of-this-name/p.json")
    with pytest.raises(OSError, match="export could not be written to .*: File name too long"):
        progress(export=tmp_path / ("x" * 300))


def test_export_is_never_half_written(tmp_path, monkeypatch, capsys):
    target = tmp_path / "p.json"
    target.write_text("old")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    words = f"export could not be written to {target}: No space left on device; name another place"
    with pytest.raises(OSError, match=re.escape(words)):
        progress(export=target)
    assert cli.main(["progress", "--export", str(target)]) == 1
    assert capsys.readouterr().err == f"cvlab progress: {words}\n"
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["p.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the limit on a file's size")
def test_export_on_a_full_disk_is_told_in_one_line(home, tmp_path):
    """No stand-in: the system itself refuses every byte."""
    target = tmp_path / "p.json"
    target.write_text("old")
    program = (
        "import resource, signal, sys\nfrom cvlab.course import cli\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\nsys.exit(cli.main(['progress', '--export', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(
        rf"cvlab progress: export could not be written to {re.escape(str(target))}: .+; name another place\n",
        done.stderr,
    )
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["p.json"]


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("CVLAB_HOME", "~/x")
    monkeypatch.chdir(tmp_path)
    check(mirror)
    assert saved(tmp_path / "x")["mirror"]["solved"]
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_progress_of_one_lesson_counts_only_its_exercises():
    text = repr(progress("00"))
    assert text.splitlines()[0] == "Lesson 00 · Start here: 0 of 3 exercises solved, about 10 minutes left"
    assert "to_rgb" not in text
    with pytest.raises(ValueError, match="lesson must be one of '00'"):
        progress("0")
