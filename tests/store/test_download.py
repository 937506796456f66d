"""Downloads against a bad server on loopback: complete and verified, or nothing."""

import dataclasses
import errno
import functools
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cvlab.store.download import DataUnavailable, DownloadError, Limits, download

BODY = bytes(range(256)) * 1000
LENGTH = len(BODY)
SHA = hashlib.sha256(BODY).hexdigest()
LONG = 60  # seconds: nobody waits that long, however busy the machine is
PATIENT = Limits(connect=LONG, read=LONG, window=LONG, tries=2, pause=0.01, lock=LONG)
# Only servers that never go on meet short limits, so that no answer has to come in time.
HASTY = {"silent": {"read": 0.3}, "stalls": {"read": 0.3}, "drips": {"window": 0.3, "slowest": 1e5}}


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
        h.wfile.flush()
        h.server.released.wait(0.05)


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


@functools.cache
def bomb():
    packer = zlib.compressobj(wbits=31)
    return packer.compress(bytes(50_000_000)) + packer.flush()


def gzip_bomb(h):
    h.head(length=len(bomb()), Content_Encoding="gzip")
    h.wfile.write(bomb())


def chunked(h):
    h.protocol_version = "HTTP/1.1"
    h.head(length=None, Transfer_Encoding="chunked")
    h.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))


def chunked_cut(h):
    h.protocol_version = "HTTP/1.1"
    h.head(length=None, Transfer_Encoding="chunked")
    h.wfile.write(b"%x\r\n%b" % (len(BODY), BODY[:1000]))


def silent(h):
    h.server.released.wait(LONG)


def stalls(h):
    h.head()
    h.wfile.write(BODY[:1000])
    h.wfile.flush()
    h.server.released.wait(LONG)


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


def get(server, path, limits=PATIENT):
    return download(server.url, path, sha256=SHA, size=len(BODY), limits=limits)


def limits_for(answer) -> Limits:
    return dataclasses.replace(PATIENT, **HASTY.get(answer.__name__, {}))


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
    judged_often = dataclasses.replace(PATIENT, window=0.01, slowest=1)
    assert get(server, path, judged_often) == "127.0.0.1"
    assert path.read_bytes() == BODY
    assert left(path) == {"file.bin"}
    assert get(server, path) is None  # verified and kept: the server is not asked again
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", BAD, ids=lambda a: a.__name__)
def test_bad_answers_leave_nothing_and_a_later_try_works(server, path, answer):
    reason, again = BAD[answer]
    server.answers = [answer]
    with pytest.raises(DownloadError) as caught:
        get(server, path, limits_for(answer))
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
def test_a_retry_mends_what_passes(server, path, answer, monkeypatch):
    limits = limits_for(answer)

    def pause(_):
        for name in HASTY.get(answer.__name__, {}):  # the good answer may take its time
            object.__setattr__(limits, name, getattr(PATIENT, name))

    monkeypatch.setattr("cvlab.store.download.time.sleep", pause)
    server.answers = [answer, good]
    assert get(server, path, limits) == "127.0.0.1"
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
    path.with_name(".file.bin.0123abcd.part").write_bytes(b"x" * 999_999)
    get(server, path)
    assert path.read_bytes() == BODY
    assert left(path) == {"file.bin"}


def test_nobody_there(path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"
        with pytest.raises(DownloadError, match=r"the connection to 127.0.0.1 failed \(ConnectionError\)"):
            download(url, path, sha256=SHA, size=1, limits=PATIENT)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "just words", "http://"])
def test_addresses_that_are_none(path, url):
    with pytest.raises(DownloadError, match="neither http nor https|not valid"):
        download(url, path, sha256=SHA, size=1, limits=PATIENT)
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
        from cvlab.store.download import Limits, download
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
        get(server, path, Limits(lock=0.1))
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
