"""`cvlab doctor`: each thing that can be wrong is made wrong once; the finding, its fix and the exit code follow."""

import itertools
import json
import subprocess
import sys

import pytest

from cvlab.course import cli, doctor, opencv, probe

NMS = "RuntimeError: operator torchvision::nms does not exist"


def answer(out: str = "", err: str = "", code: int = 0) -> subprocess.CompletedProcess:
    """Return what a probe would return."""
    return subprocess.CompletedProcess([], code, out, err)


def torch_facts(**changes) -> str:
    """Return the JSON line of a healthy torch probe, with changes."""
    facts = {
        "torch": "2.11.0+cpu",
        "torchvision": "0.26.0+cpu",
        "nms": [0],
        "device": "cpu",
        "name": "",
        "threads": 2,
    }
    return json.dumps({**facts, **changes}) + "\n"


def only(findings: list, status: str):
    """Return the one finding, after checking its status."""
    assert [found.status for found in findings] == [status], findings
    return findings[0]


@pytest.fixture
def versions(monkeypatch):
    """Let the test say which version of a package is installed."""
    said = {}
    real = doctor._version
    monkeypatch.setattr(
        doctor, "_version", lambda package: said[package] if package in said else real(package)
    )
    return said


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_healthy_environment_passes_and_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))
    code = cli.main(["doctor"])
    said = capsys.readouterr().out
    assert "FAIL" not in said, said
    assert code == 0
    assert str(tmp_path) not in said  # a notebook keeps this text: no place on one machine in it
    assert sys.prefix not in said
    for name in (
        "python",
        "packages",
        "imports",
        "torch pair",
        "device",
        "widgets",
        "kernel",
        "data",
        "network",
        "disk",
    ):
        assert f" {name} " in said
    assert said.splitlines()[-1].startswith("0 failed, ")


def test_python_too_old(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 2))
    found = only(doctor.python(), "FAIL")
    assert found.detail == "3.10.2, but cvlab needs >=3.11"
    assert "PYTHON=python3.12" in found.fix


def test_package_too_old_or_absent(versions):
    versions.update({"numpy": "1.24.0", "timm": None})
    found = {item.detail.split()[0]: item for item in doctor.packages()}
    assert set(found) == {"numpy", "timm"}
    assert found["numpy"].detail == "numpy 1.24.0; cvlab needs numpy>=1.26"
    assert found["numpy"].fix == '`python -m pip install "numpy>=1.26"`'
    assert found["timm"].detail == "timm is not installed; cvlab needs timm>=1.0.9"


def test_torch_is_never_mended_alone(versions):
    versions["torch"] = "2.1.0"
    found = only(doctor.packages(), "FAIL")
    assert "uv pip install --reinstall torch torchvision" in found.fix
    assert "--torch-backend cpu" in found.fix


def test_any_of_opencvs_names_will_do_but_not_version_4_8(versions):
    versions.update({"opencv-python-headless": None, "opencv-python": "5.0.0.93"})
    only(doctor.packages(), "ok")
    versions["opencv-python"] = "4.8.0.76"
    assert "opencv-python-headless 4.8.0.76" in only(doctor.packages(), "FAIL").detail


def distribution(folder, name, version, installer="pip"):
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (place / "INSTALLER").write_text(f"{installer}\n")


@pytest.mark.parametrize("pair", list(itertools.combinations(opencv.NAMES, 2)))
@pytest.mark.parametrize("pip", [True, False])
def test_any_two_opencvs_are_named_with_the_fix(tmp_path, monkeypatch, pair, pip):
    for name in pair:
        distribution(tmp_path, name, "4.10.0.84")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(opencv.util, "find_spec", lambda name: pip or None)
    found = only(doctor.one_opencv(), "warn")
    assert found.detail.startswith(f"{pair[0]} 4.10.0.84 and {pair[1]} 4.10.0.84 share one folder, cv2")
    uninstall, install = (
        ("python -m pip uninstall -y", "python -m pip install")
        if pip
        else ("uv pip uninstall", "uv pip install")
    )
    assert found.fix == f"`{uninstall} {' '.join(pair)}`, then `{install} opencv-python-headless`"


