"""Compare a result with the expected one: type, then shape, then values, then dtype; no broadcasting."""

import inspect
import numbers
import sys
from typing import Any

import numpy as np

from cvlab.checks._engine.describe import describe, is_tensor, kind, number, plain

__all__ = ["difference", "dtype_slip", "shares_memory"]


def difference(expected: Any, got: Any, *, tolerance: float = 1e-6, any_float: bool = False) -> str | None:
    """Return in words how `got` differs from `expected`, or None where they agree.

    Example:
        >>> difference(np.zeros((2, 3)), np.zeros((3, 2)))
        'The shape is (3, 2), expected (2, 3): are two axes swapped?'
        >>> difference(2.0, 2)
        'Expected a float, got an int: 2.'
    """
    try:
        return _difference(expected, got, tolerance, any_float)
    except Exception as error:  # an object whose own methods fail
        return f"Expected {kind(expected)}, got {kind(got)} that cannot be compared ({type(error).__name__})."


def _difference(expected: Any, got: Any, tolerance: float, any_float: bool) -> str | None:
    if got is None and expected is not None:
        return "It returned None: is the `return` missing?"
    if isinstance(expected, np.ndarray) or is_tensor(expected):
        return _array_difference(expected, got, tolerance, any_float)
    if isinstance(expected, bool | numbers.Number):
        return _number_difference(expected, got, tolerance)
    if isinstance(expected, list | tuple):
        return _sequence_difference(expected, got, tolerance, any_float)
    if isinstance(expected, dict):
        return _dict_difference(expected, got, tolerance, any_float)
    if type(expected) is not type(got):
        return _type_difference(kind(expected), got)
    return None if expected == got else f"Expected {describe(expected)}, got {describe(got)}."


def _type_difference(wanted: str, got: Any) -> str:
    """Say that the type is another, with the slip behind the commonest ones."""
    text = f"Expected {wanted}, got {kind(got)}."
    if inspect.isgenerator(got):
        return text[:-1] + ": did you write `yield` instead of `return`?"
    if inspect.iscoroutine(got):
        got.close()
        return text[:-1] + ": write `def`, not `async def`."
    if callable(got):
        return text[:-1] + ": did you forget to call it?"
    if isinstance(got, numbers.Number):
        return f"{text[:-1]}: {number(got)}."
    return text


def _number_difference(expected: Any, got: Any, tolerance: float) -> str | None:
    families = [
        ("a bool", (bool, np.bool_)),
        ("an int", numbers.Integral),
        ("a float", (float, np.floating)),
        ("a complex number", numbers.Number),
    ]
    wanted = next(index for index, (_, types) in enumerate(families) if isinstance(expected, types))
    found = next((index for index, (_, types) in enumerate(families) if isinstance(got, types)), None)
    if found != wanted:
        if isinstance(got, np.ndarray) or is_tensor(got):
            return f"Expected {families[wanted][0]}, got {kind(got)} of shape {tuple(got.shape)}."
        if {wanted, found} == {1, 2} and not _close(
            np.asarray(expected), np.asarray(got), max(tolerance, 1e-5)
        ):
            names = kind(got), families[wanted][0]
            return (
                f"Expected {number(expected)}, got {number(got)}. It is {names[0]}, expected {names[1]}, too."
            )
        return _type_difference(families[wanted][0], got)
    if bool(_close(np.asarray(expected), np.asarray(got), tolerance if wanted > 1 else 0)):
        return None
    return f"Expected {number(expected)}, got {number(got)}."


def _sequence_difference(expected, got, tolerance, any_float) -> str | None:
    if type(got) is not type(expected) and not (isinstance(expected, tuple) and isinstance(got, tuple)):
        return _type_difference(f"{kind(expected)} of {len(expected)}", got)
    if len(got) != len(expected):
        return f"The {type(got).__name__} has {len(got)} items, expected {len(expected)}."
    for index, pair in enumerate(zip(expected, got, strict=True)):
        text = _difference(*pair, tolerance, any_float)
        if text:
            return f"{_item(expected, index)}: {text}"
    return None


def _item(expected: list | tuple, index: int) -> str:
    """Name one item: by its name where it has one (`net_afterwards` is "The net afterwards")."""
    names = getattr(expected, "_fields", None)
    return (
        f"The {names[index].replace('_', ' ')}" if names else f"Item {index} of the {type(expected).__name__}"
    )


def _dict_difference(expected, got, tolerance, any_float) -> str | None:
    if not isinstance(got, dict):
        return _type_difference("a dict", got)
    if set(got) != set(expected):
        missing = [key for key in expected if key not in got]
        extra = [key for key in got if key not in expected]
        return f"The dict's keys differ: missing {missing[:5]}, not expected {extra[:5]}."
    for key in expected:
        text = _difference(expected[key], got[key], tolerance, any_float)
        if text:
            return f"Under the key {key!r}: {text}"
    return None


