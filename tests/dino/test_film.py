"""A film with exact masks, and the file that a browser plays."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from cvlab.dino import video
from cvlab.dino.film import make_film
from cvlab.dino.video import Player, write_film

TWO = [("twemoji", 3), ("twemoji", 30)]


@pytest.fixture(scope="module")
def film():
    return make_film(TWO, frames=7, size=96)


def test_a_film_is_the_same_bytes_everywhere(film):
    again = make_film(TWO, frames=7, size=96)
    assert np.array_equal(film.images, again.images)
    assert np.array_equal(film.labels, again.labels)
    assert hashlib.sha256(film.images.tobytes() + film.labels.tobytes()).hexdigest()[:12] == "7d100d33cf7e"
    assert not np.array_equal(film.images, make_film(TWO, frames=7, size=96, seed=1).images)


def test_things_move_and_the_second_hides_the_first(film):
    areas = np.array([(film.labels == k).sum((1, 2)) for k in (1, 2)])  # (things, frames)
    assert (areas[1] > 0).all()
    assert areas[0].min() < 0.6 * areas[0].max(), "it is hidden in part"
    for k in (1, 2):
        columns = [np.nonzero(labels == k)[1].mean() for labels in (film.labels[0], film.labels[-1])]
        assert abs(columns[1] - columns[0]) > 20
    still = (film.labels == 0).all(0)
    assert (film.images[0][still] != film.images[-1][still]).any(-1).mean() > 0.5, "the background pans"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"drawings": []}, "drawings must hold at least one"),
        ({"frames": 1}, "frames must be at least 2; got 1"),
        ({"size": 224}, "size must be 96 to 208, so that the photo has room to pan; got 224"),
    ],
)
def test_bad_films_are_named(changed, words):
    with pytest.raises(ValueError, match=words):
        make_film(**{"drawings": TWO} | changed)


def test_the_file_has_the_frames(film, tmp_path, capfd):
    path = write_film(film.images, tmp_path / "film")
    if path.suffix == ".webp":
        pytest.skip("this OpenCV writes no VP8")
    import cv2

    assert path.read_bytes()[:4] == b"\x1a\x45\xdf\xa3"  # EBML, as WebM begins
    reader = cv2.VideoCapture(str(path))
    frames = []
    while (got := reader.read())[0]:
        frames.append(got[1][..., ::-1])
    assert len(frames) == len(film)
    assert np.abs(np.stack(frames).astype(int) - film.images).mean() < 12
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("how", ["codec unknown", "never opens", "raises"])
def test_without_the_codec_it_is_webp(film, tmp_path, monkeypatch, how):
    import cv2

    class Deaf:
        def __init__(self, *args):
            if how == "raises":
                raise cv2.error("no such backend")

        def isOpened(self):  # noqa: N802  OpenCV's name
            return False

    if how != "codec unknown":
        monkeypatch.setattr(cv2, "VideoWriter", Deaf)
    path = write_film(film.images, tmp_path / "film.v2", codec="none" if how == "codec unknown" else "VP80")
    assert path.name == "film.v2.webp"
    assert [p.name for p in tmp_path.iterdir()] == ["film.v2.webp"]
    with Image.open(path) as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (len(film), (96, 96), 0)
        image.seek(6)
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - film.images[6]).mean() < 12


def test_on_the_page(film, tmp_path):
    webm = Player(write_film(film.images, tmp_path / "a"), 'Two "things".')
    webp = Player(write_film(film.images, tmp_path / "b", codec="none"), "Two things.")
    assert "&quot;things&quot;" in webm._repr_html_()
    assert webp._repr_html_().startswith('<img src="data:image/webp;base64,')
    assert repr(webp) == "Player('b.webp'): Two things."
    for player in (webm, webp):
        assert len(player._repr_html_()) < 300_000
    with pytest.raises(ValueError, match=r"the ending of path must be one of '.webm', '.webp'"):
        Player(tmp_path / "a.avi", "")


def test_standard_error_comes_back(capfd):
    import os

    with video._silent():
        os.write(2, b"noise")
    os.write(2, b"words")
    assert capfd.readouterr().err == "words"


@pytest.mark.parametrize(
    ("frames", "error", "words"),
    [
        (np.zeros((2, 8, 8, 3)), TypeError, "frames must be a uint8 array; got float64"),
        ([[0]], TypeError, "got list"),
        (
            np.zeros((8, 8, 3), np.uint8),
            ValueError,
            r"shape \(T, H, W, 3\); got \(8, 8, 3\). One picture\? frames\[None\]",
        ),
        (np.zeros((0, 8, 8, 3), np.uint8), ValueError, "frames must have shape"),
        (np.zeros((2, 7, 8, 3), np.uint8), ValueError, r"even height and width; got \(7, 8\)"),
    ],
)
def test_bad_frames_are_named(tmp_path, frames, error, words):
    with pytest.raises(error, match=words):
        write_film(frames, tmp_path / "film")
