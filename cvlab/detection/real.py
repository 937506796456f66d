"""Section 10 of lesson 06b: torchvision's four detectors and a YOLO in ONNX, asked by one function; skipped in words offline."""

import functools
from collections.abc import Callable

import cv2
import numpy as np
import torch

from cvlab import _validate
from cvlab.coco.categories import CATEGORIES
from cvlab.detection.deploy import answers, letterbox, unletterbox
from cvlab.store import weights
from cvlab.store.checkpoint import load_weights
from cvlab.store.download import PATIENT, Limits

__all__ = ["NETWORKS", "ask", "decode_yolox", "network", "yolox"]

NETWORKS = ("fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "ssd300_vgg16")
NUMBERED = {category["id"]: category["name"] for category in CATEGORIES}  # 1 to 90, ten of them unused
IN_A_ROW = [category["name"] for category in CATEGORIES]  # 80, as YOLO counts


def network(name: str, *, limits: Limits = PATIENT):
    """Return one of torchvision's detectors with COCO's weights, in evaluation mode; None, and a line that says why, without them.

    Args:
        name: one of `NETWORKS`.
        limits: timeouts and tries of the download.

    Returns:
        A `torch.nn.Module` from a list of (3, H, W) floats, 0 to 1, to a list of dicts; or None.

    Raises:
        ValueError: the file's tensors are not those of the network.

    Example:
        >>> network("ssd300_vgg16")
        Real: skipped, ssd300_vgg16_coco-b556d3b4.pth (142.6 MB) is not part of the course and the course is offline. ...

    Source: Ren and others, NeurIPS 2015; He and others, ICCV 2017; Lin and others, ICCV 2017; Liu and others, ECCV 2016.
    """
    from torchvision.models import detection

    _validate.one_of(name, "name", NETWORKS)
    path = weights.real(name, limits=limits)
    if path is None:
        return None
    with torch.random.fork_rng(devices=[]):
        net = getattr(detection, name)(weights=None, weights_backbone=None)
    load_weights(path, net)
    return net.eval()


def decode_yolox(raw: np.ndarray, side: int = 416):
    """Turn what YOLOX writes at each cell into scores and boxes.

    Args:
        raw: (P, 5 + K): centre and log-size in units of the stride, objectness, K classes; P cells of strides 8, 16, 32.
        side: of the square that it saw, in pixels.

    Returns:
        scores (P, K) in [0, 1] and boxes (P, 4) in the square's pixels.

    Example:
        >>> scores, boxes = decode_yolox(np.zeros((21, 85)), side=32)
        >>> scores.shape, boxes[5].tolist()
        ((21, 80), [4.0, 4.0, 12.0, 12.0])

    Source: Ge, Liu, Wang, Li, Sun, YOLOX: Exceeding YOLO Series in 2021, arXiv:2107.08430.
    """
    cells = []
    for stride in (8, 16, 32):
        row, col = np.indices((side // stride, side // stride)).reshape(2, -1)
        cells.append(np.stack([col, row, np.full_like(col, stride)], axis=1))
    cells = np.concatenate(cells)  # (P, 3)
    corner, stride = cells[:, :2], cells[:, 2:]
    center = (raw[:, :2] + corner) * stride
    half = np.exp(raw[:, 2:4]) * stride / 2
    boxes = np.concatenate([center - half, center + half], axis=1)
    return raw[:, 4:5] * raw[:, 5:], boxes


def yolox(*, limits: Limits = PATIENT) -> Callable | None:
    """Return YOLOX-Nano as a function from a photo to an answer; None, and a line that says why, without its file.

    It wants blue before red and 0 to 255: OpenCV's custom, in which it was trained.

    Example:
        >>> yolox()
        Real: skipped, yolox_nano.onnx (3.7 MB) is not part of the course and the course is offline. ...
    """
    path = weights.real("yolox_nano", limits=limits)
    return None if path is None else functools.partial(_yolox, cv2.dnn.readNetFromONNX(str(path)))


def _yolox(net, photo: np.ndarray, side: int = 416) -> dict:
    square, scale, corner = letterbox(photo, side)
    net.setInput(cv2.dnn.blobFromImage(square, swapRB=True))  # (1, 3, side, side), BGR, 0 to 255
    found = answers(*decode_yolox(net.forward()[0], side), least=0.3)
    boxes = unletterbox(found["boxes"], scale, corner, photo.shape[:2])
    return found | {"boxes": boxes, "names": [IN_A_ROW[label] for label in found["labels"]]}


@torch.inference_mode()
def ask(model, photo: np.ndarray, least: float = 0.3) -> dict:
    """Ask any detector about a photo.

    Args:
        model: one of torchvision's networks, or a function from a photo to a dict with "boxes", "scores" and "names".
        photo: (H, W, 3) uint8 RGB.
        least: answers with lower scores are left out.

    Returns:
        "boxes" (n, 4) in the photo's pixels, "scores" (n,), "names" n words.

    Example:
        >>> ask(lambda photo: {"boxes": [[0, 0, 9, 9]], "scores": [0.2], "names": ["cat"]}, None)["names"]
        []
    """
    if isinstance(model, torch.nn.Module):
        x = torch.from_numpy(photo).permute(2, 0, 1) / 255
        found = model([x])[0]  # a list in: it resizes, and suppresses
        names = [NUMBERED.get(k, "unused") for k in found["labels"].tolist()]
        found = {"boxes": found["boxes"], "scores": found["scores"], "names": names}
    else:
        found = model(photo)
    good = np.asarray(found["scores"]) >= least
    return {
        "boxes": np.asarray(found["boxes"]).reshape(-1, 4)[good],
        "scores": np.asarray(found["scores"])[good],
        "names": [name for name, kept in zip(found["names"], good, strict=True) if kept],
    }
