"""What a control allows, and where controls stand: shared by every widget."""

import numbers
from typing import Any

import ipywidgets

__all__ = ["allowed", "arrange", "check_value"]

CHARACTER = 7  # pixels a character of a description takes


def allowed(control) -> list[Any] | None:
    """Return the values of a control with options (a dropdown, a row of buttons); None for the others."""
    if not hasattr(control, "options"):
        return None
    pairs = control.options.items() if isinstance(control.options, dict) else control.options
    return [pair[1] if isinstance(pair, tuple) and len(pair) == 2 else pair for pair in pairs]


def check_value(name: str, control, value: Any) -> None:
    """Raise a clear error when a control cannot take a value; nothing is clipped silently."""
    options = allowed(control)
    if options is not None:
        if value not in options:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}; got {value!r}")
    elif isinstance(control.value, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False; got {value!r}")
    elif isinstance(control.value, int | float):
        _check_number(name, control, value, control.value)
    elif isinstance(control.value, tuple):
        if not isinstance(value, tuple) or len(value) != 2 or value[0] > value[1]:
            raise ValueError(f"{name} must be two numbers, the smaller first, as (2, 5); got {value!r}")
        for end, now in zip(value, control.value, strict=True):
            _check_number(name, control, end, now)


def _check_number(name: str, control, value: Any, now: Any) -> None:
    """Check one number against what the control holds `now` (whole or not) and its ends."""
    whole = isinstance(now, int)
    kind = numbers.Integral if whole else numbers.Real
    article = "a whole number" if whole else "a number"
    low, high = getattr(control, "min", None), getattr(control, "max", None)
    span = f" from {low} to {high}" if low is not None else ""
    good = isinstance(value, kind) and not isinstance(value, bool)
    if not good or (low is not None and not low <= value <= high):
        raise ValueError(f"{name} must be {article}{span}; got {value!r}")


def arrange(controls: dict[str, Any], *extra, width: int) -> ipywidgets.Box:
    """Put controls, each `width` CSS pixels wide, in rows that wrap, with descriptions of one width, followed by `extra` buttons."""
    shown = [control for control in controls.values() if control.layout.display != "none"]
    beside = [control for control in shown if not isinstance(control, ipywidgets.Checkbox)]
    letters = max((len(control.description) for control in beside), default=0)
    for control in shown:
        control.layout.width = f"{width}px"
        if isinstance(control, ipywidgets.ToggleButtons):
            longest = max(len(str(option)) for option in allowed(control))
            control.style.button_width = f"{max(40, longest * CHARACTER + 30)}px"
        control.style.description_width = f"{letters * CHARACTER + 8:.0f}px"
    for button in extra:
        button.layout.width = "90px"
    rows = ipywidgets.Layout(display="flex", flex_flow="row wrap", align_items="center", grid_gap="0 16px")
    return ipywidgets.Box([*shown, *extra], layout=rows)
