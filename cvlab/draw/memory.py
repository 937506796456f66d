"""Memory that a notebook's cells have freed goes back to the system, where glibc would keep it for later."""

import ctypes
import gc
import sys

__all__ = ["give_back_memory", "trim"]

OVERDUE = 3  # young collections since the last full one: about two figures
MANY = 100  # new modules: a library was imported
_seen = 0  # modules, when the last library had come


def give_back_memory() -> None:
    """From now on, give back after each cell what it has freed; do nothing outside a notebook.

    Figures and batches leave holes of 60 to 90 MB behind in a lesson, and a class shares one machine.
    """
    try:
        from IPython import get_ipython

        events = get_ipython().events
    except (ImportError, AttributeError):
        return
    if trim not in events.callbacks["post_run_cell"]:
        events.register("post_run_cell", trim)


def trim(*_) -> bool:
    """Give back what is free now, and tell whether there was anything; False where the C library is not glibc.

    A closed figure is a circle of objects that only a full collection finds. With PyTorch's half a million objects in
    memory Python puts that off for ten figures, 80 MB. These objects stay, so they are looked through once, after the
    cell that imported them (`gc.freeze`): a quarter of a second less for every later collection.

    Example:
        >>> trim() in (True, False)
        True

    Source: malloc_trim(3) of the Linux manual pages.
    """
    global _seen
    imported = len(sys.modules) - _seen > MANY
    if imported or gc.get_count()[2] >= OVERDUE:
        gc.collect()
    if imported:
        gc.freeze()
        _seen = len(sys.modules)
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):  # macOS and musl; Windows
        return False
