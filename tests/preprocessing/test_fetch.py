"""fetch_picture against a real server on this machine; the web stays closed unless the learner opens it."""

import numpy as np
import pytest
import requests
from PIL import Image

from cvlab import settings
from cvlab.preprocessing.fetch import fetch_picture, serving
from cvlab.store.download import DataUnavailable

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _closed():
    settings.offline()


@pytest.fixture
def address(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "picture.png")
    note = Image.Exif()
    note[0x0112] = 6
    Image.fromarray(PICTURE).save(tmp_path / "phone.png", exif=note)
    (tmp_path / "page.html").write_text("<p>not found")
    (tmp_path / "empty.png").touch()
    with serving(tmp_path) as address:
        yield address


def test_the_picture_arrives_pixel_by_pixel(address):
    assert np.array_equal(fetch_picture(f"{address}/picture.png"), PICTURE)


def test_a_phones_picture_is_turned_upright(address):
    assert np.array_equal(fetch_picture(f"{address}/phone.png"), np.rot90(PICTURE, -1))


def test_an_error_page_is_not_taken_for_a_picture(address):
    with pytest.raises(requests.HTTPError, match="404"):
        fetch_picture(f"{address}/none.png")


@pytest.mark.parametrize("name", ["page.html", "empty.png"])
def test_what_is_no_picture_is_refused(address, name):
    with pytest.raises(ValueError, match="picture"):
        fetch_picture(f"{address}/{name}")


def test_more_than_the_limit_is_never_read(address):
    with pytest.raises(ValueError, match="sends more than 50 bytes"):
        fetch_picture(f"{address}/picture.png", most=50)


def test_the_server_is_gone_afterwards(tmp_path):
    with serving(tmp_path) as address:
        pass
    with pytest.raises(requests.ConnectionError):
        fetch_picture(f"{address}/picture.png")


def test_offline_the_web_is_closed():
    with pytest.raises(DataUnavailable, match=r"cvlab.settings.online\(\)"):
        fetch_picture("https://example.org/cat.jpg")


@pytest.mark.parametrize("value", ["cat.jpg", "ftp://example.org/cat.jpg", "https://", "file:///etc/hosts"])
def test_an_address_is_http(value):
    with pytest.raises(ValueError, match="address must begin with http:// or https://"):
        fetch_picture(value)


def test_an_address_is_a_text():
    with pytest.raises(TypeError, match="address must be a text such as 'https://...'; got int"):
        fetch_picture(7)
