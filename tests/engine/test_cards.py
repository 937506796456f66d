"""What a learner sees: code in code type, two versions side by side, what is worth noticing, no number out of nowhere."""

import ast
import functools
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import skimage.metrics
import torch
import torch.nn.functional as F

from cvlab.checks import about, check, exercises, hint, progress, solution
from cvlab.checks._engine import registry
from cvlab.checks._engine.card import card
from cvlab.checks._engine.grade import grade, noticed
from cvlab.checks._engine.markup import to_html
from cvlab.checks._engine.versions import bare, beside

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    path.stem.partition("_")[0]: path.read_text(encoding="utf-8")
    for path in (ROOT / "notebooks" / "source").glob("*.py")
}
ALL = exercises()
SHORTER = [exercise for exercise in ALL if exercise.shorter]
each_exercise = pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.name)
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])")
FACTS = {  # numbers that belong to no case, and what they are
    "0": "nothing", "1": "one", "180": "degrees", "255": "the largest uint8", "256": "how many uint8 there are",
    "100": "percent", "11": "VOC's levels of recall", "101": "COCO's levels of recall", "2009": "a year", "2010": "a year",
    "90": "COCO's largest id", "12": "the first id that COCO does not use",
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))


def written(exercise, body):
    """Return a function with the exercise's name and parameters, and this body."""
    head = [
        p.name + (f"={p.default!r}" if p.default is not p.empty else "")
        for p in inspect.signature(exercise.reference).parameters.values()
    ]
    scope = {"np": np, "torch": torch, "F": F, "scipy": scipy, "skimage": skimage}
    exec(f"def {exercise.name}({', '.join(head)}):\n    {body}", scope)
    return scope[exercise.name]


# ---- texts ---------------------------------------------------------------------------------------


def test_markup():
    shown = to_html("Reverse `image` & write:\n    return image[::-1]\n    # done\nThat is <all>.")
    assert shown.count("<pre") == 1
    assert "return image[::-1]\n# done</code></pre>" in shown
    assert ">image</code> &amp; write:" in shown
    assert "That is &lt;all&gt;." in shown
    assert to_html("one ` alone").count("code") == 0


@each_exercise
def test_texts_mark_their_code(exercise):
    for text in [*exercise.hints, exercise.note, *(m.message for m in exercise.mistakes)]:
        assert text.count("`") % 2 == 0, text
        plain = re.sub(r"`[^`\n]*`|^ {4}.*$", "", text, flags=re.MULTILINE)
        assert not re.search(r"\w\(\)|\w\.\w+\(|\w\[|==|//|\*\*|\+=|\w_\w+\(", plain), (
            f"code in plain type: {plain}"
        )


@each_exercise
def test_a_note_is_one_sentence_of_its_own(exercise):
    assert exercise.note.endswith(".")
    assert 20 < len(exercise.note) < 140


@each_exercise
def test_messages_quote_no_number_that_the_case_does_not_show(exercise):
    cells = re.split(r"\n# %%", SOURCES[exercise.lesson])
    (own,) = [
        n
        for n, cell in enumerate(cells)
        if re.search(rf"^(def|class) {exercise.name}\b", cell, re.MULTILINE)
        and "exercise" in cell.splitlines()[0]
    ]
    statement = " ".join(
        cell for n, cell in enumerate(cells) if n in (own - 1, own) or f"`{exercise.name}`" in cell
    )
    told = statement + inspect.getdoc(exercise.reference) + inspect.getsource(exercise.reference)
    known = set(map(float, [*NUMBER.findall(told), *FACTS]))
    for mistake in exercise.mistakes:
        quoted = NUMBER.findall(re.sub(r"`[^`]*`", "", mistake.message))
        if any(float(number) not in known for number in quoted):
            rows = grade(exercise, mistake.function).rows
            shown = set(map(float, NUMBER.findall(" ".join(text for _, text in rows))))
            astray = [number for number in quoted if float(number) not in known | shown]
            assert not astray, f"{mistake.name}: {astray} in {mistake.message!r}, shown {rows}"


# ---- after a right answer ------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", SHORTER, ids=lambda e: e.name)
def test_the_shorter_way_gives_the_same(exercise):
    assert grade(exercise, written(exercise, f"return {exercise.shorter}")), exercise.shorter


def test_some_exercises_show_a_shorter_way():
    assert len(SHORTER) > len(ALL) // 4


def test_the_shorter_way_is_told_only_where_it_is_shorter():
    def mirror(image):
        result = np.empty_like(image)
        for col in range(image.shape[1]):
            result[:, col] = image[:, -1 - col]
        return result

    assert check(mirror).notes[-1] == "In one line:\n    image[:, ::-1]"

    def mirror(image):
        """Say much, do little."""
        # and comment on it
        return image[:, ::-1]

    assert len(check(mirror).notes) == 1
    assert noticed(registry.find("mirror"), functools.partial(mirror))[-1].startswith("In one line")


# ---- values before dtypes ------------------------------------------------------------------------


def test_a_flipped_kernel_is_named_before_its_dtype():
    def correlate2d(image, kernel):
        rows, cols = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
        result = np.zeros((rows, cols), int)
        for row, col in np.ndindex(rows, cols):
            patch = image[row : row + kernel.shape[0], col : col + kernel.shape[1]].astype(int)
            result[row, col] = (patch * kernel[::-1, ::-1]).sum()
        return result

    result = check(correlate2d)
    assert result.mistake == "kernel flipped"
    assert result.message.startswith("Your kernel is turned by 180 degrees")
    assert result.notes[0] == "The dtype is int64, expected a float."


