"""`cvlab lab`: the port, the settings, the command, and a real server on loopback."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from cvlab.course import lab


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder with a first lesson in it, and the current folder."""
    notebook = tmp_path / lab.FIRST
    notebook.parent.mkdir()
    notebook.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_free_port_takes_the_next_one_when_busy():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert lab.free_port(port) > port
    assert lab.free_port(port) == port


def test_port_0_takes_any_that_is_free():
    assert 1024 <= lab.free_port(0) < 65536


@pytest.mark.parametrize("port", ["-1", "65536", "1e3", "eight", ""])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit) as stop:
        lab.main(["--port", port])
    assert stop.value.code == 2
    assert f"port must be a number from 0 (any) to 65535; got {port}" in capsys.readouterr().err


def test_free_port_gives_up_clearly():
    with pytest.raises(OSError, match="port must have a free one(.|\n)*name another with --port"):
        lab.free_port(70_000)


def test_popups_are_off_and_settings_stay_in_the_course(course):
    env = lab.environment(course, "secret")
    assert env["JUPYTER_TOKEN"] == "secret"
    assert env["JUPYTERLAB_SETTINGS_DIR"].startswith(str(course / ".lab"))
    file = course / ".lab/settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    assert json.loads(file.read_text()) == {"checkForUpdates": False, "fetchNews": "false"}
    file.write_text("{}")  # the learner's own choice stays
    lab.environment(course, "secret")
    assert file.read_text() == "{}"


def test_the_courses_look_is_written_anew_at_each_start(course):
    lab.environment(course, "secret")
    sheet = course / ".lab/config/custom/custom.css"
    sheet.write_text("")
    lab.environment(course, "secret")
    assert sheet.read_text() == lab.look()
    assert "img.jp-needs-light-background" in lab.look()
    assert 'h4[data-jupyter-id^="Exercise-"]' in lab.look()


def test_command_serves_loopback_only_and_keeps_the_token_to_itself(course):
    words = lab.command(course, 8888, course / "ready", ["--collaborative"])
    assert "--ip=127.0.0.1" in words
    assert "--port=8888" in words
    assert f"--ServerApp.root_dir={course}" in words
    assert words[-1] == "--collaborative"
    assert not [word for word in words if "token" in word.lower()]


def test_the_lessons_are_looked_for_here_first_then_in_the_repository(course, tmp_path_factory, monkeypatch):
    assert lab.course_dir() == course
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(lab, "__file__", str(elsewhere / "site/cvlab/course/lab.py"))
    with pytest.raises(
        FileNotFoundError, match="notebooks/00_start_here.ipynb; got(.|\n)*fix: run `cvlab lab`"
    ):
        lab.course_dir()


def test_a_second_opencv_is_told_before_it_breaks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site/cvlab/course/lab.py"))
    both = {"opencv-python-headless": "5.0", "opencv-python": "4.10"}
    for found, told in ((both, True), ({"opencv-python": "4.10"}, False)):
        monkeypatch.setattr(lab.opencv, "installed", lambda found=found: found)
        lab.main(["--no-browser"])
        said = capsys.readouterr().out
        assert ("Two of OpenCV are here: opencv-python-headless, opencv-python. fix: `" in said) == told


def test_without_lessons_the_command_fails_with_the_fix(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site/cvlab/course/lab.py"))
    assert lab.main(["--no-browser"]) == 1
    assert "fix: run `cvlab lab` in the course's folder" in capsys.readouterr().err


def test_a_screenless_linux_opens_no_browser(monkeypatch):
    monkeypatch.setattr(lab.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not lab._has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert lab._has_screen()


posix = pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/lab/tree/notebooks/00_start_here\.ipynb\?token=(\w+)")


def start(course, port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "cvlab.course.cli", "lab", "--no-browser", "--port", str(port)]
    return subprocess.Popen(command, cwd=course, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def announced(process) -> tuple[str, str, str]:
    """Read until the address is printed; return all that was said, the port and the token."""
    said = ""
    for line in process.stdout:
        said += line
        if found := ADDRESS.search(line):
            return said, found[1], found[2]
    return pytest.fail(f"no address: {said}")


def stop(process) -> str:
    """Stop it as a closed terminal does; return what else was said."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=60)[0]


def fetched(port: str, token: str, path: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/{path}?token={token}") as answer:
        return answer.read().decode()


def opened(port: str, token: str) -> str:
    return json.loads(fetched(port, token, f"api/contents/{lab.FIRST}"))["type"]


@posix
@pytest.mark.slow
def test_it_serves_prints_the_address_and_stops(course):
    (course / "notebooks/source").mkdir()
    with socket.socket() as busy:  # the wanted port is taken: the next one is
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        process = start(course, port)
        try:
            said, taken, token = announced(process)
            assert f"Port {port} is in use; taking {taken}" in said
            assert opened(taken, token) == "notebook"
            assert "/custom/custom.css" in fetched(taken, token, "lab")
            assert fetched(taken, token, "custom/custom.css") == lab.look()
            listed = json.loads(fetched(taken, token, "api/contents/notebooks"))["content"]
            assert [file["name"] for file in listed] == ["00_start_here.ipynb"]
        finally:
            rest = stop(process)
    assert "Stopping JupyterLab." in rest
    assert process.returncode == 0


@posix
@pytest.mark.slow
def test_two_at_once_take_two_ports_and_leave_each_other_in_peace(course):
    port = lab.free_port(0)
    processes = [start(course, port), start(course, port)]
    try:
        found = [announced(process) for process in processes]
        assert len({taken for _, taken, _ in found}) == 2
        assert [opened(taken, token) for _, taken, token in found] == ["notebook", "notebook"]
    finally:
        rests = [stop(process) for process in processes]
    said = "".join(text for text, *_ in found) + "".join(rests)
    assert "403 GET" not in said
    assert "Traceback" not in said


@posix
def test_a_port_lost_at_the_last_moment_is_given_up_for_the_next(course, monkeypatch, capsys):
    """Another server binds between the look at the port and JupyterLab's own try."""
    rival, tried = socket.socket(), []

    def run(folder, port, extra, *, browse):
        tried.append(port)
        if len(tried) > 1:
            return 0
        rival.bind(("127.0.0.1", port))
        rival.listen()
        return None

    monkeypatch.setattr(lab, "_run", run)
    with rival:
        assert lab.main(["--port", str(lab.free_port(0))]) == 0
    assert tried[1] > tried[0]
    assert f"Port {tried[0]} is in use; taking {tried[1]}." in capsys.readouterr().out


@posix
@pytest.mark.slow
def test_a_server_that_ends_by_itself_is_said(course, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(course))
    (course / "jupyterlab.py").write_text("raise ImportError('half a package')")
    process = start(course, 0)
    assert "JupyterLab stopped at once; fix: run `cvlab doctor`" in process.communicate(timeout=60)[0]
    assert process.returncode == 1
