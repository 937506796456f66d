"""Functions that do harm: each is judged in kind words, and the notebook lives and stays as it was."""

import asyncio
import builtins
import collections
import ctypes
import dataclasses
import faulthandler
import gc
import itertools
import json
import logging
import math
import mmap
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from cvlab import settings
from cvlab.checks import check
from cvlab.checks._engine import apart, compare, registry
from cvlab.checks._engine import grade as grading
from cvlab.checks._engine.exercise import Exercise
from cvlab.checks._engine.result import Result

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
MIRROR = registry.find("mirror")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CVLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["apart", "inside"])
def both_ways(request, monkeypatch):
    """Judge in a process apart, and in this one as on a system that cannot fork."""
    if request.param == "inside":
        monkeypatch.setenv("CVLAB_FORK", "0")
    elif not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    return request.param


def judged(function, seconds=5.0, name="mirror"):
    return grading.judge(dataclasses.replace(registry.find(name), seconds=seconds), function)


# ---- what does not come back ---------------------------------------------------------------------


def loop(image):
    while True:
        pass


def stubborn(image):
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            continue


def wait_for_itself(image):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def child_process(image):
    subprocess.run(["sleep", "60"], check=False)


def own_event_loop(image):
    asyncio.run(asyncio.sleep(60))


def never_resumed(image):
    os.kill(os.getpid(), signal.SIGSTOP)


class EndlessTextError(Exception):
    def __str__(self):
        while True:
            pass


class EndlessLength(list):
    def __len__(self):
        while True:
            pass


def endless_text(image):
    raise EndlessTextError


def in_a_thread(image):
    thread = threading.Thread(target=lambda: math.factorial(10**7))
    thread.start()
    thread.join()


def _raise(error):
    raise error


ENDLESS = {
    "loop": loop,
    "stubborn loop": stubborn,
    "loop in one call": lambda image: all(itertools.repeat(1)),
    "huge range": lambda image: sum(range(10**12)),
    "huge power": lambda image: 7 ** (10**8),
    "huge factorial": lambda image: math.factorial(10**8),
    "huge text to number": lambda image: (sys.set_int_max_str_digits(0), int("7" * 10**7)),
    "catastrophic pattern": lambda image: re.match(r"(a+)+$", "a" * 40 + "b"),
    "endless queue": lambda image: collections.deque(itertools.repeat(0), maxlen=1),
    "endless search": lambda image: 1 in itertools.repeat(0),
    "endless maximum": lambda image: max(itertools.count()),
    "sleep": lambda image: time.sleep(60),
    "lock": wait_for_itself,
    "event": lambda image: threading.Event().wait(),
    "signal": lambda image: signal.sigwait([signal.SIGUSR1]),
    "child process": child_process,
    "own event loop": own_event_loop,
    "stopped": never_resumed,
    "thread": in_a_thread,
    "text of an exception": endless_text,
    "matrix product": lambda image: [np.ones((4000, 4000)) @ np.ones((4000, 4000)) for _ in range(10**6)],
    "empty pipe": lambda image: os.read(os.pipe()[0], 1),
}


@needs_fork
@pytest.mark.parametrize("name", ENDLESS)
def test_what_does_not_come_back_is_ended(name, monkeypatch):
    monkeypatch.setattr(apart, "_GRACE", 0.3)
    result = judged(ENDLESS[name], seconds=0.3)
    assert result.outcome == "wrong"
    assert re.match(r"Still running after 0.3 seconds, so it was (stopped|ended)\. ", result.message), result


def test_the_time_is_for_all_cases_together(both_ways):
    def slow(image):
        time.sleep(0.3)
        return image[:, ::-1]

    result = judged(slow, seconds=0.8)
    assert result.message == (
        "Still running after 0.8 seconds, so it was stopped. Does every loop come to an end? "
        "The time is for all cases together."
    )
    assert result.title == "mirror, case 3 of 6"
    assert result.rows[-1] == ("Your line", f"{slow.__code__.co_firstlineno + 1}: time.sleep(0.3)")