def _array_difference(expected, got, tolerance, any_float) -> str | None:
    wanted = "a torch tensor" if is_tensor(expected) else "a NumPy array"
    same_library = is_tensor(got) if is_tensor(expected) else type(got) is np.ndarray
    if not same_library:
        return _type_difference(wanted, got)
    if is_tensor(got) and (slip := _unusual(got)):
        return slip
    if is_tensor(got) and got.device != expected.device:
        return f"The tensor is on {got.device}, expected {expected.device}."
    shape, wanted_shape = tuple(got.shape), tuple(expected.shape)
    if shape != wanted_shape:
        swapped = ": are two axes swapped?" if sorted(shape) == sorted(wanted_shape) else "."
        return f"The shape is {shape}, expected {wanted_shape}{swapped}"
    slip = dtype_slip(expected, got, any_float=any_float)
    if is_tensor(got):
        expected, got = plain(expected), plain(got)
    if slip and got.dtype.kind not in "biuf":  # nothing that could be compared as numbers
        return slip
    values = _value_difference(expected, got, max(tolerance, 1e-5) if slip else tolerance)
    return f"{values} {slip}" if values and slip else values or slip or None


def dtype_slip(expected: Any, got: Any, *, any_float: bool = False) -> str:
    """Say that an array or tensor has another dtype; "" where it has the same, or where one of the two is no array.

    Example:
        >>> dtype_slip(np.zeros(2), np.zeros(2, int), any_float=True)
        'The dtype is int64, expected a float.'
    """
    if not all(issubclass(type(a), np.ndarray) or is_tensor(a) for a in (expected, got)):
        return ""
    dtype, wanted = (str(a.dtype).removeprefix("torch.") for a in (got, expected))
    are_floats = [name.startswith(("float", "bfloat")) for name in (dtype, wanted)]
    if dtype == wanted or (any_float and all(are_floats)):
        return ""
    return f"The dtype is {dtype}, expected {'a float' if any_float and are_floats[1] else wanted}."


def _unusual(tensor: Any) -> str:
    """Name the way back from a tensor that does not simply hold its numbers in a row; "" for an ordinary one."""
    if tensor.is_nested:
        return "The tensor is nested, with rows of different lengths: `torch.stack` makes an ordinary one."
    if tensor.is_meta:
        return "The tensor is on the device meta: it has a shape, and no numbers."
    if tensor.layout != sys.modules["torch"].strided:
        return f"The tensor is stored as {tensor.layout}: `.to_dense()` makes an ordinary one."
    if tensor.is_quantized:
        return "The tensor is quantised: `.dequantize()` makes an ordinary one."
    return ""


def _close(expected: np.ndarray, got: np.ndarray, tolerance: float) -> np.ndarray:
    """Return a boolean array: True where the two agree; NaN agrees with NaN, infinity with the same infinity."""
    if expected.dtype.kind in "fc" or got.dtype.kind in "fc":
        return np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    return np.asarray(expected == got)


def _value_difference(expected: np.ndarray, got: np.ndarray, tolerance: float) -> str | None:
    close = _close(expected, got, tolerance)
    if close.all():
        return None
    wrong = ~close
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    count = f"{int(wrong.sum())} of {wrong.size} values differ" if wrong.size > 1 else "The value differs"
    text = f"{count}. At {_place(first)}: expected {number(expected[first])}, got {number(got[first])}."
    if got.dtype.kind == "f" and (broken := ~np.isfinite(got) & np.isfinite(expected)).any():
        return f"{text} Values that are NaN or infinite: {int(broken.sum())}."
    gap = np.where(wrong, np.abs(got.astype(complex) - expected.astype(complex)), 0)
    largest = tuple(int(i) for i in np.unravel_index(np.nanargmax(gap), gap.shape))
    if largest == first or got.dtype.kind not in "iuf":
        return text
    most = number(abs(got[largest].item() - expected[largest].item()))
    return f"{text} The largest difference is {most}, at {_place(largest)}."


def _place(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else "the only value"


def shares_memory(result: Any, value: Any) -> bool:
    """Tell whether writing to `result` would change `value`; lists and tuples are looked into."""
    if type(value) in (list, tuple):
        return any(shares_memory(result, item) for item in value)
    try:
        arrays = [plain(v) if is_tensor(v) else v for v in (result, value)]
    except Exception:  # a tensor without numbers in a row
        return False
    return all(issubclass(type(a), np.ndarray) for a in arrays) and bool(np.may_share_memory(*arrays))
