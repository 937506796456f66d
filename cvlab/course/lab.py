"""Serve the course in JupyterLab on this machine only, and open it on the first lesson."""

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from cvlab.course import opencv
from cvlab.store.files import write_whole

__all__ = ["command", "course_dir", "environment", "free_port", "look", "main"]

HERE = Path(__file__).resolve().parent
SHEETS = HERE.parent / "draw/page.css", HERE / "lesson.css"  # figures and tables; the frame of an exercise
UNLISTED = "__pycache__", "*.pyc", ".DS_Store", "*~", "source"  # the last one is the authors', not a lesson
FIRST = "notebooks/00_start_here.ipynb"
QUIET = {  # JupyterLab asks about news and updates in a popup on its first start: neither is for a lesson
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
}


def course_dir() -> Path:
    """Return the folder that holds `notebooks/`: this one if it does, else the repository of this package."""
    here, repository = Path.cwd(), Path(__file__).resolve().parents[2]
    for folder in (here, repository):
        if (folder / FIRST).is_file():
            return folder
    raise FileNotFoundError(
        f"the lessons must be in this folder as {FIRST}; got {here}\n"
        "fix: run `cvlab lab` in the course's folder, or build the lessons with `cvlab build`"
    )


def free_port(wanted: int) -> int:
    """Return `wanted` if nothing on this machine listens there, else the next port that is free; 0 takes any."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket() as trial:
            if os.name != "nt":  # a server that has just stopped does not block its port
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return trial.getsockname()[1]
    raise OSError(f"port must have a free one among the hundred from {wanted}; fix: name another with --port")


def look() -> str:
    """Return the style sheet that JupyterLab gets: what figures, tables and exercises look like on its page."""
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in SHEETS)


def environment(folder: Path, token: str) -> dict[str, str]:
    """Return this process's environment with JupyterLab's settings kept in `folder`/.lab, popups off, the course's look on.

    The token travels here because a command line can be read by every user of the machine.
    """
    home = folder / ".lab"
    for name, values in QUIET.items():
        file = home / "settings" / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(values).encode())
    sheet = home / "config" / "custom" / "custom.css"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    write_whole(sheet, look().encode())
    kept = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
    }
    return {**os.environ, **{name: str(path) for name, path in kept.items()}, "JUPYTER_TOKEN": token}


def command(folder: Path, port: int, ready: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command that serves `folder` on the loopback address; `extra` goes to Jupyter as it is."""
    return [
        *(sys.executable, "-m", "cvlab.course.serve", str(ready), "--no-browser", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={folder}", "--log-level=WARN"),
        "--LabApp.custom_css=True",  # JupyterLab 4.0 does not know it, 4.2 and later do
        *(f"--ContentsManager.hide_globs={glob}" for glob in UNLISTED),
        "--LabApp.extension_manager=readonly",  # the other one asks a registry for its list
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),  # in a container
        *extra,
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl+C; print the address once the server listens. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="cvlab lab", description=__doc__, epilog="Other options go to JupyterLab."
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=_port, default=8888, help="port to serve on (default 8888); 0: any")
    chosen, extra = parser.parse_known_args(argv)
    if len(found := opencv.installed()) > 1:
        print(f"Two of OpenCV are here: {', '.join(found)}. fix: {opencv.repair()}", flush=True)
    try:
        folder, wanted = course_dir(), chosen.port
        while True:
            port = free_port(wanted)
            if wanted not in (0, port):
                print(f"Port {wanted} is in use; taking {port}.", flush=True)
            code = _run(folder, port, extra, browse=not chosen.no_browser)
            if code is None and free_port(port) == port:
                print("cvlab lab: JupyterLab stopped at once; fix: run `cvlab doctor`", file=sys.stderr)
                return 1
            if code is not None:
                return code
            wanted = port  # another server was quicker
    except OSError as error:
        print(f"cvlab lab: {error}", file=sys.stderr)
        return 1


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"port must be a number from 0 (any) to 65535; got {text}")
    return int(text)


def _run(folder: Path, port: int, extra: Sequence[str], *, browse: bool) -> int | None:
    """Serve on `port` until the end; return the exit code, or None when the server ended before it listened."""
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal must not leave the server behind
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="cvlab-lab-") as place:
        ready = Path(place, "ready")
        # A session of its own: Ctrl+C reaches this process, which then stops the server and its kernels.
        process = subprocess.Popen(
            command(folder, port, ready, extra), env=environment(folder, token), start_new_session=True
        )
        try:
            while not ready.exists():
                if process.poll() is not None:
                    return None
                time.sleep(0.1)
            address = f"http://127.0.0.1:{port}/lab/tree/{FIRST}?token={token}"
            print(f"The course is open at\n\n    {address}\n\nStop it with Ctrl+C.", flush=True)
            if browse and _has_screen():
                webbrowser.open(address)
            return process.wait()
        except KeyboardInterrupt:
            print("\nStopping JupyterLab.", flush=True)
            return 0
        finally:
            _stop(process)


def _has_screen() -> bool:
    """Tell whether a browser would open in a window (on Linux without a display it would fill the terminal)."""
    return not sys.platform.startswith("linux") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
