"""`cvlab build`: what it makes from a small source, what it refuses, and that `--check` names what is wrong."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from cvlab.course import build, compose, publish
from cvlab.course.compose import FOLDED
from cvlab.course.execute import WIDGET
from cvlab.course.source import SourceError, read_lesson, solved, student

SOURCE = '''\
# minimum: code 6, output 5, picture 1, widget 1, check 1

# %% [markdown]
# # Does it run?

# %% tags=["setup"]

# %%
import os

import matplotlib.pyplot as plt

print(os.listdir("."), os.environ["CVLAB_HOME"] != "", "CVLAB_ONLINE" in os.environ)
plt.plot([1, 2]);

# %% tags=["nbval-ignore-output"]
import time

print(time.time_ns())

# %%
import ipywidgets

ipywidgets.IntSlider()

# %% tags=["exercise"]
import numpy as np

from cvlab import check

def mirror(image: np.ndarray, *, twice=False) -> np.ndarray:
    """Return the image with left and right exchanged."""
    step = -1
    ### BEGIN SOLUTION
    if twice:
        step = 1
    return image[:, ::step]
    ### END SOLUTION

# %% tags=["author"]
found = mirror(np.eye(2))
assert found[0, 1] == 1

# %%
check(mirror)

# %% tags=["fold", "raises-exception"]
# What the answer gives for one row
int(mirror(np.array([[1, 5]])).sum())
'''


def write(root: Path, text: str, name: str = "07_demo") -> Path:
    path = root / "notebooks" / "source" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted((root / "notebooks").rglob("*.ipynb"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A small course that was built once; tests that change it take a copy."""
    root = tmp_path_factory.mktemp("course")
    write(root, SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("CVLAB_ONLINE", "1")  # must not reach the kernel
        assert build.main([]) == 0
    return root


@pytest.fixture
def course(built, tmp_path, monkeypatch) -> Path:
    root = tmp_path / "course"
    shutil.copytree(built, root)
    monkeypatch.chdir(root)
    return root


def read(root: Path, kind: str = "student"):
    return nbformat.read(
        root / "notebooks" / ("solutions" if kind == "solution" else "") / "07_demo.ipynb", 4
    )


def check(capsys) -> tuple[int, str]:
    code = build.main(["--check"])
    return code, capsys.readouterr().err


def test_notebooks_are_run_and_slim(built):
    for kind in ("student", "solution"):
        notebook = read(built, kind)
        nbformat.validate(notebook)
        assert [cell.id for cell in notebook.cells] == [f"07-{n:03d}" for n in range(1, 9)]
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5, 6, 7]
        assert code[0].source == publish.setup_cell().rstrip()
        assert code[1].outputs[0].text == "[] True False\n"  # an empty folder, its own home, no network
        assert set(notebook.metadata) == {"kernelspec", "language_info"}
        assert notebook.metadata.kernelspec.name == "python3"
        assert b"Software" not in json.dumps(notebook).encode()
        assert [cell.metadata for cell in notebook.cells if set(cell.metadata) > {"tags"}] == [
            {"tags": ["fold", "raises-exception"], **FOLDED}
        ]


def test_student_gets_a_stub_and_solution_an_answer(built):
    stub, answer = read(built).cells[5].source, read(built, "solution").cells[5].source
    assert stub.endswith('    step = -1\n    raise NotImplementedError("Your turn: write mirror")')
    assert '"""Return the image with left and right exchanged."""' in stub
    assert answer.endswith("    return image[:, ::step]")
    assert "SOLUTION" not in stub + answer
    assert read(built).cells[6].outputs[0].data["text/plain"].startswith("Not attempted: mirror\n")
    assert read(built, "solution").cells[6].outputs[0].data["text/plain"].startswith("Right: mirror\n")
    assert read(built).cells[7].outputs[0].ename == "NotImplementedError"
    assert read(built, "solution").cells[7].outputs[0].data["text/plain"] == "6"


@pytest.mark.slow
def test_second_build_changes_no_byte(course, capsys):
    before = contents(course)
    assert build.main(["7"]) == 0
    assert contents(course) == before
    table = capsys.readouterr().out
    assert table.count("same") == 2
    assert "seconds  end MB  peak MB" in table


