"""The network is really blocked in test_notebooks.py: proven by code that tries to get out."""

import subprocess
import sys

import nbformat.v4 as v4
import pytest
from support.sealed import GUARD, namespace, run_nbval, run_sealed

OUT = (
    "import socket; socket.create_connection(('203.0.113.1', 80), timeout=2)"  # an address kept for examples
)
CHILD = f'import subprocess, sys\nsubprocess.run([sys.executable, "-c", "{OUT}"], check=True, capture_output=True)'


def notebook(*sources: str):
    """Return a notebook with the given cells, outputs as if they had been compared before."""
    return v4.new_notebook(
        cells=[v4.new_code_cell(source, execution_count=n) for n, source in enumerate(sources, 1)]
    )


def test_cells_that_go_out_fail_and_are_logged(tmp_path):
    """From the kernel, from a child process, by name, by datagram; hidden by the cell, it is logged all the same."""
    by_name = "import urllib.request; urllib.request.urlopen('http://example.org')"
    datagram = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('203.0.113.1', 53))"
    hidden = f"import contextlib\nwith contextlib.suppress(OSError):\n    {OUT}"
    run = run_nbval(notebook("x = 1", OUT, CHILD, by_name, datagram, hidden), tmp_path)
    assert run.code == 1
    assert "4 failed, 2 passed" in run.text
    address, name = "socket.getaddrinfo ('203.0.113.1',)", "socket.getaddrinfo ('example.org',)"
    assert run.attempts == [address, address, name, "socket.sendto ('203.0.113.1', 53)", address]


def test_loopback_and_quiet_cells_pass(tmp_path):
    told = "import os\nfrom cvlab import settings\nassert 'CVLAB_ONLINE' not in os.environ and not settings.is_online()"
    leave = "open('here.txt', 'w').close()"
    serve = (
        "import socket\nwith socket.create_server(('127.0.0.1', 0)) as s:\n"
        "    socket.create_connection(s.getsockname()).close()"
    )
    run = run_nbval(notebook(told, serve, leave), tmp_path, CVLAB_ONLINE="1")
    assert run.code == 0, run.text
    assert run.attempts == []
    assert run.figures["cells"] == 3
    assert run.figures["left"] == ["here.txt"]
    assert run.figures["memory"] > 20 or sys.platform != "linux"


def test_without_the_guard_the_namespace_still_holds(tmp_path):
    """Programs that are not Python have no audit hook; the kernel of the system stops them."""
    if not namespace():
        pytest.skip("this machine allows no network namespace; the audit hook alone is at work")
    run = run_sealed([sys.executable, "-c", OUT], tmp_path, guard=False)
    assert run.code == 1
    assert "Network is unreachable" in run.text
    names = run_sealed(["cat", "/proc/net/dev"], tmp_path, guard=False).text
    assert [line.split(":")[0].strip() for line in names.splitlines()[2:]] == ["lo"]


def test_without_the_namespace_the_guard_still_holds():
    done = subprocess.run(
        [sys.executable, "-c", OUT],
        env={"PYTHONPATH": str(GUARD)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PermissionError: the network is blocked in this run: socket.getaddrinfo" in done.stderr
