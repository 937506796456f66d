"""The process in which a function is judged, as its listener hears it."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("fcntl", reason="functions are judged apart only where the system forks")

from cvlab.checks._engine.apart import _Listener


def test_a_verdict_is_not_forgotten_when_the_status_comes_with_it():
    reader, writer = os.pipe()
    try:
        os.write(writer, b'{"left": [3, 1.0]}\n{"verdict": {"outcome": "right"}}\n{"status": 0}\n')
        ending = _Listener(reader, os.getpid()).listen(5)
    finally:
        os.close(reader)
        os.close(writer)
    assert (ending.reason, ending.verdict, ending.index) == ("verdict", {"outcome": "right"}, 3)


def test_a_check_does_not_import_torchs_compiler(tmp_path):
    """It costs 160 MB and seconds; one setter of torch imports it by the way."""
    code = (
        "import sys, torch\n"
        "from cvlab.checks import check\n"
        "from cvlab.checks._engine import registry\n"
        "assert check(registry.find('cross_entropy').reference)\n"
        "assert 'torch._inductor' not in sys.modules\n"
    )
    home = os.environ | {"CVLAB_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
