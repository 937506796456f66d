"""Folders and the network switch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvlab import settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No switch thrown, no variable set; and everything as before afterwards."""
    monkeypatch.setattr(settings, "_online", None)
    for name in ("CVLAB_ONLINE", "CVLAB_CACHE", "CVLAB_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_offline_unless_someone_says_otherwise():
    assert settings.is_online() is False


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "yes", " 1 "])
def test_the_variable_switches_on(monkeypatch, word):
    monkeypatch.setenv("CVLAB_ONLINE", word)
    assert settings.is_online() is True
    settings.offline()
    assert settings.is_online() is False


@pytest.mark.parametrize("word", ["", "0", "no", "false", "off", "perhaps"])
def test_any_other_word_does_not(monkeypatch, word):
    monkeypatch.setenv("CVLAB_ONLINE", word)
    assert settings.is_online() is False


def test_the_last_call_wins():
    settings.online()
    assert settings.is_online() is True
    settings.offline()
    assert settings.is_online() is False
    settings.online()
    assert settings.is_online() is True


def test_folders_follow_their_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "c d"))
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "домой"))
    assert settings.cache_dir() == tmp_path / "c d"
    assert settings.user_dir() == tmp_path / "домой"
    assert list(tmp_path.iterdir()) == []  # asking makes nothing


def test_a_tilde_is_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("CVLAB_CACHE", "~")
    monkeypatch.setenv("CVLAB_HOME", "~/x")
    assert (settings.cache_dir(), settings.user_dir()) == (tmp_path, tmp_path / "x")


def test_the_home_of_nobody_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("CVLAB_HOME", "~nobody-of-this-name/x")
    with pytest.raises(OSError, match="CVLAB_HOME must name a folder; got '~nobody-of-this-name/x'"):
        settings.user_dir()


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
def test_private_folders_are_private_and_older_ones_stay(tmp_path):
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        settings.make_private(tmp_path / "a" / "b")
        settings.make_private(tmp_path)
    finally:
        os.umask(before)
    modes = [oct(folder.stat().st_mode & 0o777) for folder in (tmp_path, tmp_path / "a", tmp_path / "a/b")]
    assert modes == ["0o755", "0o700", "0o700"]


@pytest.mark.parametrize("folder", [settings.cache_dir, settings.user_dir])
def test_folders_without_variables_are_the_systems(monkeypatch, folder):
    found = folder()
    assert found.is_absolute()
    assert "cvlab" in found.parts
    monkeypatch.setenv("CVLAB_CACHE", "")
    monkeypatch.setenv("CVLAB_HOME", "")
    assert folder() == found  # an empty variable is no folder


def test_the_data_are_there():
    assert (settings.data_dir() / "README.md").is_file()


def test_the_data_of_a_wheel_come_first(monkeypatch, tmp_path):
    package = tmp_path / "cvlab"
    (package / "data").mkdir(parents=True)
    monkeypatch.setattr(settings, "__file__", str(package / "settings.py"))
    assert settings.data_dir() == (package / "data").resolve()


def test_settings_are_light():
    program = "import sys, cvlab.settings; print({'numpy', 'torch', 'requests'} & set(sys.modules))"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=clean, cwd=Path(__file__).parent
    )
    assert done.stdout.strip() == "set()", done.stderr
