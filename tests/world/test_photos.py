"""Photos: every named picture is as described; any file is read upright in RGB or refused in plain words."""

import io
import os
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cvlab.world import photos

RED = (200, 30, 40)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(height: int = 12, width: int = 20) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 12, y * 20, (x + y) * 7], axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", photos.names())
def test_named_photo_is_as_described(name):
    photo, image = photos.info(name), photos.load(name)
    assert image.shape == photo.shape
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert photo.path.is_file()
    assert photo.title
    assert photo.author
    assert photo.licence


def test_named_photos_equal_skimage():
    from skimage import data

    assert np.array_equal(photos.load("chelsea"), data.chelsea())
    assert np.array_equal(photos.load("coins")[..., 1], data.coins())


def test_authors_stand_in_the_docstrings():
    from skimage import data

    for name, function in {"chelsea": data.chelsea, "camera": data.camera, "coffee": data.coffee}.items():
        assert photos.info(name).author in function.__doc__
        assert photos.info(name).licence in function.__doc__


def test_nothing_heavy_is_imported():
    code = "import sys; from cvlab.world import photos; photos.load('china'); print('sklearn' in sys.modules, 'skimage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_each_load_is_fresh():
    first = photos.load("text")
    first[:] = 0
    assert photos.load("text").any()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_exact_kinds_come_back_exactly(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(photos.load(encoded(Image.fromarray(gradient()), kind, **options)), gradient())


def test_grey_becomes_three_equal_channels():
    image = photos.load(encoded(Image.fromarray(gradient()[..., 0]), "PNG"))
    assert image.shape == (12, 20, 3)
    assert (image == gradient()[..., :1]).all()


def test_palette_and_black_white():
    palette = Image.new("RGB", (4, 4), RED).quantize()
    assert (photos.load(encoded(palette, "PNG")) == RED).all()
    assert (photos.load(encoded(Image.new("1", (4, 4), 1), "PNG")) == 255).all()


def test_alpha_is_laid_on_white_and_told():
    clear = encoded(Image.new("RGBA", (3, 2), (*RED, 0)), "PNG")
    with pytest.warns(UserWarning, match="see-through parts laid on white"):
        assert (photos.load(clear) == 255).all()
    half = encoded(Image.new("RGBA", (3, 2), (0, 0, 0, 128)), "PNG")
    with pytest.warns(UserWarning, match="white"):
        assert (photos.load(half) == 127).all()


def test_solid_alpha_loses_nothing_and_says_nothing():
    assert (photos.load(encoded(Image.new("RGBA", (3, 2), (*RED, 255)), "PNG")) == RED).all()


def test_transparent_palette():
    palette = Image.new("RGB", (4, 4), RED).quantize()
    with pytest.warns(UserWarning, match="white"):
        assert (photos.load(encoded(palette, "PNG", transparency=0)) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_keep_the_high_byte(kind):
    grey = Image.fromarray((np.arange(256, dtype=np.uint16) * 257).reshape(16, 16))
    with pytest.warns(UserWarning, match="16 bits cut to 8"):
        image = photos.load(encoded(grey.convert("I") if kind == "PPM" else grey, kind))
    assert np.array_equal(image[..., 0].ravel(), np.arange(256))


@pytest.mark.parametrize(("ending", "off"), [(".png", 0), (".tiff", 0), (".ppm", 1)])
def test_sixteen_bit_colour_agrees_with_opencv(ending, off):
    import cv2

    deep = (np.arange(300, dtype=np.uint16) * 200).reshape(10, 10, 3)
    with pytest.warns(UserWarning, match="16 bits cut to 8"):
        image = photos.load(cv2.imencode(ending, deep)[1].tobytes())
    assert np.abs(image[..., ::-1].astype(int) - (deep >> 8)).max() <= off


def test_thirty_two_bits_are_refused():
    with pytest.raises(ValueError, match="holds 32-bit numbers; 8 or 16 bits a channel are read"):
        photos.load(encoded(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF"))


def test_cmyk():
    image = photos.load(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation):
    upright = Image.fromarray(gradient())
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose that stores the turned picture
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(photos.load(encoded(stored, "PNG", exif=exif)), gradient())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 0, 0), (255, 255, 255))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="first of 3 frames kept"):
        assert np.abs(photos.load(data).astype(int) - RED).max() <= 8


def test_one_pixel():
    assert photos.load(encoded(Image.new("RGB", (1, 1), RED), "PNG")).tolist() == [[list(RED)]]


def test_all_losses_are_one_warning_that_names_the_file(tmp_path):
    path = tmp_path / "two losses.gif"
    frames = [Image.new("RGBA", (8, 8), (255, 0, 0, 0)), Image.new("RGBA", (8, 8), (0, 255, 0, 255))]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        photos.load(path)
    assert len(told) == 1
    assert "two losses.gif" in str(told[0].message)
    assert "frames kept; see-through" in str(told[0].message)
    assert told[0].filename == __file__


@pytest.mark.parametrize("name", ["with space.png", "котик.png", "고양이 사진.png", "猫's #1 [ü].png"])
def test_odd_paths(tmp_path, name):
    Image.fromarray(gradient()).save(tmp_path / name)
    assert np.array_equal(photos.load(tmp_path / name), gradient())
    assert np.array_equal(photos.load(str(tmp_path / name)), gradient())


def test_a_name_wins_over_a_file_and_a_path_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(gradient()).save("coffee", "PNG")
    assert photos.load("coffee").shape == (400, 600, 3)
    assert photos.load("./coffee").shape == (12, 20, 3)


def refused(source, kind, *words):
    with pytest.raises(kind) as caught:
        photos.load(source)
    for word in words:
        assert word in str(caught.value)


def test_broken_files_are_named(tmp_path):
    def file(name: str, content: bytes):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    jpeg = encoded(Image.fromarray(photos.load("chelsea")), "JPEG")
    refused(file("empty.jpg", b""), ValueError, "empty.jpg", "is empty (0 bytes)")
    refused(
        file("cut.jpg", jpeg[: len(jpeg) // 2]),
        ValueError,
        "cut.jpg",
        "is damaged or cut short: its end is missing",
    )
    refused(file("stub.jpg", jpeg[:20]), ValueError, "stub.jpg", "damaged or cut short")
    refused(
        file("note.jpg", b"Dear reader,\nthis is a letter."),
        ValueError,
        "note.jpg",
        "it holds text",
        "Dear reader",
    )
    refused(file("rows.png", bytes(range(256))), ValueError, "rows.png", "first bytes are 00 01 02 03")
    refused(file("phone.jpg", b"\0\0\0\x18ftypheic" + bytes(40)), ValueError, "HEIC", "save it as JPEG")
    refused(tmp_path, IsADirectoryError, "is a folder, not a picture", "it holds 'cut.jpg'")


def test_missing_things_get_the_nearest_name(tmp_path):
    (tmp_path / "holiday.png").write_bytes(b"x")
    refused(
        "chelsie", FileNotFoundError, "no photo and no file is called 'chelsie'", "Did you mean 'chelsea'"
    )
    refused("Coffee", FileNotFoundError, "Did you mean 'coffee'")
    refused(tmp_path / "holidy.png", FileNotFoundError, "no file", "Did you mean 'holiday.png'?")
    refused("nowhere/at/all.png", FileNotFoundError, "the folder", "does not exist")
    refused(tmp_path / "holiday.png" / "x.png", FileNotFoundError, "no file")
    refused("x" * 5000 + ".png", FileNotFoundError, "no file")
    with pytest.raises(ValueError, match=r"name must be one of 'astronaut'.*Did you mean 'chelsea'"):
        photos.info("Chelsea")


def test_sources_that_are_no_source():
    refused(np.zeros((2, 2, 3), np.uint8), TypeError, "got ndarray: it is a picture already")
    refused(None, TypeError, "a photo's name, a path or bytes; got NoneType")
    refused("https://example.org/cat.jpg", ValueError, "download it first")
    refused("a\0b.png", ValueError, "source must be a name or a path")
    refused("", ValueError, "source must be a name or a path")
    refused(b"", ValueError, "picture of 0 bytes is empty")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", ValueError, "a device or a pipe")


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "locked.png"
    Image.fromarray(gradient()).save(path)

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", deny)  # chmod does not stop root, who runs many a container
    refused(path, PermissionError, "locked.png", "may not be read")


def test_decompression_bomb_is_refused_before_unpacking():
    size = b"\x00\x01\x86\xa0" * 2  # 100,000 x 100,000
    head = b"IHDR" + size + b"\x08\x02\0\0\0"
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + zlib.crc32(head).to_bytes(4, "big") + b"\0\0\0\x0aIDAT"
    refused(bomb, ValueError, "is too large", "90,000,000 pixels")
    wide = encoded(Image.new("1", (10_000, 10_000)), "PNG")
    refused(wide, ValueError, "is too large: 10000 x 10000")


def only_documented_errors(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            image = photos.load(data)
        except ValueError:
            return
    assert image.dtype == np.uint8
    assert image.shape[2:] == (3,)


SEEDS = [
    encoded(Image.fromarray(gradient()), kind, **options)
    for kind, options in [("PNG", {}), ("JPEG", {}), ("GIF", {}), ("BMP", {}), ("TIFF", {"compression": "tiff_lzw"}),
                          ("WEBP", {}), ("PPM", {}), ("ICO", {})]
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"BM", b"P6\n"]),
)
def test_random_bytes(data, head):
    only_documented_errors(head + data)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), st.data())
def test_truncated_and_damaged_pictures(seed, data):
    cut = bytearray(seed[: data.draw(st.integers(0, len(seed)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if cut:
            cut[data.draw(st.integers(0, len(cut) - 1))] = data.draw(st.integers(0, 255))
    only_documented_errors(bytes(cut))