@needs_fork
def test_a_result_that_cannot_be_looked_at_is_ended(monkeypatch):
    monkeypatch.setattr(apart, "_GRACE", 0.3)
    monkeypatch.setattr("cvlab.checks._engine.outcomes._REST", 0.3)
    exercise = dataclasses.replace(MIRROR, reference=lambda image: [1], memo={})
    result = grading.judge(exercise, lambda image: EndlessLength())
    assert (
        result.message
        == "It returned something that cannot be compared in time. Return plain values or arrays."
    )


# ---- what ends Python ----------------------------------------------------------------------------


def kill(number):
    return lambda image: os.kill(os.getpid(), number)


def ends_what_called_it(image):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def close_files(image):
    os.closerange(0, 10_000)
    return image[:, ::-1]


def close_one_by_one(image):
    for number in range(3, 300):
        try:
            os.close(number)
        except OSError:
            continue
    return image[:, ::-1]


def another_program(image):
    os.execv(sys.executable, [sys.executable, "-c", "raise SystemExit(5)"])


def deep(image):
    sys.setrecursionlimit(10**9)
    return [deep(image)]


def deep_in_c(image):
    nested = ()
    for _ in range(3 * 10**6):
        nested = (nested,)
    return hash(nested)


def patch_the_check(image):
    builtins.isinstance = builtins.len = None
    return image[:, ::-1]


ENDS = {
    "os._exit": (lambda image: os._exit(0), "It ended Python itself (`os._exit`, status 0)"),
    "os._exit(3)": (lambda image: os._exit(3), "It ended Python itself (`os._exit`, status 3)"),
    "another program": (another_program, "It ended Python itself (`os._exit`, status 5)"),
    "sys.exit": (lambda image: sys.exit("bye"), "It ended Python (`exit` or `sys.exit`)"),
    "quit": (lambda image: _raise(SystemExit(3)), "It ended Python (`exit` or `sys.exit`)"),
    "abort": (lambda image: os.abort(), "It crashed Python (SIGABRT)"),
    "null pointer": (lambda image: ctypes.string_at(0), "It crashed Python (SIGSEGV)"),
    "wild write": (lambda image: ctypes.memset(8, 0, 64), "It crashed Python (SIGSEGV)"),
    "crash on purpose": (lambda image: faulthandler._sigfpe(), "It crashed Python (SIGFPE)"),
    "deep recursion in C": (deep_in_c, "It crashed Python (SIGSEGV)"),
    "SIGKILL": (kill(signal.SIGKILL), "Its process was ended by the signal SIGKILL"),
    "SIGTERM": (kill(signal.SIGTERM), "Its process was ended by the signal SIGTERM"),
    "SIGALRM": (kill(signal.SIGALRM), "Its process was ended by the signal SIGALRM"),
    "the process that called it": (ends_what_called_it, "It ended the process that called it"),
    "its group": (lambda image: os.killpg(0, signal.SIGKILL), "It ended the process that called it"),
    "closes files": (close_files, "It closed files that it did not open"),
    "closes one by one": (close_one_by_one, "It closed files that it did not open"),
    "patches builtins": (patch_the_check, "The check could not go on after your function (TypeError)"),
}


@needs_fork
@pytest.mark.parametrize("name", ENDS)
def test_what_ends_python_ends_its_own(name):
    function, text = ENDS[name]
    result = judged(function)
    assert result.outcome == "wrong"
    assert result.message.startswith(text), result
    assert result.rows[0] == ("Call", "mirror(image)")


# ---- memory --------------------------------------------------------------------------------------


def doubling_list(image):
    items = [0]
    while True:
        items += items


def growing_dict(image):
    return {number: [number] for number in itertools.count()}


MEMORY = {
    "array": lambda image: np.ones(10**9),
    "tensor": lambda image: torch.ones(10**9),
    "bytes": lambda image: bytearray(10**9),
    "text": lambda image: "x" * 10**9,
    "doubling list": doubling_list,
    "growing dict": growing_dict,
    "recursion": deep,
    "shared memory": lambda image: mmap.mmap(-1, 3 * 10**8).write(b"x" * 3 * 10**8) and time.sleep(60),
}


