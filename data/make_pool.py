"""Build data/pool: several hundred more emoji without labels to learn from; for maintainers, never run at install.

    python data/make_pool.py                 # fetch the packages, draw, write sheets and index
    python data/make_pool.py --from FOLDER   # the same from .tgz files already there
    python data/make_stickers.py --hashes    # then bring the table of data/README.md up to date

One sheet of sprites a style (`<style>.webp`) and one `index.json`. None of the things is a sticker. Groups are made of
Unicode's subgroups; they are for judging what was learnt, not for learning. A drawing that fills its square is left out:
it shows a scene, and its outline says nothing. After a change, look at what `--sheet FILE.png` draws: one row a thing,
one column a style.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
from emoji_packages import drawings, packages, read_json
from make_stickers import CLASSES
from PIL import Image, ImageDraw

from cvlab.store.files import write_whole

FOLDER = Path(__file__).resolve().parent / "pool"
SIZE, COLUMNS, FILLED = 64, 32, 0.93
TRAIN, TEST = ("noto", "noto2017", "emojione2", "fxemoji"), "twemoji"

# group: Unicode's subgroups. What stands under "" belongs to no group: it is learnt from, not judged.
GROUPS = {
    "bird": "animal-bird",
    "bug": "animal-bug",
    "building": "place-building, place-religious",
    "clock": "time",
    "clothing": "clothing",
    "drink": "drink, dishware",
    "face": "face-smiling, face-affection, face-tongue, face-hand, face-neutral-skeptical, face-sleepy, face-unwell, "
            "face-hat, face-glasses, face-concerned, face-negative, cat-face",
    "fruit and vegetable": "food-fruit, food-vegetable",
    "hand": "hand-fingers-open, hand-fingers-partial, hand-single-finger, hand-fingers-closed, hands, hand-prop",
    "instrument": "musical-instrument, music",
    "mammal": "animal-mammal",
    "meal": "food-prepared, food-asian, food-sweet",
    "plant": "plant-flower, plant-other",
    "sky": "sky & weather",
    "sport": "sport, game",
    "tool": "tool",
    "vehicle": "transport-ground, transport-water, transport-air",
    "water animal": "animal-marine, animal-reptile, animal-amphibian",
    "": "household, office, book-paper, mail, money, medical, science, phone, computer, sound, place-geographic, place-map, "
        "place-other, event, award-medal, other-object, writing, lock, light & video, arts & crafts, face-costume, monkey-face",
}  # fmt: skip
# Clock faces by the half hour and moons by the day are one drawing many times: some stay.
LEFT_OUT = tuple(f"1f5{n:x}" for n in range(0x51, 0x68))


def things(emoji: list[dict]) -> list[dict]:
    """Choose the emoji: of a group above, no sticker, not joined from several, in Unicode's order."""
    groups = {subgroup: group for group, names in GROUPS.items() for subgroup in names.split(", ")}
    stickers = set(" ".join(CLASSES.values()).split())
    chosen = []
    for one in sorted(emoji, key=lambda e: e["sort_order"]):
        code = one["unified"].lower()
        group = groups.get(one["subcategory"])
        if group is not None and code not in stickers and code not in LEFT_OUT and "-200d-" not in code:
            chosen.append({"code": code, "name": one["short_name"].replace("_", " "), "group": group})
    return chosen


def sprite(image: Image.Image) -> Image.Image:
    """Bring a drawing to SIZE x SIZE (alpha-weighted)."""
    return image if image.size == (SIZE, SIZE) else image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def has_outline(image: Image.Image) -> bool:
    """Tell whether a drawing leaves some of its square free."""
    solid = np.array(image)[..., 3] >= 128
    return solid.mean() < FILLED


def sheet(images: list[Image.Image]) -> bytes:
    """Lay sprites in rows of COLUMNS, and pack them as WebP."""
    rows = -(-len(images) // COLUMNS)
    whole = Image.new("RGBA", (COLUMNS * SIZE, rows * SIZE))
    for k, image in enumerate(images):
        whole.paste(image, (k % COLUMNS * SIZE, k // COLUMNS * SIZE))
    stream = io.BytesIO()
    whole.save(stream, "WEBP", quality=85, alpha_quality=90, method=6)
    return stream.getvalue()


def collect(folder: Path | None) -> tuple[list[dict], dict[str, dict[str, Image.Image]]]:
    """Return the things drawn both in Noto and in Twemoji, and their sprites by style and code."""
    found = packages(folder)
    chosen = things(read_json(found["noto"], "package/emoji.json"))
    codes = [thing["code"] for thing in chosen]
    sprites = {}
    for style in (*TRAIN, TEST):
        drawn = drawings(found, style, codes, SIZE)
        sprites[style] = {
            code: sprite(drawn[code]) for code in codes if code in drawn and has_outline(drawn[code])
        }
    kept = [t for t in chosen if t["code"] in sprites[TRAIN[0]] and t["code"] in sprites[TEST]]
    there = {thing["code"] for thing in kept}
    return kept, {
        style: {code: image for code, image in images.items() if code in there}
        for style, images in sprites.items()
    }


def draw_sheet(kept: list[dict], sprites: dict, target: Path) -> None:
    """Draw one row a thing and one column a style, twelve such columns beside one another."""
    across, row = 9, 36
    rows = -(-len(kept) // across)
    wide = row * len(sprites) + 74
    whole = Image.new("RGB", (across * wide, rows * row), (150, 160, 150))
    pen = ImageDraw.Draw(whole)
    for k, thing in enumerate(kept):
        x, y = k // rows * wide, k % rows * row
        for column, style in enumerate(sprites):
            if thing["code"] in sprites[style]:
                small = sprites[style][thing["code"]].resize((row - 2, row - 2))
                whole.paste(small, (x + column * row, y), small)
        pen.text((x + len(sprites) * row, y + 2), thing["name"][:12], fill="black")
        pen.text((x + len(sprites) * row, y + 16), thing["code"], fill="black")
    whole.save(target)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="folder", type=Path, help="folder with the .tgz package files")
    parser.add_argument("--sheet", type=Path, help="also draw a contact sheet here")
    arguments = parser.parse_args()
    kept, sprites = collect(arguments.folder)
    FOLDER.mkdir(exist_ok=True)
    index = {"size": SIZE, "columns": COLUMNS, "train": TRAIN, "test": TEST, "things": kept, "sheets": {}}
    for style, images in sprites.items():
        index["sheets"][style] = [n for n, thing in enumerate(kept) if thing["code"] in images]
        write_whole(FOLDER / f"{style}.webp", sheet(list(images.values())))
        print(f"{style}: {len(images)} drawings, {(FOLDER / f'{style}.webp').stat().st_size / 1000:.0f} kB")
    write_whole(FOLDER / "index.json", (json.dumps(index, separators=(",", ":")) + "\n").encode())
    if arguments.sheet:
        draw_sheet(kept, sprites, arguments.sheet)


if __name__ == "__main__":
    main()
