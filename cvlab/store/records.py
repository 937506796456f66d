"""What the recipes in `data/` recorded of trainings that a lesson has no time for."""

import json

from cvlab import settings

__all__ = ["training_record"]


def training_record(name: str) -> dict:
    """Return one record of `data/training`.

    Example:
        >>> training_record("detection.json")["scenes"]
        40
    """
    return json.loads((settings.data_dir() / "training" / name).read_text(encoding="utf-8"))
