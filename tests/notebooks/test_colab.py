"""Each student notebook alone in an empty folder, with the wheel installed in an environment like Colab's."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from support.changed import last_changed
from support.sealed import PATIENT, ROOT, run_sealed
from support.sittings import forgetful

from cvlab.course.build import count
from cvlab.course.execute import kernel_environment

NAMES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("*.py"))
RECENT = last_changed([f"notebooks/{name}.ipynb" for name in NAMES[1:]], 1)
LESSONS = [
    pytest.param(
        name, marks=() if name == NAMES[0] or f"notebooks/{name}.ipynb" in RECENT else pytest.mark.exhaustive
    )
    for name in NAMES
]  # the first lesson and the one that changed last; the others ran so when they changed
REQUIREMENTS = ROOT / "tests" / "support" / "colab_requirements.txt"
LOCK = FileLock(ROOT / ".colab-env.lock")  # two test workers want the same environment at the same time
UV = [sys.executable, "-m", "uv"]
WHERE = """
import json, cvlab, ipywidgets, numpy
from cvlab import settings
from cvlab.world import stickers
found = {kind: len(stickers.styles(kind)) for kind in stickers.classes()}
print(json.dumps([cvlab.__file__, str(settings.data_dir()), found, ipywidgets.__version__, numpy.__version__]))
"""


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )


def base_python() -> str:
    """Return a Python 3.13, as Colab has, if one works here (a pyenv shim may not); else this one."""
    found = [shutil.which("python3.13"), *sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python3.13"))]
    return next(
        (str(python) for python in found if python and not run(python, "--version").returncode),
        sys.executable,
    )


@pytest.fixture(scope="module")
def colab_python() -> Path:
    """Make the environment once for each state of the requirements (about 30 s and 5 GB), Python 3.13 if there is one."""
    base = base_python()
    version = run(base, "--version").stdout
    key = hashlib.sha256((version + REQUIREMENTS.read_text(encoding="utf-8")).encode()).hexdigest()[:12]
    folder = ROOT / ".colab-env" / key
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with LOCK:
        if not (folder / "complete").exists():
            shutil.rmtree(folder.parent, ignore_errors=True)
            made = run(*UV, "venv", "--no-project", "--python", base, folder)
            made = (
                made
                if made.returncode
                else run(*UV, "pip", "install", "--python", python, "-r", REQUIREMENTS)
            )
            if made.returncode:
                give_up = pytest.fail if os.environ.get("CI") else pytest.skip
                give_up(f"the Colab-like environment could not be installed: {made.stderr[-2000:]}")
            (folder / "complete").touch()
    return python


@pytest.fixture(scope="module")
def colab(colab_python, tmp_path_factory) -> Path:
    """Build the wheel and install it, and nothing else, into that environment, once for both test workers."""
    this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    marker = colab_python.parents[1] / "wheel-of-run"
    with LOCK:
        if marker.exists() and marker.read_text() == this_run:
            return colab_python
        folder = tmp_path_factory.mktemp("wheel")
        built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
        assert built.returncode == 0, built.stderr
        (wheel,) = folder.glob("cvlab-*.whl")
        install = [*UV, "pip", "install", "--python", colab_python, "--no-deps", "--reinstall", "--offline"]
        done = run(*install, wheel)
        assert done.returncode == 0, done.stderr
        marker.write_text(this_run)
    return colab_python


def test_colabs_versions_satisfy_the_wheel(colab):
    checked = run(*UV, "pip", "check", "--python", colab)
    ours = [line for line in checked.stderr.splitlines() if "`cvlab`" in line]
    assert ours == []


def test_package_and_data_come_from_the_wheel(colab, tmp_path):
    done = run(colab, "-c", WHERE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    package, data, stickers, widgets, numpy = json.loads(done.stdout)
    assert Path(package).is_relative_to(colab.parents[1])
    assert Path(data) == Path(package).parent / "data"
    assert len(stickers) >= 10
    assert min(stickers.values()) >= 1
    assert (widgets, numpy) == ("7.7.1", "2.1.3")


@pytest.mark.parametrize("name", LESSONS)
def test_notebook_runs_alone_and_each_sitting_without_the_names_before(
    colab, tmp_path, name, record_property
):
    """The student's copy in an empty folder: at each `again` cell all names are forgotten, as after a restart."""
    folder = tmp_path / "alone"
    folder.mkdir()
    student = forgetful(nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4))
    nbformat.write(student, folder / f"{name}.ipynb")
    command = [colab, "-m", "pytest", "--nbval-lax", "--nbval-current-env", *PATIENT]
    command += ["-p", "no:cacheprovider", "-q", "--color=no", folder]
    started = time.perf_counter()
    done = run_sealed([str(word) for word in command], tmp_path, cwd=folder, **kernel_environment(tmp_path))
    cells = sum(cell.cell_type == "code" for cell in student.cells)
    figures = {"name": f"{name} colab", "cells": cells, "checks": count(student)["check"]}
    record_property("notebook", figures | {"seconds": time.perf_counter() - started})
    assert done.code == 0, done.text[-6000:]
    assert f"{cells} passed" in done.text
    assert done.attempts == []
