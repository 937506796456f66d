"""Lesson 07: `voc_to_coco`, where counting by name goes wrong."""

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.coco.categories import CATEGORIES, VOC_CLASSES, coco_name, voc_to_coco

__all__ = ["VOC_TO_COCO"]

_SPELLING = {name: coco_name(name) for name in VOC_CLASSES if coco_name(name) != name}


def _voc_other(names, categories) -> dict[str, int]:
    """Rename COCO's side instead."""
    back = {new: old for old, new in _SPELLING.items()}
    known = {}
    for category in categories:
        known[back.get(category["name"], category["name"])] = category["id"]
    return {name: known[name] for name in names}


def _voc_cases() -> list[Case]:
    everything = [dict(category) for category in CATEGORIES]
    some = [c for c in everything if c["name"] in ("cat", "dog", "bird")]
    renumbered = [{"id": i, "name": name} for i, name in ((40, "tv"), (3, "cat"), (11, "couch"))]
    return [
        Case(["cat"], some),
        Case(["sofa", "cat"], renumbered),  # another file's numbers
        Case(["sofa", "dog"], everything),
        Case(["aeroplane", "motorbike", "train"], everything),
        Case(["tvmonitor", "pottedplant", "diningtable"], everything[::-1]),
        Case(list(VOC_CLASSES), everything),
    ]


def _by_name(names, categories, spelling=None, number=lambda place, category: category["id"]):
    ids = {c["name"]: number(i, c) for i, c in enumerate(categories)}
    spelt = {n: (_SPELLING if spelling is None else spelling).get(n, n) for n in names}
    return {n: ids[s] for n, s in spelt.items() if s in ids}


def _closest(names, categories):
    import difflib

    ids = {c["name"]: c["id"] for c in categories}
    return {n: ids[difflib.get_close_matches(n, ids, n=1, cutoff=0)[0]] for n in names}


def _without_spaces(names, categories):
    ids = {c["name"].replace(" ", ""): c["id"] for c in categories}
    return {n: ids[n] for n in names if n in ids}


def _otherwise(missing):
    """Return a lookup by equal name that gives `missing` for the six that differ."""

    def by_equal_name(names, categories):
        ids = {c["name"]: c["id"] for c in categories}
        return {n: ids.get(n, missing) for n in names}

    return by_equal_name


def _by_heart(names, categories):
    ids = _by_name(VOC_CLASSES, CATEGORIES)
    return {n: ids[n] for n in names}


def _names_changed(names, categories):
    old = list(names)
    names[:] = [_SPELLING.get(n, n) for n in names]
    return _by_name(old, categories)