@pytest.mark.slow
def test_fresh_renews_only_what_is_not_reproducible(course):
    before = read(course)
    assert build.main(["--fresh"]) == 0
    pairs = list(zip(before.cells, read(course).cells, strict=True))
    assert [old.id for old, new in pairs if old != new] == ["07-004"]
    assert any(WIDGET in output.get("data", {}) for output in before.cells[4].outputs)


def test_authors_cells_are_run_and_not_kept(built):
    for kind in ("student", "solution"):
        assert "assert" not in "".join(cell.source for cell in read(built, kind).cells)
    (lesson,) = compose.read_lessons(built)
    whole = compose.inputs(lesson, "solution", author=True).cells
    assert [cell.id for cell in whole if cell.metadata.get("tags") == ["author"]] == ["07-author-001"]
    assert whole[6].id == "07-author-001"
    assert compose.inputs(lesson, "student", author=True) == compose.inputs(lesson, "student")


def test_check_agrees_after_a_build(course, capsys):
    assert check(capsys) == (0, "")


def test_check_runs_nothing(course, monkeypatch):
    monkeypatch.setattr("cvlab.course.build.run_notebook", lambda *a, **k: pytest.fail("a notebook was run"))
    before = contents(course)
    assert build.main(["--check"]) == 0
    assert contents(course) == before


def change(course: Path, old: str, new: str) -> None:
    path = course / "notebooks" / "07_demo.ipynb"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_check_names_a_changed_cell(course, capsys):
    change(course, "ipywidgets.IntSlider()", "ipywidgets.FloatSlider()")
    code, error = check(capsys)
    assert code == 1
    assert error == (
        "notebooks/07_demo.ipynb: cell 07-005 (source) differs from notebooks/source/07_demo.py; run: cvlab build 07\n"
    )


