"""Words for values: short, stable, and never the million numbers themselves."""

import numbers
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["cut", "describe", "is_tensor", "kind", "number", "plain"]

_SMALL = 27  # arrays with more elements are described, not printed


def is_tensor(value: Any) -> bool:
    """Tell whether `value` is a torch tensor, without importing torch for it."""
    torch = sys.modules.get("torch")
    return torch is not None and issubclass(type(value), torch.Tensor)


def cut(text: str, length: int = 200) -> str:
    """Shorten `text`, and hide memory addresses, which differ from run to run.

    Example:
        >>> cut("<object at 0x7f3a9c>")
        '<object at 0x...>'
    """
    text = re.sub(r"0x[0-9a-fA-F]{4,}", "0x...", text)
    return text if len(text) <= length else text[: length - 4].rstrip() + " ..."


def number(value: Any) -> str:
    """Write a number the same way whatever library it comes from.

    Example:
        >>> number(np.float32(0.1)), number(3), number(2.0), number(True)
        ('0.1', '3', '2.0', 'True')
    """
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, numbers.Integral):
        return cut(str(int(value)), 30)
    if isinstance(value, complex | np.complexfloating):
        return f"{complex(value):.6g}"
    text = f"{float(value):.6g}"
    return text + ".0" if text.lstrip("-").isdigit() else text


def kind(value: Any) -> str:
    """Name the type of a value as a learner would say it.

    Example:
        >>> kind(np.zeros(3)), kind([1]), kind(None)
        ('a NumPy array', 'a list', 'None')
    """
    if value is None:
        return "None"
    if type(value) is np.ndarray:
        return "a NumPy array"
    if is_tensor(value):
        return "a torch tensor"
    if hasattr(type(value), "_fields"):
        return "a tuple"
    name = type(value).__name__
    if name == "module":
        return "a module"
    if "function" in name.lower():  # written in C, or wrapped by NumPy
        return "a function"
    if name == "str":
        return "a text (str)"
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def describe(value: Any) -> str:
    """Say what a value is in at most about two lines of text; never raises.

    Example:
        >>> describe(np.array([[1, 2], [3, 4]], np.uint8))
        '[[1, 2], [3, 4]], uint8, shape (2, 2)'
        >>> describe(np.zeros((64, 48, 3)))
        'NumPy array of shape (64, 48, 3), float64, from 0.0 to 0.0'
    """
    try:
        return _describe(value)
    except Exception:
        return f"{kind(value)} that cannot be printed"


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _describe_array(value, "NumPy array")
    if is_tensor(value):
        dtype = str(value.dtype).removeprefix("torch.")
        return _describe_array(plain(value), "torch tensor", dtype)
    if isinstance(value, numbers.Number):
        name = type(value).__name__
        return number(value) if name in ("int", "float", "float64", "bool") else f"{number(value)}, {name}"
    if isinstance(value, str):
        return cut(repr(value))
    if isinstance(value, list | tuple):
        return _describe_sequence(value)
    if isinstance(value, dict):
        return cut(f"a dict with keys {', '.join(repr(key) for key in list(value)[:8])}")
    if value is None or isinstance(value, set | frozenset | range):
        return (
            cut(repr(value))
            if value is None or len(value) < 20
            else f"a {type(value).__name__} of {len(value)}"
        )
    return kind(value)


def plain(tensor: Any) -> np.ndarray:
    """Return a torch tensor as a NumPy array, for looking at only (bfloat16 becomes float32)."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().numpy()


def _describe_array(array: np.ndarray, library: str, dtype: str | None = None) -> str:
    dtype = dtype or str(array.dtype)
    shape = tuple(int(n) for n in array.shape)
    label = library if library == "torch tensor" else ""
    if 0 < array.size <= _SMALL and array.dtype.kind in "biufc":
        text = _nested(array.tolist())
        if len(text) <= 170:
            return f"{label} {text}, {dtype}, shape {shape}".strip()
    text = f"{library} of shape {shape}, {dtype}"
    if array.dtype.kind in "biuf" and 0 < array.size <= 10**7:
        text += f", from {number(array.min())} to {number(array.max())}"
    return text


def _nested(values: Any) -> str:
    return f"[{', '.join(_nested(v) for v in values)}]" if isinstance(values, list) else number(values)


def _describe_sequence(values: Sequence) -> str:
    """Write a short list of numbers in full, name the items of another short one, count a long one."""
    if hasattr(type(values), "_fields"):
        parts = zip(values._fields, values, strict=True)
        return cut("; ".join(f"{name.replace('_', ' ')}: {_describe(item)}" for name, item in parts), 600)
    left, right = ("(", ")") if isinstance(values, tuple) else ("[", "]")
    name = type(values).__name__
    if len(values) <= 12 and all(isinstance(v, numbers.Number | str) for v in values):
        items = [cut(repr(v), 30) if isinstance(v, str) else number(v) for v in values]
        return left + ", ".join(items) + ("," if name == "tuple" and len(items) == 1 else "") + right
    if len(values) <= 3:
        return cut(f"a {name} of {len(values)}: " + "; ".join(_describe(v) for v in values), 400)
    return f"a {name} of {len(values)}, the first item {kind(values[0])}"
