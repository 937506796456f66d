"""Downloads against a bad server on loopback, and archives that attack: complete and verified, or nothing."""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvlab._archive import extract
from cvlab._download import DataUnavailable, DownloadError, Limits, download

BODY = bytes(range(256)) * 1000
LENGTH = len(BODY)
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = Limits(connect=0.5, read=0.3, window=0.3, slowest=1e5, tries=2, pause=0.01, lock=10)


class Server(ThreadingHTTPServer):
    """A server whose next answers are a list of functions; the last one repeats."""

    daemon_threads = True

    def __init__(self):
        self.answers, self.asked = [good], []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/file.bin"

    def handle_error(self, request, address):
        """Broken pipes are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.close_connection = True
        answer(self)

    def head(self, status=200, length=LENGTH, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *args):
        """Keep the tests' output clean."""


def good(h):
    h.head()
    h.wfile.write(BODY)


def slow_but_fair(h):
    h.head()
    for start in range(0, len(BODY), 64000):
        h.wfile.write(BODY[start : start + 64000])
        time.sleep(0.05)


def no_length(h):
    h.head(length=None)
    h.wfile.write(BODY)


def gzipped(h):
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(BODY) + packer.flush()
    h.head(length=len(packed), Content_Encoding="gzip")
    h.wfile.write(packed)


def bad_gzip(h):
    h.head(length=100, Content_Encoding="gzip")
    h.wfile.write(b"x" * 100)


def gzip_bomb(h):
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(bytes(50_000_000)) + packer.flush()
    h.head(length=len(packed), Content_Encoding="gzip")
    h.wfile.write(packed)


def chunked(h):
    h.protocol_version = "HTTP/1.1"
    h.head(length=None, Transfer_Encoding="chunked")
    h.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))


def chunked_cut(h):
    h.protocol_version = "HTTP/1.1"
    h.head(length=None, Transfer_Encoding="chunked")
    h.wfile.write(b"%x\r\n%b" % (len(BODY), BODY[:1000]))


def silent(h):
    h.server.released.wait(5)


def stalls(h):
    h.head()
    h.wfile.write(BODY[:1000])
    h.wfile.flush()
    h.server.released.wait(5)


def drips(h):
    h.head()
    for byte in BODY:
        h.wfile.write(bytes([byte]))
        h.wfile.flush()
        if h.server.released.wait(0.02):
            return


def truncates(h):
    h.head()
    h.wfile.write(BODY[:1000])


def truncates_without_length(h):
    h.head(length=None)
    h.wfile.write(BODY[:1000])


def hangs_up(h):
    h.head()
    h.wfile.write(BODY[:1000])
    h.wfile.flush()
    h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, no farewell
    h.connection.close()


def hangs_up_at_once(h):
    h.connection.shutdown(socket.SHUT_RDWR)


def wrong_bytes(h):
    h.head()
    h.wfile.write(BODY[::-1])


def says_more(h):
    h.head(length=len(BODY) + 1)
    h.wfile.write(BODY)


def says_less(h):
    h.head(length=10)
    h.wfile.write(BODY)


def sends_more(h):
    h.head(length=None)
    h.wfile.write(BODY * 4)


def html_page(h):
    h.head(length=18, Content_Type="text/html")
    h.wfile.write(b"<p>Log in first</p>"[:18])


def nonsense(h):
    h.wfile.write(b"\0\1\2 not http\r\n\r\n")


def empty(h):
    h.head(length=0)


def status(code):
    def answer(h):
        h.head(code, 0)

    answer.__name__ = f"status_{code}"
    return answer


def redirect(to):
    def answer(h):
        h.head(302, 0, Location=to)

    answer.__name__ = f"redirect_{to}"
    return answer


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "file.bin"


def get(server, path, **changes):
    return download(server.url, path, sha256=SHA, size=len(BODY), **{"limits": QUICK, **changes})


