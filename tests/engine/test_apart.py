"""The process in which a function is judged, as its listener hears it."""

import os

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
