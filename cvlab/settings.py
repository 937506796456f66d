"""Where things live on this machine, and whether the course may use the network."""

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_dir", "data_dir", "is_online", "make_private", "offline", "online", "user_dir"]

_online: bool | None = None


def online() -> None:
    """Allow downloads from now on: the *Real* steps then fetch public data and weights."""
    global _online
    _online = True


def offline() -> None:
    """Forbid downloads from now on; this is the default."""
    global _online
    _online = False


def is_online() -> bool:
    """Tell whether downloads are allowed.

    The last call of `online()` or `offline()` wins; without one, the environment variable
    `CVLAB_ONLINE` does (1, true or yes), and without that the answer is no.

    Example:
        >>> offline(); is_online()
        False
    """
    if _online is not None:
        return _online
    return os.environ.get("CVLAB_ONLINE", "").strip().lower() in ("1", "true", "yes")


def data_dir() -> Path:
    """Return the folder of the data that travels with the package (read only)."""
    package = Path(__file__).resolve().parent
    bundled = package / "data"
    return bundled if bundled.is_dir() else package.parent / "data"


def cache_dir() -> Path:
    """Return the folder for downloads (`CVLAB_CACHE`, else the system's cache folder); it may not exist yet."""
    return _named("CVLAB_CACHE") or Path(platformdirs.user_cache_dir("cvlab", appauthor=False))


def user_dir() -> Path:
    """Return the folder for the learner's progress (`CVLAB_HOME`, else the system's data folder); it may not exist yet."""
    return _named("CVLAB_HOME") or Path(platformdirs.user_data_dir("cvlab", appauthor=False))


def make_private(folder: Path) -> None:
    """Make a folder, and what is missing above it, that no other user may enter; one that is there stays as it is."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)


def _named(variable: str) -> Path | None:
    """Return the folder that an environment variable names, with `~` as the user's home; None where it is empty."""
    said = os.environ.get(variable, "")
    try:
        return Path(said).expanduser() if said else None
    except RuntimeError:
        raise OSError(f"{variable} must name a folder; got {said!r}, the home of an unknown user") from None
