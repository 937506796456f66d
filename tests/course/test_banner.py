"""The banner of an exercise says what its table says, and stands where the source has its mark."""

import pytest
from support.sealed import ROOT

from cvlab.course.banner import banner
from cvlab.course.compose import FOLDED, RUN_FIRST, inputs
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


def read(tmp_path, text):
    path = tmp_path / "00_demo.py"
    path.write_text(text)
    return read_lesson(path)


@pytest.mark.parametrize("kind", ["student", "solution"])
def test_the_mark_becomes_the_banner(tmp_path, kind):
    notebook = inputs(read(tmp_path, SOURCE), kind)
    first, *rest = notebook.cells[1].source.split("\n")
    assert first == banner("mirror")
    assert "Exercise 1 of 3 · <code>mirror</code> · ●○○ easy · 3 minutes" in first
    assert rest == ["", "Swap left and right.", "", "The picture stays as it is."]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mirror", "mirrored", "exercise 'mirrored' is not registered"),
        (
            '# %% tags=["exercise"]',
            '# %%\n1\n# %% tags=["exercise"]',
            "a cell with one exercise must",
        ),
        (
            "# %%\ncheck",
            "# %% [markdown]\n# **Exercise.**\n# %%\ncheck",
            "a cell with one exercise must",
        ),
    ],
)
def test_a_mark_without_its_exercise_is_an_error(tmp_path, old, new, message):
    with pytest.raises(SourceError, match=message):
        inputs(read(tmp_path, SOURCE.replace(old, new)), "student")


def test_a_folded_set_up_cell_says_what_to_do(tmp_path):
    text = SOURCE + '# %% tags=["setup", "fold"]\n'
    *_, plain = inputs(read(tmp_path, SOURCE + '# %% tags=["setup"]\n'), "student").cells
    *_, folded = inputs(read(tmp_path, text), "student").cells
    assert folded.source == f"{RUN_FIRST}\n{plain.source}"
    assert folded.metadata == {"tags": ["setup", "fold"], **FOLDED}


def test_the_sheet_finds_the_banner():
    """JupyterLab makes a heading's id from its text; the sheet that frames the exercise's cells looks for it."""
    sheet = (ROOT / "cvlab/course/lesson.css").read_text()
    assert sheet.count('> h4[data-jupyter-id^="Exercise-"]') == sheet.count(":has(") == 5
    assert '><h4 style="margin: 0">Exercise ' in banner("mirror")
