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


def test_command_serves_loopback_only_and_keeps_the_token_to_itself(course):
    words = lab.command(course, 8888, ["--collaborative"])
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


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_it_serves_prints_the_address_and_stops(course):
    with socket.socket() as busy:  # the wanted port is taken: the next one is
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        command = [sys.executable, "-m", "cvlab.course.cli", "lab", "--no-browser", "--port", str(port)]
        process = subprocess.Popen(
            command, cwd=course, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if "http://" in line:
                    break
            text = "".join(said)
            assert f"Port {port} is in use; taking " in text
            address = re.search(
                r"(http://127\.0\.0\.1:\d+)/lab/tree/notebooks/00_start_here\.ipynb\?token=(\w+)", text
            )
            assert address, text
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{address[1]}/api/contents/{lab.FIRST}?token={address[2]}") as answer:
                assert json.load(answer)["type"] == "notebook"
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=60)[0]
    assert "Stopping JupyterLab." in rest
    assert process.returncode == 0
