"""A file of weights put into a network: unpacked, renamed, compared name by name, and only then loaded."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from cvlab import _validate
from cvlab.store import checkpoint as files
from cvlab.store import weights

__all__ = ["load_into", "rename_keys"]


def _checkpoint(value, name: str) -> Mapping:
    if not isinstance(value, Mapping):
        slip = ". A model? Pass its state_dict()" if isinstance(value, torch.nn.Module) else ""
        raise TypeError(f"{name} must be a dict of tensors by name; got {type(value).__name__}{slip}")
    inner = value.get("state_dict", value)
    if not isinstance(inner, Mapping):
        raise ValueError(f"{name}['state_dict'] must be a dict of tensors; got {type(inner).__name__}")
    if not inner:
        raise ValueError(f"{name} must hold at least one tensor; got none")
    for key, tensor in inner.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(
                f"{name} must hold tensors only; {key!r} is a {type(tensor).__name__}. "
                f"Do they lie one level deeper? Pass {name}[{key!r}]"
            )
    return value


def _rules(value, name: str) -> list[tuple[str, str]]:
    pairs = list(value.items()) if isinstance(value, Mapping) else list(value)
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise ValueError(f"{name} must be pairs of texts (old, new); got {pair!r}")
        if not pair[0]:
            raise ValueError(f"{name} must not replace an empty text; got {pair!r}")
    return pairs


@_validate.arguments(checkpoint=_checkpoint, rules=_rules)
def rename_keys(checkpoint: Mapping, rules: Iterable[tuple[str, str]]) -> dict:
    """Return the tensors of a checkpoint under new names.

    Args:
        checkpoint: tensors by name, or a dict that keeps them under "state_dict".
        rules: pairs (old, new): every `old` in a name makes way for `new`, one rule after the other.

    Returns:
        New name -> the same tensor, in the checkpoint's order. A "module." at a name's front is gone.

    Example:
        >>> stored = {"state_dict": {"module.fc.bias": torch.zeros(2)}, "epoch": 9}
        >>> list(rename_keys(stored, [("fc", "classifier")]))
        ['classifier.bias']

    Source: `torch.nn.DataParallel` and `DistributedDataParallel` keep the network in an attribute `module`.
    """
    stored = checkpoint.get("state_dict", checkpoint)
    renamed = {}
    for name, tensor in stored.items():
        name = name.removeprefix("module.")
        for old, new in rules:
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed


def load_into(model: torch.nn.Module, source: str | Path | Mapping, rules: Iterable = ()) -> None:
    """Fill a network from a file of weights, or say what does not fit; nothing in the file is ever run.

    Args:
        model: stays as it was when an error is raised.
        source: a key of `cvlab.store.weights.REGISTRY`, a path, or what `torch.load` returned.
        rules: as `rename_keys` takes them.

    Raises:
        ValueError: the file is damaged, would run code, holds other names than the network, or other shapes
            under the same names; both are then told.

    Example:
        >>> net = torch.nn.Linear(2, 1)
        >>> load_into(net, {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)})
        Traceback (most recent call last):
            ...
        ValueError: the checkpoint is of another architecture: weight is (1, 3) in the file, (1, 2) in the model...
    """
    if isinstance(source, Mapping):
        stored, title = source, "the checkpoint"
    else:
        stored, title = weights.read(source), Path(source).name
    files.fill(model, rename_keys(stored, rules), title)
