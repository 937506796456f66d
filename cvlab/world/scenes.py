"""Scenes: seeded pictures with several objects, and every label about them known exactly."""

from dataclasses import dataclass

import numpy as np

from cvlab._validate import one_of, positive_int
from cvlab.world import paint, stickers

__all__ = ["MIN_VISIBLE", "SPLITS", "Scene", "check_scene", "make_scene", "make_scenes"]

SPLITS = tuple(paint.SPLITS)
MIN_VISIBLE = 0.3
SIZES = (24, 58)  # percent of the picture's side
_TRIES = 12  # places tried for one object before it is left out


@dataclass(frozen=True)
class Scene:
    """One picture and the truth about its N objects, listed from the farthest to the nearest.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels, tight around the visible part (x1, y1 just outside it).
        masks: (N, H, W) bool, the visible part of each object; no pixel belongs to two.
        labels: (N,) int64, index into `class_names`.
        visibility: (N,) float32, visible part of the object's own pixels, `MIN_VISIBLE` to 1.
        depth: (N,) int64, 0 is the farthest; a nearer object hides a farther one.
        class_names: the words the labels stand for.
    """

    image: np.ndarray
    boxes: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    visibility: np.ndarray
    depth: np.ndarray
    class_names: tuple[str, ...]

    def __repr__(self) -> str:
        height, width, _ = self.image.shape
        things = ", ".join(self.class_names[label] for label in self.labels)
        return f"Scene({height} x {width}: {things or 'no objects'})"


def check_scene(scene: Scene) -> Scene:
    """Return a scene whose labels and masks fit it, such as every one that `make_scene` painted.

    Raises:
        ValueError: the masks have another size than the picture, the labels another number, or one is no class.

    Example:
        >>> check_scene(make_scene(0, split="test")).masks.shape[1:]
        (96, 96)
    """
    count, size, classes = len(scene.labels), scene.image.shape[:2], len(scene.class_names)
    if scene.masks.shape != (count, *size):
        raise ValueError(
            f"scene.masks must have shape {(count, *size)}, one mask a label, each of the picture's size; "
            f"got {scene.masks.shape}"
        )
    bad = np.flatnonzero((scene.labels < 0) | (scene.labels >= classes))
    if len(bad):
        slip = ". Counted from 1?" if scene.labels.max() == classes else ""
        raise ValueError(
            f"scene.labels must be 0 to {classes - 1}, places in class_names; "
            f"got labels[{bad[0]}] = {scene.labels[bad[0]]}{slip}"
        )
    return scene


def make_scene(
    index: int,
    *,
    split: str = "train",
    seed: int = 0,
    size: int = 96,
    objects: tuple[int, int] = (1, 5),
    classes: tuple[str, ...] | None = None,
    sizes: tuple[int, int] = SIZES,
) -> Scene:
    """Paint scene number `index`: stickers on a photo, with exact boxes, masks and depth.

    The same arguments give the same bytes on every machine. Train, val and test share neither drawing
    style nor background photo, so a good test score means that something general was learnt.

    Args:
        index: which scene, 0 or more.
        split: "train", "val" or "test".
        seed: another seed, another series of scenes.
        size: side of the square picture in pixels, 32 to 256.
        objects: fewest and most objects; one that finds no free place is left out, the first never is.
        classes: names from `cvlab.world.stickers.classes()`; by default the 17 that COCO and VOC share.
        sizes: least and greatest longer side of an object, in percent of the picture's side, 5 to 90.

    Returns:
        A `Scene`; every object shows at least 30 % of its own pixels (those beyond the edge count as hidden).

    Example:
        >>> scene = make_scene(0, split="test")
        >>> scene.image.shape, scene.boxes.shape[1], scene.masks.dtype
        ((96, 96, 3), 4, dtype('bool'))

    Source: Dwibedi, Misra, Hebert, "Cut, Paste and Learn", ICCV 2017.
    """
    index, seed = positive_int(index, "index", least=0), positive_int(seed, "seed", least=0)
    number, size = SPLITS.index(one_of(split, "split", SPLITS)), positive_int(size, "size", least=32)
    if size > 256:
        raise ValueError(f"size must be 32 to 256, so that the photos fill it; got {size}")
    names = _class_names(classes)
    fewest, most = _range(objects)
    least, greatest = _percent(sizes)
    dice = paint.Dice(seed, number, index, size)
    image = paint.background(dice, split, size)
    things: list[_Thing] = []
    for _ in range(dice.between(fewest, most)):
        label = dice.between(0, len(names) - 1)
        path = dice.choose(paint.files(names[label], split))
        length = size * dice.between(least, greatest) // 100
        drawn = paint.sticker(
            path, length, dice.between(-25, 25), dice.between(0, 1) == 1, dice.between(190, 290)
        )
        solid = drawn[..., 3] >= 128
        place = _find_place(dice, solid, things, size)
        if place is not None:
            paint.draw_on(image, drawn, *place)
            things.append(_cover(things, label, solid, place, size))
    return _scene(image, things, names)


