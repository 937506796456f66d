"""The engine behind `check`: runs anything, compares, describes, draws; the notebook's world stays as it was."""

import _thread
import dataclasses
import gc
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvlab.checks import Case, Exercise, Mistake, check, grade
from cvlab.checks._engine import apart, lookup, outcomes, registry
from cvlab.checks._engine.compare import difference
from cvlab.checks._engine.describe import describe
from cvlab.checks._engine.picture import pictures
from cvlab.checks._engine.run import Outcome, Problem, run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))


def mirror_as(function):
    return grade(registry.find("mirror"), function)


# ---- what a function may do to the world ---------------------------------------------------------


def assert_no_worker_is_left():
    for thread in threading.enumerate():
        if thread.name == "cvlab-check":
            thread.join(60)  # it ends a moment after its work
            assert not thread.is_alive()


def test_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr("cvlab.checks._engine.run._PATIENCE", 60)

    def loop(image):
        while True:
            pass

    def stubborn(image):
        while True:
            try:  # noqa: SIM105
                image.sum()
            except:  # noqa: E722
                pass

    exercise = dataclasses.replace(registry.find("mirror"), seconds=0.2)
    for function in (loop, stubborn):
        result = grade(exercise, function)
        assert result.message == (
            "Still running after 0.2 seconds, so it was stopped. Does every loop come to an end?"
        )
        assert_no_worker_is_left()


def test_what_does_not_react_is_left_behind(monkeypatch):
    monkeypatch.setattr("cvlab.checks._engine.run._PATIENCE", 0.1)
    gate = threading.Event()
    exercise = dataclasses.replace(registry.find("mirror"), seconds=0.1)
    result = grade(exercise, lambda image: gate.wait())
    gate.set()
    assert "it does not react" in result.message
    assert_no_worker_is_left()


@pytest.fixture
def interrupts():
    """Let interrupts arrive as in a kernel, also where the tests were started in the background, which ignores them.

    The collector is off: hypothesis has a function of its own run by it, and what is raised in that, Python forgets.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()
    yield
    gc.enable()
    signal.signal(signal.SIGINT, before)


# The interrupt may come while psutil reads a file of /proc, which is then closed by the collector and says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fork", ["0", "1"])
def test_users_interrupt_goes_through_and_stops_the_function(interrupts, fork, monkeypatch):
    monkeypatch.setenv("CVLAB_FORK", fork)
    check(registry.find("mirror").reference)  # what is imported first is imported

    def mirror(image):
        while True:
            pass

    over = threading.Event()

    def press():  # again after a while, as a user would: Python may forget one, see `interrupts`
        seconds = 0.3
        while not over.wait(seconds):
            _thread.interrupt_main()
            seconds = 2

    user = threading.Thread(target=press)
    user.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            check(mirror)
    finally:
        over.set()
    user.join()
    assert_no_worker_is_left()


@pytest.mark.skipif(not apart.can_fork(), reason="it is about the fork")
def test_users_interrupt_during_the_fork_comes_after_it(interrupts, monkeypatch):
    fork, pids = apart._fork, []

    def pressed():
        try:
            _thread.interrupt_main()
            threading.Event().wait(0)  # it comes here
        except KeyboardInterrupt:
            pass  # as Python does with what is raised in a function of `os.register_at_fork`
        pids.append(fork())
        return pids[-1]

    monkeypatch.setattr(apart, "_fork", pressed)
    with pytest.raises(KeyboardInterrupt):
        check(registry.find("mirror").reference)
    with pytest.raises(ChildProcessError):  # it was ended and is no child any more
        os.waitpid(pids[0], os.WNOHANG)


def test_users_interrupt_at_the_start_of_the_thread_stops_it(monkeypatch):
    def start(worker):
        threading.Thread.start(worker)
        raise KeyboardInterrupt

    def mirror(image):
        while True:
            pass

    monkeypatch.setattr("cvlab.checks._engine.run._Worker.start", start)
    with pytest.raises(KeyboardInterrupt):
        mirror_as(mirror)
    assert_no_worker_is_left()


def test_global_state_is_put_back():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    error_state, limit, out = np.geterr(), sys.getrecursionlimit(), sys.stdout

    def vandal(image):
        random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
        np.seterr(all="raise")
        sys.setrecursionlimit(12345)
        sys.stdout = None
        torch.set_default_dtype(torch.float64)
        return image[:, ::-1]

    assert mirror_as(vandal)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert after == before
    assert (np.geterr(), sys.getrecursionlimit(), sys.stdout) == (error_state, limit, out)
    assert torch.get_default_dtype() == torch.float32


def test_output_is_shortened_and_not_leaked(capsys):
    outcome = run(lambda: [print(i) for i in range(10**5)], 5)
    assert outcome.printed == "0\n1\n2\n3\n4\n5\n... and more"
    assert capsys.readouterr() == ("", "")
    assert ("Printed", "hello") in mirror_as(lambda image: print("hello")).rows


def test_warning_is_quoted():
    def psnr(a, b, peak=255):
        return float(np.log(np.zeros(1))[0])

    assert "Python warned: divide by zero" in check(psnr).message


def test_checks_import_nothing_heavy():
    code = "import sys, cvlab.checks as c; c.exercises('00'); print(sorted({'torch', 'cv2', 'matplotlib', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_real_kernel_survives(tmp_path):
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [
        "import sys\nfrom cvlab import check\ndef mirror(image):\n    while True:\n        pass\ncheck(mirror)",
        "def mirror(image):\n    exit()\ncheck(mirror)",
        "def mirror(image):\n    return input('?')\ncheck(mirror)",
        "def mirror(image):\n    return image[:,\n        99]\ncheck(mirror)",
        "def mirror(image):\n    return image[:, ::-1]\ncheck(mirror)",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    texts = [cell.outputs[0]["data"]["text/plain"] for cell in notebook.cells]
    assert "so it was stopped" in texts[0]
    assert "It ended Python" in texts[1]
    assert "input() cannot be used" in texts[2]
    assert "Your line: 2: return image[:," in texts[3]
    assert texts[4].startswith("Right: mirror")
    assert all("text/html" in cell.outputs[0]["data"] for cell in notebook.cells)
    saved = json.loads((tmp_path / "home" / "progress.json").read_text())
    assert saved["exercises"]["mirror"] == {"attempts": 5, "hints": 0, "solved": True, "solution_seen": False}


# ---- the engine's parts --------------------------------------------------------------------------


class Doubler:
    """A class exercise's reference."""

    def __init__(self, factor=2):
        self.factor = factor

    def __call__(self, value):
        return value * self.factor


