"""`cvlab publish`: the setting, the README's table, and the set-up cell run in a make-believe Colab."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvlab.course import publish
from cvlab.course.compose import read_lessons
from cvlab.course.pictures import SIZE, cover, small, trimmed
from cvlab.course.publish import Setting

ROOT = Path(__file__).resolve().parents[2]
PLACE = Setting("ada-l/cv.lab", "main")
RUN = """
import sys, types
if {colab}:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
result = shell.run_cell({cell!r})
error = result.error_in_exec or result.error_before_exec
print("ERROR", type(error).__name__, error) if error else print("DONE")
"""


@pytest.mark.parametrize(
    "repo",
    [
        "ada",
        "ada/",
        "/lab",
        "a/b/c",
        "https://github.com/a/b",
        "-ada/lab",
        "ada/lab.git",
        "ada/..",
        "ada/l b",
        "ada/lab\n",
    ],
)
def test_repo_must_be_owner_and_name(repo):
    with pytest.raises(ValueError, match="repo must be OWNER/NAME, without address or .git; got "):
        Setting(repo)


@pytest.mark.parametrize(
    "wheel",
    ["http://x.example/cvlab-1.whl", "https://x.example/other-1.whl", 'https://x.example/"/cvlab-1.whl'],
)
def test_wheel_must_be_an_https_wheel_of_cvlab(wheel):
    with pytest.raises(ValueError, match="wheel must be an https address"):
        Setting("ada/lab", wheel=wheel)


NO_BRANCHES = [
    "",
    "-x",
    "HEAD",
    "/x",
    "x/",
    "x//y",
    ".x",
    "x/.y",
    "x..y",
    "x.lock",
    "x.lock/y",
    "x.",
    "main\n",
]


@pytest.mark.parametrize("branch", ['main" ; ls', "x y", "x~1", "x@{1}", *NO_BRANCHES])
def test_branch_must_be_one_that_git_takes(branch):
    with pytest.raises(ValueError, match="branch must be a branch's name that git takes, as in main; got "):
        Setting("ada/lab", branch=branch)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@pytest.mark.parametrize(
    "branch",
    [
        *NO_BRANCHES,
        "main",
        "a/b",
        "x-",
        "x/-y",
        "head",
        "HEAD/x",
        "x.locks",
        "x.y",
        "_",
        "-",
        ".",
        "v1.0/.lock",
    ],
)
def test_git_is_of_the_same_opinion(branch):
    command = ["git", "check-ref-format", "--branch", branch]
    git = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        Setting("ada/lab", branch=branch)
    except ValueError:
        assert not git
    else:
        assert git


def test_source_is_the_wheel_if_there_is_one():
    wheel = "https://x.example/files/cvlab-0.1.0-py3-none-any.whl"
    assert PLACE.source == "https://github.com/ada-l/cv.lab/archive/main.zip"
    assert Setting("ada/lab", wheel=wheel).source == wheel
    assert Setting().source == ""


def test_badge_links_the_notebook():
    address = "https://colab.research.google.com/github/ada-l/cv.lab/blob/main/notebooks/00_start_here.ipynb"
    for name in ("00_start_here", "00_start_here.ipynb", Path("notebooks/source/00_start_here.py")):
        assert publish.badge(name, PLACE) == f"[Open in Colab]({address})"
    assert publish.badge("00_start_here", PLACE, picture="b.svg") == f"[![Open in Colab](b.svg)]({address})"
    assert publish.badge("00_start_here", Setting()) == ""


def run_cell(tmp_path, place, *, colab: bool, have_cvlab: bool = False) -> tuple[str, list]:
    """Run the set-up cell in IPython, where pip only notes its words and puts an empty cvlab in place."""
    site = tmp_path / "site"
    (site / "pip").mkdir(parents=True)
    (site / "pip/__init__.py").write_text("")
    note = "import json, pathlib, sys\nsite = pathlib.Path(__file__).parents[1]\n"
    note += "(site / 'words.json').write_text(json.dumps(sys.argv[1:]))\n(site / 'cvlab.py').write_text('')\n"
    (site / "pip/__main__.py").write_text(note)
    if have_cvlab:
        (site / "cvlab.py").write_text("")
    (tmp_path / "cvlab").mkdir()  # a clone in the folder of the notebook is not the package
    blind = f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"  # nor is the editable install seen
    code = blind + RUN.format(colab=colab, cell=publish.setup_cell(place))
    env = {
        "PYTHONPATH": str(site),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    words = site / "words.json"
    return run.stdout, json.loads(words.read_text()) if words.exists() else []


def test_in_colab_the_cell_installs_cvlab_and_nothing_of_colabs_own(tmp_path):
    said, words = run_cell(tmp_path, PLACE, colab=True)
    assert said.splitlines()[-1] == "DONE"
    assert words == ["install", "-q", "--no-deps", PLACE.source, *publish.COLAB_LACKS.split()]
    assert not {"torch", "torchvision", "numpy", "ipywidgets"} & set(words)


@pytest.mark.parametrize("colab", [True, False])
def test_with_cvlab_there_the_cell_does_nothing(tmp_path, colab):
    said, words = run_cell(tmp_path, PLACE, colab=colab, have_cvlab=True)
    assert (said, words) == ("DONE\n", [])


@pytest.mark.parametrize("place", [PLACE, Setting()], ids=["published", "unpublished"])
def test_elsewhere_a_missing_cvlab_is_explained(tmp_path, place):
    said, words = run_cell(tmp_path, place, colab=False)
    assert said.splitlines()[-1].startswith(
        "ERROR ModuleNotFoundError cvlab is not in this kernel: start the course with `make lab`"
    )
    assert words == []


def test_the_cell_is_at_most_six_lines():
    for place in (PLACE, Setting()):
        cell = publish.setup_cell(place)
        assert cell.count("\n") <= 6
        assert cell.endswith(")\n")


def test_what_colab_lacks_is_asked_for_in_pyproject():
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = {Requirement(text).name for text in project["dependencies"]}
    assert set(publish.COLAB_LACKS.split()) <= ours | {"onnx-ir"}, (
        "nothing else that only a package of ours needs"
    )


def test_readme_follows_the_lessons():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert publish.readme(text, publish.table()) == text, "run `cvlab publish`"
    names = [lesson.name for lesson in read_lessons(ROOT) if not lesson.draft]
    assert [lesson.name for lesson in publish.lessons()] == names
    assert names[:2] == ["00_start_here", "01_preprocessing"]
    headings = [lesson.heading() for lesson in publish.lessons()]
    assert all(heading.minutes >= 5 and heading.question.endswith("?") for heading in headings)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A small repository with one lesson and a README, where `cvlab publish` may write."""
    (tmp_path / "notebooks/source").mkdir(parents=True)
    lesson = "# minimum: code 1\n# %% [markdown]\n# # 00 · Start\n#\n# **What is\n# this?**\n#\n# *About 20 minutes.*\n\n# %%\n1 + 1\n"
    (tmp_path / "notebooks/source/00_start.py").write_text(lesson, encoding="utf-8")
    (tmp_path / "README.md").write_text(f"before\n{publish.BEGIN}\nold\n{publish.END}\nafter\n")
    (tmp_path / "publish.json").write_text("{}")
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(publish, "FILE", tmp_path / "publish.json")
    monkeypatch.setattr(publish.table, "__defaults__", (tmp_path, None))
    return tmp_path


