"""Run a command with the network really blocked, and a notebook under nbval in such a run."""

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

__all__ = ["GUARD", "PATIENT", "ROOT", "Outcome", "namespace", "run_nbval", "run_sealed"]

ROOT = Path(__file__).resolve().parents[2]
GUARD = Path(__file__).resolve().parent / "network_guard"
PATIENT = ("--nbval-cell-timeout=600", "--nbval-kernel-startup-timeout=300")  # only what hangs takes so long


@dataclass(frozen=True)
class Outcome:
    """What a sealed run did: its exit code, all it printed, and its attempts to reach the network."""

    code: int
    text: str
    attempts: list[str]
    figures: dict


@functools.cache
def namespace() -> tuple[str, ...]:
    """Return the words that run a command in a network namespace of its own; none where that is not allowed."""
    if not shutil.which("unshare"):
        return ()
    words = ("unshare", "-rn", sys.executable, "-I", str(GUARD / "loopback.py"))
    tried = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if tried.returncode == 0 else ()


def run_sealed(
    command: list[str], folder: Path, *, guard: bool = True, cwd: Path = ROOT, **variables: str
) -> Outcome:
    """Run `command` without a network: in its own namespace where possible, and watched by the audit hook.

    Args:
        command: the words to run.
        folder: an existing folder for the log of attempts.
        guard: whether Python's audit hook watches (and logs) as well.
        cwd: the folder to run in.
        **variables: environment variables to add.
    """
    log, figures = folder / "attempts.log", folder / "figures.json"
    own = {
        "CVLAB_HOME": str(folder / "home")
    }  # a card shows what is solved: nobody's own progress, and none is kept
    environment = (
        os.environ | own | {"CVLAB_NETWORK_LOG": str(log), "CVLAB_FIGURES": str(figures)} | variables
    )
    environment.pop("PYTEST_ADDOPTS", None)
    if guard:
        copied = environment.get("PYTHONPATH")  # a copy of the course, tested in place of the installed one
        environment["PYTHONPATH"] = os.pathsep.join([str(GUARD), copied] if copied else [str(GUARD)])
    done = subprocess.run(
        [*namespace(), *command],
        env=environment,
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    attempts = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    measured = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    return Outcome(done.returncode, done.stdout, attempts, measured)


def run_nbval(notebook, folder: Path, **options) -> Outcome:
    """Run every cell of a notebook without a network and compare its outputs with those it has.

    Args:
        notebook: nbformat's.
        folder: an existing folder that it is written to.
        **options: for `run_sealed`.
    """
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    shutil.copy(Path(__file__).with_name("nbval_course.py"), folder / "conftest.py")
    command = [
        *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", *PATIENT),
        f"--nbval-sanitize-with={ROOT / 'tests' / 'support' / 'nbval_sanitize.cfg'}",
        *("-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--color=no", "--tb=short", str(path)),
    ]
    return run_sealed(command, folder, **options)