def test_exercises_may_be_classes():
    exercise = Exercise(
        name="Doubler",
        lesson="00",
        minutes=1,
        difficulty="easy",
        reference=Doubler,
        other=Doubler,
        cases=lambda: [Case(3).shown_as("Doubler()(3)")],
        mistakes=[Mistake("forgets", type("Doubler", (), {"__call__": lambda self, v: v}), "Double it.")],
        hints=["?"],
        apply=lambda cls, value: cls()(value),
    )
    assert grade(exercise, Doubler)
    result = grade(exercise, exercise.mistakes[0].function)
    assert result.message == "Double it."
    assert result.rows[0] == ("Call", "Doubler()(3)")
    assert lookup.signature_slip(exercise, lambda: 0).message == "Doubler must be a class; got a function."


@pytest.mark.parametrize(
    ("expected", "got", "text"),
    [
        (1, 1.0, "Expected an int, got a float: 1.0."),
        (1.0, 1, "Expected a float, got an int: 1."),
        (1, True, "Expected an int, got a bool: True."),
        (True, 1, "Expected a bool, got an int: 1."),
        (2.0, np.array(2.0), "Expected a float, got a NumPy array of shape ()."),
        (2.0, 3.0, "Expected 2.0, got 3.0."),
        (2.0, float("nan"), "Expected 2.0, got nan."),
        ((1, 2), [1, 2], "Expected a tuple of 2, got a list."),
        ([1, 2], (1, 2), "Expected a list of 2, got a tuple."),
        ((1, 2), (1,), "The tuple has 1 items, expected 2."),
        ((1, 2.0), (1, 5.0), "Item 1 of the tuple: Expected 2.0, got 5.0."),
        ({"a": 1}, {"b": 1}, "The dict's keys differ: missing ['a'], not expected ['b']."),
        ({"a": 1}, {"a": 2}, "Under the key 'a': Expected 1, got 2."),
        ("a", "b", "Expected 'a', got 'b'."),
        ("a", 1, "Expected a text (str), got an int: 1."),
        (np.zeros((1, 3)), np.zeros(3), "The shape is (3,), expected (1, 3)."),
        (np.zeros(3), np.zeros(3, np.float32), "The dtype is float32, expected float64."),
        (np.zeros(3, bool), np.array([0, 1, 0], bool), "1 of 3 values differ. At [1]: expected False, got True."),
        (np.zeros(2), np.array([np.nan, 0]), "1 of 2 values differ. At [0]: expected 0.0, got nan. Values that are NaN or infinite: 1."),
        (np.zeros(2, np.uint8), np.array([1, 9], np.uint8), "2 of 2 values differ. At [0]: expected 0, got 1. The largest difference is 9, at [1]."),
    ],
)  # fmt: skip
def test_difference_in_words(expected, got, text):
    assert difference(expected, got) == text


def test_difference_tells_torch_from_numpy():
    assert (
        difference(torch.zeros(2), np.zeros(2, np.float32)) == "Expected a torch tensor, got a NumPy array."
    )
    assert difference(np.zeros(2), torch.zeros(2)) == "Expected a NumPy array, got a torch tensor."
    assert difference(torch.zeros(2), torch.zeros(2).double()) == "The dtype is float64, expected float32."
    assert difference(torch.zeros(2), torch.zeros(2, requires_grad=True)) is None
    assert difference(torch.zeros(2), torch.zeros(2, dtype=torch.bfloat16), any_float=True) is None


