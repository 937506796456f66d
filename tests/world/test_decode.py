"""Pictures of every kind that is read, whole and damaged: the exact pixels or a clear error, nothing in between.

What can be promised differs. A file that was cut short is refused, of every kind; but where a plain PGM or PPM ends in the
middle of its very last number, the shorter number is a number too. A wrong bit is refused for certain where the format
keeps checksums: PNG (also inside ICO), and the pixels of a TIFF packed with deflate. In all others, JPEG first of all, a
wrong bit among the packed pixels makes a picture as valid as the one before: that goes unnoticed, here as everywhere, and
is not tested. What is tested of JPEG is its structure: markers that are missing, broken or out of order.
"""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, features

from cvlab.world import photos
from cvlab.world.decode import FORMATS

HEIGHT, WIDTH = 20, 24
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
LARGE = np.random.default_rng(1).integers(0, 256, (160, 200, 3)).astype(np.uint8)
GREY, BITS = RGB[..., 0], RGB[..., 0] > 127
FEW = (GREY // 64 * 80)[..., None].repeat(3, axis=2)  # four greys, as RGB


def encoded(pixels, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, kind, **options)
    return stream.getvalue()


def rgb(pixels) -> np.ndarray:
    """Return what a grey or two-tone picture looks like as (H, W, 3) uint8."""
    pixels = pixels * np.uint8(255) if pixels.dtype == bool else pixels
    return pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)


def plain(number: int, pixels) -> bytes:
    """Write a PBM, PGM or PPM in figures: P1, P2, P3."""
    rows = (" ".join(str(int(v)) for v in row.ravel()) for row in pixels)
    most = "" if number == 1 else "255\n"
    return f"P{number}\n# in figures\n{WIDTH} {HEIGHT}\n{most}".encode() + "\n".join(rows).encode() + b"\n"


def psd(packed: bool) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH12xH", 1, 3, HEIGHT, WIDTH, 8, 3, packed)
    planes = RGB.transpose(2, 0, 1)
    if not packed:
        return head + planes.tobytes()
    rows = [bytes([WIDTH - 1]) + row.tobytes() for plane in planes for row in plane]
    return head + b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)


def sun() -> bytes:
    return struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, 24, RGB.size, 1, 0, 0) + RGB[..., ::-1].tobytes()


def palette(pixels) -> Image.Image:
    return Image.fromarray(pixels).quantize(4)


def icon() -> Image.Image:
    return Image.fromarray(LARGE[:32, :32])


