"""Look for what is wrong with this environment and name the fix; nothing is changed but an empty test file."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata, util
from pathlib import Path

from cvlab.course import opencv, probe

__all__ = ["CHECKS", "Finding", "examine", "main", "report"]

MODULES = (
    "numpy",
    "PIL",
    "cv2",
    "matplotlib",
    "skimage",
    "sklearn",
    "pycocotools.mask",
    "ipywidgets",
    "anywidget",
)
REPAIR = "run `make clean lab` in the course's folder (without make: install again as the README says)"
PAIR = (
    "install both from the same index: `uv pip install --reinstall torch torchvision`, "
    "or without a graphics card `uv pip install --reinstall --torch-backend cpu torch torchvision`"
)


@dataclass(frozen=True)
class Finding:
    """What one check found: `status` is "ok", "warn" or "FAIL"; a failure carries its `fix`.

    What is fine is said without the names of folders: lesson 00 keeps the report in its notebook.
    """

    status: str
    name: str
    detail: str
    fix: str = ""


def python() -> list[Finding]:
    """Is this Python new enough for cvlab?"""
    wanted = metadata.metadata("cvlab")["Requires-Python"]
    found = "{}.{}.{}".format(*sys.version_info[:3])
    if _within(found, wanted):
        return [Finding("ok", "python", found)]
    fix = "install Python 3.12, then `make clean lab PYTHON=python3.12`"
    return [Finding("FAIL", "python", f"{found}, but cvlab needs {wanted}", fix)]


def packages() -> list[Finding]:
    """Is each package that cvlab asks for installed, in the range it asks for?"""
    from packaging.requirements import Requirement

    needs = [Requirement(text) for text in metadata.requires("cvlab") or []]
    needs = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    faults = [fault for need in needs if (fault := _fault(need))]
    return faults or [Finding("ok", "packages", f"{len(needs)} installed, all in range")]


def one_opencv() -> list[Finding]:
    """Is there one OpenCV? A second one works until either is removed or updated."""
    found = [f"{name} {version}" for name, version in opencv.installed().items()]
    if len(found) < 2:
        return [Finding("ok", "opencv", found[0] if found else "the one of conda")]
    detail = f"{' and '.join(found)} share one folder, cv2: removing or updating either breaks it"
    return [Finding("warn", "opencv", detail, opencv.repair())]


def imports() -> list[Finding]:
    """Does each package import? One that crashes takes only its own process with it."""
    run = probe.imports(*MODULES)
    lines = [line.split(" ", 2) for line in run.stdout.splitlines()]
    faults = [
        Finding("FAIL", "imports", f"{bad[1]}: {bad[2]}", _import_fix(bad[2]))
        for bad in lines
        if bad[0] == "bad"
    ]
    if run.returncode != 0:
        last = lines[-1][1] if lines else "the first package"
        faults.append(Finding("FAIL", "imports", f"{last} crashed Python (exit {run.returncode})", REPAIR))
    return faults or [Finding("ok", "imports", "each package imports")]


def torch_pair() -> list[Finding]:
    """Do torch and torchvision work together?"""
    run = probe.torch()
    facts = probe.last_json(run.stdout)
    if "nms" not in facts:
        error = (run.stderr.strip().splitlines() or [f"exit {run.returncode}"])[-1]
        return [Finding("FAIL", "torch pair", *_torch_error(error, facts))]
    torch, vision = facts["torch"], facts["torchvision"]
    builds = {version.partition("+")[2] for version in (torch, vision)} - {""}
    if len(builds) > 1:
        return [
            Finding("warn", "torch pair", f"torch {torch} and torchvision {vision}: different builds", PAIR)
        ]
    return [Finding("ok", "torch pair", f"torch {torch}, torchvision {vision}")]


def device() -> list[Finding]:
    """Where would a network run?"""
    facts = probe.last_json(probe.torch().stdout)
    if "device" not in facts:
        return [Finding("warn", "device", "unknown until torch works")]
    if facts["device"] == "cpu" and shutil.which("nvidia-smi"):
        unseen = "cpu: there is an NVIDIA card that this torch does not see (lessons need none)"
        return [Finding("warn", "device", unseen)]
    name = facts["name"] or f"{facts['threads']} threads"
    return [Finding("ok", "device", f"{facts['device']} ({name})")]


def folders() -> list[Finding]:
    """May cvlab write where it keeps downloads and progress?"""
    places = (
        ("cache folder", _settings().cache_dir(), "CVLAB_CACHE"),
        ("user folder", _settings().user_dir(), "CVLAB_HOME"),
    )
    return [_folder(*place) for place in places]


def data() -> list[Finding]:
    """Are the course's own pictures here?"""
    folder = _settings().data_dir()
    if (folder / "stickers").is_dir():
        return [Finding("ok", "data", "the course's pictures are here")]
    fix = "restore the data folder: `git checkout data`, or reinstall"
    return [Finding("FAIL", "data", f"no stickers in {folder}", fix)]


def network() -> list[Finding]:
    """Does the switch say online or offline? (Nothing is contacted to find out.)"""
    said = os.environ.get("CVLAB_ONLINE", "")
    if said.strip().lower() not in ("", "0", "1", "true", "false", "yes", "no"):
        unknown = f"CVLAB_ONLINE={said} means nothing to cvlab: say 1 or 0; taken as offline"
        return [Finding("warn", "network", unknown)]
    if _settings().is_online():
        return [Finding("ok", "network", "online: the steps called Real may download")]
    return [Finding("ok", "network", "offline: nothing is downloaded (CVLAB_ONLINE=1 allows it)")]


