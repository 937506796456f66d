"""Build data/stickers from the emoji drawings of npm packages; for maintainers, never run at install.

    python data/make_stickers.py                 # fetch the packages with `npm pack`, build, write the hashes
    python data/make_stickers.py --from FOLDER   # the same from .tgz files already there
    python data/make_stickers.py --hashes        # only write the sha256 table of data/README.md again

A second run gives the same bytes (with the same Pillow and resvg-py). After a change, look at the contact sheet that
`--sheet FILE.png` draws. Where the drawings come from says `emoji_packages.py`.
"""

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np
from emoji_packages import STYLES, drawings, packages
from PIL import Image
from scipy import ndimage

from cvlab.store.files import write_whole

DATA = Path(__file__).resolve().parent
SIZE = 96

# class: its emoji in order; drawing <class>_<n> is the n-th. Left out on purpose: riders, carousel horses, donkeys,
# goats, buffaloes, ambulances, vans, racing cars, jars, metro signs: another class, or several at once.
CLASSES = {
    "airplane": "2708-fe0f 1f6e9-fe0f 1f6eb 1f6ec",
    "automobile": "1f697 1f698 1f699 1f695 1f696 1f693 1f694",
    "bicycle": "1f6b2",
    "bird": "1f426 1f985 1f986 1f99c 1f989 1f427 1f54a-fe0f 1f413 1f9a9 1f9a2 1f424 1f426-200d-2b1b",
    "boat": "26f5 1f6f6",
    "bottle": "1f37e 1f37c 1f9f4",
    "bus": "1f68c 1f68d 1f68e",
    "cat": "1f431 1f408 1f408-200d-2b1b 1f63a 1f638 1f63e",
    "chair": "1fa91 1f4ba",
    "cow": "1f42e 1f404 1f402",
    "deer": "1f98c 1face",
    "dog": "1f436 1f415 1f9ae 1f415-200d-1f9ba 1f429",
    "frog": "1f438",
    "horse": "1f434 1f40e",
    "motorcycle": "1f3cd-fe0f 1f6f5",
    "person": "1f9cd-1f3fd 1f9cd-1f3ff-200d-2642-fe0f 1f9cd-1f3fb-200d-2640-fe0f "
              "1f6b6-1f3fe 1f3c3-1f3fc 1f483-1f3fd 1f57a-1f3ff",
    "sheep": "1f411 1f40f",
    "ship": "1f6a2 1f6f3-fe0f 26f4-fe0f 1f6e5-fe0f 1f6a4",
    "train": "1f682 1f686 1f683 1f684 1f685 1f68a",
    "truck": "1f69a 1f69b 1f6fb 1f692",
    "tv": "1f4fa 1f5a5-fe0f",
}  # fmt: skip
# Seen on the contact sheet: what reads as another class, shows two at once, or is another drawing again.
DROPPED = {
    ("noto2017", "train", 2),  # these three read as buses
    ("noto2017", "train", 3),
    ("noto2017", "train", 6),
    ("fluent3d", "cat", 4),  # the grinning cat is drawn exactly like the cat's face
    ("fluentflat", "cat", 4),
    ("emojione2", "motorcycle", 1),  # with its rider
    ("emojione2", "ship", 5),  # with a person at the wheel
    ("fxemoji", "boat", 1),  # in a square of sky and sea: the outline is the square's
    ("fxemoji", "ship", 1),
    ("fxemoji", "tv", 2),  # the computer's case, without its screen
}
TOP_PART = ("1f6eb", "1f6ec")  # of these only the upper part stays: the airplane without its runway


def top_part(image: Image.Image) -> Image.Image:
    """Keep the highest of the large separate parts of a drawing."""
    pixels = np.array(image)
    parts, count = ndimage.label(pixels[..., 3] > 16, np.ones((3, 3)))
    areas = ndimage.sum_labels(parts > 0, parts, range(1, count + 1))
    large = [k + 1 for k in range(count) if areas[k] > 0.2 * areas.max()]
    top = min(large, key=lambda k: np.nonzero(parts == k)[0].mean())
    pixels[ndimage.binary_dilation(parts != top, np.ones((3, 3))) & (parts != top)] = 0
    return Image.fromarray(pixels)


def encode(image: Image.Image) -> bytes:
    """Shrink or enlarge to SIZE x SIZE (alpha-weighted) and take the smaller of lossy and lossless WebP."""
    image = image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    kinds = ({"quality": 90, "alpha_quality": 100}, {"lossless": True, "quality": 100})
    results = []
    for kind in kinds:
        stream = io.BytesIO()
        image.save(stream, "WEBP", method=6, **kind)
        results.append(stream.getvalue())
    return min(results, key=len)


def build(folder: Path | None) -> None:
    """Write every drawing and remove those no longer in the table."""
    written = set()
    packed, codes_of_all = packages(folder), " ".join(CLASSES.values()).split()
    for style in STYLES:
        found = drawings(packed, style, codes_of_all, SIZE)
        for name, codes in CLASSES.items():
            for n, code in enumerate(codes.split(), start=1):
                if code not in found or (style, name, n) in DROPPED:
                    continue
                path = DATA / "stickers" / style / f"{name}_{n}.webp"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, encode(top_part(found[code]) if code in TOP_PART else found[code]))
                written.add(path)
    for path in set((DATA / "stickers").rglob("*.webp")) - written:
        path.unlink()


def files() -> list[Path]:
    """Every data file that the README must list, in order."""
    found = (
        p
        for p in DATA.rglob("*")
        if p.is_file() and p != DATA / "README.md" and p.suffix not in (".py", ".pyc")
    )
    return sorted(found, key=lambda p: p.relative_to(DATA).as_posix())


def table() -> str:
    """The sha256 of every data file, as `sha256sum --check` reads it."""
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(DATA).as_posix()}" for p in files()
    ]
    return "\n".join(["```", *lines, "```"])


def write_hashes() -> None:
    """Replace the table between the markers of data/README.md."""
    readme = DATA / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split("<!-- hashes -->")
    after = rest.split("<!-- /hashes -->")[1]
    text = f"{before}<!-- hashes -->\n{table()}\n<!-- /hashes -->{after}"
    write_whole(readme, text.encode())


def draw_sheet(target: Path) -> None:
    """Draw all stickers on mid grey, one row a class and style (in the order of `STYLES`)."""
    rows = [(name, style) for name in CLASSES for style in STYLES]
    sheet = Image.new("RGB", (12 * 64, len(rows) * 64), (150, 160, 150))
    for y, (name, style) in enumerate(rows):
        for path in (DATA / "stickers" / style).glob(f"{name}_*.webp"):
            x = int(path.stem.rpartition("_")[2]) - 1
            image = Image.open(path).resize((64, 64))
            sheet.paste(image, (x * 64, y * 64), image)
    sheet.save(target)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="folder", type=Path, help="folder with the .tgz package files")
    parser.add_argument("--hashes", action="store_true", help="only write the sha256 table again")
    parser.add_argument("--sheet", type=Path, help="also draw a contact sheet here")
    arguments = parser.parse_args()
    if not arguments.hashes:
        build(arguments.folder)
    if arguments.sheet:
        draw_sheet(arguments.sheet)
    write_hashes()


if __name__ == "__main__":
    main()
