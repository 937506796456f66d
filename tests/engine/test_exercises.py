"""Every exercise against right answers, the stub, its named mistakes and anything else a learner may pass."""

import functools
import html.parser
import inspect
import io
import re
import sys

import numpy as np
import pytest
import torch.utils.data
from scipy.optimize import linear_sum_assignment

from cvlab.checks import check, exercises, hint, solution, table
from cvlab.checks._engine import grade as grading
from cvlab.checks._engine import registry
from cvlab.checks._engine.compare import difference
from cvlab.checks._engine.grade import grade
from cvlab.checks._engine.table import Table
from cvlab.convolutions import filters
from cvlab.regions.geometry import box_iou
from cvlab.regions.roi import bilinear_weights
from cvlab.segmentation.unet import double_conv

ALL = exercises()
MISTAKES = [(exercise, mistake) for exercise in ALL for mistake in exercise.mistakes]
each_exercise = pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.name)
each_mistake = pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda v: v.name)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))


def named(exercise, function):
    """Give `function` the name and the parameters that the exercise demands."""
    if inspect.isclass(function):
        return type(exercise.name, (function,), {})

    @functools.wraps(exercise.reference)
    def answer(*args, **kwargs):
        return function(*args, **kwargs)

    return answer


def mirror_as(function):
    return grade(registry.find("mirror"), function)


# ---- the tables ----------------------------------------------------------------------------------


def test_registry_names_what_the_modules_hold():
    for lesson, (_, names) in registry.LESSONS.items():
        found = exercises(lesson)
        assert tuple(e.name for e in found) == names
        assert all(e.lesson == lesson for e in found)
        assert all(e.reference.__name__ == e.name for e in found)
    with pytest.raises(ValueError, match="lesson must be one of 00, 01"):
        exercises("99")


@each_exercise
def test_exercise_is_complete(exercise):
    assert len(exercise.mistakes) >= 5
    assert len(exercise.hints) == 3
    assert 1 <= exercise.minutes <= 30
    assert exercise.difficulty in ("easy", "medium", "hard")
    assert len({m.name for m in exercise.mistakes}) == len(exercise.mistakes)
    assert len({m.message for m in exercise.mistakes}) == len(exercise.mistakes)
    assert all(len(m.message.replace("`", "")) <= 200 for m in exercise.mistakes)
    assert exercise.reference.__doc__
    sizes = [sum(np.size(a) for a in c.args) for c in exercise.cases()]
    assert sizes[0] == min(sizes)


@each_exercise
@pytest.mark.parametrize("answer", ["reference", "other"])
def test_right_answers_pass(exercise, answer):
    result = check(named(exercise, getattr(exercise, answer)))
    assert result, result
    assert result.outcome == "right"
    assert repr(result).startswith(f"Right: {exercise.name}\nAll {len(exercise.cases())} cases pass.")


@each_exercise
def test_reference_and_other_are_different_code(exercise):
    first, second = (inspect_code(getattr(exercise, name)) for name in ("reference", "other"))
    assert first != second


def inspect_code(function):
    if inspect.isclass(function):
        return inspect.getsource(function)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function.__code__.co_code


