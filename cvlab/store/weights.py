"""Pretrained weights, verified before use; EfficientNet-Lite0 with its real ImageNet weights; archives unpacked safely."""

import re
import sys
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from cvlab.store.archive import extract
from cvlab.store.download import DataUnavailable, DownloadError, Limits
from cvlab.store.registry import REGISTRY, Source, fetch, real

__all__ = [
    "REGISTRY",
    "DataUnavailable",
    "DownloadError",
    "Limits",
    "Source",
    "efficientnet_lite0",
    "extract",
    "fetch",
    "imagenet_classes",
    "load",
    "read",
    "real",
    "top5",
]


def load(source: str | Path) -> dict:
    """Return the tensors of a file of weights, by name, on the CPU; nothing in the file is ever run.

    Args:
        source: a key of `REGISTRY`, or the path of a .safetensors, .pth or .pt file.

    Returns:
        Tensor name -> `torch.Tensor`, in the file's order.

    Raises:
        ValueError: the file is damaged, holds more than tensors, or would run code.

    Example:
        >>> load("efficientnet_lite0")["_conv_stem.weight"].shape
        torch.Size([32, 3, 3, 3])
    """
    path, tensors = _path(source), read(source)
    if not isinstance(tensors, dict):
        raise ValueError(f"{path.name} must hold a dict of tensors; got {type(tensors).__name__}")
    for name, value in tensors.items():
        if not hasattr(value, "untyped_storage"):
            inner = "; the tensors may lie one level deeper" if isinstance(value, dict) else ""
            raise ValueError(
                f"{path.name} must hold tensors only; {name!r} is a {type(value).__name__}{inner}"
            )
    return dict(tensors)


def _path(source: str | Path) -> Path:
    path = fetch(source) if source in REGISTRY else Path(source)
    if not path.is_file():
        known = ", ".join(sorted(REGISTRY))
        raise FileNotFoundError(f"source must be an existing file or one of {known}; got {str(source)!r}")
    return path


def read(source: str | Path):
    """Return what a file of weights holds, as it is: tensors, or a dict that keeps them deeper. Nothing in it is run.

    Args:
        source: a key of `REGISTRY`, or the path of a .safetensors, .pth or .pt file.

    Raises:
        ValueError: the file is damaged, or would run code; what it would call is named.

    Example:
        >>> len(read("efficientnet_lite0"))
        296
    """
    import pickle

    import safetensors.torch
    import torch

    path = _path(source)
    path.open("rb").close()  # no permission is not damage
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path, device="cpu")
        with warnings.catch_warnings():  # torch's doubts about a file that it then refuses
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        called = re.search(r"GLOBAL (?:__builtin__\.|builtins\.)?(\S+)", str(error))
        if called:
            raise ValueError(
                f"{path.name} is refused: it holds more than tensors and could run code (it asks for {called[1]})"
            ) from error
        raise ValueError(
            f"{path.name} is damaged, or not a file of weights; nothing in it was run"
        ) from error
    except Exception as error:  # the parsers raise all sorts on damaged bytes
        raise ValueError(
            f"{path.name} is damaged, or not a file of weights. Cut short? Fetch it again"
        ) from error


def efficientnet_lite0(num_classes: int = 1000):
    """Return timm's `tf_efficientnet_lite0` in eval mode, with real ImageNet weights.

    `model.pretrained_cfg` says how to prepare a picture: 224x224 RGB, bicubic, mean = std = 0.5.

    Args:
        num_classes: 1000 keeps ImageNet's head; 0 removes it (the model then returns (N, 1280)
            features); any other number puts a new, untrained head in its place.

    Returns:
        A `torch.nn.Module` from (N, 3, 224, 224) float to (N, num_classes) logits.

    Example:
        >>> efficientnet_lite0().pretrained_cfg["mean"]
        (0.5, 0.5, 0.5)

    Source: Tan and Le, EfficientNet, ICML 2019; the Lite variant is by the TensorFlow authors (2020).
    """
    import torch

    timm = _timm()
    stored = load("efficientnet_lite0")
    with torch.random.fork_rng(
        devices=[]
    ):  # the throw-away initial weights must not use up the caller's seed
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model.load_state_dict(_in_order(stored, model.state_dict()))
    if num_classes != 1000:
        model.reset_classifier(num_classes)
    return model.eval()


def _timm():
    """Import timm, but not wandb along with it: a logger that only timm's own training asks for, 3 seconds and 26 MB."""
    spared = "timm" not in sys.modules and "wandb" not in sys.modules
    if spared:
        sys.modules["wandb"] = None  # to Python that is a package which is not installed
    try:
        import timm
    finally:
        if spared:
            del sys.modules["wandb"]
    return timm


def _in_order(stored: dict, wanted: dict) -> dict:
    """Give `stored` tensors the names of `wanted`: same order, and each pair must agree in kind and shape."""
    if len(stored) != len(wanted):
        raise ValueError(f"weights must hold {len(wanted)} tensors; got {len(stored)}")
    for (old, have), (new, want) in zip(stored.items(), wanted.items(), strict=True):
        if have.shape != want.shape or old.rpartition(".")[2] != new.rpartition(".")[2]:
            raise ValueError(
                f"tensor {new} must have shape {tuple(want.shape)}; got {old} with {tuple(have.shape)}"
            )
    return dict(zip(wanted, stored.values(), strict=True))


@lru_cache(maxsize=1)
def _class_names() -> tuple[str, ...]:
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    full = [info.index_to_description(i) for i in range(info.num_classes())]
    short = [name.split(",")[0] for name in full]
    names = [a if short.count(a) == 1 else b for a, b in zip(short, full, strict=True)]
    names[134], names[517] = "crane (bird)", "crane (machine)"
    return tuple(names)


def imagenet_classes() -> list[str]:
    """Return the 1000 ImageNet class names, all different, in the order of a network's outputs.

    Example:
        >>> imagenet_classes()[285]
        'Egyptian cat'

    Source: the tables inside timm (`timm.data.ImageNetInfo`), read without a network.
    """
    return list(_class_names())


def top5(scores) -> list[tuple[str, float]]:
    """Return the five likeliest ImageNet classes of one picture, best first.

    Args:
        scores: (1000,) or (1, 1000) tensor or array: logits, or probabilities (none negative, sum 1).

    Returns:
        Five pairs (class name, probability in [0, 1]).

    Example:
        >>> scores = np.zeros(1000); scores[285] = 9
        >>> top5(scores)[0]
        ('Egyptian cat', 0.89...)
    """
    if hasattr(scores, "detach"):
        scores = scores.detach().cpu().float().numpy()
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape not in ((1000,), (1, 1000)):
        slip = "; pass one picture at a time" if scores.ndim == 2 and scores.shape[1] == 1000 else ""
        raise ValueError(f"scores must have shape (1000,) or (1, 1000); got {scores.shape}{slip}")
    scores = scores.reshape(1000)
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite; got NaN or infinity")
    if scores.min() < 0 or abs(scores.sum() - 1) > 1e-3:
        scores = np.exp(scores - scores.max())
        scores = scores / scores.sum()
    names = imagenet_classes()
    return [(names[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:5]]
