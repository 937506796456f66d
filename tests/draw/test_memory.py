"""After each cell, what it has freed goes back to the system."""

import gc
import sys
import weakref

import nbformat.v4 as v4
import pytest

from cvlab.course.execute import run_notebook
from cvlab.draw.memory import give_back_memory, trim

# Small arrays, so that malloc keeps them in its heap; the last one stays, so that it cannot shrink from the end.
HOLES = """
import numpy as np
from cvlab import show
def own():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("RssAnon"))
show(np.zeros((4, 4), np.uint8), ax=None)
many = [np.ones(12_000) for _ in range(1000)]
last, before = np.ones(12_000), own()
del many
print(before - own() < 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps what is freed")
def test_a_cell_gives_back_what_it_has_freed():
    """96 MB are still there when the cell that freed them ends, and gone in the next one."""
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell(HOLES), v4.new_code_cell("print(before - own() > 70)")]
    )
    run_notebook(notebook, timeout=600)
    said = ["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]
    assert said == ["True\n", "True\n"]


def test_nothing_happens_outside_a_notebook():
    assert give_back_memory() is None
    assert trim() in (True, False)


def test_a_c_library_without_it_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert trim() is False


class _Circle:
    def __init__(self):
        self.own = self


def test_circles_as_closed_figures_are_found_when_a_full_collection_is_overdue(monkeypatch):
    gc.disable()
    try:
        circle = weakref.ref(_Circle())
        monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 2))
        trim()
        assert circle() is not None
        monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 3))
        trim()
        assert circle() is None
    finally:
        gc.enable()
