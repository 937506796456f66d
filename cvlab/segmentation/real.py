"""Section 11 of lesson 05: FCN-ResNet50 and DeepLabv3-ResNet50 on a photo of COCO; skipped in words where the course is offline."""

import numpy as np
import torch
import torch.nn.functional as F

from cvlab import _validate, settings
from cvlab.preprocessing.preprocess import IMAGENET_MEAN, IMAGENET_STD
from cvlab.store import weights
from cvlab.store.checkpoint import load_weights
from cvlab.store.download import PATIENT, Limits, download
from cvlab.store.registry import SWITCH
from cvlab.world import photos

__all__ = ["PHOTO", "VOC", "class_map", "network", "photo"]

PHOTO = "http://images.cocodataset.org/val2017/000000448263.jpg"
MOST = 2_000_000  # bytes; a photo of COCO has 50,000 to 400,000
MEAN = torch.tensor(IMAGENET_MEAN)[:, None, None]
SPREAD = torch.tensor(IMAGENET_STD)[:, None, None]
VOC = ("fcn_resnet50", "deeplabv3_resnet50")


def photo(url: str = PHOTO, *, limits: Limits = PATIENT) -> np.ndarray | None:
    """Return photo 448263 of COCO's val2017; None, and a line that says why, where it cannot be had.

    Its sum is not published, and the address is plain http: it is held to a size and must be a picture, no more than that is known.

    Args:
        url: another address of a picture.
        limits: timeouts and tries of the download.

    Returns:
        (H, W, 3) uint8 RGB, or None.

    Example:
        >>> photo()
        Real: skipped, 000000448263.jpg of COCO and the weights for it are not part of the course and the course is offline. ...

    Source: Lin and others, Microsoft COCO: Common Objects in Context, ECCV 2014. The photo is its photographer's, from Flickr.
    """
    name = url.rpartition("/")[2]
    if not settings.is_online():
        print(
            f"Real: skipped, {name} of COCO and the weights for it are not part of the course "
            f"and the course is offline. {SWITCH}"
        )
        return None
    path = settings.cache_dir() / "photos" / name
    try:
        download(url, path, sha256=None, size=MOST, limits=limits)
        return photos.load(path)
    except ValueError as error:
        path.unlink(missing_ok=True)
        print(f"Real: skipped. What came from {url} is no picture and was deleted: {error}")
    except (weights.DataUnavailable, OSError) as error:
        print(f"Real: skipped. {error}")
    return None


def network(name: str, *, limits: Limits = PATIENT):
    """Return one of torchvision's two networks with its weights, in evaluation mode; None, and a line that says why, without them.

    Args:
        name: "fcn_resnet50" or "deeplabv3_resnet50".
        limits: timeouts and tries of the download.

    Returns:
        A `torch.nn.Module` from (N, 3, H, W) float to a dict: `out` and `aux`, each (N, 21, H, W) scores; or None.

    Raises:
        ValueError: the file's tensors are not those of the network.

    Example:
        >>> network("fcn_resnet50")
        Real: skipped, fcn_resnet50_coco-1167a1af.pth (141.6 MB) is not part of the course and the course is offline. ...

    Source: Long, Shelhamer, Darrell, CVPR 2015; Chen and others, Rethinking Atrous Convolution, 2017.
    """
    from torchvision.models import segmentation

    _validate.one_of(name, "name", VOC)
    path = weights.real(name, limits=limits)
    if path is None:
        return None
    with torch.random.fork_rng(devices=[]):
        net = getattr(segmentation, name)(weights=None, weights_backbone=None, aux_loss=True)
    load_weights(path, net)
    return net.eval()


@_validate.arguments(photo=_validate.rgb, side=_validate.positive_int)
def class_map(net, photo: np.ndarray, side: int = 520) -> np.ndarray:
    """Return the number of the likeliest class at every pixel of a photo.

    Args:
        net: from (1, 3, h, w) float, ImageNet's mean and spread, to (1, K, h, w) scores, or to a dict with them at `out`.
        photo: (H, W, 3) uint8 RGB.
        side: the shorter side that the network is shown, in pixels; torchvision's were trained with 520.

    Returns:
        (H, W) int64, 0 to K - 1.

    Example:
        >>> green = np.full((4, 6, 3), (0, 255, 0), np.uint8)
        >>> class_map(lambda x: {"out": x}, green, side=8)[0]
        array([1, 1, 1, 1, 1, 1])
    """
    height, width = photo.shape[:2]
    scale = side / min(height, width)
    x = torch.from_numpy(photo).permute(2, 0, 1) / 255
    x = ((x - MEAN) / SPREAD)[None]  # (1, 3, H, W)
    x = F.interpolate(x, (round(scale * height), round(scale * width)), mode="bilinear", antialias=True)
    with torch.inference_mode():
        scores = net(x)
    if isinstance(scores, dict):
        scores = scores["out"]  # (1, K, h, w)
    scores = F.interpolate(scores, (height, width), mode="bilinear")
    return scores.argmax(dim=1)[0].numpy()
