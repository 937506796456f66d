"""What a check takes for the same answer: a list for a tuple, a tensor for an array, 0 for 0.0.

An exercise's `apply` calls these where its text does not ask for one certain type.
"""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from cvlab.checks._engine.describe import is_tensor, plain

__all__ = ["array_of", "as_array", "as_float", "as_parts"]


def as_parts(value: Any, parts: type[tuple], each: Callable[[Any], Any] = lambda item: item) -> Any:
    """Return a list or tuple of the right length as the named tuple `parts`; anything else as it came.

    Example:
        >>> from typing import NamedTuple
        >>> Curve = NamedTuple("Curve", [("precision", float), ("recall", float)])
        >>> as_parts([1, 0.5], Curve, as_float), as_parts([1], Curve)
        (Curve(precision=1.0, recall=0.5), [1])
    """
    if type(value) in (list, tuple) and len(value) == len(parts._fields):
        return parts(*map(each, value))
    return value


def as_float(value: Any) -> Any:
    """Return one number, whatever library it comes from, as a float; anything else as it came.

    Example:
        >>> as_float(0), as_float(np.float32(0.5)), as_float(np.array(2.0)), as_float(True)
        (0.0, 0.5, 2.0, True)
    """
    array = as_array(value)
    single = isinstance(array, np.ndarray | np.floating | Integral) and np.shape(array) == ()
    return float(array) if single and np.asarray(array).dtype.kind in "iuf" else value


def as_array(value: Any) -> Any:
    """Return a torch tensor that needs no gradient as a NumPy array; anything else as it came."""
    if not is_tensor(value) or value.requires_grad:
        return value
    try:
        return plain(value)
    except Exception:  # a sparse or meta tensor is no array
        return value


def array_of(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call `function` and take a tensor for an array: an `apply` for texts that ask for no library."""
    return as_array(function(*args, **kwargs))
