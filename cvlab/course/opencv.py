"""OpenCV's four distributions: one module `cv2`, written by all of them into one folder, so one is enough."""

from importlib import metadata, util

__all__ = ["NAMES", "installed", "repair"]

NAMES = (  # the first is ours: it needs no libGL, which servers and containers lack
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def installed() -> dict[str, str]:
    """Return the version of each of the four that is here; conda's one OpenCV goes by two names and is left out."""
    found = {}
    for name in NAMES:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if (distribution.read_text("INSTALLER") or "").strip() != "conda":
            found[name] = distribution.version
    return found


def repair() -> str:
    """Name the way to one OpenCV: what the removal of one takes from the others, only an install brings back."""
    pip, yes = ("python -m pip", " -y") if util.find_spec("pip") else ("uv pip", "")
    here = " ".join(installed()) or NAMES[0]
    return f"`{pip} uninstall{yes} {here}`, then `{pip} install {NAMES[0]}`"