@needs_fork
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux refuses the memory")
@pytest.mark.parametrize("name", MEMORY)
def test_memory_has_a_limit(name, monkeypatch):
    monkeypatch.setattr(apart, "MEMORY", 2 * 10**8)
    result = judged(MEMORY[name], seconds=20)
    assert re.match(
        "It ran out of memory|It took more than 0.2 GB|It raised RuntimeError: .*can't allocate memory",
        result.message,
    ), result


@needs_fork
def test_memory_is_watched_where_the_system_does_not_refuse_it(monkeypatch):
    import resource

    monkeypatch.setattr(apart, "MEMORY", 2 * 10**8)
    monkeypatch.setattr(resource, "RLIMIT_DATA", resource.RLIMIT_CORE)
    assert judged(growing_dict, seconds=20).message.startswith("It took more than 0.2 GB of memory")


# ---- what a check must not change ----------------------------------------------------------------


def change_everything(image):
    """Change what a process has, where today's way of judging lets it."""
    os.chdir("/")
    os.environ["CVLAB_ONLINE"] = "1"
    os.environ.pop("PATH", None)
    os.umask(0)
    sys.path.insert(0, "/nowhere")
    sys.meta_path.clear()
    sys.setrecursionlimit(777)
    sys.excepthook, sys.stdout = print, None
    random.seed(7), np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
    np.set_printoptions(precision=1)
    warnings.simplefilter("error")
    logging.disable(logging.CRITICAL)
    logging.getLogger().setLevel(1)
    logging.getLogger().addHandler(logging.NullHandler())
    gc.disable()
    gc.set_threshold(1)
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.autograd.set_detect_anomaly(True)
    torch.backends.cudnn.benchmark = True
    plt.figure()
    matplotlib.rcParams["lines.linewidth"] = 9
    settings.online()
    return image[:, ::-1]


def the_world():
    return {
        "cwd": Path.cwd(),
        "environ": dict(os.environ),
        "path": [list(sys.path), list(sys.meta_path)],
        "sys": (sys.getrecursionlimit(), sys.excepthook, sys.stdout),
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),  # noqa: NPY002
        "numpy": np.get_printoptions(),
        "warnings": list(warnings.filters),
        "logging": (logging.root.level, logging.root.manager.disable, list(logging.root.handlers)),
        "gc": (gc.isenabled(), gc.get_threshold()),
        "torch": (torch.get_num_threads(), torch.get_default_dtype(), torch.get_float32_matmul_precision()),
        "flags": (torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled(), torch.backends.cudnn.benchmark),
        "figures": (plt.get_fignums(), dict(matplotlib.rcParams), matplotlib.get_backend()),
        "online": settings.is_online(),
        "names": (np.asarray, np.ndarray.sum, compare.difference, grading.known_mistake, torch.Tensor.sum, math.sqrt),
        "own classes": (Exercise.call, Result.__bool__),
    }  # fmt: skip


def test_a_check_changes_nothing(both_ways):
    torch.use_deterministic_algorithms(
        False
    )  # the first call imports much, which an empty meta_path would stop; so does the first figure
    plt.close(plt.figure())
    before = the_world()
    assert judged(change_everything)
    after = the_world()
    assert {name: after[name] for name in before} == before
    mask = os.umask(0o022)
    os.umask(mask)
    assert mask != 0


def lie(*args, **kwargs):
    return None


def patch_numpy(image):
    np.asarray = np.isclose = np.array_equal = np.may_share_memory = lie
    return image


def patch_the_comparison(image):
    grading.fault = compare.difference = compare._difference = lie
    return image


def patch_the_classes(image):
    Exercise.call = lie
    Result.__bool__ = lambda self: True
    return image


def replace_a_module(image):
    sys.modules["numpy"] = sys.modules["cvlab.checks._engine.compare"] = math
    return image


def delete_names(image):
    del np.asarray, np.isclose, compare.difference
    return image


PATCHES = {f.__name__: f for f in (patch_numpy, patch_the_comparison, patch_the_classes, replace_a_module, delete_names)}  # fmt: skip


