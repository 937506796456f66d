"""COCO's categories, and the VOC classes among them."""

from inspect import unwrap

from cvlab import _validate

__all__ = ["CATEGORIES", "VOC_CLASSES", "category_id", "coco_name", "voc_to_coco"]

# supercategory: (id, name) ...; ids run from 1 to 90 with ten gaps.
_TREE = {
    "person": "1 person",
    "vehicle": "2 bicycle, 3 car, 4 motorcycle, 5 airplane, 6 bus, 7 train, 8 truck, 9 boat",
    "outdoor": "10 traffic light, 11 fire hydrant, 13 stop sign, 14 parking meter, 15 bench",
    "animal": "16 bird, 17 cat, 18 dog, 19 horse, 20 sheep, 21 cow, 22 elephant, 23 bear, 24 zebra, 25 giraffe",
    "accessory": "27 backpack, 28 umbrella, 31 handbag, 32 tie, 33 suitcase",
    "sports": "34 frisbee, 35 skis, 36 snowboard, 37 sports ball, 38 kite, 39 baseball bat, 40 baseball glove, "
              "41 skateboard, 42 surfboard, 43 tennis racket",
    "kitchen": "44 bottle, 46 wine glass, 47 cup, 48 fork, 49 knife, 50 spoon, 51 bowl",
    "food": "52 banana, 53 apple, 54 sandwich, 55 orange, 56 broccoli, 57 carrot, 58 hot dog, 59 pizza, 60 donut, 61 cake",
    "furniture": "62 chair, 63 couch, 64 potted plant, 65 bed, 67 dining table, 70 toilet",
    "electronic": "72 tv, 73 laptop, 74 mouse, 75 remote, 76 keyboard, 77 cell phone",
    "appliance": "78 microwave, 79 oven, 80 toaster, 81 sink, 82 refrigerator",
    "indoor": "84 book, 85 clock, 86 vase, 87 scissors, 88 teddy bear, 89 hair drier, 90 toothbrush",
}  # fmt: skip
CATEGORIES: tuple[dict, ...] = tuple(
    {"id": int(entry.split()[0]), "name": entry.split(maxsplit=1)[1], "supercategory": supercategory}
    for supercategory, entries in _TREE.items()
    for entry in entries.split(", ")
)
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_IDS = {category["name"]: category["id"] for category in CATEGORIES}


def coco_name(voc_name: str) -> str:
    """Return COCO's name of a Pascal VOC class; six of the twenty are spelt differently.

    Example:
        >>> coco_name("tvmonitor"), coco_name("cat")
        ('tv', 'cat')
    """
    return _COCO_NAMES[_validate.one_of(voc_name, "voc_name", VOC_CLASSES)]


def category_id(name: str) -> int:
    """Return COCO's number of a category, from 1 to 90 (not its position among the 80).

    Example:
        >>> category_id("cat"), category_id("toothbrush")
        (17, 90)
    """
    if name not in _IDS:
        slip = f"; COCO says {_COCO_NAMES[name]!r}" if name in _COCO_NAMES else ""
        raise ValueError(f"name must be one of COCO's 80 categories; got {name!r}{slip}")
    return _IDS[name]


def _categories(value, name: str):
    for i, category in enumerate(value):
        if not isinstance(category, dict) or not {"id", "name"} <= category.keys():
            raise ValueError(f"{name}[{i}] must be a dict with id and name; got {category!r}")
    return value


def _known(names, categories) -> None:
    have = {category["name"] for category in categories}
    for i, name in enumerate(names):
        if coco_name(name) not in have:
            raise ValueError(f"names[{i}] = {name!r} has no category among the {len(have)} that were given")


@_validate.arguments(_known, categories=_categories)
def voc_to_coco(names: list[str], categories: list[dict]) -> dict[str, int]:
    """Find the COCO id of each Pascal VOC class; six of the twenty are spelt differently.

    Args:
        names: VOC class names.
        categories: COCO's categories, dicts with id and name.

    Returns:
        VOC name -> COCO id.

    Example:
        >>> voc_to_coco(["cat", "sofa"], CATEGORIES)
        {'cat': 17, 'sofa': 63}
    """
    spelling = {"aeroplane": "airplane", "diningtable": "dining table", "motorbike": "motorcycle"}
    spelling |= {"pottedplant": "potted plant", "sofa": "couch", "tvmonitor": "tv"}
    ids = {category["name"]: category["id"] for category in categories}
    return {name: ids[spelling.get(name, name)] for name in names}


_NAMES = {category["id"]: category["name"] for category in CATEGORIES}
# without the checks of the arguments, which read this table
_COCO_NAMES = {voc: _NAMES[id_] for voc, id_ in unwrap(voc_to_coco)(VOC_CLASSES, CATEGORIES).items()}
