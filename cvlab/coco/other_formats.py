"""Annotation formats: Pascal VOC's XML, YOLO's text, COCO's results, converted both ways."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from cvlab import _validate
from cvlab.boxes import voc_to_xyxy, xyxy_to_voc, xyxy_to_yolo, yolo_to_xyxy

__all__ = ["VocObjects", "from_voc", "from_yolo", "to_voc", "to_yolo"]


class VocObjects(NamedTuple):
    """The objects of one picture: N class names, their boxes (N, 4) as x0, y0, x1, y1 counted from 0, the picture's size."""

    names: list[str]
    boxes: np.ndarray
    height: int
    width: int


def to_voc(names: Sequence[str], boxes, height: int, width: int, *, filename: str = "picture.png") -> str:
    """Write objects as a Pascal VOC annotation.

    Args:
        names: N class names.
        boxes: (N, 4) as x0, y0, x1, y1 in pixels, whole numbers, inside the picture.
        height: rows of the picture.
        width: columns of the picture.
        filename: of the picture.

    Returns:
        XML text; its boxes count from 1 and include their last pixel.

    Example:
        >>> from_voc(to_voc(["cat"], [[0, 0, 5, 4]], height=10, width=20))
        VocObjects(names=['cat'], boxes=array([[0., 0., 5., 4.]]), height=10, width=20)
    """
    boxes = xyxy_to_voc(boxes)
    _validate.as_many(names, boxes, "names")
    xyxy_to_yolo(voc_to_xyxy(boxes), height, width)  # raises for a box outside the picture
    broken = np.flatnonzero((boxes != boxes.round()).any(axis=1))
    if len(broken):
        raise ValueError(
            f"boxes must be whole pixels, as VOC writes them; got boxes[{broken[0]}]. Round first: boxes.round()"
        )
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = filename
    _fields(ElementTree.SubElement(root, "size"), ("width", "height", "depth"), (width, height, 3))
    for name, box in zip(names, boxes, strict=True):
        thing = ElementTree.SubElement(root, "object")
        _fields(thing, ("name", "difficult"), (name, 0))
        _fields(ElementTree.SubElement(thing, "bndbox"), ("xmin", "ymin", "xmax", "ymax"), box.astype(int))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _fields(parent, names, values) -> None:
    for name, value in zip(names, values, strict=True):
        ElementTree.SubElement(parent, name).text = str(value)


def from_voc(text: str) -> VocObjects:
    """Read a Pascal VOC annotation: undoes `to_voc`.

    Args:
        text: the XML itself.

    Raises:
        ValueError: names the object and the field.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"text must be the XML of a VOC annotation: {error}. Cut short?") from error
    height, width = (int(_number(root, f"size/{side}", "annotation")) for side in ("height", "width"))
    names, boxes = [], []
    for i, thing in enumerate(root.iter("object")):
        where = f"object[{i}] {thing.findtext('name') or 'without a name'!r}"
        names.append(thing.findtext("name") or "")
        box = [_number(thing, f"bndbox/{side}", where) for side in ("xmin", "ymin", "xmax", "ymax")]
        if box[0] > box[2] or box[1] > box[3] or min(box) < 1 or box[2] > width or box[3] > height:
            raise ValueError(
                f"{where}: bndbox must lie in pixels 1 to {width} by 1 to {height}; got {box}. Max before min?"
            )
        boxes.append(box)
    return VocObjects(names, voc_to_xyxy(boxes), height, width)


def _number(parent, path: str, where: str) -> float:
    found = parent.findtext(path)
    try:
        return float(found)
    except (TypeError, ValueError):
        got = "nothing" if found is None else repr(found)
        raise ValueError(f"{where}: {path} must be a number; got {got}") from None


def to_yolo(labels, boxes, height: int, width: int) -> str:
    """Write objects as a YOLO label file: one line "class cx cy w h" each, shares of the picture.

    Args:
        labels: N class numbers from 0.
        boxes: (N, 4) as x0, y0, x1, y1 in pixels, inside the picture.
        height: rows of the picture.
        width: columns of the picture.

    Example:
        >>> to_yolo([3], [[0, 0, 50, 50]], height=100, width=200)
        '3 0.125 0.25 0.25 0.5\\n'
    """
    shares = xyxy_to_yolo(boxes, height, width)
    _validate.as_many(labels, shares, "labels")
    return "".join(
        f"{_validate.positive_int(label, 'labels', least=0)} {' '.join(f'{v:.10g}' for v in row)}\n"
        for label, row in zip(labels, shares, strict=True)
    )


def from_yolo(text: str, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Read a YOLO label file: undoes `to_yolo`.

    Returns:
        labels (N,) int, boxes (N, 4) as x0, y0, x1, y1 in pixels.

    Raises:
        ValueError: names the line.

    Example:
        >>> from_yolo("3 0.125 0.25 0.25 0.5", height=100, width=200)
        (array([3]), array([[ 0.,  0., 50., 50.]]))
    """
    labels, boxes = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            label, *box = int(words[0]), *map(float, words[1:])
            boxes.append(yolo_to_xyxy([box], height, width)[0])
        except ValueError as error:
            raise ValueError(f"line {number}: must be class cx cy w h; got {line!r} ({error})") from error
        labels.append(label)
    return np.array(labels, dtype=int), np.array(boxes).reshape(-1, 4)
