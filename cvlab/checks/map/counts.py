"""Lesson 07: `precision_recall`, and `voc_to_coco`, where counting by name goes wrong."""

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.coco.categories import CATEGORIES, VOC_CLASSES, coco_name, voc_to_coco
from cvlab.map import metrics

__all__ = ["PRECISION_RECALL", "VOC_TO_COCO"]


def _precision_recall_other(tp: int, fp: int, fn: int) -> tuple[float, float]:
    """Divide by at least one: nothing found of nothing is 0."""
    return tp / max(tp + fp, 1), tp / max(tp + fn, 1)


def _precision_recall_cases() -> list[Case]:
    counts = [(7, 4, 3), (1, 0, 3), (2, 6, 0), (0, 5, 2), (0, 0, 4), (0, 3, 0), (12, 12, 36)]
    return [Case(*count) for count in counts]


def _ratio(part: float, whole: float, otherwise: float = 0.0) -> float:
    return part / whole if whole else otherwise


def _f1(tp, fp, fn):
    score = _ratio(2 * tp, 2 * tp + fp + fn)
    return score, score


PRECISION_RECALL = Exercise(
    name="precision_recall",
    lesson="07",
    minutes=3,
    difficulty="easy",
    reference=metrics.precision_recall,
    other=_precision_recall_other,
    cases=_precision_recall_cases,
    mistakes=[
        Mistake(
            "swapped",
            lambda tp, fp, fn: (_ratio(tp, tp + fn), _ratio(tp, tp + fp)),
            "The two changed places. Precision comes first: of what was detected, how much is right?",
        ),
        Mistake(
            "recall over detections",
            lambda tp, fp, fn: (_ratio(tp, tp + fp), _ratio(tp, tp + fp)),
            "You divided both by the detections. Recall asks about the truths: divide by tp + fn.",
        ),
        Mistake(
            "precision over truths",
            lambda tp, fp, fn: (_ratio(tp, tp + fn), _ratio(tp, tp + fn)),
            "You divided both by the truths. Precision asks about the detections: divide by tp + fp.",
        ),
        Mistake(
            "over everything",
            lambda tp, fp, fn: (_ratio(tp, tp + fp + fn), _ratio(tp, tp + fp + fn)),
            "You divided by tp + fp + fn. Precision leaves out the misses, recall leaves out the false alarms.",
        ),
        Mistake(
            "right over wrong",
            lambda tp, fp, fn: (_ratio(tp, fp), _ratio(tp, fn)),
            "You divided right by wrong. Divide by all: the right ones are part of the whole.",
        ),
        Mistake(
            "the share that is wrong",
            lambda tp, fp, fn: (_ratio(fp, tp + fp), _ratio(fn, tp + fn)),
            "These are the shares that went wrong. Put tp on top of both fractions.",
        ),
        Mistake(
            "F1",
            _f1,
            "This is F1, one number made of both. Here the two are wanted apart.",
        ),
        Mistake(
            "percent",
            lambda tp, fp, fn: (100 * _ratio(tp, tp + fp), 100 * _ratio(tp, tp + fn)),
            "These are percents. In this course both lie between 0 and 1.",
        ),
        Mistake(
            "rounded",
            lambda tp, fp, fn: (round(_ratio(tp, tp + fp), 2), round(_ratio(tp, tp + fn), 2)),
            "You rounded. Return the numbers as they are; round when you print.",
        ),
        Mistake(
            "divides by zero",
            lambda tp, fp, fn: (tp / (tp + fp), tp / (tp + fn)),
            "With no detection, or no truth, you divide by zero. Return 0.0 then.",
        ),
        Mistake(
            "one for nothing",
            lambda tp, fp, fn: (_ratio(tp, tp + fp, 1.0), _ratio(tp, tp + fn, 1.0)),
            "Without detections you return a precision of 1. Some do; here an empty answer earns 0.0.",
        ),
        Mistake(
            "whole division",
            lambda tp, fp, fn: (float(tp // max(tp + fp, 1)), float(tp // max(tp + fn, 1))),
            "// throws the fraction away. Divide with /.",
        ),
    ],
    hints=[
        "Precision looks at the detections, recall at the truths. How many are there of each?",
        "There are tp + fp detections and tp + fn truths; tp of both are good.",
        "precision = tp / (tp + fp) if tp + fp else 0.0, and recall likewise with fn.",
    ],
    note="Notice that neither needs the true negatives: nobody can count the boxes that were rightly not drawn.",
)


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
    return [
        Case(["cat"], some),
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


VOC_TO_COCO = Exercise(
    name="voc_to_coco",
    lesson="07",
    minutes=6,
    difficulty="easy",
    reference=voc_to_coco,
    other=_voc_other,
    cases=_voc_cases,
    mistakes=[
        Mistake(
            "by equal name",
            lambda names, categories: _by_name(names, categories, {}),
            "You keep the names that are equal and silently lose six: aeroplane, diningtable, motorbike, "
            "pottedplant, sofa, tvmonitor.",
        ),
        Mistake(
            "by equal name, and it crashes",
            lambda names, categories: {n: {c["name"]: c["id"] for c in categories}[n] for n in names},
            "Six VOC names are spelt differently in COCO, so the lookup fails. Translate them first.",
        ),
        Mistake(
            "spaces taken out",
            _without_spaces,
            "Taking the spaces out finds two more, but four classes have other words altogether, such as sofa: couch.",
        ),
        Mistake(
            "part of the name",
            lambda names, categories: {n: c["id"] for n in names for c in categories if n in c["name"]},
            "'car' is also part of 'carrot'. Compare whole names, and translate the six that differ.",
        ),
        Mistake(
            "closest spelling",
            _closest,
            "The closest spelling is not the same thing: a sofa is a couch. Write the six pairs down.",
        ),
        Mistake(
            "position among the 80",
            lambda names, categories: _by_name(names, categories, None, lambda place, category: place),
            "These are positions in the list. COCO's ids run from 1 to 90 with holes: take category['id'].",
        ),
        Mistake(
            "position from one",
            lambda names, categories: _by_name(names, categories, None, lambda place, category: place + 1),
            "These are positions counted from 1. They agree with the ids only up to the first hole, id 12.",
        ),
        Mistake(
            "the other way round",
            lambda names, categories: {v: k for k, v in _by_name(names, categories).items()},
            "The dict goes from id to name. Return name: id.",
        ),
        Mistake(
            "COCO's names as keys",
            lambda names, categories: {
                _SPELLING.get(k, k): v for k, v in _by_name(names, categories).items()
            },
            "The keys are COCO's names. Keep VOC's names as keys: the caller has those.",
        ),
        Mistake(
            "names for ids",
            lambda names, categories: {n: _SPELLING.get(n, n) for n in names},
            "You return COCO's name. The id is wanted: look the name up in categories.",
        ),
        Mistake(
            "a list",
            lambda names, categories: list(_by_name(names, categories).values()),
            "You return a list of ids. Return a dict, VOC name: COCO id.",
        ),
    ],
    hints=[
        "First make a dict of COCO's names and ids from categories. Which of the 20 VOC names are not in it?",
        "Six are missing. Find the word that COCO uses for each: a sofa is a couch, a tvmonitor is a tv.",
        "spelling.get(name, name) gives the translated name where there is one, else the name itself.",
    ],
    note="Equal names find 14 of 20 classes, and no error would have told you about the other six.",
)