def test_a_dtype_that_is_the_mistake_is_not_told_twice():
    def to_batch(images):
        return torch.from_numpy(np.stack(images)).unsqueeze(1)

    result = check(to_batch)
    assert result.mistake == "left as uint8"
    assert result.notes == ("Stuck? `hint(to_batch)`",)


def test_an_unknown_slip_in_the_values_is_told_before_the_dtype():
    def mirror(image):
        return image[:, ::-1] + 1.5

    message = check(mirror).message
    assert (
        message
        == "6 of 6 values differ. At [0, 0]: expected 3, got 4.5. The dtype is float64, expected uint8."
    )

    def output_size(size, kernel, stride=1, padding=0, dilation=1):
        return 0.25

    assert " got 0.25. It is a float, expected an int, too." in check(output_size).message


# ---- two versions --------------------------------------------------------------------------------


def test_bare_code_keeps_its_comments_and_runs_as_before():
    code = (
        "def f(\n    a: int,  # the first\n    *rest: 'dict[str, int]', b: float = 3\n) -> tuple[int, int]:\n"
        "    # a comment\n    def g(x: int = 2) -> int:\n        '''Doc.'''\n\n        return x  # naïve\n    return g(a)"
    )
    assert bare(code) == (
        "def f(\n    a,  # the first\n    *rest, b=3\n):\n    # a comment\n    def g(x=2):\n"
        "        return x  # naïve\n    return g(a)"
    )


@each_exercise
def test_bare_references_are_code_without_docstrings_and_annotations(exercise):
    tree = ast.parse(solution(exercise.name).source)
    for node in ast.walk(tree):
        assert getattr(node, "annotation", None) is None
        assert getattr(node, "returns", None) is None
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert ast.get_docstring(node) is None


def test_the_learners_version_stands_beside_with_the_difference_marked():
    def mirror(image):
        """Mirror it."""
        flipped = image[::-1]
        return flipped  # noqa: RET504

    shown = solution(mirror)
    assert "flipped" in shown.own
    assert "Mirror it" not in shown.own
    page = shown._repr_html_()
    assert page.index("Yours") < page.index("One right answer")
    assert page.count("&minus;") == 2  # by sign, not only by colour
    assert page.count(">+<") == 1
    assert "flipped" not in repr(shown)


def test_without_a_version_of_ones_own_the_solution_stands_alone():
    def mirror(image):
        raise NotImplementedError("Your turn")

    for asked in ("mirror", mirror, written(registry.find("mirror"), "return image")):
        assert solution(asked).own == ""
        assert "Yours" not in solution(asked)._repr_html_()


def test_the_same_code_is_told_in_a_sentence():
    def mirror(image):
        """Other words."""
        return image[:, ::-1]

    assert "Yours reads the same." in solution(mirror)._repr_html_().replace("\n", "")


def test_what_a_learner_writes_is_no_html():
    assert "<script>" not in beside("def f():\n    return '<script>'", "def f():\n    return 1")
    assert "<b>" not in card(
        "wrong", "<b>", "<b>", rows=[("<b>", "<b>")], notes=["<b>", "    <b>"], place="<b>"
    )


# ---- the card ------------------------------------------------------------------------------------


def test_the_card_says_which_exercise_it_is_and_how_far_one_is():
    def mirror(image):
        raise NotImplementedError("Your turn")

    mirror.__code__ = mirror.__code__.replace(co_qualname="mirror")
    assert check(mirror).place == "Exercise 1 of 3 · 3 min · easy · open"
    mirror.__code__ = (lambda image: image[::-1]).__code__
    assert check(mirror).place == "Exercise 1 of 3 · 3 min · easy · tried"
    mirror.__code__ = (lambda image: image[:, ::-1]).__code__
    result = check(mirror)
    assert result.place == "Exercise 1 of 3 · 3 min · easy · solved"
    assert result.place in result._repr_html_()
    assert result.place not in repr(result)


def test_a_card_is_a_group_and_no_landmark():
    for shown in (check(3), hint("mirror"), solution("mirror"), progress(), progress("00")):
        page = shown._repr_html_()
        assert page.startswith('<div role="group" aria-label="')
        assert "<section" not in page
        assert "var(" not in page, "JupyterLab takes it off the outputs of a notebook that it does not know"
        assert "calc(" not in page


@each_exercise
def test_what_is_known_without_an_import_is_what_the_exercise_says(exercise):
    facts = about(exercise.name)
    assert (facts.lesson, facts.minutes, facts.difficulty) == (
        exercise.lesson,
        exercise.minutes,
        exercise.difficulty,
    )
    assert registry.names(exercise.lesson)[facts.number - 1] == exercise.name
    assert facts.total == len(registry.names(exercise.lesson))


@pytest.mark.parametrize("lesson", registry.LESSONS)
def test_a_lesson_is_called_as_its_notebook_and_asks_something(lesson):
    said = registry.words(lesson)
    assert f"# # {lesson} · {said.title}\n" in SOURCES[lesson]
    assert said.question.endswith("?")
    assert 60 < len(said.question) < 260