@pytest.mark.parametrize(
    ("installer", "detail"), [("pip", "opencv-python 5.0"), ("conda", "the one of conda")]
)
def test_one_opencv_is_fine_and_condas_is_one_under_two_names(tmp_path, monkeypatch, installer, detail):
    distribution(tmp_path, "opencv-python", "5.0", installer)
    if installer == "conda":
        distribution(tmp_path, "opencv-python-headless", "5.0", installer)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert only(doctor.one_opencv(), "ok").detail == detail


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (
            "ImportError: libGL.so.1: cannot open shared object file",
            "install opencv-python-headless",
        ),
        ("AttributeError: module 'cv2' has no attribute 'dnn'", "install opencv-python-headless"),
        ("ImportError: module 'cv2' is a folder without code", "install opencv-python-headless"),
        ("ImportError: numpy.core.multiarray failed to import", "built for another NumPy"),
        ("SyntaxError: invalid syntax", "make clean lab"),
    ],
)
def test_import_error_is_named_with_its_fix(monkeypatch, error, fix):
    monkeypatch.setattr(probe, "imports", lambda *names: answer(f"try PIL\ntry cv2\nbad cv2 {error}\n"))
    found = only(doctor.imports(), "FAIL")
    assert found.detail == f"cv2: {error}"
    assert fix in found.fix


def test_imports_survive_packages_that_raise_exit_and_crash(monkeypatch, tmp_path):
    (tmp_path / "raises_it.py").write_text("raise ValueError('two\\nlines')")
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)")
    (tmp_path / "hollow" / "data").mkdir(parents=True)
    (tmp_path / "crashes.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "MODULES", ("raises_it", "leaves", "hollow", "crashes", "json"))
    details = [found.detail for found in doctor.imports()]
    assert details[:2] == ["raises_it: ValueError: two lines", "leaves: SystemExit: 0"]
    assert details[2] == "hollow: ImportError: module 'hollow' is a folder without code"
    assert details[3].startswith("crashes crashed Python (exit ")


def torch_says(monkeypatch, *args) -> None:
    monkeypatch.setattr(probe, "torch", lambda: answer(*args))


def test_torchvision_of_another_build_is_recognised(monkeypatch):
    torch_says(monkeypatch, '{"torch": "2.13.0+cpu"}\n', f"Traceback (most recent call last):\n{NMS}\n", 1)
    found = only(doctor.torch_pair(), "FAIL")
    assert found.detail == f"torchvision does not fit torch 2.13.0+cpu: {NMS}"
    assert "from the same index" in found.fix
    assert "--torch-backend cpu torch torchvision" in found.fix
    assert only(doctor.device(), "warn").detail == "unknown until torch works"


def test_the_pair_is_really_tried(monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("__version__ = '2.13.0+cpu'")
    (tmp_path / "torchvision.py").write_text(f"raise RuntimeError({NMS.partition(': ')[2]!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(probe, "torch", probe.torch.__wrapped__)
    assert NMS in only(doctor.torch_pair(), "FAIL").detail


def test_torch_that_does_not_import(monkeypatch):
    torch_says(monkeypatch, "", "OSError: libcudart.so: cannot open\n", 1)
    assert (
        only(doctor.torch_pair(), "FAIL").detail
        == "torch does not import: OSError: libcudart.so: cannot open"
    )


def test_torch_that_crashes_or_hangs(monkeypatch):
    torch_says(monkeypatch, "", "", -11)
    assert only(doctor.torch_pair(), "FAIL").detail == "torch does not import: exit -11"

    def hang(command, **_):
        raise subprocess.TimeoutExpired(command, 180, output=b'{"torch": "2.5"}\n')

    monkeypatch.undo()
    monkeypatch.setattr(subprocess, "run", hang)
    run = probe.torch.__wrapped__()
    assert (run.returncode, run.stderr, probe.last_json(run.stdout)) == (
        124,
        "no answer in 180 seconds",
        {"torch": "2.5"},
    )


def test_builds_that_differ_are_only_a_warning_when_the_operator_works(monkeypatch):
    torch_says(monkeypatch, torch_facts(torchvision="0.26.0+cu128"))
    assert "different builds" in only(doctor.torch_pair(), "warn").detail
    torch_says(monkeypatch, torch_facts(torchvision="0.26.0"))
    only(doctor.torch_pair(), "ok")


def test_device_is_named(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    torch_says(monkeypatch, torch_facts())
    assert only(doctor.device(), "ok").detail == "cpu (2 threads)"
    torch_says(monkeypatch, torch_facts(device="cuda", name="A card"))
    assert only(doctor.device(), "ok").detail == "cuda (A card)"


def test_a_card_that_torch_does_not_see_is_mentioned(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: name)
    torch_says(monkeypatch, torch_facts())
    assert "NVIDIA card that this torch does not see" in only(doctor.device(), "warn").detail


@pytest.mark.parametrize(
    ("half", "other", "status"),
    [
        ("8.1.9", "3.0.17", "ok"),
        ("7.7.1", "1.1.1", "ok"),
        ("8.1.9", "1.1.1", "FAIL"),
        ("8.1.9", None, "FAIL"),
    ],
)
def test_widget_halves_must_match(versions, half, other, status):
    versions.update({"ipywidgets": half, "jupyterlab-widgets": other, "jupyterlab": "4.6"})
    found = only(doctor.widgets(), status)
    if status == "FAIL":
        assert found.detail.startswith("ipywidgets 8.1.9 needs jupyterlab_widgets 3; got ")
        assert "--upgrade ipywidgets jupyterlab_widgets" in found.fix


def test_widgets_without_jupyterlab_are_fine(versions):
    versions["jupyterlab"] = None
    only(doctor.widgets(), "ok")


def test_no_ipykernel(monkeypatch):
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    found = only(doctor.kernel(), "FAIL")
    assert "ipykernel is not installed" in found.detail
    assert found.fix.startswith("`python -m pip install ipykernel`")


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("python", "ok", "this same Python"),
        ("/no/such/python", "FAIL", "which is not there"),
        ("sh", "warn", ", not "),
    ],
)
def test_kernel_must_start_this_python(monkeypatch, program, status, words):
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: KernelSpec(argv=[program]))
    found = only(doctor.kernel(), status)
    assert words in found.detail
    assert ("ipykernel install" in found.fix) == (status != "ok")


def test_no_kernel_called_python3(monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def absent(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", absent)
    assert only(doctor.kernel(), "FAIL").detail == "there is no kernel called python3"


def test_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))
    cache, home = doctor.folders()
    assert (cache.status, home.status) == ("FAIL", "ok")
    assert cache.fix == "set CVLAB_CACHE to a folder that you may write to"
    assert list((tmp_path / "home").iterdir()) == []


def test_data_that_is_missing(monkeypatch, tmp_path):
    from cvlab import settings

    monkeypatch.setattr(settings, "data_dir", lambda: tmp_path)
    assert "git checkout data" in only(doctor.data(), "FAIL").fix


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [("", "ok", "offline"), ("1", "ok", "online"), ("on", "warn", "CVLAB_ONLINE=on means nothing")],
)
def test_network_switch(monkeypatch, said, status, words):
    from cvlab import settings

    monkeypatch.setattr(settings, "_online", None)
    monkeypatch.setenv("CVLAB_ONLINE", said)
    assert only(doctor.network(), status).detail.startswith(words)