EXACT = {  # name -> the file, the pixels that are in it
    "png": (encoded(RGB, "PNG"), RGB),
    "png grey": (encoded(GREY, "PNG"), rgb(GREY)),
    "png two-tone": (encoded(BITS, "PNG"), rgb(BITS)),
    "png palette": (encoded(palette(FEW), "PNG"), FEW),
    "png large": (encoded(LARGE, "PNG"), LARGE),
    "gif": (encoded(palette(FEW), "GIF"), FEW),
    "gif row by row": (encoded(palette(FEW), "GIF", interlace=0), FEW),
    "bmp": (encoded(RGB, "BMP"), RGB),
    "bmp palette": (encoded(palette(FEW), "BMP"), FEW),
    "bmp large": (encoded(LARGE, "BMP"), LARGE),
    "tiff": (encoded(RGB, "TIFF"), RGB),
    "tiff large": (encoded(LARGE, "TIFF"), LARGE),
    "tiff lzw": (encoded(RGB, "TIFF", compression="tiff_lzw"), RGB),
    "tiff lzw large": (encoded(LARGE, "TIFF", compression="tiff_lzw"), LARGE),
    "tiff deflate": (encoded(RGB, "TIFF", compression="tiff_adobe_deflate"), RGB),
    "tiff packbits": (encoded(RGB, "TIFF", compression="packbits"), RGB),
    "tiff fax 3": (encoded(BITS, "TIFF", compression="group3"), rgb(BITS)),
    "tiff fax 4": (encoded(BITS, "TIFF", compression="group4"), rgb(BITS)),
    "webp": (encoded(RGB, "WEBP", lossless=True), RGB),
    "webp large": (encoded(LARGE, "WEBP", lossless=True), LARGE),
    "ppm": (encoded(RGB, "PPM"), RGB),
    "pgm": (encoded(GREY, "PPM"), rgb(GREY)),
    "pbm": (encoded(BITS, "PPM"), rgb(BITS)),
    "pbm in figures": (plain(1, ~BITS), rgb(BITS)),  # 1 is black
    "pgm in figures": (plain(2, GREY), rgb(GREY)),
    "ppm in figures": (plain(3, RGB), RGB),
    "ico of png": (encoded(icon(), "ICO", sizes=[(32, 32), (16, 16)]), LARGE[:32, :32]),
    "ico of bmp": (encoded(icon(), "ICO", sizes=[(32, 32)], bitmap_format="bmp"), LARGE[:32, :32]),
    "jpeg2000": (encoded(RGB, "JPEG2000"), RGB),
    "jpeg2000 bare": (encoded(RGB, "JPEG2000", no_jp2=True), RGB),
    "jpeg2000 tiles": (encoded(LARGE, "JPEG2000", tile_size=(64, 64)), LARGE),
    "psd": (psd(False), RGB),
    "psd packed": (psd(True), RGB),
    "dds": (encoded(RGB, "DDS"), RGB),
    "sgi": (encoded(RGB, "SGI"), RGB),
    "qoi": (encoded(RGB, "QOI"), RGB),
    "sun": (sun(), RGB),
    "tga": (encoded(RGB, "TGA"), RGB),
    "tga packed": (encoded(FEW, "TGA", compression="tga_rle"), FEW),
}
ROUGH = {  # the same, of kinds that change the pixels a little
    "jpeg": encoded(RGB, "JPEG"),
    "jpeg large": encoded(LARGE, "JPEG"),
    "jpeg progressive": encoded(RGB, "JPEG", progressive=True),
    "jpeg with restarts": encoded(LARGE, "JPEG", restart_marker_rows=1),
    "jpeg of two": encoded(RGB, "MPO", save_all=True, append_images=[Image.fromarray(RGB)]),
    "tiff jpeg": encoded(RGB, "TIFF", compression="jpeg"),
    "tiff jpeg large": encoded(LARGE, "TIFF", compression="jpeg", strip_size=9000),
    "webp rough": encoded(RGB, "WEBP"),
    "jpeg2000 rough": encoded(LARGE, "JPEG2000", irreversible=True, quality_layers=[4]),
}
if features.check("avif"):
    ROUGH["avif"] = encoded(RGB, "AVIF", speed=10)
FILES = {name: data for name, (data, _) in EXACT.items()} | ROUGH


def load(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is lost is told elsewhere
        return photos.load(data)


def refusal(data: bytes, whole: np.ndarray | None = None) -> str:
    """Return the message with which a file is refused; "" where it gives the pixels of the whole one; else fail."""
    try:
        pixels = load(data)
    except ValueError as error:
        return str(error)
    assert whole is not None, "a damaged file was read"
    assert np.array_equal(pixels, whole), "a damaged file gave other pixels"
    return ""


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def lengths(data: bytes, count: int) -> list[int]:
    """Choose lengths at which to cut, spread evenly, and each of the last twenty bytes."""
    return sorted({*np.linspace(1, len(data) - 1, count).astype(int), *range(len(data) - 20, len(data))})


@pytest.mark.parametrize("name", EXACT)
def test_every_kind_comes_back_exactly(name):
    data, pixels = EXACT[name]
    assert np.array_equal(load(data), pixels)


@pytest.mark.parametrize("name", ROUGH)
def test_rough_kinds_come_back_nearly(name):
    wanted = LARGE if load(ROUGH[name]).shape == LARGE.shape else RGB
    assert np.abs(load(ROUGH[name]).astype(int) - wanted).mean() < 50


def test_every_kind_that_is_read_is_among_the_files():
    kinds = {Image.open(io.BytesIO(data)).format for data in FILES.values()} - {"MPO"}
    assert kinds | {"AVIF"} == set(FORMATS)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("pgm in figures", "ppm in figures")])