def left(path):
    """Everything in the cache but the lock, which is empty."""
    return {p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")}


FINE = [good, slow_but_fair, no_length, gzipped, chunked]

BAD = {  # answer -> what the error says, and whether another try could help
    silent: ("nothing came from 127.0.0.1 for 0.3 s", True),
    stalls: ("nothing came from 127.0.0.1 for 0.3 s", True),
    drips: ("127.0.0.1 is too slow:", True),
    truncates: ("the connection to 127.0.0.1", True),
    truncates_without_length: ("ended after 1,000 of 256,000 bytes", True),
    chunked_cut: ("the connection to 127.0.0.1", True),
    hangs_up: ("the connection to 127.0.0.1", True),
    hangs_up_at_once: ("the connection to 127.0.0.1 failed", True),
    nonsense: ("the connection to 127.0.0.1 failed", True),
    wrong_bytes: (
        f"127.0.0.1 sent other content (sha256 {hashlib.sha256(BODY[::-1]).hexdigest()[:12]}",
        True,
    ),
    bad_gzip: ("127.0.0.1 sent content that cannot be unpacked", True),
    status(500): ("127.0.0.1 answered 500 Internal Server Error", True),
    status(503): ("127.0.0.1 answered 503", True),
    status(429): ("127.0.0.1 answered 429", True),
    status(404): ("127.0.0.1 answered 404 Not Found", False),
    status(403): ("127.0.0.1 answered 403", False),
    status(204): ("127.0.0.1 answered 204", False),
    status(301): ("127.0.0.1 answered 301", False),
    gzip_bomb: ("sends more than the expected 256,000 bytes", False),
    says_more: ("offers 256,001 bytes, expected 256,000", False),
    says_less: ("offers 10 bytes, expected 256,000", False),
    sends_more: ("sends more than the expected 256,000 bytes", False),
    html_page: ("offers 18 bytes, expected 256,000", False),
    empty: ("offers 0 bytes, expected 256,000", False),
    redirect("/again"): ("redirected more than 5 times", False),
    redirect("file:///etc/passwd"): ("leads to file:///etc/passwd, which is neither http nor https", False),
    redirect("ftp://127.0.0.1/x"): ("neither http nor https", False),
}


@pytest.mark.parametrize("answer", FINE, ids=lambda a: a.__name__)
def test_fine_answers_arrive_whole(server, path, answer):
    server.answers = [answer]
    assert get(server, path) == "127.0.0.1"
    assert path.read_bytes() == BODY
    assert left(path) == {"file.bin"}
    assert get(server, path) is None  # verified and kept: the server is not asked again
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", BAD, ids=lambda a: a.__name__)
def test_bad_answers_leave_nothing_and_a_later_try_works(server, path, answer):
    reason, again = BAD[answer]
    server.answers = [answer]
    with pytest.raises(DownloadError) as caught:
        get(server, path)
    message = str(caught.value)
    assert message.startswith(f"file.bin could not be downloaded from {server.url}: ")
    assert reason in message
    assert ("(after 2 tries)" in message) == again
    assert f"put it at {path}" in message
    assert "CVLAB_CACHE" in message
    assert left(path) == set()
    if "redirect" not in answer.__name__:
        assert len(server.asked) == (2 if again else 1)

    server.answers = [good]
    assert get(server, path) == "127.0.0.1"
    assert path.read_bytes() == BODY
    assert left(path) == {"file.bin"}


@pytest.mark.parametrize("answer", [a for a, (_, again) in BAD.items() if again], ids=lambda a: a.__name__)
def test_a_retry_mends_what_passes(server, path, answer):
    server.answers = [answer, good]
    assert get(server, path) == "127.0.0.1"
    assert path.read_bytes() == BODY
    assert len(server.asked) == 2
    assert left(path) == {"file.bin"}


def test_redirects_are_followed_and_the_last_host_is_told(server, path):
    other = f"http://localhost:{server.server_port}/real"
    server.answers = [redirect("/step"), redirect(other), good]
    assert get(server, path) == "localhost"
    assert server.asked == ["/file.bin", "/step", "/real"]

    path.unlink()
    server.answers = [redirect(other), status(404)]
    with pytest.raises(DownloadError, match="localhost answered 404"):
        get(server, path)


@pytest.mark.parametrize("answer", [good, truncates], ids=lambda a: a.__name__)
def test_a_damaged_file_is_never_kept(server, path, answer):
    path.parent.mkdir()
    path.write_bytes(BODY[:-1] + b"!")
    server.answers = [answer]
    if answer is good:
        get(server, path)
        assert path.read_bytes() == BODY
    else:
        with pytest.raises(DownloadError):
            get(server, path)
        assert left(path) == set()


def test_the_rest_of_a_killed_run_is_replaced(server, path):
    path.parent.mkdir()
    path.with_name(".file.bin.part").write_bytes(b"x" * 999_999)
    get(server, path)
    assert path.read_bytes() == BODY
    assert left(path) == {"file.bin"}


def test_nobody_there(path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"
        with pytest.raises(DownloadError, match=r"the connection to 127.0.0.1 failed \(ConnectionError\)"):
            download(url, path, sha256=SHA, size=1, limits=QUICK)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "just words", "http://"])
