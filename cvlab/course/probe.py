"""Ask a Python of its own what imports and works here, so that a crash or a hang there only informs us."""

import functools
import json
import subprocess
import sys

__all__ = ["imports", "last_json", "torch"]

TORCH = """
import json, torch
print(json.dumps({"torch": torch.__version__}), flush=True)
import torchvision
print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__}), flush=True)
kept = torchvision.ops.nms(torch.tensor([[0., 0., 2., 2.]]), torch.tensor([1.]), 0.5).tolist()
mps = getattr(torch.backends, "mps", None)
device = "cuda" if torch.cuda.is_available() else "mps" if mps is not None and mps.is_available() else "cpu"
name = torch.cuda.get_device_name() if device == "cuda" else ""
print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__, "nms": kept,
                  "device": device, "name": name, "threads": torch.get_num_threads()}), flush=True)
"""
IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    print("try", name, flush=True)
    try:
        if importlib.import_module(name).__file__ is None:  # Python takes a folder for a package
            raise ImportError(f"module {name!r} is a folder without code")
    except BaseException as error:
        print("bad", name, type(error).__name__ + ":", " ".join(str(error).split())[:200], flush=True)
"""


def imports(*names: str) -> subprocess.CompletedProcess:
    """Import the modules one after another; standard output has a line "try NAME", and "bad NAME error" if it failed."""
    return _python(IMPORTS, *names)


@functools.cache
def torch() -> subprocess.CompletedProcess:
    """Import torch and torchvision and use one operator; standard output says how far it came, in lines of JSON."""
    return _python(TORCH)


def last_json(text: str) -> dict:
    """Return the last JSON object among the lines of `text`; empty if there is none."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


def _python(code: str, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode()
        return subprocess.CompletedProcess(command, 124, said, "no answer in 180 seconds")