def test_publish_writes_setting_and_table_and_twice_changes_nothing(clone, capsys):
    assert publish.main(["--repo", "ada/lab"]) == 0
    assert "cvlab build" in capsys.readouterr().out
    assert publish.setting() == Setting("ada/lab")
    text = (clone / "README.md").read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| [00 · Start](notebooks/00_start.ipynb) | What is this? | 20 |  | [![Open in Colab](" in text
    assert publish.main([]) == 0  # the repository is remembered
    assert (clone / "README.md").read_text(encoding="utf-8") == text
    assert publish.main(["--repo", "bob/lab"]) == 0
    assert (clone / "README.md").read_text(encoding="utf-8") == text.replace("ada/lab", "bob/lab")


def test_a_draft_is_not_shown(clone):
    source = clone / "notebooks/source/00_start.py"
    assert [lesson.name for lesson in publish.lessons(clone)] == ["00_start"]
    source.write_text("# draft\n" + source.read_text(encoding="utf-8"), encoding="utf-8")
    assert publish.lessons(clone) == []
    assert "00 · Start" not in publish.table(clone, Setting())


def test_table_shows_a_picture_once_it_is_there(clone):
    assert "docs/pictures" not in publish.table(clone, Setting())
    (clone / "docs/pictures").mkdir(parents=True)
    (clone / "docs/pictures/00.png").write_bytes(b"")
    row = '| [00 · Start](notebooks/00_start.ipynb) | What is this? | 20 | <img src="docs/pictures/00.png" width="240" height="150" alt="00 · Start"> |'
    assert publish.table(clone, Setting()).splitlines()[-1] == row


def test_a_bad_repo_writes_nothing(clone, capsys):
    before = (clone / "README.md").read_text()
    assert publish.main(["--repo", "nonsense"]) == 1
    assert "repo must be OWNER/NAME" in capsys.readouterr().err
    assert (clone / "README.md").read_text() == before
    assert (clone / "publish.json").read_text() == "{}"


def test_a_readme_without_markers_and_a_lesson_without_minutes_are_named(clone, capsys):
    (clone / "README.md").write_text("no markers")
    assert publish.main([]) == 1
    assert "README.md must hold the lines" in capsys.readouterr().err
    (clone / "notebooks/source/01_more.py").write_text(
        "# minimum: code 1\n# %% [markdown]\n# # 01 · More\n# **Why?**\n\n# %%\n1\n"
    )
    assert publish.main([]) == 1
    assert "01_more.py:3: the first cell must have 'N minutes' (a figure); got" in capsys.readouterr().err


def test_every_lesson_has_its_picture_and_it_is_the_notebooks_own():
    for lesson in publish.lessons():
        picture = Image.open(ROOT / f"docs/pictures/{lesson.number}.png").convert("RGB")
        assert picture.size == SIZE == (480, 300)
        expected = small(cover(ROOT / f"notebooks/{lesson.name}.ipynb"))
        gap = np.abs(np.asarray(expected, float) - np.asarray(picture, float)).mean()
        assert gap < 12, f"docs/pictures/{lesson.number}.png is not the lesson's cover; run: cvlab publish"


def drawing(size, color, *, mode="RGB", box=None) -> bytes:
    paper = Image.new(mode, size, "white" if mode == "RGB" else (0, 0, 0, 0))
    paper.paste(color, box or (0, 0, *size))
    stream = io.BytesIO()
    paper.save(stream, "png")
    return stream.getvalue()


def notebook_of(path, *pictures, covers=()):
    def output(picture):
        return {"output_type": "display_data", "data": {"image/png": base64.b64encode(picture).decode()}}

    tags = [["cover"] if n in covers else [] for n in range(len(pictures))]
    outputs = [[output(picture)] if picture else [] for picture in pictures]
    cells = [{"metadata": {"tags": t}, "outputs": o} for t, o in zip(tags, outputs, strict=True)]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_the_cover_is_the_cell_tagged_so_else_the_first_picture(tmp_path):
    red, blue = drawing((90, 60), "red"), drawing((90, 60), "blue")
    assert cover(notebook_of(tmp_path / "n.ipynb", None, red, blue)) == red
    assert cover(notebook_of(tmp_path / "n.ipynb", None, red, blue, covers=[2])) == blue
    assert cover(notebook_of(tmp_path / "n.ipynb", None)) is None
    assert cover(notebook_of(tmp_path / "n.ipynb", red, None, covers=[1])) is None


@pytest.mark.parametrize(
    ("size", "left", "top"), [((800, 200), 0, 90), ((100, 200), 165, 0), ((48, 30), 0, 0)]
)
def test_pictures_of_all_shapes_become_one_size_on_white(size, left, top):
    pixels = np.asarray(small(drawing(size, "red")))
    assert pixels.shape == (300, 480, 3)
    red = (pixels == (255, 0, 0)).all(axis=2)
    rows, cols = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert abs(rows[0] - top) <= 1
    assert abs(cols[0] - left) <= 1
    assert (pixels == 255).all(axis=2).sum() + red.sum() > 0.98 * red.size


def test_white_and_transparent_margins_are_cut_off():
    for mode in ("RGB", "RGBA"):
        assert trimmed(drawing((100, 100), "red", mode=mode, box=(20, 30, 80, 70))).size == (60, 40)


def test_lesson_00_maps_every_lesson_with_its_minutes():
    source = (ROOT / "notebooks/source/00_start_here.py").read_text(encoding="utf-8")
    rows = {
        number: row for row, number in re.findall(r"^# (\| \*\*(\d\d[a-z]?)\*\* .*)$", source, re.MULTILINE)
    }
    known = {lesson.number: lesson.heading() for lesson in publish.lessons()}
    assert set(rows) == set(known), (
        "lessons that can be opened are in bold on the map in notebooks/source/00_start_here.py, the others are not"
    )
    for number, heading in known.items():
        assert rows[number].rstrip().endswith(f"| {heading.minutes} |"), rows[number]