def test_a_file_cut_short_is_refused_or_was_complete(name):
    data, whole = FILES[name], load(FILES[name])
    answers = [refusal(data[:length], whole) for length in lengths(data, 60)]
    assert answers[0] != ""
    assert answers[len(answers) // 4] != ""


@pytest.mark.parametrize("name", ["pgm in figures", "ppm in figures"])
def test_figures_cut_short_are_refused_up_to_the_last_number(name):
    data = FILES[name]
    before_last = len(data.rstrip().rsplit(b" ", 1)[0])
    assert all(refusal(data[:length]) for length in lengths(data[:before_last], 60))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("jpeg2000")])
def test_a_jpeg2000_cut_anywhere_is_refused(name):
    data = FILES[name]
    for length in lengths(data, 100):
        assert "damaged or cut short" in refusal(data[:length]) or length < 4


@pytest.mark.parametrize("name", ["tiff jpeg", "tiff jpeg large", "tiff fax 3", "tiff fax 4"])
def test_a_strip_that_reaches_beyond_the_file_is_refused(name):
    data = FILES[name]
    assert all(refusal(data[:length], load(data)) for length in lengths(data, 100)[:80])


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("png")])
def test_any_wrong_bit_of_a_png_is_refused(name):
    data = FILES[name]
    places = np.unique(np.linspace(0, len(data) - 1, 400).astype(int))
    for i, place in enumerate(places):
        assert refusal(flipped(data, place, i % 8))


def test_a_wrong_bit_in_each_part_of_a_png_is_refused():
    exif = Image.Exif()
    exif[0x010E] = "a note"
    data = encoded(palette(FEW), "PNG", exif=exif, dpi=(72, 72), transparency=0)
    at, parts = 8, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        parts.append(kind)
        for place in (
            at,
            at + 4,
            at + 8,
            at + 8 + length,
            at + 11 + length,
        ):  # its length, kind, content, checksum
            assert refusal(flipped(data, place))
        at += 12 + length
    assert {b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"eXIf", b"IDAT", b"IEND"} <= set(parts)


def test_a_later_frame_of_an_animation_is_looked_at_too():
    later = [Image.fromarray(np.roll(RGB, k, axis=0)) for k in (1, 2)]
    data = encoded(RGB, "PNG", save_all=True, append_images=later)
    with pytest.warns(UserWarning, match="first of 3 frames kept"):
        assert np.array_equal(photos.load(data), RGB)
    assert "checksum" in refusal(flipped(data, len(data) - 40))


def test_any_wrong_bit_of_an_icon_that_is_a_png_changes_no_pixel():
    data, whole = EXACT["ico of png"]
    answers = [refusal(flipped(data, place), whole) for place in range(0, len(data), 7)]
    assert sum(answer != "" for answer in answers) > 0.95 * len(answers)


def test_an_icon_of_another_size_than_its_list_says_is_refused():
    assert "an icon of 32 x 32 is listed as 33 x 32" in refusal(flipped(FILES["ico of bmp"], 6))


def test_a_wrong_bit_in_deflated_pixels_of_a_tiff_is_refused():
    data = FILES["tiff deflate"]
    with Image.open(io.BytesIO(data)) as image:
        (start,), (count,) = image.tag_v2[273], image.tag_v2[279]
    assert all(refusal(flipped(data, place, place % 8)) for place in range(start, start + count, 5))


def jpeg_markers(data: bytes) -> list[int]:
    """Return where the markers of the pixels' restarts stand."""
    return [i for i in range(len(data) - 1) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]


def test_a_jpeg_that_lost_rows_is_refused():
    data = FILES["jpeg with restarts"]
    first, second, third, *_ = jpeg_markers(data)
    assert "rows are missing" in refusal(data[:first] + data[second:])
    assert "rows are missing" in refusal(data[:second] + data[second + 2 : third] + data[third:])


def test_a_broken_marker_of_a_jpeg_is_refused():
    data = FILES["jpeg with restarts"]
    place = jpeg_markers(data)[1] + 1
    assert "make no sense" in refusal(flipped(data, place, 7))


