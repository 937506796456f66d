"""Files are written whole or not at all; whatever goes wrong is said, and nothing is left behind."""

import errno
import os
import stat
import subprocess
import sys
import threading

import pytest

from cvlab.store.files import clear_parts, disk_is_full, write_whole


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def raising(error):
    def refuse(*_, **__):
        raise error

    return refuse


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("data", [b"", b"new", bytes(10**6)])
def test_bytes_are_written_and_an_older_file_replaced(tmp_path, data):
    path = tmp_path / "a.bin"
    for _ in range(2):
        assert write_whole(str(path), data) == path
        assert path.read_bytes() == data
        assert names(tmp_path) == ["a.bin"]
        path.write_bytes(b"older")


def test_a_function_may_write(tmp_path):
    path = write_whole(tmp_path / "a.txt", lambda file: [file.write(b"one "), file.write(b"two")])
    assert path.read_bytes() == b"one two"


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), OSError(errno.EIO, "network")])
@pytest.mark.parametrize("older", [None, b"older"])
def test_what_a_function_raises_passes_through(tmp_path, error, older):
    path = tmp_path / "a.bin"
    if older:
        path.write_bytes(older)

    def half(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)) as caught:
        write_whole(path, half)
    assert caught.value is error
    assert names(tmp_path) == (["a.bin"] if older else [])
    assert not older or path.read_bytes() == older


def test_data_that_is_no_bytes(tmp_path):
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a.txt", "text")
    assert names(tmp_path) == []


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o755, 0o222])
def test_permissions_stay(tmp_path, bits):
    path = tmp_path / "a.bin"
    path.touch()
    path.chmod(bits)
    write_whole(path, b"new")
    assert mode(path) == bits


@pytest.mark.parametrize(("umask", "bits"), [(0o000, 0o644), (0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_is_never_writable_by_others(tmp_path, umask, bits):
    program = "import os, sys; from cvlab.store.files import write_whole; os.umask(int(sys.argv[1])); write_whole(sys.argv[2], b'x')"
    path = tmp_path / "a.bin"
    subprocess.run([sys.executable, "-c", program, str(umask), str(path)], check=True)
    assert mode(path) == bits


def test_a_link_is_followed(tmp_path):
    real, link, chain = tmp_path / "real.bin", tmp_path / "link.bin", tmp_path / "chain.bin"
    real.write_bytes(b"older")
    link.symlink_to("real.bin")
    chain.symlink_to(link)
    assert write_whole(chain, b"new") == chain
    assert real.read_bytes() == b"new"
    assert link.is_symlink()
    assert chain.is_symlink()


def test_a_link_to_nothing_makes_its_target(tmp_path):
    link = tmp_path / "link.bin"
    link.symlink_to("real.bin")
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.bin").read_bytes() == b"new"


def test_a_link_to_itself(tmp_path):
    link = tmp_path / "link.bin"
    link.symlink_to("link.bin")
    with pytest.raises(OSError, match=r"link.bin cannot be written \(.*symbolic links"):
        write_whole(link, b"new")
    assert names(tmp_path) == ["link.bin"]


def test_no_folder(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="^/.*a.bin cannot be written: there is no folder .*nowhere. Make it"
    ):
        write_whole(tmp_path / "nowhere" / "a.bin", b"new")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="there is no folder .*file"):
        write_whole(tmp_path / "file" / "a.bin", b"new")


def test_a_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        write_whole(tmp_path, b"new")
    assert names(tmp_path) == []


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a device or a pipe"):
        write_whole(tmp_path / "pipe", b"new")
    assert names(tmp_path) == ["pipe"]


def test_a_read_only_file_stays(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"older")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="a.bin is read-only"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"older"


@pytest.mark.parametrize("older", [None, b"older"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("where", ["os.fsync", "os.open", "pathlib.Path.replace"])
def test_a_full_disk(tmp_path, monkeypatch, where, code, older):
    path = tmp_path / "a.bin"
    if older:
        path.write_bytes(older)
    monkeypatch.setattr(where, raising(OSError(code, "raw")))
    with pytest.raises(OSError, match="no space left for a.bin") as caught:
        write_whole(path, b"new")
    assert ("the older one is untouched" in str(caught.value)) == bool(older)
    assert disk_is_full(caught.value)
    assert names(tmp_path) == (["a.bin"] if older else [])


def test_a_limit_of_the_file_size(tmp_path):
    """No stand-in: the system itself ends the write half way."""
    program = """
import resource, signal, sys
from cvlab.store.files import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try: write_whole(sys.argv[1], bytes(200_000))
except OSError as error: print(error)
"""
    path = tmp_path / "a.bin"
    path.write_bytes(b"older")
    told = subprocess.run(
        [sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True
    )
    assert "no space left for a.bin; the older one is untouched" in told.stdout
    assert names(tmp_path) == ["a.bin"]
    assert path.read_bytes() == b"older"


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (errno.EROFS, OSError, "a.bin cannot be written: its disk is read-only"),
        (errno.EACCES, PermissionError, "a.bin cannot be written: you may not write in "),
        (errno.EPERM, PermissionError, "a.bin cannot be written: you may not write in "),
        (errno.ENAMETOOLONG, OSError, r"a.bin cannot be written \(File name too long\)"),
    ],
)
def test_a_folder_that_refuses(tmp_path, monkeypatch, code, kind, message):
    def refuse(path, *_, **__):  # chmod does not stop root, who runs many a container
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as patch:
        patch.setattr("os.open", refuse)
        with pytest.raises(kind, match=message):
            write_whole(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == []


def test_a_name_as_long_as_names_may_be(tmp_path):
    path = write_whole(tmp_path / ("n" * 255), b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(OSError, match="cannot be written .File name too long"):
        write_whole(tmp_path / ("n" * 256), b"new")


def test_a_reader_sees_old_or_new(tmp_path):
    path, versions = tmp_path / "a.bin", [bytes([n]) * 200_000 for n in range(2)]
    write_whole(path, versions[0])
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(40):
        write_whole(path, versions[n % 2])
    done.set()
    reader.join()
    assert seen <= set(versions)


def test_many_writers_leave_one_whole_file(tmp_path):
    path, versions = tmp_path / "a.bin", [bytes([n]) * 100_000 for n in range(8)]
    threads = [threading.Thread(target=write_whole, args=(path, data)) for data in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in versions
    assert names(tmp_path) == ["a.bin"]


def test_what_killed_writers_left_is_cleared(tmp_path):
    path, litter = tmp_path / "a[1].bin", tmp_path / ".a[1].bin.0123abcd.part"
    for other in (litter, tmp_path / ".a1.bin.0123abcd.part", tmp_path / ".a[1].bin.lock"):
        other.touch()
    clear_parts(path)
    assert names(tmp_path) == [".a1.bin.0123abcd.part", ".a[1].bin.lock"]


def test_a_killed_writer_leaves_the_older_file(tmp_path):
    path = write_whole(tmp_path / "a.bin", b"older")
    program = """
import os, sys
from cvlab.store.files import write_whole
write_whole(sys.argv[1], lambda file: [file.write(b"half"), file.flush(), os.kill(os.getpid(), 9)])
"""
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    assert path.read_bytes() == b"older"
    clear_parts(path)
    assert names(tmp_path) == ["a.bin"]
