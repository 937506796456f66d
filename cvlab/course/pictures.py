"""The README's picture of each lesson: the first figure that its notebook shows, made small."""

import base64
import io
import json
from pathlib import Path

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


def write_pictures(root: Path) -> list[Path]:
    """Write docs/pictures/NN.png for every student notebook in `root`/notebooks; return the files."""
    from PIL import Image

    written = []
    for notebook in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        figure = first_figure(notebook)
        if figure is None:
            continue
        picture = Image.open(io.BytesIO(figure)).convert("RGB")
        picture.thumbnail((WIDTH, 2 * WIDTH))
        target = root / "docs/pictures" / f"{notebook.name[:2]}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(128, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
        written.append(target)
    return written
