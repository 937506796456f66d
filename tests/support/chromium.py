"""Find a Chromium or Chrome for the browser tests, or install Debian's where that is allowed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
HOW = "install Chromium or Chrome, or set CHROMIUM to its path"


def find() -> str | None:
    """Return the path of a browser: the variable CHROMIUM first, then the usual names and places."""
    if wanted := os.environ.get("CHROMIUM"):
        if not shutil.which(wanted):
            raise FileNotFoundError(f"CHROMIUM must be the path of a browser that can run; got {wanted!r}")
        return shutil.which(wanted)
    on_path = (shutil.which(name) for name in NAMES)
    return next((path for path in (*on_path, *PLACES) if path and Path(path).exists()), None)


def may_install() -> bool:
    """Tell whether this is a Debian-like machine where we are root."""
    return sys.platform == "linux" and os.geteuid() == 0 and bool(shutil.which("apt-get"))


def install() -> str | None:
    """Install Debian's chromium; return its path, or None when that fails (no network, no such package)."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    commands = (["update", "-q"], ["install", "-qy", "--no-install-recommends", "chromium"])
    for arguments in commands:
        done = subprocess.run(["apt-get", *arguments], env=env, timeout=300, capture_output=True, check=False)
    return find() if done.returncode == 0 else None


def find_or_install() -> str | None:
    """Return the path of a browser, installing one where we may; None when there is none to be had."""
    return find() or (install() if may_install() else None)
