"""Is a picture file whole? Checks for the kinds whose damage a decoder may pass over in silence."""

import re
import struct
import zlib
from collections.abc import Mapping
from typing import BinaryIO

__all__ = ["Damaged", "check"]

_PNG, _JP2 = b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0cjP  \r\n\x87\n"
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_AFTER_PIXELS = {0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # markers of a JPEG
_OFFSETS, _COUNTS, _COMPRESSION = (324, 273), (325, 279), 259  # tags of a TIFF: of tiles, of strips


class Damaged(ValueError):
    """What is wrong with a file, in words that end a sentence."""


def check(kind: str, stream: BinaryIO, tags: Mapping) -> None:
    """Look at the structure of a whole file, and leave the stream where it was.

    Args:
        kind: Pillow's name of the format; the decoders of those that are not among `_CHECKS` see damage themselves.
        stream: the file, open for reading bytes.
        tags: of a TIFF's first page, number -> value; empty for all others.

    Raises:
        Damaged: cut short, or wrong in a way that shows.
    """
    if kind not in _CHECKS:
        return
    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    _CHECKS[kind](data, tags)


def _part(data: bytes, start: int, size: int) -> bytes:
    if not 0 <= start <= start + size <= len(data):
        raise Damaged("its end is missing")
    return data[start : start + size]


def _numbers(form: str, data: bytes, at: int) -> tuple:
    """Unpack numbers, as `struct` does; a file that ends before them is cut short."""
    return struct.unpack(form, _part(data, at, struct.calcsize(form)))


def _png(data: bytes, tags: Mapping, start: int = 0) -> None:
    """Every chunk up to the last, IEND, has its checksum behind it."""
    view, at, kind = memoryview(data), start + len(_PNG), b""
    while kind != b"IEND":
        length, kind = _numbers(">I4s", data, at)
        (written,) = _numbers(">I", data, at + 8 + length)
        if zlib.crc32(view[at + 4 : at + 8 + length]) != written:
            raise Damaged(f"the checksum of the part at byte {at} is wrong")
        at += 12 + length


def _ico(data: bytes, tags: Mapping) -> None:
    """Each icon of the list lies within the file and has the size that the list says."""
    (count,) = _numbers("<H", data, 4)
    for at in range(6, 6 + 16 * count, 16):
        listed_width, listed_height, size, start = _numbers("<BB6xII", data, at)
        _part(data, start, size)
        if data.startswith(_PNG, start):
            _png(data, {}, start)
            width, height = _numbers(">II", data, start + 16)
        else:
            width, height = _numbers("<ii", data, start + 4)
            height //= 2  # the picture, and the mask under it
        if (width - listed_width) % 256 or (height - listed_height) % 256:
            raise Damaged(f"an icon of {width} x {height} is listed as {listed_width} x {listed_height}")


def _jpeg(data: bytes, tags: Mapping) -> None:
    """The markers follow one another as they may, up to the end of the image.

    The pixels between them have no checksum: a wrong bit shows only where it makes or breaks a marker.
    """
    at, restarts, in_scan = 2, 0, False
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if 0xD0 <= marker <= 0xD7:
            if marker != 0xD0 + restarts % 8:
                raise Damaged(f"rows are missing before byte {at}")
            restarts += 1
            continue
        if in_scan and marker not in _AFTER_PIXELS:
            raise Damaged(f"the pixels make no sense at byte {at}")
        if marker == 0xD9:
            return
        (length,) = _numbers(">H", data, at)
        at, restarts, in_scan = at + length, 0, marker == 0xDA
    raise Damaged("its end is missing")


def _jpeg2000(data: bytes, tags: Mapping) -> None:
    """The parts reach as far as they say, up to the end of the codestream; their inside has no checksum."""
    at = _codestream(data) if data.startswith(_JP2) else 0
    marker, length = 0xFF4F, 0
    while marker != 0xFFD9:
        at += 2 + length
        (marker,) = _numbers(">H", data, at)
        if marker == 0xFF90:  # a tile part counts from its marker; 0 reaches to the end of the file
            (part,) = _numbers(">I", data, at + 6)
            length = (part or len(data) - 2 - at) - 2
        elif marker != 0xFFD9:
            (length,) = _numbers(">H", data, at + 2)
        if marker < 0xFF4F or length < 0:
            raise Damaged(f"it makes no sense at byte {at}")


def _codestream(data: bytes) -> int:
    """Return where the pixels of a JP2 file begin: in its box "jp2c"."""
    at = 0
    while True:
        length, kind = _numbers(">I4s", data, at)
        header = 8
        if length == 1:
            (length,), header = _numbers(">Q", data, at + 8), 16
        if kind == b"jp2c":
            return at + header
        if length < header:
            raise Damaged(f"it makes no sense at byte {at}")
        at += length


def _tiff(data: bytes, tags: Mapping) -> None:
    """The compressed strips or tiles lie within the file; where they are JPEGs, each of them is whole."""
    offsets, counts = (next((tags[t] for t in known if t in tags), ()) for known in (_OFFSETS, _COUNTS))
    compression = tags.get(_COMPRESSION, 1)
    if compression == 1:
        return
    for offset, count in zip(offsets, counts, strict=False):
        strip = _part(data, int(offset), int(count))
        if compression == 7:
            _jpeg(strip, {})


def _dds(data: bytes, tags: Mapping) -> None:
    """Pixels that are not packed reach as far as height, width and bits a pixel say."""
    height, width = _numbers("<II", data, 12)
    flags, _, bits = _numbers("<III", data, 80)
    if flags & 0x40:  # red, green and blue, one after the other
        _part(data, 128, height * width * bits // 8)


_CHECKS = {
    "PNG": _png,
    "ICO": _ico,
    "JPEG": _jpeg,
    "MPO": _jpeg,
    "JPEG2000": _jpeg2000,
    "TIFF": _tiff,
    "DDS": _dds,
}
