"""Shared argument checks: every message says the name, what was expected, what came, and the likely slip.

The functions that a lesson writes on the page carry their checks in a decorator, `arguments`, so that the
body in the package stays word for word the body on the page.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real

import numpy as np

__all__ = [
    "arguments",
    "as_array",
    "as_many",
    "box_rows",
    "boxes",
    "channel_values",
    "floats",
    "image",
    "nearest",
    "one_of",
    "positive_int",
    "same_shape",
]


def arguments(together: Callable | None = None, /, **checks: Callable) -> Callable:
    """Check a function's arguments before its body runs.

    Args:
        together: called with all arguments by name after the single checks, for those that must agree.
        checks: argument name -> `check(value, name)`, which returns the value to pass on, or raises.

    Example:
        >>> @arguments(size=positive_int)
        ... def crop(size): return size
        >>> crop(0)
        Traceback (most recent call last):
        ...
        ValueError: size must be at least 1; got 0
    """

    def wrap(function: Callable) -> Callable:
        parameters = inspect.signature(function).parameters.values()
        assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
        names = {p.name for p in parameters}
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}

        @functools.wraps(function)
        def checked(*args, **kwargs):
            values = {**defaults, **dict(zip(positional, args, strict=False)), **kwargs}
            given_twice = kwargs and not kwargs.keys().isdisjoint(positional[: len(args)])
            if given_twice or len(args) > len(positional) or values.keys() != names:
                return function(*args, **kwargs)  # Python says what is wrong
            for name, check in checks.items():
                values[name] = check(values[name], name)
            if together:
                together(**values)
            return function(**values)

        return checked

    return wrap


def as_array(value, name: str) -> np.ndarray:
    """Return `value` as a numeric array without copying one that is already an array.

    Raises:
        TypeError: when `value` is text, a path, None or anything else that is not made of numbers.
    """
    if isinstance(value, (str, bytes)) or hasattr(value, "__fspath__"):
        raise TypeError(f"{name} must be an array; got {value!r}. Load it first: photo({str(value)!r})")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} must be an array; got rows of different lengths") from error
    if array.dtype == object or array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array of numbers; got {type(value).__name__}")
    return array


def image(value, name: str = "image", *, channels: Sequence[int] | None = (1, 3, 4)) -> np.ndarray:
    """Return `value` as a picture: (H, W) or (H, W, C), at least one pixel.

    Args:
        value: the array to judge.
        name: what the caller calls it.
        channels: the numbers of channels that (H, W, C) may have; None forbids a third axis; `(3,)` alone
            also forbids (H, W).

    Raises:
        TypeError: when it is not an array of numbers.
        ValueError: when the shape is not that of a picture; says what the slip probably was.
    """
    array = as_array(value, name)
    wanted = _wanted(channels)
    if array.ndim == 4:
        raise ValueError(
            f"{name} must have shape {wanted}; got {array.shape}. A batch? Pass one picture: {name}[0]"
        )
    grey_allowed = channels is None or 1 in channels
    if array.ndim == 2 and grey_allowed:
        shape_ok = True
    else:
        shape_ok = array.ndim == 3 and channels is not None and array.shape[2] in channels
    if not shape_ok:
        slip = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
            slip = f". Channels first? {name}.transpose(1, 2, 0) puts them last"
        elif array.ndim == 2 and not grey_allowed:
            slip = ". A grey picture? np.stack([gray] * 3, axis=2) gives it three channels"
        elif array.ndim == 3 and array.shape[2] == 4 and channels is not None and 4 not in channels:
            slip = f". An alpha channel? {name}[..., :3] drops it"
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}{slip}")
    if array.size == 0:
        raise ValueError(f"{name} must have at least one pixel; got shape {array.shape}")
    return array


def rgb(value, name: str = "image") -> np.ndarray:
    """Return `value` as a colour picture (H, W, 3) uint8.

    Raises:
        TypeError, ValueError: as `image`; also for values that are no bytes.
    """
    if image(value, name, channels=(3,)).dtype != np.uint8:
        raise ValueError(
            f"{name} must be uint8, 0 to 255; got {value.dtype}. As floats? (255 * {name}).astype(np.uint8)"
        )
    return value


def _wanted(channels: Sequence[int] | None) -> str:
    if channels is None:
        return "(H, W)"
    shapes = ["(H, W)"] if 1 in channels else []
    return " or ".join(shapes + [f"(H, W, {c})" for c in channels])


def positive_int(value, name: str, *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`; floats, booleans and text are refused."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        slip = (
            f". Round it first: int({value!r})"
            if isinstance(value, Real) and not isinstance(value, bool)
            else ""
        )
        raise TypeError(f"{name} must be a whole number; got {value!r}{slip}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    return int(value)


def floats(value, name: str) -> np.ndarray:
    """Return `value` as an array of finite floats."""
    array = as_array(value, name)
    if array.dtype.kind != "f":
        array = array.astype(float)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array.tolist()}")
    return array


def channel_values(value: np.ndarray, name: str, channels: int) -> None:
    """Raise unless `value` is one number for all channels or one per channel."""
    if value.shape not in ((), (channels,)):
        raise ValueError(f"{name} must hold one number per channel, shape ({channels},); got {value.shape}")


def one_of(value, name: str, allowed: Sequence[str]) -> str:
    """Return `value` when it is one of `allowed`; otherwise say which are, and the nearest."""
    if value in allowed:
        return value
    raise ValueError(
        f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}{nearest(value, allowed)}"
    )


def nearest(word, known: Iterable[str]) -> str:
    """End an error about an unknown name with the two names, at most, that were probably meant.

    Example:
        >>> "no photo is called 'cofee'" + nearest("cofee", ["coffee", "cat"])
        "no photo is called 'cofee'. Did you mean 'coffee'?"
    """
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in known}
    near = [repr(by_lower[found]) for found in get_close_matches(str(word).lower(), by_lower, n=2)]
    return f". Did you mean {' or '.join(near)}?" if near else ""


def same_shape(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> None:
    """Raise when two arrays that belong together differ in shape: nothing is broadcast silently."""
    if a.shape != b.shape:
        raise ValueError(f"{names[0]} and {names[1]} must have the same shape; got {a.shape} and {b.shape}")


def box_rows(value, name: str, form: str) -> np.ndarray:
    """Return `value` as (N, 4) finite floats, four numbers a box in the order that `form` tells."""
    array = as_array(value, name)
    array = array.reshape(0, 4) if array.size == 0 and array.ndim < 2 else array
    if array.ndim != 2 or array.shape[1] != 4:
        slip = f". One box? Pass [{name}]" if array.shape == (4,) else ""
        raise ValueError(f"{name} must have shape (N, 4) as {form}; got {array.shape}{slip}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise ValueError(f"{name} must be finite; got {name}[{bad[0]}] = {array[bad[0]].tolist()}")
    return array.astype(float)


def boxes(value, name: str) -> np.ndarray:
    """Return `value` as (N, 4) floats x0, y0, x1, y1 in pixels, no box inside out."""
    array = box_rows(value, name, "x0, y0, x1, y1")
    bad = np.flatnonzero((array[:, 2] < array[:, 0]) | (array[:, 3] < array[:, 1]))
    if len(bad):
        raise ValueError(
            f"{name} must be x0, y0, x1, y1 with x0 <= x1 and y0 <= y1; got {name}[{bad[0]}] = "
            f"{array[bad[0]].tolist()}. As x, y, w, h? boxes.xywh_to_xyxy converts it"
        )
    return array


def as_many(items, rows, name: str) -> None:
    """Raise unless there is one item for each row."""
    if len(items) != len(rows):
        raise ValueError(
            f"{name} must have one item for each of the {len(rows)} boxes or masks; got {len(items)}"
        )