def make_scenes(n: int, **options) -> list[Scene]:
    """Paint scenes 0 to n - 1; the options are those of `make_scene`.

    Example:
        >>> [scene.image.shape for scene in make_scenes(2, size=64)]
        [(64, 64, 3), (64, 64, 3)]
    """
    return [make_scene(index, **options) for index in range(positive_int(n, "n"))]


@dataclass
class _Thing:
    """One object while a scene is painted: its visible mask (H, W), and how many pixels it has in all."""

    label: int
    mask: np.ndarray
    area: int


def _find_place(
    dice: paint.Dice, solid: np.ndarray, things: list[_Thing], size: int
) -> tuple[int, int] | None:
    """Try places (top, left) until the new object and all behind it stay visible enough."""
    (height, width), area = solid.shape, np.count_nonzero(solid)
    for attempt in range(_TRIES):
        over = 0 if attempt == _TRIES - 1 else 1  # a sixth may hang over the edge; at the last try nothing
        top = dice.between(-over * (height // 6), size - height + over * (height // 6))
        left = dice.between(-over * (width // 6), size - width + over * (width // 6))
        inside, part = paint.overlap((size, size), solid.shape, top, left)
        if _enough(np.count_nonzero(solid[part]), area) and all(
            _enough(np.count_nonzero(t.mask) - np.count_nonzero(t.mask[inside] & solid[part]), t.area)
            for t in things
        ):
            return top, left
    return None


def _enough(visible: int, area: int) -> bool:
    return visible >= MIN_VISIBLE * area


def _cover(things: list[_Thing], label: int, solid: np.ndarray, place: tuple[int, int], size: int) -> _Thing:
    """Make the new object, and take its pixels away from those behind it."""
    inside, part = paint.overlap((size, size), solid.shape, *place)
    mask = np.zeros((size, size), bool)
    mask[inside] = solid[part]
    for thing in things:
        thing.mask[inside] &= ~solid[part]
    return _Thing(label, mask, np.count_nonzero(solid))


def _scene(image: np.ndarray, things: list[_Thing], names: tuple[str, ...]) -> Scene:
    masks = np.stack([t.mask for t in things]) if things else np.zeros((0, *image.shape[:2]), bool)
    return Scene(
        image=image,
        boxes=np.array([_tight_box(mask) for mask in masks], np.float32).reshape(-1, 4),
        masks=masks,
        labels=np.array([t.label for t in things], np.int64),
        visibility=np.array([np.count_nonzero(t.mask) / t.area for t in things], np.float32),
        depth=np.arange(len(things)),
        class_names=names,
    )


def _tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, cols = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return cols[0], rows[0], cols[-1] + 1, rows[-1] + 1


def _class_names(classes) -> tuple[str, ...]:
    if classes is None:
        return stickers.COCO_VOC
    if not isinstance(classes, list | tuple) or not classes:
        raise ValueError(f"classes must be a list of names such as ('cat', 'dog'); got {classes!r}")
    for name in classes:
        stickers.styles(name)  # raises for an unknown name
    if len(set(classes)) < len(classes):
        raise ValueError(f"classes must be different names; got {tuple(classes)!r}")
    return tuple(classes)


def _range(objects) -> tuple[int, int]:
    try:
        fewest, most = (positive_int(n, "objects", least=0) for n in objects)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"objects must be two whole numbers, fewest and most, 0 or more; got {objects!r}"
        ) from error
    if fewest > most:
        raise ValueError(f"objects must be fewest, then most; got {objects!r}: swapped?")
    return fewest, most


def _percent(sizes) -> tuple[int, int]:
    try:
        least, greatest = (positive_int(n, "sizes", least=5) for n in sizes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sizes must be two whole numbers of percent, 5 to 90; got {sizes!r}") from error
    if not least <= greatest <= 90:
        raise ValueError(f"sizes must be least, then greatest, 5 to 90 percent; got {sizes!r}")
    return least, greatest
