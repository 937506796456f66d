"""Section 11 of lesson 04: ResNet-18 on CIFAR-10 at 224 pixels, and MaxViT; skipped in words where the course is offline."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cvlab import _validate, settings
from cvlab.preprocessing.preprocess import IMAGENET_MEAN, IMAGENET_STD
from cvlab.store import weights
from cvlab.store.checkpoint import load_weights
from cvlab.store.download import PATIENT, DownloadError, Limits, sha256_of
from cvlab.store.registry import SWITCH

__all__ = ["at_224", "cifar10", "from_hub", "maxvit_top5", "resnet18", "train"]

MEAN, SPREAD = IMAGENET_MEAN, IMAGENET_STD


def resnet18(*, limits: Limits = PATIENT):
    """Return torchvision's ResNet-18 in evaluation mode: with ImageNet's weights, or random ones where it says "skipped".

    Args:
        limits: timeouts and tries of the download, where there is one.

    Returns:
        A `torch.nn.Module` from (N, 3, 224, 224) float to (N, 1000) logits.

    Raises:
        ValueError: the file's tensors are not those of ResNet-18.

    Example:
        >>> resnet18().fc
        Real: skipped, resnet18-f37072fd.pth (46.8 MB) is not part of the course and the course is offline. ...
        Linear(in_features=512, out_features=1000, bias=True)

    Source: He and others, Deep Residual Learning for Image Recognition, CVPR 2016.
    """
    from torchvision import models

    path = weights.real("resnet18", limits=limits)
    with torch.random.fork_rng(devices=[]):  # so that what comes next draws the same numbers on- and offline
        torch.manual_seed(0)
        net = models.resnet18(weights=None)
    if path:
        load_weights(path, net)
    return net.eval()


def at_224(images: np.ndarray) -> torch.Tensor:
    """Enlarge pictures to 224 x 224, and normalise them as torchvision's networks were trained.

    Args:
        images: (N, H, W, 3) uint8 RGB.

    Returns:
        (N, 3, 224, 224) float32, mean about 0 and spread about 1.

    Example:
        >>> at_224(np.zeros((2, 32, 32, 3), np.uint8)).shape
        torch.Size([2, 3, 224, 224])
    """
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = F.interpolate(x, size=(224, 224), mode="bilinear", antialias=True)
    mean, spread = (torch.tensor(v)[None, :, None, None] for v in (MEAN, SPREAD))
    return (x - mean) / spread


def cifar10(train: int = 480, test: int = 200, *, limits: Limits = PATIENT):
    """Return the first pictures of CIFAR-10 with their labels; None, and a line that says why, where they cannot be had.

    Args:
        train, test: how many pictures of either part.
        limits: timeouts and tries of the download, where there is one.

    Returns:
        (images (N, 32, 32, 3) uint8, labels (N,) int64) for training, the same for testing; or None.

    Example:
        >>> cifar10()
        Real: skipped, CIFAR-10 (170 MB) is not part of the course and the course is offline. ...
    """
    from cvlab.world import cifar10 as photos

    if not settings.is_online():  # even where it is in the cache: the same lines on every machine
        print(
            f"Real: skipped, CIFAR-10 (170 MB) is not part of the course and the course is offline. {SWITCH}"
        )
        return None
    try:
        parts = photos.load(limits=limits)
    except (weights.DataUnavailable, OSError) as error:
        print(f"Real: skipped. {error}")
        return None
    found = tuple((x[:n], y[:n]) for (x, y), n in zip(parts, (train, test), strict=True))
    print(f"Real: CIFAR-10, {len(found[0][0])} photos to learn from and {len(found[1][0])} to test with.")
    return found


def train(net, optimizer, photos, *, batch: int = 16, epochs: int = 1) -> float:
    """Train `net` on enlarged photos, and return its accuracy on the test photos.

    A network of which only the head learns stays in evaluation mode, so that batch norm's running numbers are kept too.

    Args:
        net: from (N, 3, 224, 224) to (N, 10) logits.
        optimizer: holds the weights that learn.
        photos: of `cifar10()`.
        batch: photos at a time.
        epochs: how often all of them are seen.

    Returns:
        Share of right answers in [0, 1].
    """
    (images, labels), (test_images, test_labels) = photos
    frozen = any(not weight.requires_grad for weight in net.parameters())
    order = np.random.default_rng(0)
    for _ in range(epochs):
        net.train(not frozen)
        for part in np.array_split(order.permutation(len(images)), -(-len(images) // batch)):
            loss = F.cross_entropy(net(at_224(images[part])), torch.from_numpy(labels[part]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    parts = np.array_split(np.arange(len(test_images)), -(-len(test_images) // batch))
    with torch.inference_mode():
        answers = np.concatenate([net(at_224(test_images[part])).argmax(1).numpy() for part in parts])
    return float((answers == test_labels).mean())


def maxvit_top5(photo: np.ndarray, name: str = "maxvit_tiny_tf_224.in1k", *, endpoint: str | None = None):
    """Return MaxViT's five likeliest ImageNet classes of a photo; None, and a line that says why, where it cannot be had.

    Args:
        photo: (H, W, 3) uint8 RGB.
        name: of a timm network with ImageNet's 1000 classes; `maxvit_large_tf_384.in1k` is the largest of its kind (850 MB).
        endpoint: address of another hub, or None.

    Returns:
        Five pairs (class name, probability in [0, 1]), or None.

    Example:
        >>> maxvit_top5(np.zeros((8, 8, 3), np.uint8))
        Real: skipped, maxvit_tiny_tf_224.in1k is not part of the course and the course is offline. ...

    Source: Tu and others, MaxViT: Multi-Axis Vision Transformer, ECCV 2022.
    """
    import timm
    from PIL import Image
    from timm.data import create_transform, resolve_data_config

    _validate.image(photo, "photo", channels=(3,))
    if not settings.is_online():  # timm itself would try for 20 seconds
        print(f"Real: skipped, {name} is not part of the course and the course is offline. {SWITCH}")
        return None
    try:
        net = timm.create_model(name).eval()
        load_weights(from_hub(timm.get_pretrained_cfg(name).hf_hub_id, endpoint=endpoint), net)
    except (weights.DataUnavailable, ValueError) as error:
        print(f"Real: skipped. {error}")
        return None
    prepare = create_transform(**resolve_data_config(net.pretrained_cfg))
    with torch.inference_mode():
        scores = net(prepare(Image.fromarray(photo))[None])
    print(f"Real: {name} is ready, from the Hugging Face hub.")
    return weights.top5(scores)


def from_hub(repo: str, file: str = "model.safetensors", *, endpoint: str | None = None) -> Path:
    """Fetch a file with huggingface_hub, which keeps it in its own cache, and check the sum that the hub states for it.

    Args:
        repo: the place on the hub, "owner/name".
        file: its name there.
        endpoint: address of another hub, or None.

    Returns:
        Path of a file whose SHA-256 sum was just checked.

    Raises:
        DownloadError: with the file, the reason and the way out.
    """
    import huggingface_hub as hub

    out = "Try again later; `cvlab.settings.offline()` goes on without it."
    try:
        stated = hub.get_hf_file_metadata(hub.hf_hub_url(repo, file, endpoint=endpoint)).etag
        path = Path(hub.hf_hub_download(repo, file, endpoint=endpoint))
    except Exception as error:  # the hub's, the network's and the disk's, of three packages
        reason = (str(error).splitlines() or [""])[0][:200]
        raise DownloadError(
            f"{repo}/{file} could not be downloaded ({type(error).__name__}: {reason}). {out}"
        ) from error
    if (found := sha256_of(path)) != stated:
        path.resolve().unlink()
        raise DownloadError(
            f"{repo}/{file} arrived with sha256 {found[:12]}..., the hub states {str(stated)[:12]}...; it was deleted. {out}"
        )
    return path