@given(st.data())
def test_difference_finds_any_single_change(data):
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    a = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 9, shape)
    index = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    b = a.copy()
    assert difference(a, b) is None
    b[index] += data.draw(st.sampled_from([-3, 1, 7]))
    assert f"At [{index[0]}, {index[1]}]: expected {a[index]}, got {b[index]}." in difference(a, b)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    )
)
def test_describe_is_short_and_never_raises(value):
    assert 0 < len(describe(value)) <= 400


def test_pictures_show_input_expected_got_and_difference():
    from PIL import Image

    expected, got = np.array([[0, 255], [100, 100]], np.uint8), np.array([[0, 0], [255, 100]], np.uint8)
    found = pictures(expected, expected, got)
    captions = [p.caption for p in found]
    assert captions[:3] == ["Input, 2 x 2", "Expected, 2 x 2", "Got, 2 x 2"]
    assert captions[3] == "Got minus expected: blue is below, red above"
    assert "50% of the pixels differ, values from -255 to 155" in found[3].alt
    signed = np.asarray(Image.open(io.BytesIO(found[3].png)))
    side = signed.shape[0] // 2
    assert signed[2, 2].tolist() == [255, 255, 255]  # equal
    assert signed[2, side + 2].tolist() == [0, 114, 178]  # too small
    assert signed[side + 2, 2, 0] > signed[side + 2, 2, 2]  # too large
    assert "Got" in mirror_as(lambda image: image[::-1])._repr_html_()


@pytest.mark.parametrize("shape", [(1, 2), (300, 200), (2000, 3), (40, 40, 3), (5, 4, 3)])
@pytest.mark.parametrize("fill", [0, np.nan, np.inf])
def test_pictures_of_any_size_stay_small(shape, fill):
    found = pictures(np.zeros(shape), np.zeros(shape), np.full(shape, fill))
    assert len(found) == 4
    assert all(len(p.png) < 40_000 for p in found)
    assert pictures(None, 3.0, 2.0) == ()


# ---- known mistakes are told by their cause ------------------------------------------------------


def test_another_exception_of_the_same_type_is_the_learners_own():
    def resize_nearest(image, height, width):
        return image[[0, 99]]  # an IndexError, as the ratio upside down gives

    result = check(resize_nearest)
    assert result.message.startswith("It raised ")
    assert result.rows[-1][1].endswith("# an IndexError, as the ratio upside down gives")

    class ResidualBlock(torch.nn.Module):
        def __init__(self, channels_in, channels_out, stride=1):
            super().__init__()
            self.conv = torch.nn.Conv2d(channels_in, channels_out, 3, stride, padding=2)

        def forward(self, x):
            return self.conv(x) + x  # the slip

    result = check(ResidualBlock)
    assert result.message.startswith("It raised RuntimeError: The size of tensor a (7) must match")
    assert result.rows[-1][1].endswith("return self.conv(x) + x  # the slip")


def test_a_mistake_that_raises_is_known_by_its_cause():
    def cross_entropy(logits, labels):
        shifted = logits - logits.max(dim=1, keepdim=True).values
        log_p = shifted - shifted.exp().sum(dim=1).log()
        return -log_p[torch.arange(len(labels)), labels].mean()

    known = {m.name: m.message for m in registry.find("cross_entropy").mistakes}
    assert check(cross_entropy).message == known["no keepdim in the sum"]

    def precision_recall(tp, fp, fn):
        return tp / (tp + fp), tp / (tp + fn)

    known = {m.name: m.message for m in registry.find("precision_recall").mistakes}
    assert check(precision_recall).message == known["divides by zero"]


def test_a_mistake_in_the_values_is_named_before_the_dtype():
    known = {m.name: m.message for m in registry.find("mirror").mistakes}
    upside_down = known["reverses rows"]
    for change in (np.float32, np.float64, lambda a: torch.from_numpy(a.copy())):

        def mirror(image, change=change):
            return change(image[::-1])

        assert check(mirror).message == upside_down

    def mirror(image):
        return image[:, ::-1].astype(float)

    assert check(mirror).message == "The dtype is float64, expected uint8."


def test_numbers_in_a_message_count_where_nothing_else_tells():
    def raised(message, value=None):
        problem = Problem("ValueError", message, 1, "", "", 1) if message else None
        return Outcome(value, problem)

    exercise = registry.find("psnr")
    one, other = raised("size 3"), raised("size 4")
    assert not outcomes.same_outcomes(exercise, [one], [other])
    assert outcomes.same_outcomes(exercise, [raised("", 2.0), one], [raised("", 2.0), other])
    assert not outcomes.same_outcomes(
        exercise, [raised("", 2.0), one], [raised("", 2.0), raised("no size 3")]
    )
    elsewhere = Outcome(None, Problem("ValueError", "size 3", 0, "", "", 0))
    assert not outcomes.same_outcomes(exercise, [one], [elsewhere])
