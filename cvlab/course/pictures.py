"""The README's picture of each lesson: the first figure that its notebook shows, made small."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path

from cvlab.store.files import write_whole

__all__ = ["first_figure", "write_pictures"]

WIDTH = 480  # twice the width it is shown at, for screens with fine pixels


def first_figure(notebook: Path) -> bytes | None:
    """Return the first picture among the outputs of a notebook, as it is stored; None when there is none."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            for kind in ("image/png", "image/jpeg"):
                if kind in output.get("data", {}):
                    return base64.b64decode("".join(output["data"][kind]))
    return None


def write_pictures(root: Path, lessons: Sequence[str]) -> list[Path]:
    """Write docs/pictures/NN.png for the student notebooks of `lessons` that show a figure; return the files."""
    from PIL import Image

    written = []
    for name in lessons:
        notebook = root / "notebooks" / f"{name}.ipynb"
        figure = first_figure(notebook) if notebook.exists() else None
        if figure is None:
            continue
        picture = Image.open(io.BytesIO(figure)).convert("RGB")
        picture.thumbnail((WIDTH, 2 * WIDTH))
        target = root / "docs/pictures" / f"{name[:2]}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        small = picture.quantize(128, dither=Image.Dither.FLOYDSTEINBERG)
        write_whole(target, lambda file, small=small: small.save(file, "png", optimize=True))
        written.append(target)
    return written
