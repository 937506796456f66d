"""The npm packages that hold emoji drawings: fetched with `npm pack`, checked, read; for maintainers, not for learners.

Some hold small pictures, some hold SVG, which `resvg-py` draws (`pip install resvg-py==0.5.0`; the course itself never
needs it). Versions and sha256 are fixed, so that a second run gives the same bytes.
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from PIL import Image

# style: (npm package, version, where its drawings are, sha256 of the package file)
STYLES = {
    "emojione2": (
        "@iconify-json/emojione", "1.2.3", "package/icons.json",
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e"),
    "fluent3d": (
        "@lobehub/fluent-emoji-3d", "1.1.0", "package/assets/{}.webp",
        "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58"),
    "fluentflat": (
        "@iconify-json/fluent-emoji-flat", "1.2.6", "package/icons.json",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175"),
    "fxemoji": (
        "@iconify-json/fxemoji", "1.2.2", "package/icons.json",
        "f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef"),
    "noto": (
        "emoji-datasource-google", "16.0.0", "package/img/google/64/{}.png",
        "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"),
    "noto2017": (
        "emoji-datasource-google", "3.0.0", "package/img/google/64/{}.png",
        "3247dd55dee7954d6d1d3d84b05759e49daf71cab5cccb4566940209679af66f"),
    "twemoji": (
        "emoji-datasource-twitter", "16.0.0", "package/img/twitter/64/{}.png",
        "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"),
}  # fmt: skip

# The SVG packages know names, not code points. A name is the emoji's in Fluent Emoji's table (`chars.json`: Unicode's
# short name), hyphens aside; where a package says it otherwise, the name stands here, and None where the same name
# means another thing.
SPELLED = {
    "emojione2": {
        "1f63a": "smiling-cat-face-with-open-mouth",
        "1f638": "grinning-cat-face-with-smiling-eyes",
        "1f63e": "pouting-cat-face",
        "1f6b6-1f3fe": "person-walking-medium-dark-skin-tone",
        "1f3c3-1f3fc": "person-running-medium-light-skin-tone",
        "1f483-1f3fd": "woman-dancing-medium-skin-tone",
        "1f57a-1f3ff": "man-dancing-dark-skin-tone",
        "1f997": None,  # the insect; here `cricket` is the game
    },
    "fluentflat": {},
    "fxemoji": {  # people have no skin tones here; its cat faces are foxes: left out
        "1f408": "catside",
        "1f411": "sheep",
        "1f415": "dogside",
        "1f431": "cat",
        "1f436": "dog",
        "1f483-1f3fd": "dancer",
        "1f54a-fe0f": "doveofpeace",
        "1f576-fe0f": "darksunglasses",  # `sunglasses` is a face
        "1f682": "steamlocomotive",
        "1f68b": None,  # the tram car: a black square
        "1fa9f": None,  # the window of a house; here one on a screen
        "2328-fe0f": None,  # the computer's keyboard; here a piano's
        "1f685": "highspeedtrainbulletnose",
        "1f699": "recreationalvehicle",
        "1f6b6-1f3fe": "walking",
        "1f3c3-1f3fc": "running",
    },
}


def packages(folder: Path | None) -> dict[str, bytes]:
    """Return the package file of each style, from `folder` or fetched with `npm pack`, its sha256 checked."""
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            folder = Path(temporary)
            wanted = [f"{name}@{version}" for name, version, *_ in STYLES.values()]
            subprocess.run(["npm", "pack", "--silent", *wanted], cwd=folder, check=True)
        found = {}
        for style, (name, version, _, sha256) in STYLES.items():
            path = folder / f"{name.strip('@').replace('/', '-')}-{version}.tgz"
            found[style] = path.read_bytes()
            if hashlib.sha256(found[style]).hexdigest() != sha256:
                raise SystemExit(f"{path.name}: sha256 is not {sha256}")
        return found


def read_json(package: bytes, path: str):
    """Read one JSON file of a package."""
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        return json.load(tar.extractfile(path))


def drawings(found: dict[str, bytes], style: str, codes: list[str], size: int) -> dict[str, Image.Image]:
    """Read the drawings of the emoji `codes` in a style; one that the package lacks is simply not there.

    Args:
        found: the package files, from `packages`.
        style: a key of `STYLES`.
        codes: code points as `1f54a-fe0f`.
        size: side in pixels of what is drawn from SVG; pictures keep their own.

    Returns:
        RGBA images by code.
    """
    place = STYLES[style][2]
    if "{}" in place:
        return _pictures(found[style], place, codes)
    icons = read_json(found[style], place)
    names = svg_names(style, codes, read_json(found["fluentflat"], "package/chars.json"), icons)
    return {code: draw_svg(icons, name, size) for code, name in names.items()}


def _pictures(package: bytes, pattern: str, codes: list[str]) -> dict[str, Image.Image]:
    wanted = {}
    for code in codes:
        wanted[pattern.format(code)] = wanted[pattern.format(code.replace("-fe0f", ""))] = code
    found = {}
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        for member in tar:
            if member.name in wanted:
                image = Image.open(io.BytesIO(tar.extractfile(member).read()))
                found[wanted[member.name]] = image.convert("RGBA")
    return found


def svg_names(style: str, codes: list[str], known: dict[str, str], icons: dict) -> dict[str, str]:
    """Return the name in an SVG package of each emoji that it has.

    Args:
        style: a key of `SPELLED`.
        codes: code points as `1f54a-fe0f`.
        known: Fluent Emoji's table of names by code.
        icons: the package's `icons.json`.
    """
    same = {
        name: alias["parent"] for name, alias in icons.get("aliases", {}).items() if set(alias) == {"parent"}
    }
    plain = {name.replace("-", ""): same.get(name, name) for name in [*same, *icons["icons"]]}
    spelled, found = SPELLED[style], {}
    for code in codes:
        name = spelled.get(code, known.get(code) or known.get(code.replace("-fe0f", "")))
        if name and name.replace("-", "") in plain:
            found[code] = plain[name.replace("-", "")]
    return found


def draw_svg(icons: dict, name: str, size: int) -> Image.Image:
    """Draw one SVG of a package, `size` pixels a side."""
    from resvg_py import svg_to_bytes

    icon = icons["icons"][name]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    corner = f"{icon.get('left', 0)} {icon.get('top', 0)}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{size}" height="{size}" viewBox="{corner} {width} {height}">'
    )
    png = svg_to_bytes(svg_string=f"{head}{icon['body']}</svg>")
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")
