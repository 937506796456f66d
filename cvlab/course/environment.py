"""Make `.venv`, the environment of `make lab` and `make test`, from `requirements.lock`.

Runs as a file on a bare Python, before anything is installed: standard library only, no `cvlab` import.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

__all__ = [
    "SetupError",
    "create",
    "fingerprint",
    "install",
    "locked",
    "main",
    "one_at_a_time",
    "second_opencv",
    "state",
    "venv_python",
]

STAMP = "cvlab-setup"  # file in .venv: "building", or the fingerprint of what was installed
BUILDING = "building"
LOCK = ".venv.lock"  # beside .venv, which is deleted when it is made afresh
DEBIAN = "on Debian or Ubuntu run `apt install python3-venv`; elsewhere install Python from its own site"


class SetupError(Exception):
    """The environment could not be made; the text says what to do."""


def fingerprint(root: Path) -> str:
    """Name an installation: it changes with the lock, with `pyproject.toml` and with the folder's place."""
    parts = [(root / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")]
    return hashlib.sha256(b"\0".join([*parts, str(root).encode()])).hexdigest()


def venv_python(venv: Path) -> Path:
    """Return the path of the Python inside `venv`."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def state(root: Path, wanted: str = "") -> str:
    """Tell what `.venv` needs: "ready", "install" (packages are out of date) or "create" (absent or broken).

    Args:
        root: the folder of the course.
        wanted: version the environment must have, as in "3.12"; empty takes any.
    """
    stamp = root / ".venv" / STAMP
    text = stamp.read_text() if stamp.is_file() else ""
    if text == BUILDING or not _version(venv_python(root / ".venv")).startswith(wanted or "3."):
        return "create"
    return "ready" if text == fingerprint(root) else "install"


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Hold the set-up for this process, after waiting for another's; the system lets go when a process ends."""
    with (root / LOCK).open("w") as file:
        said = False
        while not _taken(file.fileno()):
            if not said:
                print(
                    "Another set-up of .venv is at work; waiting for it (Ctrl+C ends the wait).", flush=True
                )
            said = True
            time.sleep(0.2)
        yield


def create(root: Path) -> None:
    """Make an empty `.venv`, marked as unfinished from its first moment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    if importlib.util.find_spec("venv") is None:
        raise SetupError(f"{base} has no module venv, so it cannot make an environment.\nfix: {DEBIAN}")
    has_pip = importlib.util.find_spec("ensurepip") is not None
    if not has_pip and not (_runs([base, "-m", "pip", "--version"]) or _uv_on_path()):
        raise SetupError(
            f"{base} has neither ensurepip nor pip, so nothing can be installed with it.\nfix: {DEBIAN}"
        )
    venv = root / ".venv"
    shutil.rmtree(venv, ignore_errors=True)
    venv.mkdir()
    (venv / STAMP).write_text(BUILDING)
    _run([base, "-m", "venv", *([] if has_pip else ["--without-pip"]), str(venv)], "look at the lines above,")


def install(root: Path) -> None:
    """Install the locked packages and the course itself into `.venv`; only a finished job is stamped."""
    venv = root / ".venv"
    (venv / STAMP).write_text(BUILDING)
    python = str(venv_python(venv))
    uv = _uv_on_path() or _install_uv(root, python)
    pip = [*uv, "pip", "install", "--python", python]
    if found := second_opencv(venv):
        _run([*uv, "pip", "uninstall", "--python", python, *found], "look at the lines above,")
    _run(
        [*pip, "--require-hashes", "-r", str(root / "requirements.lock")],
        "check the network (with a package mirror: set UV_DEFAULT_INDEX) and the disk,",
    )
    _run([*pip, "--no-deps", "--no-build-isolation", "-e", str(root)], "look at the lines above,")
    finished = venv / f"{STAMP}.part"
    finished.write_text(fingerprint(root))
    finished.replace(venv / STAMP)


def second_opencv(venv: Path) -> list[str]:
    """Return the OpenCV distributions to remove from `venv`: all of them, if any but the locked one is there.

    They write into one folder, `cv2`; the locked one, installed afterwards, then has it for itself.
    """
    folders = venv.glob("[Ll]ib*/**/site-packages/opencv_*.dist-info")
    found = sorted({folder.name.split("-")[0].replace("_", "-") for folder in folders})
    return found if set(found) - {"opencv-python-headless"} else []


def locked(lock: str, package: str) -> str:
    """Return the lines of `lock` that pin `package`: its version, then its hashes."""
    found = re.search(rf"^{re.escape(package)}==.*(?:\n +--hash.*)*", lock, re.MULTILINE)
    if found is None:
        raise SetupError(
            f"requirements.lock does not pin {package}\nfix: restore requirements.lock from the repository"
        )
    return found.group()


def main() -> int:
    """Bring `.venv` up to date; the second time this takes a moment."""
    root = Path(__file__).resolve().parents[2]
    wanted = f"{sys.version_info[0]}.{sys.version_info[1]}." if os.environ.get("PYTHON") else ""
    try:
        if state(root, wanted) != "ready":
            with one_at_a_time(root):
                _set_up(root, wanted)
    except (SetupError, OSError) as error:
        print(f"cvlab could not set .venv up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: .venv is unfinished; the same command starts it afresh.", file=sys.stderr)
        return 130
    return 0


def _set_up(root: Path, wanted: str) -> None:
    need = state(root, wanted)  # looked at again: who held the lock before may have done it
    if need == "create":
        version = sys.version.split()[0]
        print(f"Setting up .venv with Python {version}; the first time takes some minutes.", flush=True)
        create(root)
    if need != "ready":
        install(root)


def _taken(handle: int) -> bool:
    """Try to lock an open file; False while another process has it. A disk without locks is no obstacle."""
    try:
        if os.name == "nt":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass
    return True


def _install_uv(root: Path, python: str) -> list[str]:
    """Put the locked `uv` into the environment with pip (the base Python's, if the environment has none)."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    pip = [python, "-m", "pip"]
    if not _runs([*pip, "--version"]):
        pip = [base, "-m", "pip", "--python", python]
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "uv.txt")
        pins.write_text(locked((root / "requirements.lock").read_text(), "uv") + "\n")
        _run([*pip, "install", "-q", "--require-hashes", "-r", str(pins)], "check the network,")
    return [python, "-m", "uv"]


def _uv_on_path() -> list[str]:
    uv = shutil.which("uv")
    return [uv] if uv and _runs([uv, "--version"]) else []


def _version(python: Path) -> str:
    """Return what `python` says its version is, or nothing when it does not run."""
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    try:
        return subprocess.run(
            [python, "-I", "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def _run(command: list[str], hint: str) -> None:
    """Run `command`, its output shown; a failure becomes a `SetupError` with `hint`."""
    env = {key: value for key, value in os.environ.items() if key not in ("UV_SYSTEM_PYTHON", "PIP_USER")}
    env.setdefault("UV_HTTP_TIMEOUT", "300")  # seconds: torch is big and class networks are slow
    try:
        code = subprocess.run(command, env=env).returncode
    except OSError as error:
        code = error
    if code != 0:
        raise SetupError(
            f"this command failed ({code}):\n  {' '.join(command)}\nfix: {hint} then run the same make again"
        )


if __name__ == "__main__":
    sys.exit(main())
