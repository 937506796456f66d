"""Archives that attack, or are damaged: all of the content in its folder, or nothing."""

import contextlib
import hashlib
import io
import shutil
import stat
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvlab.store.archive import extract


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