@pytest.mark.parametrize(("gigabytes", "status"), [(0.1, "FAIL"), (1, "warn"), (50, "ok")])
def test_disk(monkeypatch, gigabytes, status):
    usage = type("usage", (), {"free": gigabytes * 1e9})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage)
    found = only(doctor.disk(), status)
    assert ("CVLAB_CACHE" in found.fix) == (status == "FAIL")


def test_one_broken_check_does_not_stop_the_others():
    def broken_check():
        raise ImportError("half a package")

    findings = doctor.examine([broken_check, doctor.network])
    assert findings[0].detail == "could not look: ImportError: half a package"
    assert findings[0].fix == doctor.REPAIR
    assert findings[1].name == "network"


def test_broken_settings_are_a_finding(monkeypatch):
    monkeypatch.setitem(sys.modules, "cvlab.settings", None)  # as when platformdirs is missing
    findings = doctor.examine([doctor.folders, doctor.data, doctor.disk, doctor.kernel])
    assert [found.status for found in findings] == ["FAIL", "FAIL", "FAIL", "ok"]


def test_report_says_it_in_words_and_the_exit_code_too(monkeypatch, capsys):
    findings = [doctor.Finding("ok", "python", "3.12"), doctor.Finding("FAIL", "disk", "full", "make room")]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok    python        3.12",
        "FAIL  disk          full",
        "      fix: make room",
        "1 failed, 0 to look at, 2 findings in all",
    ]
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("warn", "disk", "nearly full")])
    assert doctor.main([]) == 0