VOC_TO_COCO = Exercise(
    name="voc_to_coco",
    lesson="07",
    minutes=6,
    difficulty="easy",
    reference=voc_to_coco,
    other=_voc_other,
    cases=_voc_cases,
    equivalent={
        "ids = {category['name']: category['id'] for category in categories} before spelling |= "
        "{'pottedplant': 'potted plant', 'sofa': 'couch', 'tvmonitor': 'tv'}": "neither needs the other"
    },
    mistakes=[
        Mistake("by equal name", lambda names, categories: _by_name(names, categories, {}), "You keep the names that are equal and silently lose six: aeroplane, diningtable, motorbike, pottedplant, sofa, tvmonitor."),
        Mistake("by equal name, and it crashes", lambda names, categories: {n: {c["name"]: c["id"] for c in categories}[n] for n in names}, "Six VOC names are spelt differently in COCO, so the lookup fails. Translate them first."),
        Mistake("None for the six", _otherwise(None), "`ids.get` hides what it does not find: six VOC names are spelt differently in COCO and get None. Translate them first."),
        Mistake("-1 for the six", _otherwise(-1), "Six VOC names are spelt differently in COCO, and you give them `-1`. Translate them first."),
        Mistake("0 for the six", _otherwise(0), "Six VOC names are spelt differently in COCO, and you give them 0. Translate them first."),
        Mistake("only the sofa", lambda names, categories: {n: {c["name"]: c["id"] for c in categories}[{"sofa": "couch"}.get(n, n)] for n in names}, "The sofa is translated, five others are not: aeroplane, diningtable, motorbike, pottedplant, tvmonitor."),
        Mistake("a sofa is no bed", lambda names, categories: {n: {c["name"]: c["id"] for c in categories}[(_SPELLING | {"sofa": "bed"}).get(n, n)] for n in names}, "You took the sofa for a bed. COCO's word is couch."),
        Mistake("ids by heart", _by_heart, "Your ids are written down, not looked up. Another file may number its categories otherwise: read them from categories."),
        Mistake("all twenty", lambda names, categories: {n: _by_name([n], categories).get(n, 0) for n in VOC_CLASSES}, "You answer for all VOC classes. Only those in names are asked for."),
        Mistake("the caller's names changed", _names_changed, "You wrote the translations into the caller's list. Keep names as it is: `spelling.get(name, name)` gives the other word."),
        Mistake("categories taken for a dict", lambda names, categories: {n: categories[_SPELLING.get(n, n)] for n in names}, "categories is a list of dicts, and a list has no names. Make a dict first: `{c['name']: c['id'] for c in categories}`."),
        Mistake("spaces taken out", _without_spaces, "Taking the spaces out finds two more, but four classes have other words altogether, such as sofa: couch."),
        Mistake("part of the name", lambda names, categories: {n: c["id"] for n in names for c in categories if n in c["name"]}, "'car' is also part of 'carrot'. Compare whole names, and translate the six that differ."),
        Mistake("closest spelling", _closest, "The closest spelling is not the same thing: a sofa is a couch. Write the six pairs down."),
        Mistake("position among the 80", lambda names, categories: _by_name(names, categories, None, lambda place, category: place), "These are positions in the list. COCO's ids run from 1 to 90 with holes: take `category['id']`."),
        Mistake("position from one", lambda names, categories: _by_name(names, categories, None, lambda place, category: place + 1), "These are positions counted from 1. They agree with the ids only up to the first hole, id 12."),
        Mistake("the other way round", lambda names, categories: {v: k for k, v in _by_name(names, categories).items()}, "The dict goes from id to name. Return name: id."),
        Mistake("COCO's names as keys", lambda names, categories: {_SPELLING.get(k, k): v for k, v in _by_name(names, categories).items()}, "The keys are COCO's names. Keep VOC's names as keys: the caller has those."),
        Mistake("names for ids", lambda names, categories: {n: _SPELLING.get(n, n) for n in names}, "You return COCO's name. The id is wanted: look the name up in categories."),
        Mistake("the whole category", lambda names, categories: {n: c for n in names for c in categories if c["name"] == _SPELLING.get(n, n)}, "You return whole categories. Only the number is wanted: `category['id']`."),
        Mistake("numbers as text", lambda names, categories: {n: str(i) for n, i in _by_name(names, categories).items()}, "Your ids are texts, such as '17'. Leave them the whole numbers they are."),
        Mistake("a list of pairs", lambda names, categories: list(_by_name(names, categories).items()), "You return a list of pairs. Return a dict: `dict(...)` of it, or `{...}` from the start."),
        Mistake("a list", lambda names, categories: list(_by_name(names, categories).values()), "You return a list of ids. Return a dict, VOC name: COCO id."),
        Mistake("only the six", lambda names, categories: _by_name([n for n in names if n in _SPELLING], categories), "Only the six translated names are in your dict. The others keep their name: `spelling.get(name, name)`."),
        Mistake("first letters", lambda names, categories: {n: c["id"] for n in names for c in categories if c["name"].startswith(n[:3])}, "The first letters are shared by other things, and a sofa is a couch. Compare whole names, translated."),
    ],
    hints=[
        "First make a dict of COCO's names and ids from `categories`. Which of the 20 VOC names are not "
        "in it?",
        "Six are missing. Find the word that COCO uses for each: a sofa is a couch, a tvmonitor is a tv.",
        "The translated name where there is one, else the name itself:\n"
        "    spelling.get(name, name)",
    ],
    note="Equal names find 14 of 20 classes, and no error would have told you about the other six.",
)  # fmt: skip
