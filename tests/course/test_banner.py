"""The banner of an exercise says what its table says, and stands where the source has its mark."""

import pytest
from support.sealed import ROOT

from cvlab.course.banner import banner
from cvlab.course.compose import inputs
from cvlab.course.source import SourceError, read_lesson

SOURCE = """\
# minimum: code 1
# %% [markdown]
# # A lesson
# %% [markdown]
# **Exercise.** Swap left and right.
#
# The picture stays as it is.
# %% tags=["exercise"]
def mirror(image):
    ### BEGIN SOLUTION
    return image[:, ::-1].copy()
    ### END SOLUTION
# %%
check(mirror)
"""


def read(tmp_path, text, name="00_demo"):
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    return read_lesson(path)


@pytest.mark.parametrize("kind", ["student", "solution"])
def test_the_mark_becomes_the_banner(tmp_path, kind):
    notebook = inputs(read(tmp_path, SOURCE), kind)
    first, *rest = notebook.cells[1].source.split("\n")
    assert first == banner("mirror", 1, 1, 3, "easy")
    assert "Exercise 1 of 1 · <code>mirror</code> · ●○○ easy · 3 minutes" in first
    assert rest == ["", "Swap left and right.", "", "The picture stays as it is."]


def test_exercises_are_counted_in_their_lesson(tmp_path):
    text = SOURCE + SOURCE[SOURCE.index("# %% [markdown]\n# **") :].replace("mirror", "slope")
    cells = inputs(read(tmp_path, text), "student").cells
    assert "Exercise 1 of 2 · <code>mirror</code>" in cells[1].source
    assert "Exercise 2 of 2 · <code>slope</code>" in cells[4].source


@pytest.mark.parametrize(
    ("old", "new", "name", "message"),
    [
        ("mirror", "mirrored", "00_demo", "no exercise 'mirrored' of lesson 00 is registered"),
        ("# A lesson", "# A lesson", "99_demo", "no exercise 'mirror' of lesson 99 is registered"),
        (
            '# %% tags=["exercise"]',
            '# %%\n1\n# %% tags=["exercise"]',
            "00_demo",
            "a cell with one exercise must",
        ),
        (
            "# %%\ncheck",
            "# %% [markdown]\n# **Exercise.**\n# %%\ncheck",
            "00_demo",
            "a cell with one exercise must",
        ),
    ],
)
def test_a_mark_without_its_exercise_is_an_error(tmp_path, old, new, name, message):
    with pytest.raises(SourceError, match=message):
        inputs(read(tmp_path, SOURCE.replace(old, new), name), "student")


def test_the_sheet_finds_the_banner():
    """JupyterLab makes a heading's id from its text; the sheet that frames the exercise's cells looks for it."""
    sheet = (ROOT / "cvlab/course/lesson.css").read_text()
    assert sheet.count('blockquote > h4[data-jupyter-id^="Exercise-"]') == 3
    assert '><h4 style="margin: 0">Exercise ' in banner("f", 1, 1, 1, "easy")
