"""cvlab: the helper package of an interactive computer-vision course.

The everyday verbs live here (`photo`, `show`, `check`, `hint`, `solution`, `progress`); everything
else is imported from the module that holds it, as in `from cvlab.boxes import nms`. Nothing heavy is
imported until it is used.
"""

import importlib

__version__ = "0.1.0"

_VERBS = {
    "photo": ("cvlab.world.photos", "load"),
    "show": ("cvlab.draw", "show"),
    "show_many": ("cvlab.draw", "show_many"),
    "check": ("cvlab.checks", "check"),
    "hint": ("cvlab.checks", "hint"),
    "solution": ("cvlab.checks", "solution"),
    "progress": ("cvlab.checks", "progress"),
}

__all__ = [*_VERBS, "__version__"]


def __getattr__(name: str):
    if name in _VERBS:
        module, attribute = _VERBS[name]
        return getattr(importlib.import_module(module), attribute)
    try:
        return importlib.import_module(f"cvlab.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"cvlab.{name}":
            raise
        raise AttributeError(f"module 'cvlab' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(__all__)
