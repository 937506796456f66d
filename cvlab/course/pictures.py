"""The README's picture of each lesson: a figure or widget that its notebook shows, made small, all of one size."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path

from cvlab.store.files import write_whole

__all__ = ["COVER", "SIZE", "cover", "small", "trimmed", "write_pictures"]

COVER = "cover"  # the tag of the cell whose picture it is; without one, the first picture is
SIZE = (480, 300)  # twice the size it is shown at, for screens with fine pixels


def cover(notebook: Path) -> bytes | None:
    """Return the notebook's picture for the README, as it is stored; None when it shows none."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    chosen = [cell for cell in cells if COVER in cell["metadata"].get("tags", [])]
    for cell in chosen or cells:
        for output in cell.get("outputs", []):
            for kind in ("image/png", "image/jpeg"):
                if kind in output.get("data", {}):
                    return base64.b64decode("".join(output["data"][kind]))
    return None


def trimmed(picture: bytes):
    """Return a PIL image: the picture on white paper, without its white margins."""
    from PIL import Image, ImageChops

    ink = Image.open(io.BytesIO(picture)).convert("RGBA")
    paper = Image.new("RGB", ink.size, "white")
    paper.paste(ink, mask=ink.getchannel("A"))
    return paper.crop(ImageChops.difference(paper, Image.new("RGB", ink.size, "white")).getbbox())


def small(picture: bytes):
    """Return a PIL image of `SIZE`: the whole picture, trimmed, in the middle of white paper."""
    from PIL import Image, ImageOps

    return ImageOps.pad(trimmed(picture), SIZE, Image.Resampling.LANCZOS, color="white")


def write_pictures(root: Path, lessons: Sequence[str]) -> list[Path]:
    """Write docs/pictures/NN.png for the student notebooks of `lessons` that show a picture; return the files."""
    from PIL import Image

    written = []
    for name in lessons:
        notebook = root / "notebooks" / f"{name}.ipynb"
        picture = cover(notebook) if notebook.exists() else None
        if picture is None:
            continue
        target = root / "docs/pictures" / f"{name.partition('_')[0]}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        flat = small(picture).quantize(128, dither=Image.Dither.FLOYDSTEINBERG)
        write_whole(target, lambda file, flat=flat: flat.save(file, "png", optimize=True))
        written.append(target)
    return written
