"""A detector that leaves PyTorch: written as ONNX, run by OpenCV, with letterbox, decoding and suppression by hand."""

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cvlab import _validate
from cvlab.boxes import box_iou

__all__ = ["OUTPUTS", "answers", "apart", "detect", "export", "letterbox", "read_onnx", "unletterbox"]

OUTPUTS = ("boxes", "scores")


@_validate.arguments(image=_validate.rgb, side=_validate.positive_int)
def letterbox(image: np.ndarray, side: int = 192, fill: int = 114):
    """Fit a picture into a square without stretching it, and fill the rest with grey.

    Args:
        image: (H, W, 3) uint8.
        side: of the square, in pixels.
        fill: the grey, 0 to 255.

    Returns:
        the square (side, side, 3), how much larger things are in it, and where the picture begins: (left, top).

    Example:
        >>> letterbox(np.zeros((50, 100, 3), np.uint8), 200)[1:]
        (2.0, (0, 50))
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=way)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.full((side, side, 3), fill, np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    return square, scale, (left, top)


def unletterbox(boxes: np.ndarray, scale: float, corner, size) -> np.ndarray:
    """Bring boxes of the square back into the picture, and cut them at its edges.

    Args:
        boxes: (N, 4) as x0, y0, x1, y1 in the square.
        scale: as `letterbox` gives it.
        corner: (left, top), likewise.
        size: height and width of the picture.

    Example:
        >>> unletterbox(np.array([[0.0, 50, 200, 150]]), 2.0, (0, 50), (50, 100)).tolist()
        [[0.0, 0.0, 100.0, 50.0]]
    """
    height, width = size
    boxes = (boxes - np.tile(corner, 2)) / scale
    return boxes.clip(0, [width, height, width, height])


def _chances(scores, boxes, **_) -> None:
    if scores.ndim != 2 or boxes.shape != (len(scores), 4):
        raise ValueError(
            f"scores must be (P, K) and boxes (P, 4), of one picture; got {scores.shape} and {boxes.shape}. "
            "A batch? Pass scores[0], boxes[0]"
        )
    for name, value in (("scores", scores), ("boxes", boxes)):
        if wrong := np.count_nonzero(~np.isfinite(value)):
            raise ValueError(f"{name} must be finite; got {wrong} that are NaN or infinite")
    if scores.size and not 0 <= scores.min() <= scores.max() <= 1:
        raise ValueError(
            f"scores must lie in 0 to 1; got {scores.min():.3g} to {scores.max():.3g}. Logits? The sigmoid comes first"
        )


@_validate.arguments(_chances)
def answers(
    scores: np.ndarray, boxes: np.ndarray, least: float = 0.05, threshold: float = 0.5, most: int = 100
) -> dict:
    """Turn what a detector says at each of P places into a list: low scores go, then class-aware suppression.

    Args:
        scores: (P, K) in [0, 1], one for each class.
        boxes: (P, 4) as x0, y0, x1, y1.
        least: scores that are lower are left out.
        threshold: a box goes when it overlaps a better one of its class by more.
        most: how many boxes are kept.

    Returns:
        "boxes" (n, 4), "scores" (n,), "labels" (n,), the best first.

    Example:
        >>> boxes = np.array([[0.0, 0, 10, 10], [1, 0, 10, 10], [50, 50, 60, 60]])
        >>> answers(np.array([[0.9], [0.7], [0.01]]), boxes)["scores"]
        array([0.9])
    """
    place, label = np.nonzero(scores >= least)
    score, boxes = scores[place, label], boxes[place]
    order, kept = np.argsort(-score, kind="stable"), []
    while len(order) and len(kept) < most:
        best, order = order[0], order[1:]
        kept.append(best)
        overlap = box_iou(boxes[[best]], boxes[order])[0]
        order = order[(label[order] != label[best]) | (overlap <= threshold)]
    return {"boxes": boxes[kept], "scores": score[kept], "labels": label[kept]}


def apart(work: Callable[[], object]) -> None:
    """Call `work` in a copy of this process, which takes the memory that it needed with it when it ends.

    On Linux alone: elsewhere a process with threads cannot be copied safely, and `work` is called here.

    Raises:
        RuntimeError: the copy failed; what it said stands on stderr.
    """
    if sys.platform != "linux":
        work()
        return
    copy = multiprocessing.get_context("fork").Process(target=_one_thread, args=(work,))
    copy.start()
    copy.join()
    if copy.exitcode:
        raise RuntimeError(f"work must end without an error; its process ended with {copy.exitcode}")


def _one_thread(work: Callable[[], object]) -> None:
    import torch

    torch.set_num_threads(1)  # the copy has none of the threads that OpenMP counts on
    work()


def export(net, path: Path, side: int = 192) -> Path:
    """Write a detector as ONNX: (1, 3, side, side) in, `boxes` (1, P, 4) and `scores` (1, P, K) in [0, 1] out.

    Args:
        net: a `torch.nn.Module` with these inputs and outputs.
        path: the file.
        side: of the pictures.
    """
    import torch

    square = torch.zeros(1, 3, side, side)
    names = {"input_names": ["image"], "output_names": list(OUTPUTS)}
    torch.onnx.export(net.eval(), (square,), path, external_data=False, dynamo=True, verbose=False, **names)
    return path


def read_onnx(path: Path):
    """Return OpenCV's network of a detector that `export` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is cut short or no ONNX at all, or a network that answers with something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be an ONNX file; there is none at {path}")
    try:
        net = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise ValueError(
            f"path must be a whole ONNX file; OpenCV cannot read {path.name} ({path.stat().st_size} bytes). "
            "Cut short while it was copied?"
        ) from error
    found = tuple(net.getUnconnectedOutLayersNames())
    if sorted(found) != sorted(OUTPUTS):
        raise ValueError(
            f"path must hold a detector whose outputs are {' and '.join(OUTPUTS)}; {path.name} has "
            f"{', '.join(found)}. A network for another task?"
        )
    return net


@_validate.arguments(image=_validate.rgb)
def detect(net, image: np.ndarray, side: int = 192) -> dict:
    """Find things in a picture of any size by OpenCV alone.

    Args:
        net: as `read_onnx` gives it.
        image: (H, W, 3) uint8 RGB.
        side: what the network was written for.

    Returns:
        "boxes" (n, 4) in the picture's pixels, "scores", "labels".
    """
    square, scale, corner = letterbox(image, side)
    blob = cv2.dnn.blobFromImage(square, 1 / 127.5, mean=[127.5] * 3)
    net.setInput(blob)  # (1, 3, side, side), -1 to 1
    boxes, scores = net.forward(["boxes", "scores"])
    found = answers(scores[0], boxes[0])
    boxes = unletterbox(found["boxes"], scale, corner, image.shape[:2])
    return found | {"boxes": boxes}
