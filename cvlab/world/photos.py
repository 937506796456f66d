"""Photographs to work on: by name from the installed packages, or any picture file of yours."""

import io
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cvlab import _validate
from cvlab.world.decode import decode

__all__ = ["Photo", "info", "load", "names"]

UNSTATED = "not stated (shipped with scikit-image, BSD-3-Clause)"
MIDDLEBURY = "N. Nesic, P. Westling, X. Wang, Y. Kitajima, G. Krathwohl, D. Scharstein (Middlebury 2014)"

# name: (package, file, shape, title, author, licence), as skimage/data and sklearn/datasets/images document them.
_TABLE = {
    "astronaut": ("skimage", "astronaut.png", (512, 512, 3), "The astronaut Eileen Collins", "NASA", "public domain"),
    "brick": ("skimage", "brick.png", (512, 512, 3), "Brick wall", "CC0Textures", "CC0"),
    "camera": ("skimage", "camera.png", (512, 512, 3), "Man with a camera", "Lav Varshney", "CC0"),
    "cell": ("skimage", "cell.png", (660, 550, 3), "Cell floating in saline", "Paul Müller et al.", "CC0"),
    "checkerboard": ("skimage", "chessboard_GRAY.png", (200, 200, 3), "Checkerboard", "scikit-image", UNSTATED),
    "chelsea": ("skimage", "chelsea.png", (300, 451, 3), "Chelsea the cat", "Stefan van der Walt", "CC0"),
    "china": ("sklearn", "china.jpg", (427, 640, 3), "Chinese temple", "danielbuechele (Flickr)", "CC-BY-2.0"),
    "clock": ("skimage", "clock_motion.png", (300, 400, 3), "Motion-blurred clock", "Stefan van der Walt", "public domain"),
    "coffee": ("skimage", "coffee.png", (400, 600, 3), "Coffee cup", "Rachel Michetti", "CC0"),
    "coins": ("skimage", "coins.png", (303, 384, 3), "Greek coins from Pompeii", "Brooklyn Museum", "no known restrictions"),
    "colorwheel": ("skimage", "color.png", (370, 371, 3), "Colour wheel", "scikit-image", UNSTATED),
    "flower": ("sklearn", "flower.jpg", (427, 640, 3), "Dahlia", "vultilion (Flickr)", "CC-BY-2.0"),
    "grass": ("skimage", "grass.png", (512, 512, 3), "Grass", "linolafett (DeviantArt)", "CC0"),
    "gravel": ("skimage", "gravel.png", (512, 512, 3), "Gravel", "CC0Textures", "CC0"),
    "hubble": ("skimage", "hubble_deep_field.jpg", (872, 1000, 3), "Hubble eXtreme Deep Field", "NASA", "public domain"),
    "moon": ("skimage", "moon.png", (512, 512, 3), "Surface of the moon", "scikit-image", UNSTATED),
    "motorcycle_left": ("skimage", "motorcycle_left.png", (500, 741, 3), "Motorcycle, left eye", MIDDLEBURY, UNSTATED),
    "motorcycle_right": ("skimage", "motorcycle_right.png", (500, 741, 3), "Motorcycle, right eye", MIDDLEBURY, UNSTATED),
    "page": ("skimage", "page.png", (191, 384, 3), "Scanned page", "scikit-image", UNSTATED),
    "retina": ("skimage", "retina.jpg", (1411, 1411, 3), "Human retina", "Mikael Häggström", "CC0"),
    "rocket": ("skimage", "rocket.jpg", (427, 640, 3), "Launch of DSCOVR on Falcon 9", "SpaceX", "public domain"),
    "text": ("skimage", "text.png", (172, 448, 3), "Handwritten corner formula", "Wikipedia", "public domain"),
    "tissue": ("skimage", "ihc.png", (512, 512, 3), "Stained tissue", "CMMI", "no known restrictions"),
}  # fmt: skip
_FOLDERS = {"skimage": ("scikit-image", "data"), "sklearn": ("scikit-learn", "datasets/images")}


@dataclass(frozen=True)
class Photo:
    """What is known about one named photo; `shape` is that of the array `load` returns."""

    name: str
    title: str
    author: str
    licence: str
    shape: tuple[int, int, int]
    path: Path


def names() -> list[str]:
    """List the photos that `load` knows by name.

    Example:
        >>> names()[:6]
        ['astronaut', 'brick', 'camera', 'cell', 'checkerboard', 'chelsea']
    """
    return sorted(_TABLE)