def test_check_names_a_drifted_signature(course, capsys):
    change(course, "twice=False)", "thrice=False)")
    code, error = check(capsys)
    assert code == 1
    assert error == (
        "notebooks/07_demo.ipynb: the stub mirror(image: np.ndarray, *, thrice=False) -> np.ndarray drifts from "
        "its solution's signature mirror(image: np.ndarray, *, twice=False) -> np.ndarray\n"
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda nb: nb.metadata.update(widgets={}), "metadata differs from"),
        (lambda nb: nb.cells[2].update(execution_count=None), "cell 07-003 was never run"),
        (lambda nb: nb.cells[3].metadata.pop("tags"), "cell 07-004 (metadata) differs from"),
        (lambda nb: nb.cells[7].metadata.pop("jupyter"), "cell 07-008 (metadata) differs from"),
        (lambda nb: nb.cells[3].update(id="x"), "cell 07-004 (id) differs from"),
        (lambda nb: nb.cells.pop(), "the number of cells, 7 and not 8, differs from"),
    ],
)
def test_check_names_other_differences(course, capsys, spoil, message):
    notebook = read(course)
    spoil(notebook)
    (course / "notebooks" / "07_demo.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    code, error = check(capsys)
    assert code == 1
    assert error.startswith("notebooks/07_demo.ipynb: ")
    assert message in error


def test_check_looks_at_what_the_checks_said(course, capsys):
    change(course, "Not attempted: mirror", "Wrong: mirror, case 1 of 6")
    code, error = check(capsys)
    assert code == 1
    assert error == (
        "notebooks/07_demo.ipynb: cell 07-007: check(mirror) says 'Wrong: mirror, case 1 of 6', "
        "expected 'Not attempted'\n"
    )


def test_check_names_missing_broken_and_orphaned_files(course, capsys):
    (course / "notebooks" / "solutions" / "07_demo.ipynb").unlink()
    (course / "notebooks" / "07_demo.ipynb").write_text("{", encoding="utf-8")
    (course / "notebooks" / "09_gone.ipynb").write_text("{}", encoding="utf-8")
    code, error = check(capsys)
    assert code == 1
    assert "notebooks/solutions/07_demo.ipynb: missing, its source is notebooks/source/07_demo.py" in error
    assert "notebooks/07_demo.ipynb: not a readable notebook" in error
    assert "notebooks/09_gone.ipynb: orphaned, there is no notebooks/source/09_gone.py" in error


def test_check_names_a_long_core_cell(course, capsys):
    write(course, SOURCE + '\n# %% tags=["core"]\n' + "x = 1\n" * 26)
    code, error = check(capsys)
    assert code == 1
    assert "notebooks/source/07_demo.py:52: a core cell has at most 25 lines; this one has 26" in error


EXERCISE = '# minimum: code 1\n# %% tags=["exercise"]\n'
BEGIN, END = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION\n"
BROKEN = {
    "unclosed": (f"{EXERCISE}def f():\n{BEGIN}    return 1\n", 4, "is never closed by ### END SOLUTION"),
    "nested": (f"{EXERCISE}def f():\n{BEGIN}{BEGIN}    return 1\n{END}", 5, "inside another solution"),
    "end alone": (
        f"{EXERCISE}def f():\n    return 1\n{END}",
        5,
        "### END SOLUTION without ### BEGIN SOLUTION",
    ),
    "twice": (
        EXERCISE
        + f"def f():\n{BEGIN}    return 1\n{END}"
        + f'# %% tags=["exercise"]\ndef f():\n{BEGIN}    return 1\n{END}',
        8,
        "exercise 'f' appears twice; the first is on line 3",
    ),
    "no function": (f"{EXERCISE}x = 1\n", 3, "an exercise cell without a function"),
    "outside": (
        f"{EXERCISE}### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n",
        3,
        "must stand in the body of a function",
    ),
    "untagged": (
        f"# minimum: code 1\n# %%\ndef f():\n{BEGIN}    return 1\n{END}",
        4,
        'a cell with tags=["exercise"]',
    ),
    "syntax": ("# minimum: code 1\n# %%\nx = 1\n\ny = = 2\n", 5, "syntax error: invalid syntax"),
    "marker": ('# minimum: code 1\n# %% tags="core"\nx = 1\n', 2, "cell marker not understood"),
    "tags": ("# minimum: code 1\n# %% tags=[core]\nx = 1\n", 2, 'tags must be a list of "words"; got [core]'),
    "prose": (
        "# minimum: code 1\n# %% [markdown]\n# fine\nnot fine\n",
        4,
        "has only lines that start with '# '",
    ),
    "empty": ("# minimum: code 1\n# %%\n\n# %%\nx = 1\n", 2, "empty cell"),
    "no cell": ("x = 1\n", 1, "no cell: start one with"),
    "no minimum": ("# %%\nx = 1\n", 1, "the lesson declares no minimum: write '# minimum: code 20"),
    "short run": ("# minimum: code 9\n# %%\nx = 1\n", 1, "the student notebook has 1 code, its minimum is 9"),
    "what minimum": ("# minimum: cat 9\n# %%\nx = 1\n", 1, "minimum of 'cat'; known are code, output"),
    "fails": ("# minimum: code 1\n# %%\nx = 1\n# %%\ndef f():\n    1 / 0\n\nf()\n", 8, "ZeroDivisionError"),
    "address": ("# minimum: code 1\n# %%\n\nobject()\n", 4, "shows a memory address (0x"),
    "error in an output": (
        "# minimum: code 1\n# %%\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()\n",
        3,
        "the student notebook: the cell ran, and its output is an error: ZeroDivisionError: division by zero",
    ),
    "byte": ("# minimum: code 1\n# %%\n'\udce9'\n", 3, "the byte 0xe9 is not UTF-8; save the file as UTF-8"),
    "number as tag": (
        "# minimum: code 1\n# %% tags=[1]\nx = 1\n",
        2,
        'tags must be a list of "words"; got [1]',
    ),
    "unknown tag": (
        '# minimum: code 1\n# %% tags=["exersise"]\nx = 1\n',
        2,
        "unknown tag 'exersise'. Did you mean 'exercise'? Known are again, author, core, cover, ",
    ),
    "tag twice": ('# minimum: code 1\n# %% tags=["core", "core"]\nx = 1\n', 2, "a tag stands twice in "),
    "author's other tag": (
        '# minimum: code 1\n# %% tags=["author", "core"]\nx = 1\n',
        2,
        "a cell of the author's is code, and has no other tag",
    ),
    "author's words": (
        '# minimum: code 1\n# %% [markdown] tags=["author"]\n# x\n',
        2,
        "a cell of the author's is code, and has no other tag",
    ),
    "author's assert": (
        '# minimum: code 1\n# %%\nx = 1\n# %% tags=["author"]\ny = x\nassert y > 1, y\n# %%\nx\n',
        6,
        "the solution notebook fails here: AssertionError: 1",
    ),
    "learner needs the author": (
        '# minimum: code 1\n# %% tags=["author"]\ny = 1\n# %%\nx = 1\ny\n',
        6,
        "the student notebook fails here: NameError",
    ),
    "two covers": (
        '# minimum: code 1\n# %% tags=["cover"]\n1\n# %% tags=["cover"]\n1\n',
        4,
        "a lesson has one cover: this is the second cell tagged so",
    ),
    "fold without a comment": (
        '# minimum: code 1\n# %% tags=["fold"]\nx = 1\n',
        2,
        "a folded cell is code that starts with a comment: what it does",
    ),
    "folded exercise": (
        '# minimum: code 1\n# %% tags=["fold", "exercise"]\n# f\ndef f():\n' + f"{BEGIN}    return 1\n{END}",
        2,
        "an exercise is never folded",
    ),
    "file beside the notebook": (
        "# minimum: code 1\n# %%\nopen('half.pt', 'w').close()\n",
        1,
        "a run leaves half.pt beside the notebook; write to tempfile.mkdtemp()",
    ),
    "unknown exercise": (
        f"{EXERCISE}def nowhere(x):\n{BEGIN}    return x\n{END}# %%\nfrom cvlab import check\n\ncheck(nowhere)\n",
        8,
        "check(nowhere) says 'Not checked: check', expected 'Not attempted'; register it: cvlab/checks/ needs",
    ),
    "wrong solution": (
        f"{EXERCISE}def mirror(image):\n{BEGIN}    return image\n{END}# %%\nfrom cvlab import check\ncheck(mirror)\n",
        8,
        "the solution notebook: check(mirror) says 'Wrong: mirror, case 1 of",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_source_is_one_clear_error(course, capsys, case):
    text, line, message = BROKEN[case]
    write(course, text)
    before = contents(course)
    assert build.main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"notebooks/source/07_demo.py:{line}: ")
    assert message in error
    assert error.count("\n") == 1
    assert contents(course) == before
    assert not list(course.rglob("*.part"))


@pytest.mark.slow
def test_a_solution_that_fails_leaves_both_notebooks(course, capsys):
    write(course, SOURCE.replace("    return image[:, ::step]", "    return z"))
    before = contents(course)
    assert build.main([]) == 1
    assert capsys.readouterr().err == (
        "notebooks/source/07_demo.py:41: the solution notebook fails here: NameError: name 'z' is not defined\n"
    )
    assert contents(course) == before


def test_exercise_names_are_unique_in_the_course(course, capsys):
    write(course, SOURCE, "08_other")
    assert build.main(["--check"]) == 1
    assert "exercise 'mirror' is also in notebooks/source/07_demo.py" in capsys.readouterr().err


def test_unknown_lesson_and_no_course(course, capsys, monkeypatch, tmp_path):
    assert build.main(["3"]) == 1
    assert "no lesson '03'; known are 07" in capsys.readouterr().err
    assert build.main([""]) == 1
    assert "no lesson ''; known are 07" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert build.main([]) == 1
    assert "go to your clone" in capsys.readouterr().err


def test_badge_goes_under_the_title_of_the_student_copy(course, monkeypatch):
    monkeypatch.setattr(publish, "badge", lambda name: f"[badge of {name}](address)")
    (lesson,) = compose.read_lessons(course)
    assert (
        compose.inputs(lesson, "student").cells[0].source == "# Does it run?\n\n[badge of 07_demo](address)"
    )
    assert compose.inputs(lesson, "solution").cells[0].source == "# Does it run?"


def test_methods_and_several_solutions_in_one_cell(tmp_path):
    body = f'class Net:\n    def a(self):\n        """A."""\n    {BEGIN}        return 1\n    {END}\n    def b(self):\n    {BEGIN}        return 2\n    {END}'
    lesson = read_lesson(write(tmp_path, EXERCISE + body))
    assert lesson.exercises() == {"Net": 3}
    (stub,), (answer,) = student(lesson).cells, solved(lesson).cells
    assert stub.source.count('        raise NotImplementedError("Your turn: write Net")') == 2
    assert answer.source.count("return") == 2
    assert len(stub.lines) == len(stub.source.split("\n"))


def test_the_error_is_an_exception_with_file_and_line(tmp_path):
    with pytest.raises(SourceError, match=r"07_demo\.py:1: no cell"):
        read_lesson(write(tmp_path, "x = 1"))
