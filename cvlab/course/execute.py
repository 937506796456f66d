"""Run a notebook in a fresh kernel and keep outputs that come out the same the next time."""

import base64
import os
import re
import struct
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AUTHOR",
    "WIDGET",
    "CellError",
    "Run",
    "kernel_environment",
    "memory_of",
    "run_notebook",
    "stable_outputs",
]

WIDGET = "application/vnd.jupyter.widget-view+json"
AUTHOR = "author"  # the tag of cells that are run and not kept
THREADS = "1"  # several kernels share two cores in the tests, and sums then add up in one order


class CellError(Exception):
    """A cell failed: which one (its index), the line in it, and why."""

    def __init__(self, index: int, line: int, message: str):
        super().__init__(message)
        self.index, self.line = index, line


@dataclass(frozen=True)
class Run:
    """What a run was: code cells executed, seconds, the kernel's memory at the end and at its peak in MB, files left."""

    cells: int
    seconds: float
    memory: float
    peak: float
    left: tuple[str, ...]


def kernel_environment(folder: Path) -> dict[str, str]:
    """Return the variables of a kernel that knows nothing of the person who starts it.

    Progress, downloads and IPython's own files go under `folder`; the network is not allowed.
    """
    environment = {
        key: value for key, value in os.environ.items() if key not in ("CVLAB_ONLINE", "COLUMNS", "LINES")
    }
    return environment | {
        "CVLAB_HOME": str(folder / "home"),
        "CVLAB_CACHE": str(folder / "cache"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": THREADS,
        "OPENBLAS_NUM_THREADS": THREADS,
        "MKL_NUM_THREADS": THREADS,
        "OPENCV_FOR_THREADS_NUM": THREADS,
    }


def run_notebook(notebook, *, timeout: float = 120) -> Run:
    """Execute all cells of `notebook` in order, in place, in this Python, in an empty folder.

    Args:
        notebook: nbformat's notebook; its outputs and execution counts are written.
        timeout: seconds that one cell may take.

    Raises:
        CellError: at the first cell that fails.
    """
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="cvlab-", ignore_cleanup_errors=True) as folder:
        work = Path(folder) / "work"
        work.mkdir()
        client = NotebookClient(
            notebook, km=_kernel_manager(), timeout=timeout, coalesce_streams=True, record_timing=False
        )
        client.store_widget_state = False
        client.extra_arguments = [
            "--log-level=ERROR"
        ]  # else it warns on every start that loopback is not encrypted
        started = time.perf_counter()
        with client.setup_kernel(env=kernel_environment(Path(folder)), cwd=str(work), cleanup_kc=True):
            pid = client.km.provisioner.pid
            for index, cell in enumerate(notebook.cells):
                _run_cell(client, cell, index)
            memory, peak, _ = memory_of(pid)
        left = tuple(sorted(path.name for path in work.iterdir()))
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    return Run(cells, time.perf_counter() - started, memory, peak, left)


def _kernel_manager():
    """Return a manager of kernels that run in this very Python, whatever else is registered as python3."""
    import ipykernel.kernelspec
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name):
            return self.kernel_spec_class(resource_dir="", **ipykernel.kernelspec.get_kernel_dict())

    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


def _run_cell(client, cell, index: int) -> None:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    counted = AUTHOR not in cell.metadata.get("tags", [])  # so that learners' cells are numbered without gaps
    try:
        client.execute_cell(cell, index, store_history=counted)
    except CellExecutionError as error:
        text = f"{error.ename}: {error.evalue}".strip().split("\n")[0]
        raise CellError(index, _failing_line(cell), text) from None
    except CellTimeoutError:
        raise CellError(index, 1, f"the cell ran longer than {client.timeout} seconds") from None
    except DeadKernelError:
        raise CellError(index, 1, "the kernel died (out of memory, or a crash in a library)") from None


def _failing_line(cell) -> int:
    """Return the line of the cell that was running when it failed, counted from 1."""
    errors = [out for out in cell.outputs if out.output_type == "error"]
    trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(errors[-1].traceback)) if errors else ""
    frames = re.findall(r"Cell In\[(\d+)\], line (\d+)", trace)
    own = [int(line) for count, line in frames if int(count) == cell.execution_count]
    return own[0] if own else 1


def memory_of(pid: int) -> tuple[float, float, float]:
    """Return the memory of a running process in MB: resident now, resident at its peak, and its own; zeros where unknown.

    Its own (anonymous) memory is nearly the same on every run. What is resident besides are the pages of libraries that
    the system holds ready: all kernels share them, and their number follows what else is in the page cache.
    """
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0, 0.0, 0.0
    sizes = dict(re.findall(r"(VmRSS|VmHWM|RssAnon):\s+(\d+) kB", status.read_text()))
    resident, peak, own = (int(sizes.get(name, 0)) / 1024 for name in ("VmRSS", "VmHWM", "RssAnon"))
    return resident, peak, own


def stable_outputs(notebook, name: str) -> None:
    """Take out of all outputs, in place, what changes from run to run: times, ids, versions in pictures."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        for number, output in enumerate(cell.outputs):
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            output.pop("transient", None)
            data = output.get("data", {})
            if WIDGET in data:
                data[WIDGET]["model_id"] = uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{cell.id}/{number}").hex
            if "image/png" in data:
                png = _strip_png(base64.b64decode(data["image/png"]))
                data["image/png"] = base64.b64encode(png).decode()


def _strip_png(png: bytes) -> bytes:
    """Return a PNG without its text and time chunks (matplotlib writes its version there)."""
    kept, at = [png[:8]], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        chunk = png[at : at + length + 12]
        if chunk[4:8] not in (b"tEXt", b"iTXt", b"zTXt", b"tIME"):
            kept.append(chunk)
        at += length + 12
    return b"".join(kept)