def info(name: str) -> Photo:
    """Tell title, author, licence, shape and file of a named photo.

    Example:
        >>> info("chelsea").author, info("chelsea").licence
        ('Stefan van der Walt', 'CC0')

    Source: the docstrings of skimage.data and sklearn/datasets/images/README.txt.
    """
    package, file, shape, title, author, licence = _TABLE[_validate.one_of(name, "name", names())]
    distribution, folder = _FOLDERS[package]
    spec = find_spec(package)  # finds the folder without importing the package
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"photo {name!r} travels with {distribution}: run `pip install {distribution}`"
        )
    path = Path(spec.submodule_search_locations[0], folder, file)
    return Photo(name, title, author, licence, shape, path)


def load(source: str | Path | bytes) -> np.ndarray:
    """Read a picture as upright 8-bit RGB, whatever kind of file it is.

    Grey becomes three equal channels; a palette, CMYK or YCbCr becomes RGB; the EXIF rotation is
    applied. What loses something warns once, naming the file: see-through parts are laid on white,
    16 bits keep their high byte (as OpenCV does), of several frames the first stays.

    Args:
        source: a name from `names()`, a path, or the bytes of a picture file. A name wins over a
            file called the same: write `./coffee` or `Path("coffee")` for the file.

    Returns:
        (H, W, 3) uint8 RGB, 0 to 255, a fresh array.

    Raises:
        FileNotFoundError: nothing there; the nearest names are suggested.
        IsADirectoryError, PermissionError: a folder, or a file you may not read.
        ValueError: empty, damaged, too large, not a picture, or not of the kinds in `cvlab.world.decode.FORMATS`.
        TypeError: `source` is no name, path or bytes.

    Example:
        >>> load("chelsea").shape
        (300, 451, 3)
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(io.BytesIO(source), f"picture of {len(source)} bytes")
    if isinstance(source, str) and source in _TABLE:
        source = info(source).path
    if not isinstance(source, str | Path):
        slip = ": it is a picture already" if isinstance(source, np.ndarray) else ""
        raise TypeError(f"source must be a photo's name, a path or bytes; got {type(source).__name__}{slip}")
    with _open(source) as stream:
        return decode(stream, repr(str(source)), Path(source).suffix)


def _open(source: str | Path) -> BinaryIO:
    """Open the file at `source`, or say in plain words why that cannot be done."""
    text = str(source)
    if "://" in text or text.startswith(("http:", "https:")):
        raise ValueError(
            f"source must be a name or a file on this machine; got the address {text!r}: download it first"
        )
    if "\0" in text or not text:
        raise ValueError(f"source must be a name or a path; got {text!r}")
    path = Path(source)
    if text.startswith("~"):
        path = path.expanduser()
    try:
        if path.is_dir():
            raise IsADirectoryError(f"{text!r} is a folder, not a picture{_listing(path)}")
        if path.exists() and not path.is_file():
            raise ValueError(f"{text!r} is a device or a pipe, not a picture file")
        return path.open("rb")
    except IsADirectoryError:
        raise
    except PermissionError:
        raise PermissionError(
            f"{text!r} is there but may not be read: check the file's permissions"
        ) from None
    except OSError:
        raise FileNotFoundError(_missing(text, path)) from None


def _missing(text: str, path: Path) -> str:
    """Say what is missing: a photo's name when it looks like one, else a file."""
    if len(path.parts) == 1 and not path.suffix:
        return f"no photo and no file is called {text!r} (cvlab.world.photos.names() lists them){_validate.nearest(text, names())}"
    folder = path.parent
    try:
        if not folder.is_dir():
            return f"no file {text!r}: the folder {str(folder)!r} does not exist either (you are in {str(Path.cwd())!r})"
        nearest = _validate.nearest(path.name, sorted(p.name for p in folder.iterdir()))
    except OSError:
        nearest = ""
    return f"no file {text!r}{'' if path.is_absolute() else f' (you are in {str(Path.cwd())!r})'}{nearest}"


def _listing(folder: Path) -> str:
    try:
        inside = sorted(p.name for p in folder.iterdir() if p.is_file())[:3]
    except OSError:
        return ""
    return f"; it holds {', '.join(map(repr, inside))}" if inside else "; it holds no files"
