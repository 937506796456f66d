"""What a notebook's checks said is compared with what they should say, cell by cell."""

import pytest
from nbformat.v4 import new_output

from cvlab.course.compose import inputs
from cvlab.course.outcomes import wrong_outcomes
from cvlab.course.source import read_lesson

EXERCISE = """# minimum: code 1
# %% tags=["exercise"]
def mirror(image):
    ### BEGIN SOLUTION
    return image[:, ::-1]
    ### END SOLUTION
"""
CHECK = "# %%\ncheck(mirror)\n"


def found(tmp_path, text: str, said: dict[int, str], kind: str = "solution") -> list[tuple[int, str]]:
    """Give the cells of a notebook the outputs in `said`, and return what is wrong with it."""
    path = tmp_path / "07_demo.py"
    path.write_text(text, encoding="utf-8")
    lesson = read_lesson(path)
    notebook = inputs(lesson, kind)
    for index, words in said.items():
        notebook.cells[index].outputs = [new_output("execute_result", {"text/plain": words})]
    return list(wrong_outcomes(notebook, lesson, kind))


@pytest.mark.parametrize(("kind", "word"), [("solution", "Right"), ("student", "Not attempted")])
def test_the_word_of_each_kind(tmp_path, kind, word):
    for said in ("Right", "Not attempted", "Wrong", "Not checked"):
        wrong = found(tmp_path, EXERCISE + CHECK, {1: f"{said}: mirror\nAll pass."}, kind)
        assert bool(wrong) == (said != word)
        assert all(
            message.startswith(f"check(mirror) says '{said}: mirror', expected '{word}'")
            for _, message in wrong
        )


@pytest.mark.parametrize(
    ("text", "said", "index", "message"),
    [
        (EXERCISE, {}, 0, "exercise 'mirror' is never checked: write check(mirror) in a cell of its own"),
        (EXERCISE + CHECK, {}, 1, "check(mirror) says 'nothing', expected 'Right'"),
        (EXERCISE + CHECK, {1: "Not checked: check\nNone."}, 1, "register it: cvlab/checks/ needs a folder with an"),
        (EXERCISE + CHECK + "check(mirror)\n", {1: "Right: mirror"}, 1, "one cell checks mirror and mirror"),
        (EXERCISE + CHECK + CHECK.replace("mirror", "other"), {1: "Right: mirror", 2: "Right: other"}, 2, "no exercise 'other'"),
    ],
)  # fmt: skip
def test_what_else_is_noticed(tmp_path, text, said, index, message):
    wrong = found(tmp_path, text, said)
    assert wrong[0][0] == index
    assert message in wrong[0][1]


def test_all_is_well(tmp_path):
    assert found(tmp_path, EXERCISE + CHECK, {1: "Right: mirror\nAll 6 cases pass."}) == []