@each_exercise
def test_untouched_stub_is_not_attempted(exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError("Your turn: write it")

    stub.__name__ = exercise.name
    stub.__code__ = stub.__code__.replace(co_name=exercise.name, co_qualname=exercise.name)
    if inspect.isclass(exercise.reference):
        stub.__code__ = stub.__code__.replace(co_name="__init__", co_qualname=f"{exercise.name}.__init__")
        stub = type(exercise.name, (), {"__init__": stub})
    result = check(stub)
    assert result.outcome == "not attempted"
    assert not result
    assert repr(result) == (
        f"Not attempted: {exercise.name}\nYour turn: write it\nStuck? `hint({exercise.name})`"
    )


@functools.cache
def rows(lesson):
    """Run every known mistake of a lesson's exercises, once for all tests."""
    return {(row.exercise, row.mistake): row for row in table(lesson).rows}


@each_mistake
def test_mistake_is_caught_by_its_own_message(exercise, mistake):
    row = rows(exercise.lesson)[exercise.name, mistake.name]
    assert row.message == mistake.message
    assert row.caught


@pytest.mark.exhaustive  # the first of two that look the same would speak for both: the other is not caught
@each_exercise
def test_no_two_mistakes_look_the_same(exercise):
    ran = [(m.name, grading.outcomes_of(exercise, m.function)) for m in exercise.mistakes]
    for index, (name, outcomes) in enumerate(ran):
        twins = [n for n, o in ran[index + 1 :] if grading.same_outcomes(exercise, outcomes, o)]
        assert not twins, f"{name} and {twins} give the same outcomes: no case tells them apart"


def test_table_prints_every_mistake():
    found = Table(tuple(row for lesson in registry.LESSONS for row in rows(lesson).values()))
    assert found.caught == len(found.rows) == len(MISTAKES)
    text = repr(found)
    assert text.endswith(f"{len(MISTAKES)} of {len(MISTAKES)} wrong answers caught by their own message.")
    assert "01 psnr\n" in text
    assert "MISSED" not in text


@each_exercise
def test_cases_are_fresh_and_references_leave_them_alone(exercise):
    first, second = exercise.cases(), exercise.cases()
    for a, b in zip(first, second, strict=True):
        exercise.call(exercise.reference, a)
        for x, y in zip(a.args, b.args, strict=True):
            assert difference(y, x, tolerance=0) is None
            if isinstance(x, np.ndarray):
                assert not np.may_share_memory(x, y)


# ---- anything else a learner may pass ------------------------------------------------------------


class Awkward:
    """Everything one can ask of it fails."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def _forever(*args, **kwargs):
    return _forever(*args, **kwargs)


def _raise(error):
    raise error


def _shout(*args, **kwargs):
    for _ in range(1000):
        print("x" * 1000)


def _scribble(*args, **kwargs):
    for value in args:
        target = value[0] if isinstance(value, list) else value
        if isinstance(target, np.ndarray):
            target[...] = 7
    return args[0]


def _generator(*args, **kwargs):
    yield args


async def _coroutine(*args, **kwargs):
    return args


NASTY = {
    "none": lambda *a, **k: None,
    "input": lambda *a, **k: a[0],
    "zeros": lambda *a, **k: np.zeros_like(a[0]),
    "zero": lambda *a, **k: 0.0,
    "one": lambda *a, **k: 1,
    "nan": lambda *a, **k: np.full(np.shape(a[0]), np.nan),
    "nan number": lambda *a, **k: float("nan"),
    "infinity": lambda *a, **k: float("inf"),
    "true": lambda *a, **k: True,
    "text": lambda *a, **k: "x" * 10**6,
    "list": lambda *a, **k: [[1, 2], [3]],
    "tuple": lambda *a, **k: (a[0], a[0]),
    "dict": lambda *a, **k: {"image": a[0]},
    "empty": lambda *a, **k: np.array([]),
    "huge": lambda *a, **k: np.broadcast_to(np.uint8(0), (10**6, 10**6)),
    "huge list": lambda *a, **k: [0] * 10**6,
    "objects": lambda *a, **k: np.array([None, "x"], dtype=object),
    "masked": lambda *a, **k: np.ma.masked_array(np.asarray(a[0]), mask=True),
    "structured": lambda *a, **k: np.zeros(2, dtype=[("x", int)]),
    "strings": lambda *a, **k: np.array(["a"]),
    "awkward": lambda *a, **k: Awkward(),
    "awkward list": lambda *a, **k: [Awkward()],
    "function": lambda *a, **k: np.mean,
    "type": lambda *a, **k: int,
    "module": lambda *a, **k: np,
    "complex": lambda *a, **k: 1j,
    "generator": _generator,
    "coroutine": _coroutine,
    "recursion": _forever,
    "prints": _shout,
    "mutates": _scribble,
    "value error": lambda *a, **k: _raise(ValueError("no " * 10**5)),
    "mute error": lambda *a, **k: _raise(MuteError()),
    "address": lambda *a, **k: _raise(TypeError(repr(object()))),
    "exit": lambda *a, **k: sys.exit("bye"),
    "interrupt": lambda *a, **k: _raise(KeyboardInterrupt()),
    "base exception": lambda *a, **k: _raise(BaseException("odd")),
    "stop iteration": lambda *a, **k: _raise(StopIteration()),
    "memory": lambda *a, **k: _raise(MemoryError()),
    "too few arguments": lambda: 0,
    "too many arguments": lambda a, b, c, d, e, f: 0,
    "input()": lambda *a, **k: input("number? "),
}


# Nastiness tests the engine, not the exercise: all of it on a NumPy function, a torch function and a class.
ALL_OF_IT = ("mirror", "cross_entropy", "ResidualBlock")
A_FEW = ("none", "nan", "awkward", "recursion", "mutates", "value error")
NASTY_ANSWERS = [
    pytest.param(
        exercise,
        name,
        id=f"{name}-{exercise.name}",
        marks=() if exercise.name in ALL_OF_IT or name in A_FEW else pytest.mark.exhaustive,
    )
    for exercise in ALL
    for name in NASTY
]


@pytest.mark.parametrize(("exercise", "name"), NASTY_ANSWERS)
def test_nasty_function_is_wrong_and_harmless(exercise, name):
    result = grade(exercise, NASTY[name])
    assert result.outcome == "wrong", result
    for text in (repr(result), result._repr_html_()):
        assert len(text) < 60_000
        assert not re.search(r"0x[0-9a-f]{5,}", text)
    assert len(repr(result)) < 2500
    assert repr(grade(exercise, NASTY[name])) == repr(result)
    assert_balanced(result._repr_html_())


def assert_balanced(text):
    open_tags = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "img":
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Parser().feed(text)
    assert not open_tags


@each_exercise
@pytest.mark.parametrize(
    "change",
    [
        lambda v: np.full_like(v, 0) if isinstance(v, np.ndarray) else v * 0,
        lambda v: v * 0 + 1,
        lambda v: v[None] if hasattr(v, "shape") else np.array([v]),
        lambda v: v.tolist() if hasattr(v, "tolist") else [v] if isinstance(v, str) else str(v),
        lambda v: v.astype(np.complex128) if isinstance(v, np.ndarray) else complex(0),
        lambda v: v + 1,
    ],
    ids=["zeros", "ones", "extra axis", "list", "dtype", "plus one"],
)
def test_nearly_right_is_wrong(exercise, change):
    def almost(*args, **kwargs):
        with np.errstate(all="ignore"):
            return change(exercise.reference(*args, **kwargs))

    assert grade(exercise, almost).outcome == "wrong"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none", "It returned None: is the `return` missing?"),
        ("prints", "It returned None: did you `print` instead of `return`?"),
        ("recursion", "mirror calls itself without end (RecursionError). When should it stop?"),
        ("exit", "It ended Python (`exit` or `sys.exit`). End a function with `return` instead."),
        ("generator", "Expected a NumPy array, got a generator: did you write `yield` instead of `return`?"),
        ("coroutine", "Write `def`, not `async def`"),
        ("function", "Expected a NumPy array, got a function: did you forget to call it?"),
        ("list", "Expected a NumPy array, got a list."),
        ("masked", "Expected a NumPy array, got a MaskedArray."),
        (
            "nan",
            "6 of 6 values differ. At [0, 0]: expected 3, got nan. Values that are NaN or infinite: 6. The dtype is",
        ),
        ("zero", "Expected a NumPy array, got a float: 0.0."),
        ("huge", "The shape is (1000000, 1000000), expected (2, 3)."),
        ("mutates", "Your function changed its input image. Work on a copy: `.copy()`."),
        ("interrupt", "It raised KeyboardInterrupt"),
        ("mute error", "It raised MuteError: (its message cannot be printed)"),
        (
            "input()",
            "It raised RuntimeError: input() cannot be used inside a checked function: use the arguments",
        ),
    ],
)
def test_generic_messages(name, text):
    assert mirror_as(NASTY[name]).message.startswith(text)


def test_values_are_compared_last_and_located():
    def mirror(image):
        result = image[:, ::-1].copy()
        result[-1, 0] += 5
        return result

    result = check(mirror)
    assert repr(result) == (
        "Wrong: mirror, case 1 of 6\n"
        "1 of 6 values differ. At [1, 0]: expected 6, got 11.\n"
        "  Call:     mirror(image)\n"
        "  image:    [[1, 2, 3], [4, 5, 6]], uint8, shape (2, 3)\n"
        "  Expected: [[3, 2, 1], [6, 5, 4]], uint8, shape (2, 3)\n"
        "  Got:      [[3, 2, 1], [11, 5, 4]], uint8, shape (2, 3)\n"
        "Stuck? `hint(mirror)`"
    )


def test_smallest_failing_case_is_shown():
    def mirror(image):
        return image[:, ::-1] if image.ndim == 2 else image[:, ::-1] + 1

    assert check(mirror).heading == "Wrong: mirror, case 3 of 6"


def test_exception_shows_the_learners_own_line():
    def mirror(image):
        width = image.shape[1]
        return np.concatenate([image, width])  # the slip

    result = check(mirror)
    assert result.message.startswith("It raised ValueError: ")
    label, line = result.rows[-1]
    assert label == "Your line"
    assert re.fullmatch(r"\d+: return np.concatenate\(\[image, width\]\)  # the slip", line)


def test_not_implemented_later_or_elsewhere_is_wrong():
    def helper():
        raise NotImplementedError("Your turn")

    def mirror(image):
        return helper()

    result = check(mirror)
    assert result.outcome == "wrong"
    assert result.message == "It reaches a part that is still to be written, in helper."


STRANGE = {
    "none": None, "int": 3, "float": 2.5, "text": "?", "bytes": b"x", "list": [], "dict": {}, "array": np.zeros((2, 2)),
    "module": np, "type": int, "awkward": [Awkward], "class": Awkward, "builtin": len, "stream": io.StringIO,
    "partial": functools.partial(max, 1), "lambda": lambda image: image, "exception": Exception("x"), "dots": ...,
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("verb", [check, hint, solution])
def test_anything_gets_an_answer(verb, name):
    result = verb(Awkward() if name == "awkward" else STRANGE[name])
    assert result.outcome == "not checked"
    assert not result
    assert len(repr(result)) < 700
    assert "failed" not in repr(result)


def test_what_to_write_instead():
    assert (
        check(3.5).message
        == "`check` wants the function itself, without brackets: `check(mirror)`. You gave a value: 3.5."
    )
    assert (
        check("psnr").message == "`check` wants the function itself, not its name in quotes: `check(psnr)`."
    )
    assert check().message == "`check` wants your function: `check(mirror)`."
    assert check(lambda image: image).message.startswith(
        "`check` finds the exercise by the function's name, and a lambda"
    )
    assert check(len, len).message.startswith("`check` takes one function at a time")


def test_unknown_name_gets_the_nearest():
    def to_rbg(image_bgr):
        return image_bgr

    message = check(to_rbg).message
    assert message.startswith("There is no exercise called 'to_rbg'. Did you mean 'to_rgb'")
    assert "The exercises are: mirror, to_batch, slope, to_rgb," in message


def test_signature_is_told_before_running():
    ran = []

    def psnr(x, b, peak=255):
        ran.append(1)

    result = check(psnr)
    assert result.message == "A parameter has another name: number 1 is called `x`, expected `a`."
    assert result.rows == (("Expected", "def psnr(a, b, peak=255)"), ("Got", "def psnr(x, b, peak=255)"))

    def psnr(a, b, peak):
        ran.append(1)

    assert check(psnr).message == "The parameter `peak` needs its default: write `peak=255`."

    def psnr(a):
        ran.append(1)

    assert check(psnr).message == "The parameter `b` is missing."

    def psnr(b, a, peak=255):
        ran.append(1)

    assert check(psnr).message.startswith("The parameters are in another order: number 1 is called `b`")

    def mirror(image, axis):
        ran.append(1)

    assert check(mirror).message == "The parameter `axis` is one too many."
    assert not ran


def test_extra_defaults_star_arguments_and_wrappers_are_fine():
    def mirror(image, verbose=False):
        return image[:, ::-1]

    assert check(mirror)

    def mirror(*args):
        return args[0][:, ::-1]

    assert check(mirror)

    @functools.cache
    def inner():
        return 1

    @functools.wraps(mirror)
    def wrapped(*args, **kwargs):
        return mirror(*args, **kwargs)

    assert check(wrapped)

    class mirror:  # noqa: N801
        pass

    assert check(mirror).message == "mirror must be a function; got a type."


def test_views_and_read_only_results():
    def mirror(image):
        result = image[:, ::-1]
        result.flags.writeable = False
        return result

    assert check(mirror)

    def mirror(image):
        return np.asfortranarray(image[:, ::-1])

    assert check(mirror)

    def to_rgb(image_bgr):
        return image_bgr[..., (2, 1, 0)]

    assert check(to_rgb)


def test_numpy_scalars_count_as_floats():
    def psnr(a, b, peak=255):
        with np.errstate(divide="ignore"):
            return 10 * np.log10(peak**2 / np.mean((a.astype(float) - b) ** 2))

    assert check(psnr)


def test_hints_step_by_step():
    exercise = registry.find("mirror")
    texts = [repr(hint(value)) for value in ("mirror", exercise.reference, "mirror", "mirror")]
    assert [t.splitlines()[0] for t in texts] == [f"Hint {n} of 3 for mirror" for n in (1, 2, 3, 3)]
    assert [t.split("\n", 1)[1] for t in texts[:2]] == [*exercise.hints[:2]]
    assert exercise.hints[-1] in texts[2]
    assert texts[3] == texts[2]
    assert texts[2].endswith("to see an answer: `solution(mirror)`")
    assert_balanced(hint("mirror")._repr_html_())
    assert "Did you mean 'psnr'" in repr(hint("pnsr"))


@each_exercise
def test_solution_is_code_that_passes(exercise):
    shown = solution(exercise.name)
    source = shown.source
    assert source.startswith(("def ", "class "))
    assert '"""' not in source
    assert repr(shown) == f"Solution: {exercise.name}\n{source}"
    assert_balanced(shown._repr_html_())
    scope = {
        "np": np,
        "torch": torch,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "filters": filters,
        "Dataset": torch.utils.data.Dataset,
        "double_conv": double_conv,
        "bilinear_weights": bilinear_weights,
        "box_iou": box_iou,
        "linear_sum_assignment": linear_sum_assignment,
    }  # what a lesson imports
    exec(source, scope)
    assert check(scope[exercise.name])
