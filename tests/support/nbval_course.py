"""Makes nbval see a cell's outputs as JupyterLab saves them, figures too, in a kernel like the one of `cvlab build`.

`run_nbval` puts this file beside a notebook as its conftest.py.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
import nbval.kernel
import nbval.plugin

from cvlab.course.execute import kernel_environment, memory_of
from cvlab.course.likeness import differences

OUTPUT_PATIENCE = 60  # seconds to wait for a message of a busy machine; nbval's own are 5
SHOWN = ("stream", "display_data", "execute_result")
NOT_COMPARED = ("stderr", "image/svg+xml", "application/vnd.jupyter.widget-state+json")


class CourseKernel(nbval.kernel.RunningKernel):
    """A kernel in an empty folder, with a learner's file of its own; it reports its time and memory."""

    def __init__(self, kernel_name, cwd=None, startup_timeout=60):
        self._folder = tempfile.TemporaryDirectory(prefix="cvlab-", ignore_cleanup_errors=True)
        self._work = Path(self._folder.name) / "work"
        self._work.mkdir()
        self._started, self._cells = time.perf_counter(), 0
        self.km, self.kc = nbval.kernel.start_new_kernel(
            startup_timeout=startup_timeout,
            kernel_name=kernel_name,
            stderr=subprocess.DEVNULL,
            cwd=str(self._work),
            env=kernel_environment(Path(self._folder.name)),
        )
        self._ensure_iopub_up()

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Run a cell with its history kept: without it, a `;` at the end does not silence (nbval issue 194)."""
        self._cells += 1
        return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)

    def stop(self):
        """Write down what the run took, then stop."""
        if report := os.environ.get("CVLAB_FIGURES"):
            memory, peak, own = memory_of(self.km.provisioner.pid)
            seconds = time.perf_counter() - self._started
            left = sorted(path.name for path in self._work.iterdir())
            figures = {"cells": self._cells, "seconds": seconds, "left": left}
            figures |= {"memory": memory, "peak": peak, "own": own}
            Path(report).write_text(json.dumps(figures), encoding="utf-8")
        super().stop()
        self._folder.cleanup()


class Frontend:
    """What JupyterLab does with a kernel's messages before outputs are saved: clear, update, capture."""

    def __init__(self):
        self._capturing = set()  # comm ids of Output widgets that are open now

    def begin(self, cell):
        """Start to follow the messages of `cell`."""
        self._cell, self._places, self._clear_next = cell, {}, False

    def takes(self, message) -> bool:
        """Deal with a message that nbval does not know, and tell so; the others are nbval's."""
        kind, content = message["msg_type"], message["content"]
        outputs = self._cell.test_outputs
        if kind in ("comm_open", "comm_msg"):
            self._follow_capture(content)
            return False
        if self._capturing and kind in (*SHOWN, "clear_output", "update_display_data"):
            return True  # it belongs to an Output widget; an error there still fails the cell
        if kind == "clear_output":
            if content.get("wait"):
                self._clear_next = True
            else:
                outputs.clear()
            return True
        if kind in SHOWN and self._clear_next:
            outputs.clear()
            self._clear_next = False
        name = content.get("transient", {}).get("display_id")
        if kind == "display_data" and name:
            self._places[name] = len(outputs)
        if kind == "update_display_data":
            if self._places.get(name, len(outputs)) < len(outputs):
                outputs[self._places[name]]["data"] = nbformat.from_dict(content["data"])
            return True
        return False

    def _follow_capture(self, content):
        state = content.get("data", {}).get("state", {})
        if "msg_id" in state:
            change = self._capturing.add if state["msg_id"] else self._capturing.discard
            change(content["comm_id"])


def pytest_collectstart(collector):
    """Give each notebook its front end, and leave out what no text comparison can judge."""
    if isinstance(collector, nbval.plugin.IPyNbFile):
        collector.skip_compare += NOT_COMPARED
        collector.frontend = Frontend()


def _run_cell(self, original=nbval.plugin.IPyNbCell.runtest):
    self.output_timeout = OUTPUT_PATIENCE
    self.parent.frontend.begin(self)
    original(self)


def _compare(self, test, ref, skip_compare=None, original=nbval.plugin.IPyNbCell.compare_outputs):
    """Compare text as nbval does, which never looks at pictures, then what a person sees of each figure."""
    same = original(self, test, ref, skip_compare)
    found = differences(ref, test)
    self.comparison_traceback += found
    return same and not found


def _next_message(self, timeout=None, stream="iopub", original=nbval.plugin.IPyNbFile.get_kernel_message):
    while True:
        message = original(self, timeout=timeout, stream=stream)
        if not self.frontend.takes(message):
            return message


nbval.plugin.RunningKernel = CourseKernel
nbval.plugin.IPyNbCell.runtest = _run_cell
nbval.plugin.IPyNbCell.compare_outputs = _compare
nbval.plugin.IPyNbFile.get_kernel_message = _next_message