def test_addresses_that_are_none(path, url):
    with pytest.raises(DownloadError, match="neither http nor https|not valid"):
        download(url, path, sha256=SHA, size=1, limits=QUICK)
    assert left(path) == set()


def test_interrupted_by_the_user(server, path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(server, path)
    assert left(path) == set()
    assert get(server, path) == "127.0.0.1"


def test_full_disk_before_and_during(server, path, monkeypatch):
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(path.parent.parent)
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(DownloadError, match="the disk of .* is full"):
            get(server, path)
        assert server.asked == []

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DownloadError, match="the disk of .* is full"):
            get(server, path)
    assert left(path) == set()
    assert get(server, path) == "127.0.0.1"


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="cache cannot be written"):
        get(server, tmp_path / "cache" / "file.bin")
    assert server.asked == []


def test_two_processes_ask_once(server, path):
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from cvlab._download import Limits, download
        url, path, sha, size = sys.argv[1:]
        print(download(url, Path(path), sha256=sha, size=int(size), limits=Limits(pause=0.01)))
    """)
    server.answers = [slow_but_fair]
    command = [sys.executable, "-W", "error", "-c", program, server.url, str(path), SHA, str(len(BODY))]
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"
    ]
    told = [process.communicate(timeout=60) for process in pair]
    assert sorted(out.strip() for out, _ in told) == ["127.0.0.1", "None"]
    assert [err for _, err in told] == ["", ""]  # no bar in a pipe
    assert len(server.asked) == 1
    assert path.read_bytes() == BODY


def test_a_lock_that_is_never_released(server, path):
    from filelock import FileLock

    path.parent.mkdir()
    with (
        FileLock(path.with_name(".file.bin.lock")),
        pytest.raises(DownloadError, match="another process has been downloading it for over 0.1 s"),
    ):
        get(server, path, limits=Limits(lock=0.1))
    assert get(server, path) == "127.0.0.1"


def test_the_bar_is_drawn_only_where_someone_looks(server, path, monkeypatch, capsys):
    get(server, path)
    assert capsys.readouterr().err == ""
    path.unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    get(server, path)
    assert "file.bin: 100%" in capsys.readouterr().err


def test_errors_are_one_family():
    assert issubclass(DownloadError, DataUnavailable)
    assert issubclass(DataUnavailable, RuntimeError)


# Archives ---------------------------------------------------------------------------------------------------


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return path


def make_tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as tarred:
        for name, content, *kind in members:
            info = tarfile.TarInfo(name)
            if kind:
                info.type, info.linkname = kind[0], "/etc/passwd"
            else:
                info.size = len(content)
            tarred.addfile(info, None if kind else io.BytesIO(content))
    return path


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


MEMBERS = [("a.txt", b"one"), ("deep/er/b.bin", bytes(5000)), ("empty", b"")]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_archives_unpack(tmp_path, kind):
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}.get(kind)
    file = tmp_path / f"x.{kind}"
    make_tar(file, MEMBERS, mode) if mode else make_zip(file, MEMBERS)
    out = extract(file, tmp_path / "new" / "out")
    got = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert got == dict(MEMBERS)
    assert list((tmp_path / "new").iterdir()) == [out]  # no stage left


ATTACKS = {
    "climbs": ("../evil", b""),
    "climbs inside": ("a/../../evil", b""),
    "absolute": ("/tmp/evil", b""),
    "drive": ("C:/evil", b""),
    "backslash": ("..\\evil", b""),
}


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("attack", ATTACKS)
def test_archives_that_climb_are_refused(tmp_path, make, attack):
    file = make(tmp_path / "x", [("fine.txt", b"fine"), ATTACKS[attack]])
    with pytest.raises(ValueError, match="refused: member .*(absolute path|leave the folder)"):
        extract(file, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tar_links_and_devices_are_refused(tmp_path, kind):
    file = make_tar(tmp_path / "x.tar", [("fine.txt", b"fine"), ("trap", b"", kind)])
    with pytest.raises(ValueError, match="member 'trap' is a link or a device; nothing was unpacked"):
        extract(file, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [file]


def test_zip_links_are_refused(tmp_path):
    file = make_zip(tmp_path / "x.zip", [("fine.txt", b"fine"), (zip_link("trap"), b"/etc/passwd")])
    with pytest.raises(ValueError, match="member 'trap' is a link or a device"):
        extract(file, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [file]


def test_two_members_of_one_name_are_refused(tmp_path):
    file = make_tar(tmp_path / "x.tar", [("a", b"1"), ("a", b"2")])
    with pytest.raises(ValueError, match="two members want one path"):
        extract(file, tmp_path / "out")
    file = make_tar(tmp_path / "x.tar", [("a", b"1"), ("a/b", b"2")])
    with pytest.raises(ValueError, match="two members want one path"):
        extract(file, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [file]


def test_a_bomb_is_refused_before_the_first_byte(tmp_path):
    file = make_zip(tmp_path / "x.zip", [("zeros", bytes(1_000_000))])
    assert file.stat().st_size < 2000
    with pytest.raises(ValueError, match="unpacks to 1,000,000 bytes, over 999,999"):
        extract(file, tmp_path / "out", max_bytes=999_999)
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_in_use_is_not_touched(tmp_path):
    file = make_zip(tmp_path / "x.zip", MEMBERS)
    out = tmp_path / "out"
    out.mkdir()
    assert extract(file, out) == out  # empty: fine
    before = sorted(out.rglob("*"))
    with pytest.raises(FileExistsError, match="folder must not exist yet, or be empty"):
        extract(file, out)
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("make", [make_zip, make_tar])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), flip=st.integers(0, 255))
def test_damage_anywhere_is_refused_or_harmless(tmp_path, make, cut, flip):
    noise = hashlib.sha256(b"seed").digest() * 100
    file = make(tmp_path / "x", [("a", noise), ("b/c", noise)])
    data = bytearray(file.read_bytes())
    at = int(cut * (len(data) - 1))
    damaged = (
        bytes(data[:at]) if flip == 0 else bytes(data[:at]) + bytes([data[at] ^ flip]) + bytes(data[at + 1 :])
    )
    file.write_bytes(damaged)
    with contextlib.suppress(ValueError):  # any other error fails the test
        out = extract(file, tmp_path / "out")
        got = {p.read_bytes() for p in out.rglob("*") if p.is_file()}
        shutil.rmtree(out)
        assert got <= {noise}
    assert list(tmp_path.iterdir()) == [file]