@pytest.mark.parametrize("name", PATCHES)
def test_a_patch_makes_no_answer_right(name, both_ways):
    before, numpy = the_world()["names"], sys.modules["numpy"]
    assert judged(PATCHES[name]).outcome == "wrong"
    assert judged(lambda image: image).outcome == "wrong"
    assert judged(MIRROR.reference)
    assert (the_world()["names"], sys.modules["numpy"]) == (before, numpy)


def write_behind_prints(image):
    os.write(1, b"to the screen\n")
    os.write(2, b"to the screen\n")
    return image[:, ::-1]


@needs_fork
def test_what_is_written_behind_prints_back_is_not_shown(capfd):
    assert judged(write_behind_prints)
    assert capfd.readouterr() == ("", "")


def leave_something_running(image):
    subprocess.Popen(["sleep", "600"])
    threading.Thread(target=loop, args=(image,), daemon=True).start()
    return image[:, ::-1]


@needs_fork
def test_nothing_is_left_running(tmp_path):
    def note(image):
        process = subprocess.Popen(["sleep", "600"])
        (tmp_path / "pid").write_text(str(process.pid))
        return image[:, ::-1]

    assert judged(note)
    assert judged(leave_something_running)
    assert not [t for t in threading.enumerate() if t.name == "cvlab-check"]
    pid = int((tmp_path / "pid").read_text())
    for _ in range(200):  # the signal is on its way
        if not _runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError("the process that the function started still runs")


def _runs(pid):
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:1] not in ("", "Z")


# ---- strange results -----------------------------------------------------------------------------


class MuteError(Exception):
    def __str__(self):
        raise SystemExit


class NoTextError(Exception):
    def __str__(self):
        return None


class Hostile:
    """Everything one asks of it ends Python."""

    def _end(self, *args):
        raise SystemExit

    __eq__ = __len__ = __iter__ = __repr__ = __array__ = __getattr__ = _end
    __hash__ = None


def itself():
    items = []
    items.append(items)
    return items


def check_again(images):
    def to_batch(images):
        return images

    return check(to_batch)


STRANGE = {
    "meta": (lambda images: torch.empty(1, 1, 2, 2, device="meta"), "The tensor is on the device meta"),
    "sparse": (lambda images: torch.zeros(1, 1, 2, 2).to_sparse(), "The tensor is stored as torch.sparse_coo: `.to_dense()`"),
    "quantised": (
        lambda images: torch.quantize_per_tensor(torch.zeros(1, 1, 2, 2), 0.1, 0, torch.quint8),
        "The tensor is quantised: `.dequantize()`",
    ),
    "nested": (
        lambda images: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        "The tensor is nested, with rows of different lengths: `torch.stack`",
    ),
    "exception without text": (lambda images: _raise(NoTextError()), "It raised NoTextError: (its message cannot be printed)"),
    "exception that ends Python": (lambda images: _raise(MuteError()), "It raised MuteError: (its message cannot be printed)"),
    "interrupt": (lambda images: _raise(KeyboardInterrupt()), "It raised KeyboardInterrupt"),
    "generator's end": (lambda images: _raise(GeneratorExit()), "It raised GeneratorExit"),
    "hostile object": (lambda images: Hostile(), "Expected a torch tensor, got a Hostile."),
    "hostile list": (lambda images: [Hostile()], "Expected a torch tensor, got a list."),
    "list in itself": (lambda images: itself(), "Expected a torch tensor, got a list."),
    "endless generator": (lambda images: itertools.count(), "Expected a torch tensor, got a count."),
    "open file": (lambda images: open(os.devnull), "Expected a torch tensor, got a TextIOWrapper."),  # noqa: SIM115, PTH123
    "surrogates": (lambda images: "\ud800", "Expected a torch tensor, got a text (str)."),
    "a check": (check_again, "Expected a torch tensor, got a Result."),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*(nested|quant)")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", STRANGE)
def test_strange_results_are_judged(name, both_ways):
    function, text = STRANGE[name]
    result = judged(function, name="to_batch")
    assert result.outcome == "wrong"
    assert result.message.startswith(text), result
    json.dumps(result.as_json())


