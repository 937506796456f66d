"""What a checked function may do to this process, and how it is put back."""

import builtins
import contextlib
import gc
import io
import logging
import os
import random
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from cvlab.checks._engine.describe import cut

__all__ = ["Shortened", "kept_world", "steady_world"]

_NAMESPACES = {"builtins", "logging", "math", "os", "random", "sys", "time", "warnings"}
_NAMESPACES |= {"numpy", "numpy.linalg", "numpy.random", "torch", "torch.nn", "torch.nn.functional"}
_FLAGS = {
    "cudnn": ("enabled", "benchmark", "deterministic", "allow_tf32"),
    "cuda.matmul": ("allow_tf32",),
    "mkldnn": ("enabled", "deterministic"),
}


class Shortened(io.TextIOBase):
    """A text stream that keeps only the beginning, however much is printed."""

    def __init__(self, keep: int = 400):
        self.keep, self.kept, self.length = keep, "", 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.kept += text[: max(0, self.keep - len(self.kept))]
        self.length += len(text)
        return len(text)

    def text(self) -> str:
        lines = self.kept.strip("\n").split("\n")
        more = self.length > len(self.kept) or len(lines) > 6
        return cut("\n".join(lines[:6]), self.keep) + ("\n... and more" if more else "")


@contextlib.contextmanager
def kept_world() -> Iterator[None]:
    """Put back, in the end, all that the functions run inside may change.

    Files, and what other processes see, cannot be put back.
    """
    settings = [(get, put, before) for get, put in _settings() for before in _read(get)]
    namespaces = [(owner, vars(owner), dict(vars(owner))) for owner in _owners()]
    try:
        yield
    finally:
        for owner, now, before in namespaces:  # first, as the rest needs functions that are what they seem
            _put_names(owner, now, before)
        for get, put, before in settings:
            with contextlib.suppress(Exception):
                if _differs(get, before):  # a setter may cost much even where it changes nothing
                    put(before)


@contextlib.contextmanager
def steady_world(printed: io.TextIOBase) -> Iterator[list]:
    """Catch prints and warnings, start from fixed seeds, let nothing wait for the user or end the notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    swaps = [(builtins, "input", _no_input), (sys, "breakpointhook", lambda *_, **__: None)]
    swaps += [(shell, "ask_exit", _no_exit)] if shell else []
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in swaps]
    limit = sys.getrecursionlimit()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        for swap in swaps:
            setattr(*swap)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        sys.setrecursionlimit(min(limit, 3000))
        try:
            yield warned
        finally:
            sys.setrecursionlimit(limit)
            for swap in kept:
                setattr(*swap)


def _no_input(*_: Any) -> str:
    raise RuntimeError("input() cannot be used inside a checked function: use the arguments")


def _no_exit(*_: Any) -> None:
    raise SystemExit


def _read(get: Callable[[], Any]) -> list:
    """Return what `get` gives, in a list; an empty one where there is nothing to put back (a folder that is gone)."""
    try:
        return [get()]
    except Exception:
        return []


def _differs(get: Callable[[], Any], before: Any) -> bool:
    try:
        return not bool(get() == before)
    except Exception:  # arrays have no one answer; a folder may be gone
        return True


def _owners() -> Iterator[Any]:
    """Return the modules whose names are watched, our own among them, and classes whose methods could be replaced."""
    for name, module in list(sys.modules.items()):
        own = name == "cvlab" or name.startswith("cvlab.")
        if (own or name in _NAMESPACES) and isinstance(module, types.ModuleType):
            yield module
            if name.startswith("cvlab.checks._engine"):
                yield from (v for v in vars(module).values() if isinstance(v, type) and v.__module__ == name)
    torch = sys.modules.get("torch")
    if torch:
        yield from (torch.Tensor, torch.nn.Module)


def _put_names(owner: Any, now: Mapping[str, Any], before: dict[str, Any]) -> None:
    """Put back the names that were replaced or removed; names that are new (a first import) stay."""
    for name, value in before.items():
        if name not in now or now[name] is not value:
            if type(now) is dict:  # a module's: needs no function, which may be what was replaced
                now[name] = value
            else:
                with contextlib.suppress(AttributeError, TypeError):
                    setattr(owner, name, value)


def _settings() -> Iterator[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """Return (read, put back) for each setting of the process that is not a module's own name."""
    yield sys.getrecursionlimit, sys.setrecursionlimit
    yield random.getstate, random.setstate
    yield np.random.get_state, np.random.set_state  # noqa: NPY002
    yield np.get_printoptions, lambda options: np.set_printoptions(**options)
    yield os.getcwd, os.chdir
    yield lambda: dict(os.environ), _put_environment
    yield _mask, os.umask
    yield gc.isenabled, lambda on: gc.enable() if on else gc.disable()
    yield gc.get_threshold, lambda numbers: gc.set_threshold(*numbers)
    yield lambda: list(sys.path), lambda items: _fill(sys.path, items)
    yield lambda: list(sys.meta_path), lambda items: _fill(sys.meta_path, items)
    yield lambda: dict(sys.modules), lambda before: sys.modules.update(before)
    root = logging.getLogger()
    yield lambda: root.level, root.setLevel
    yield lambda: root.manager.disable, logging.disable
    yield lambda: list(root.handlers), lambda items: _fill(root.handlers, items)
    if "torch" in sys.modules:
        yield from _torch_settings(sys.modules["torch"])
    if "matplotlib" in sys.modules:
        yield from _figure_settings(sys.modules["matplotlib"])


def _torch_settings(torch: Any) -> Iterator[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    yield torch.get_rng_state, torch.set_rng_state
    yield torch.get_default_dtype, torch.set_default_dtype
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    yield torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    yield torch.get_num_threads, torch.set_num_threads
    for place, names in _FLAGS.items():
        owner = torch.backends
        for part in place.split("."):
            owner = getattr(owner, part, None)
        for name in names:
            yield (
                lambda owner=owner, name=name: getattr(owner, name),
                lambda value, owner=owner, name=name: setattr(owner, name, value),
            )


def _figure_settings(matplotlib: Any) -> Iterator[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    yield lambda: dict.copy(matplotlib.rcParams), lambda before: dict.update(matplotlib.rcParams, before)
    plt = sys.modules.get("matplotlib.pyplot")
    if plt:
        yield matplotlib.get_backend, plt.switch_backend
        yield plt.get_fignums, lambda open_: [plt.close(n) for n in plt.get_fignums() if n not in open_]


def _put_environment(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _fill(items: list, before: list) -> None:
    items[:] = before