def test_a_broken_jpeg_within_a_tiff_is_refused():
    data = FILES["tiff jpeg"]
    with Image.open(io.BytesIO(data)) as image:
        end = image.tag_v2[273][0] + image.tag_v2[279][0] - 2
    assert data[end : end + 2] == b"\xff\xd9"
    assert "its end is missing" in refusal(data[:end] + b"\0\0" + data[end + 2 :])


def test_a_second_attempt_is_refused_as_the_first():
    cut = FILES["png large"][:5000]
    assert refusal(cut) == refusal(cut) != ""


def every_refusal() -> list[str]:
    spoilt = [data[: len(data) // 2] for data in FILES.values()]
    spoilt += [data[:30] for data in FILES.values()]
    spoilt += [flipped(data, len(data) // 3, 7) for data in FILES.values()]
    return [words for data in spoilt if (words := attempt(data))]


def attempt(data: bytes) -> str:
    try:
        load(data)
    except ValueError as error:
        return str(error)
    return ""


def test_messages_are_words():
    messages = every_refusal()
    assert len(messages) > 60
    for words in messages:
        assert "b'" not in words
        assert "<_io" not in words
        assert "Error" not in words
        assert words.startswith("picture of ")


def test_numbers_of_32_bits_are_not_called_damaged():
    for pixels in (np.ones((3, 3), np.float32), np.ones((3, 3), np.int32)):
        words = refusal(encoded(pixels, "TIFF"))
        assert words.endswith(
            "holds 32-bit numbers; 8 or 16 bits a channel are read. Rescale it yourself first"
        )


def tiff(bits: int, signed: bool, content: bytes, width: int, height: int) -> bytes:
    """Write a grey TIFF of one strip."""
    fields = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(content),
    }
    fields[339] = 2 if signed else 1
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    head = b"II*\0" + struct.pack("<I", 8 + len(content))
    return head + content + struct.pack("<H", len(fields)) + directory + bytes(4)


def test_twelve_bits_keep_their_high_byte():
    values = np.arange(0, 4096, 273)  # 16 of them
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in values.reshape(-1, 2))
    with pytest.warns(UserWarning, match="12 bits cut to 8"):
        pixels = photos.load(tiff(12, False, packed, 4, 4))
    assert np.array_equal(pixels[..., 0].ravel(), values >> 4)


def test_negative_numbers_are_refused():
    deep = np.array([[-5, 7], [300, 400]], "<i2")
    assert "holds negative numbers, down to -5" in refusal(tiff(16, True, deep.tobytes(), 2, 2))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encoded(BITS, "XBM"), "XBM"),
        (encoded(palette(FEW), "PCX"), "PCX"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "EPS"),
    ],
)
def test_a_kind_that_is_not_read_is_named_with_those_that_are(data, kind):
    assert (
        f"is of the kind {kind}, which is not read: save it as PNG first (the kinds that are read are PNG, JPEG, "
        in refusal(data)
    )


def test_an_old_tga_is_known_by_its_name_alone(tmp_path):
    old = FILES["tga"][:-26]  # without the footer
    path = tmp_path / "old.TGA"
    path.write_bytes(old)
    assert np.array_equal(photos.load(path), RGB)
    assert "is not a picture: its first bytes are 00 00 02 00" in attempt(old) or "not read" in attempt(old)


def test_text_that_starts_like_a_picture_is_text():
    assert "it holds text, starting 'BM is short for bitm'" in refusal(b"BM is short for bitmap.")


def test_colours_without_a_way_to_rgb_are_named(monkeypatch):
    def none(*_):
        raise ValueError("conversion from LAB to RGB not supported")  # as older versions of Pillow say

    data = encoded(Image.new("LAB", (4, 4)), "TIFF")
    monkeypatch.setattr(Image.Image, "convert", none)
    assert "holds LAB colours, which are not read: save it as RGB first" in refusal(data)


def test_a_png_whose_checksums_hold_but_whose_pixels_end_is_refused():
    packed = zlib.compress(bytes(100))[:-8]

    def part(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", 20, 20, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", packed) + part(b"IEND", b"")
    assert "starts like a PNG picture and then makes no sense" in refusal(data)