def kernel() -> list[Finding]:
    """Will a notebook's "Python 3" kernel start, and is it this Python?"""
    fix = "`python -m pip install ipykernel`, then `python -m ipykernel install --sys-prefix`"
    if util.find_spec("ipykernel") is None or util.find_spec("jupyter_client") is None:
        return [Finding("FAIL", "kernel", "ipykernel is not installed, so no notebook can run", fix)]
    from jupyter_client.kernelspec import KernelSpecManager

    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except KeyError:  # NoSuchKernel is one
        return [Finding("FAIL", "kernel", "there is no kernel called python3", fix)]
    found = sys.executable if program in ("python", "python3") else shutil.which(program)
    if found is None:
        return [Finding("FAIL", "kernel", f"python3 starts {program}, which is not there", fix)]
    if Path(found).absolute().parent != Path(sys.executable).absolute().parent:
        return [Finding("warn", "kernel", f"python3 starts {found}, not {sys.executable}", fix)]
    return [Finding("ok", "kernel", "a notebook runs this same Python")]


def widgets() -> list[Finding]:
    """Do the Python half and the JupyterLab half of the widgets belong together?"""
    if not _version("jupyterlab"):
        return [Finding("ok", "widgets", "no JupyterLab here; Colab and VS Code bring their own half")]
    half, other = _version("ipywidgets") or "0", _version("jupyterlab-widgets") or "none"
    wanted = {"7": "1", "8": "3"}.get(half.split(".")[0], "3")
    if other.split(".")[0] == wanted:
        return [Finding("ok", "widgets", f"ipywidgets {half}, jupyterlab_widgets {other}")]
    fix = "`python -m pip install --upgrade ipywidgets jupyterlab_widgets`, then start JupyterLab again"
    return [
        Finding("FAIL", "widgets", f"ipywidgets {half} needs jupyterlab_widgets {wanted}; got {other}", fix)
    ]


def disk() -> list[Finding]:
    """Is there room for downloads?"""
    folder = _settings().cache_dir().absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free / 1e9  # gigabytes
    if free < 0.2:
        fix = "make room, or set CVLAB_CACHE to a folder elsewhere"
        return [Finding("FAIL", "disk", f"{free:.2f} GB free at {place}", fix)]
    return [Finding("warn" if free < 2 else "ok", "disk", f"{free:.1f} GB free for downloads")]


CHECKS = (
    python,
    packages,
    one_opencv,
    imports,
    torch_pair,
    device,
    widgets,
    kernel,
    data,
    folders,
    network,
    disk,
)


def examine(checks: Sequence[Callable[[], list[Finding]]] = CHECKS) -> list[Finding]:
    """Run every check; one that breaks is itself a finding, and the next goes on."""
    findings = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # whatever a broken package throws
            name = check.__name__.replace("_", " ")
            findings.append(Finding("FAIL", name, f"could not look: {type(error).__name__}: {error}", REPAIR))
    return findings


def report(findings: Sequence[Finding]) -> str:
    """Return one line a finding, a `fix:` line under each failure, and a last line that counts."""
    lines = []
    for found in findings:
        lines.append(f"{found.status:<5} {found.name:<13} {found.detail}")
        lines += [f"      fix: {found.fix}"] if found.fix else []
    fails, warnings = (sum(found.status == status for found in findings) for status in ("FAIL", "warn"))
    return "\n".join([*lines, f"{fails} failed, {warnings} to look at, {len(findings)} findings in all"])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; the exit code is 1 when something failed."""
    argparse.ArgumentParser(prog="cvlab doctor", description=__doc__).parse_args(argv)
    findings = examine()
    print(report(findings))
    return int(any(found.status == "FAIL" for found in findings))


def _fault(need) -> Finding | None:
    """Return what is wrong with one required package, if anything; OpenCV has four names for one thing."""
    names = opencv.NAMES if need.name in opencv.NAMES else (need.name,)
    found = next((version for name in names if (version := _version(name))), None)
    if found and need.specifier.contains(found, prereleases=True):
        return None
    wanted = f"cvlab needs {need.name}{need.specifier}"
    fix = (
        PAIR
        if need.name in ("torch", "torchvision")
        else f'`python -m pip install "{need.name}{need.specifier}"`'
    )
    return Finding("FAIL", "packages", f"{need.name} {found or 'is not installed'}; {wanted}", fix)


def _torch_error(error: str, facts: dict) -> tuple[str, str]:
    """Return the detail and the fix for the last line of a failed torch probe."""
    if "torch" in facts:
        return f"torchvision does not fit torch {facts['torch']}: {error}", PAIR
    return f"torch does not import: {error}", PAIR


def _import_fix(error: str) -> str:
    if any(sign in error for sign in ("libGL", "libgthread", "module 'cv2'", "named 'cv2'")):
        return opencv.repair()
    if "numpy" in error.lower():
        return "a package was built for another NumPy: " + REPAIR
    return REPAIR


def _folder(name: str, folder: Path, variable: str) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = f"set {variable} to a folder that you may write to"
        return Finding("FAIL", name, f"{folder}: {error.strerror or error}", fix)
    return Finding("ok", name, "can be written")


def _settings():
    """Return `cvlab.settings`, imported this late because what it imports may be what is broken."""
    return import_module("cvlab.settings")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _within(version: str, wanted: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(wanted).contains(version, prereleases=True)
