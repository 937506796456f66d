"""Where things live on this machine, and whether the course may use the network."""

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_dir", "data_dir", "is_online", "offline", "online", "user_dir"]

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
    return Path(os.environ.get("CVLAB_CACHE") or platformdirs.user_cache_dir("cvlab", appauthor=False))


def user_dir() -> Path:
    """Return the folder for the learner's progress (`CVLAB_HOME`, else the system's data folder); it may not exist yet."""
    return Path(os.environ.get("CVLAB_HOME") or platformdirs.user_data_dir("cvlab", appauthor=False))
