"""Widgets: pictures that answer when you move them. Each is imported when it is first asked for.

A widget is a class in a lesson's folder that derives from `Widget` or `PointerWidget`; being there exports it.
"""

import importlib
import re
from pathlib import Path

_ENGINE = {"PointerWidget": "_engine.pointer", "Widget": "_engine.base"}
_WIDGET = re.compile(r"^class (\w+)\((?:Pointer)?Widget\):", re.MULTILINE)
_HOME = {
    name: f"{path.parent.name}.{path.stem}"
    for path in sorted(Path(__file__).parent.glob("[a-z]*/*.py"))
    for name in _WIDGET.findall(path.read_text(encoding="utf-8"))
} | _ENGINE

__all__ = sorted(_HOME.keys() - _ENGINE.keys())


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(
            f"module 'cvlab.widgets' has no attribute {name!r}; it has: {', '.join(__all__)}"
        )
    return getattr(importlib.import_module(f"cvlab.widgets.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
