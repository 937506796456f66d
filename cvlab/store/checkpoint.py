"""Weights and half-finished trainings on disk: written whole or not at all, read without running code, refused in words."""

import io
from pathlib import Path

import torch

from cvlab.store.files import write_whole

__all__ = ["fill", "load_checkpoint", "load_weights", "save_checkpoint", "save_weights"]


def save_weights(path: str | Path, model: torch.nn.Module, *, half: bool = False) -> Path:
    """Write a model's state dict as `safetensors`: numbers and names, no code; in half precision, of half the size, if wanted.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> save_weights(folder + "/net.safetensors", torch.nn.Linear(2, 1)).name
        'net.safetensors'
    """
    from safetensors.torch import save

    state = {name: value.half() if half else value for name, value in model.state_dict().items()}
    return _write(Path(path), save({name: value.contiguous() for name, value in state.items()}))


def load_weights(path: str | Path, model: torch.nn.Module) -> None:
    """Fill a model from a file of weights.

    Raises:
        ValueError: the file is damaged, or of another architecture; the layers that differ are named, and the
            model stays as it was.
    """
    from cvlab.store import weights

    fill(model, weights.load(path), Path(path).name)


def save_checkpoint(path: str | Path, model, optimizer, schedule=None, **progress) -> Path:
    """Write all that a training needs to go on: weights, the optimizer's velocities, the schedule, how far it came.

    Args:
        path: the file; an older one is replaced only when the new one is complete.
        model: its state dict is kept.
        optimizer: its state dict is kept.
        schedule: its state dict is kept, where there is one.
        **progress: numbers, texts, lists, dicts, tensors: step, losses, random state.

    Raises:
        OSError: no space, no permission; the older checkpoint is then untouched.
    """
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": None if schedule is None else schedule.state_dict(),
        "progress": progress,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return _write(Path(path), buffer.getvalue())


def load_checkpoint(path: str | Path, model, optimizer=None, schedule=None) -> dict:
    """Put a training back where `save_checkpoint` left it; nothing in the file is ever run.

    Returns:
        The progress that was saved.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is truncated or no checkpoint, or it is of another architecture.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; a new training starts without --resume")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        parts = {name: content[name] for name in ("model", "optimizer", "schedule", "progress")}
    except Exception as error:  # the parser raises all sorts on damaged bytes
        raise ValueError(
            f"{path.name} ({path.stat().st_size} bytes) is truncated, or no checkpoint of this course; nothing in it was run. "
            "Use an earlier one, or start anew"
        ) from error
    fill(model, parts["model"], path.name)
    if optimizer is not None:
        optimizer.load_state_dict(parts["optimizer"])
    if schedule is not None and parts["schedule"] is not None:
        schedule.load_state_dict(parts["schedule"])
    return parts["progress"]


def fill(model: torch.nn.Module, tensors: dict, name: str) -> None:
    """Load tensors by name, or say which layers differ before anything is changed.

    Args:
        model: whose tensors are overwritten.
        tensors: a state dict, with the model's names and shapes.
        name: what the tensors are called in an error.

    Raises:
        ValueError: a name is missing or is not the model's, or a shape differs; both shapes are told.

    Example:
        >>> fill(torch.nn.Linear(2, 1), {"weight": torch.zeros(1, 2)}, "net.pth")
        Traceback (most recent call last):
            ...
        ValueError: net.pth is of another architecture: bias is missing in the file. Build the net it was saved from
    """
    own = model.state_dict()
    if own.keys().isdisjoint(tensors):
        raise ValueError(
            f"{name} is of another architecture, or its tensors are named otherwise: none of its {len(tensors)} names is the model's. "
            f"Its first is {next(iter(tensors), None)!r}, the model's {next(iter(own), None)!r}. Rename them, or build the net it was saved from"
        )
    differ = [
        f"{key} is {tuple(tensors[key].shape)} in the file, {tuple(value.shape)} in the model"
        for key, value in own.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    differ += [f"{key} is missing in the file" for key in own if key not in tensors]
    differ += [f"{key} is not in the model" for key in tensors if key not in own]
    if differ:
        more = f"; and {len(differ) - 4} more" if len(differ) > 4 else ""
        raise ValueError(
            f"{name} is of another architecture: {'; '.join(differ[:4])}{more}. Build the net it was saved from"
        )
    model.load_state_dict(tensors)


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, data)
