"""Stickers: enough drawings of each class, every file listed with its sha256, bad words answered plainly."""

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image

from cvlab import settings
from cvlab.coco.categories import VOC_CLASSES, coco_name
from cvlab.world import paint, stickers

FILES = sorted((settings.data_dir() / "stickers").rglob("*.webp"))


def maintainers_script(name="make_stickers"):
    """A committed script as a module, so that the test and the README use one definition of the table."""
    folder = str(settings.data_dir())
    spec = importlib.util.spec_from_file_location(name, settings.data_dir() / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)  # it imports the script beside it
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


@pytest.mark.parametrize("cls", stickers.classes())
def test_each_class_has_drawings_in_every_split(cls):
    files = {split: paint.files(cls, split) for split in paint.SPLITS}
    assert all(files.values()), "a split lacks the class"
    assert len(files["train"]) >= 4, "too few to learn from"


def test_every_style_belongs_to_one_split():
    used = sorted(style for styles, _ in paint.SPLITS.values() for style in styles)
    assert used == list(stickers.STYLES) == sorted(maintainers_script("emoji_packages").STYLES)


@pytest.mark.parametrize(
    ("style", "least"),
    {
        "emojione2": 60,
        "fluent3d": 79,
        "fluentflat": 79,
        "fxemoji": 43,
        "noto": 79,
        "noto2017": 60,
        "twemoji": 79,
    }.items(),
)
def test_each_style_has_most_of_the_drawings(style, least):
    assert least <= sum(path.parent.name == style for path in FILES) <= 81


def test_class_lists():
    assert " ".join(stickers.CIFAR10) == "airplane automobile bird cat deer dog frog horse ship truck"
    shared = {coco_name(name) for name in VOC_CLASSES}
    assert set(stickers.COCO_VOC) <= shared
    assert len(stickers.COCO_VOC) >= 10


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_drawing_is_96_rgba_with_an_outline(path):
    with Image.open(path) as image:
        assert image.format == "WEBP"
        assert image.mode == "RGBA"
        assert image.size == (96, 96)
        alpha = np.array(image)[..., 3]
    assert 0.03 < (alpha >= 128).mean() < 0.95
    assert (alpha < 16).any()


def test_drawings_differ():
    contents = [path.read_bytes() for path in FILES]
    assert len(set(contents)) == len(contents)


def test_load_and_aliases():
    image = stickers.load("cat", "twemoji", 2)
    assert image.shape == (96, 96, 4)
    assert image.dtype == np.uint8
    assert np.array_equal(stickers.load("car", "noto", 3), stickers.load("automobile", "noto", 3))
    boats = {path.name.split("_")[0] for path in stickers.drawings("boat", "noto")}
    assert boats == {"boat", "ship"}


def test_errors():
    with pytest.raises(ValueError, match=r"cls must be one of .*got 'cats'. Did you mean 'cat'\?"):
        stickers.load("cats")
    with pytest.raises(ValueError, match=r"style must be one of .*got 'google'"):
        stickers.load("cat", "google")
    for n in (0, 99, True, 1.0, "1"):
        with pytest.raises(ValueError, match="n must be 1 to 6 for 'cat' in 'noto'"):
            stickers.load("cat", "noto", n)


def test_missing_data_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "data_dir", lambda: tmp_path)
    stickers.drawings.cache_clear()
    with pytest.raises(FileNotFoundError, match="the course's data is missing; install cvlab again"):
        stickers.drawings("cat", "noto")
    stickers.drawings.cache_clear()


def test_readme_lists_every_data_file_with_its_sha256():
    script = maintainers_script()
    readme = (settings.data_dir() / "README.md").read_text(encoding="utf-8")
    listed = readme.split("<!-- hashes -->")[1].split("<!-- /hashes -->")[0].strip()
    assert listed == script.table(), "run: python data/make_stickers.py --hashes"


def test_an_unlisted_file_is_noticed(tmp_path, monkeypatch):
    script = maintainers_script()
    monkeypatch.setattr(script, "DATA", tmp_path)
    (tmp_path / "stray.bin").write_bytes(b"x")
    assert "stray.bin" in script.table()


def test_readme_gives_versions_licences_and_credit():
    readme = (settings.data_dir() / "README.md").read_text(encoding="utf-8")
    for package, version, *_ in maintainers_script("emoji_packages").STYLES.values():
        assert f"`{package}` {version}" in readme
    for word in (
        "MIT",
        "Apache-2.0",
        "CC-BY-4.0",
        "Twitter, Inc and other contributors",
        "Emoji One",
        "Mozilla",
        "creativecommons.org/licenses/by/4.0",
    ):
        assert word in readme
    for licence in ("LICENSE-MIT.txt", "LICENSE-Apache-2.0.txt"):
        assert (settings.data_dir() / "stickers" / licence).is_file()


def test_small_enough():
    assert sum(path.stat().st_size for path in FILES) < 3_000_000


def test_table_and_files_agree():
    script = maintainers_script()
    for path in FILES:
        name, n = path.stem.rsplit("_", 1)
        assert 1 <= int(n) <= len(script.CLASSES[name].split())
        assert (path.parent.name, name, int(n)) not in script.DROPPED


def test_encoding_is_the_same_twice():
    script = maintainers_script()
    y, x = np.mgrid[:64, :64]
    round_ = np.where((x - 32) ** 2 + (y - 32) ** 2 < 700, 255, 0)
    image = Image.fromarray(np.stack([x * 4, y * 4, x + y, round_], axis=2).astype(np.uint8))
    assert script.encode(image) == script.encode(image)


def test_top_part_cuts_the_runway_away():
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[5:20, 10:50] = (10, 20, 30, 255)  # the airplane
    pixels[40:60, 0:64] = (90, 90, 90, 255)  # the larger runway below
    kept = np.array(maintainers_script().top_part(Image.fromarray(pixels)))
    assert (kept[5:20, 10:50, 3] == 255).all()
    assert (kept[30:] == 0).all()


ICONS = {
    "icons": {"dog": {}, "dog-face": {}, "black-cat": {}, "foxgrin": {}},
    "aliases": {"hound": {"parent": "dog"}},
}


def test_an_svg_is_found_by_its_name_spelling_or_alias_and_else_left_out():
    known = {
        "1f415": "dog",
        "1f408-200d-2b1b": "black-cat",
        "1f638": "grin",
        "1f43a": "wolf",
        "1f54a": "hound",
    }
    codes = [*known, "1f54a-fe0f", "1f9ff"]
    found = maintainers_script("emoji_packages").svg_names("fluentflat", codes, known, ICONS)
    assert found == {"1f415": "dog", "1f408-200d-2b1b": "black-cat", "1f54a": "dog", "1f54a-fe0f": "dog"}


def test_another_spelling_wins_over_the_name():
    """In FxEmojis `dog` is the dog's face, U+1F436, and not the dog that Unicode calls so, U+1F415."""
    known = {"1f415": "dog", "1f436": "dog-face"}
    icons = {"icons": {"dog": {}, "dogside": {}}}
    found = maintainers_script("emoji_packages").svg_names("fxemoji", list(known), known, icons)
    assert found == {"1f415": "dogside", "1f436": "dog"}


def test_a_package_of_another_content_is_refused(tmp_path):
    script = maintainers_script("emoji_packages")
    for name, version, *_ in script.STYLES.values():
        (tmp_path / f"{name.strip('@').replace('/', '-')}-{version}.tgz").write_bytes(b"other")
    with pytest.raises(SystemExit, match=r"iconify-json-emojione-1.2.3.tgz: sha256 is not 26a14f"):
        script.packages(tmp_path)