# ---- the process apart ---------------------------------------------------------------------------


def test_both_ways_say_the_same(monkeypatch):
    answers = [
        MIRROR.reference,
        lambda image: image[::-1],
        lambda image: print("x"),
        lambda image: image[:, 99],
    ]
    first = [repr(judged(answer)) for answer in answers]
    monkeypatch.setenv("CVLAB_FORK", "0")
    assert [repr(judged(answer)) for answer in answers] == first
    assert first[0].startswith("Right")


@needs_fork
def test_pictures_come_through():
    result = judged(lambda image: image[::-1])
    assert [p.caption for p in result.pictures][:3] == ["Input, 2 x 3", "Expected, 2 x 3", "Got, 2 x 3"]
    assert all(p.png.startswith(b"\x89PNG") for p in result.pictures)


@needs_fork
@pytest.mark.parametrize("why", ["cannot fork", "judges nothing", "refuses autograd"])
def test_where_a_process_apart_is_unfit_the_notebook_judges(why, monkeypatch):
    pid = os.getpid()

    def unfit(*args, **kwargs):
        if os.getpid() != pid:
            os._exit(1)

    def mirror(image):
        if os.getpid() != pid and why == "refuses autograd":
            raise RuntimeError(
                "Unable to handle autograd's threading in combination with fork-based multiprocessing."
            )
        return image[:, ::-1]

    if why == "cannot fork":
        monkeypatch.setattr(os, "fork", lambda: _raise(OSError("no memory")))
    elif why == "judges nothing":
        monkeypatch.setattr(grading, "outcomes_of", lambda *a, real=grading.outcomes_of: unfit() or real(*a))
    assert judged(mirror)


@needs_fork
def test_torch_and_opencv_work_after_their_threads_were_used(monkeypatch):
    import cv2

    large = torch.ones(600, 600)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        (large @ large).sum()
        torch.nn.functional.conv2d(torch.ones(4, 8, 64, 64), torch.ones(8, 8, 3, 3))
        cv2.resize(np.zeros((900, 900, 3), np.uint8), (1800, 1800))

        def mirror(image):
            x = (large.requires_grad_() @ large).sum()
            x.backward()
            torch.nn.functional.conv2d(torch.ones(4, 8, 64, 64), torch.ones(8, 8, 3, 3))
            cv2.resize(np.zeros((900, 900, 3), np.uint8), (1800, 1800))
            return image[:, ::-1]

        assert judged(mirror, seconds=30)
    finally:
        torch.set_num_threads(threads)


WORST = ["return sum(range(10**12))", "os._exit(1)", "ctypes.string_at(0)", "return [mirror(image)]"]
WORST += ["os.kill(os.getppid(), 9)", "os.closerange(0, 1000)"]


@needs_fork
def test_a_real_kernel_lives(tmp_path):
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    start = "import ctypes, dataclasses, os, sys\nfrom cvlab import check\nfrom cvlab.checks._engine import registry, grade\n"
    start += "short = dataclasses.replace(registry.find('mirror'), seconds=0.5)\nregistry.find = lambda name: short\nos.getpid()"
    deep = "    sys.setrecursionlimit(10**9)\n"
    cells = [start, *(f"def mirror(image):\n{deep}    {line}\ncheck(mirror)" for line in WORST)]
    cells += ["def mirror(image):\n    return image[:, ::-1]\ncheck(mirror)", "os.getpid()"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    where = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources=where).execute()
    texts = [cell.outputs[0]["data"]["text/plain"] for cell in notebook.cells]
    assert all(len(cell.outputs) == 1 for cell in notebook.cells)
    assert "so it was ended" in texts[1]
    assert "It ended Python itself" in texts[2]
    assert "It crashed Python (SIGSEGV)" in texts[3]
    assert re.search("memory|so it was ended", texts[4])
    assert "It ended the process that called it" in texts[5]
    assert "It closed files" in texts[6]
    assert texts[7].startswith("Right: mirror")
    assert texts[8] == texts[0]
