"""Lesson 07: `coco_map`."""

import numpy as np

from cvlab.checks._engine.accept import as_float
from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.map import metrics
from cvlab.map.coco_eval import coco_map

__all__ = ["COCO_MAP"]


def _apply(function, images):
    return as_float(function(images))


def _map_other(images: list[dict]) -> float:
    """Threshold by threshold; the classes are gathered first."""
    classes = {}
    for image in images:
        for name, pair in image.items():
            classes.setdefault(name, []).append(pair)
    present = [pairs for pairs in classes.values() if any(ious.shape[1] for _, ious in pairs)]
    total = 0.0
    for percent in range(50, 100, 5):
        for pairs in present:
            correct = [hit for pair in pairs for hit in metrics.match_detections(*pair, percent / 100)]
            scores = [score for scores, _ in pairs for score in scores]
            truths = sum(ious.shape[1] for _, ious in pairs)
            total += metrics.ap(*metrics.pr_curve(scores, np.array(correct, dtype=bool), truths))
    return total / (10 * len(present)) if present else -1.0


def _map_cases() -> list[Case]:
    rng = np.random.default_rng(5)
    cat, ghost = (np.array([0.9]), np.array([[0.72]])), (np.array([0.95]), np.zeros((1, 0)))
    wrong, missed = (np.array([0.95]), np.array([[0.1]])), (np.zeros(0), np.zeros((0, 2)))
    dogs = (np.array([0.8, 0.9]), np.array([[0.97, 0.1], [0.2, 0.55]]))
    edge = (np.array([0.9, 0.8]), np.array([[0.95, 0.0], [0.0, 0.951]]))
    many = [
        {name: (rng.permutation(n) / 9, rng.uniform(0.3, 1, (n, 4)).round(3)) for name in names}
        for n, names in ((9, "ab"), (5, "b"), (7, "bc"))
    ]
    return [
        Case([{"cat": cat}]),
        Case([{"cat": cat, "dog": dogs}]),
        Case([{"cat": cat, "bird": (np.array([0.7, 0.3]), np.zeros((2, 0)))}]),
        Case([{"cat": cat, "frog": missed}]),
        Case([{"cat": cat}, {"cat": wrong}]),
        Case([{"cat": cat}, {"cat": ghost}]),
        Case([{"cat": cat}, {"cat": missed}]),
        Case([{"cat": cat}, {"dog": dogs}]),
        Case([{"cat": edge}]),
        Case(many),
        Case([{"bird": ghost}]),
    ]


def _gathered(images, keep=lambda scores, ious: True) -> list[list[tuple]]:
    """Return for each class with a truth its pairs of (scores, ious), one an image."""
    names = dict.fromkeys(name for image in images for name in image)
    pairs = [[image[n] for image in images if n in image and keep(*image[n])] for n in names]
    return [p for p in pairs if sum(ious.shape[1] for _, ious in p)]


def _value(pairs, threshold, ap=metrics.average_precision) -> float:
    correct = np.concatenate([metrics.match_detections(*pair, threshold) for pair in pairs])
    scores, truths = np.concatenate([s for s, _ in pairs]), sum(ious.shape[1] for _, ious in pairs)
    return ap(*metrics.pr_curve(scores, correct, truths))


def _map_with(
    *, thresholds=metrics.THRESHOLDS, absent=None, join=np.mean, weigh=False, empty=-1.0, **options
):
    """Return a mean AP whose slips can be chosen."""
    keep = options.pop("keep", lambda scores, ious: True)

    def coco_map(images):
        values = []
        for pairs in _gathered(images, keep):
            times = sum(ious.shape[1] for _, ious in pairs) if weigh else 1
            values += [_value(pairs, t, **options) for t in thresholds] * times
        if absent is not None:
            names = {name for image in images for name in image}
            values += [absent] * 10 * (len(names) - len(_gathered(images)))
        return float(join(values)) if values else empty

    return coco_map


def _shortcut(images):
    """The tempting shortcut: keep the points of threshold 0.5, and drop those whose overlap is too small."""
    values = []
    for pairs in _gathered(images):
        scores = np.concatenate([s for s, _ in pairs])
        correct = np.concatenate([metrics.match_detections(*pair) for pair in pairs])
        best = np.concatenate([ious.max(axis=1, initial=0) for _, ious in pairs])
        best = best[np.argsort(-scores, kind="stable")]
        precision, recall = metrics.pr_curve(scores, correct, sum(ious.shape[1] for _, ious in pairs))
        values += [
            metrics.average_precision(precision[best >= t], recall[best >= t]) for t in metrics.THRESHOLDS
        ]
    return float(np.mean(values)) if values else -1.0


def _pooled(images):
    """All classes in one curve: the scores of a frequent class drown the others."""
    pairs = [pair for pairs in _gathered(images) for pair in pairs]
    return float(np.mean([_value(pairs, t) for t in metrics.THRESHOLDS])) if pairs else -1.0


def _each_image(images, absent=False):
    """One AP an image and class, then the mean of all; `absent` classes count, as 0."""
    values = [
        _value([pair], t)
        for image in images
        for pair in image.values()
        for t in metrics.THRESHOLDS
        if absent or pair[1].shape[1]
    ]
    return float(np.mean(values)) if values else -1.0


def _image_means(images):
    """The mAP of each image, then their mean."""
    values = [value for image in images if (value := coco_map([image])) >= 0]
    return float(np.mean(values)) if values else -1.0


def _last_image(images):
    """One dict for all images: a later image's class overwrites an earlier one's."""
    return coco_map([{name: pair for image in images for name, pair in image.items()}])


def _first_names(images):
    """Only the classes of the first image."""
    return coco_map([{name: image[name] for name in images[0] if name in image} for image in images])


def _every_class(images):
    names = {name for image in images for name in image}
    return coco_map([{name: image[name] for name in names} for image in images])


COCO_MAP = Exercise(
    name="coco_map",
    lesson="07",
    minutes=12,
    difficulty="hard",
    reference=coco_map,
    other=_map_other,
    cases=_map_cases,
    apply=_apply,
    equivalent={
        "for name in set().union(*images):": "the order of the classes does not change their mean",
        "for name in list(set().union(*images)):": "the order of the classes does not change their mean",
        "for threshold in np.linspace(0.95, 0.5, 10):": "the order of the thresholds does not change their mean",
        "return np.mean(values) if values else -1.0": "a float of NumPy's is a float",
        "scores = np.concatenate([s for s, _ in found]) before if n_truths == 0:": "the scores are there either way",
    },
    mistakes=[
        Mistake("precision and recall kept", _shortcut, "You filter the curve of threshold 0.5. A detection that fails a stricter threshold stays in the list as a false one: match again at every threshold."),
        Mistake("absent classes count as 0", _map_with(absent=0.0), "A class without truths has no AP, and you average it in as 0. Leave it out."),
        Mistake("absent classes count as -1", _map_with(absent=-1.0), "-1 is a mark for absent, not an AP: you averaged it in. Leave absent classes out."),
        Mistake("only 0.5", _map_with(thresholds=[0.5]), "This is AP50, matched at 0.5 only. COCO's mAP averages ten thresholds, 0.5 to 0.95, matched anew at each."),
        Mistake("nine thresholds", _map_with(thresholds=np.linspace(0.5, 0.9, 9)), "You used nine thresholds. 0.95 belongs to them: `np.linspace(0.5, 0.95, 10)`."),
        Mistake("eleven thresholds", _map_with(thresholds=np.linspace(0.5, 1, 11)), "You used eleven thresholds, up to 1. The last is 0.95: `np.linspace(0.5, 0.95, 10)`."),
        Mistake("thresholds by np.arange", _map_with(thresholds=np.arange(0.5, 1, 0.05)), "`np.arange(0.5, 1, 0.05)` ends at `0.9500000000000004`, just above an overlap of 0.95. `np.linspace(0.5, 0.95, 10)` hits it."),
        Mistake("thresholds by adding", _map_with(thresholds=[0.5 + 0.05 * k for k in range(10)]), "`0.5 + 0.05 * 9` is `0.9500000000000001`, just above an overlap of 0.95. `np.linspace(0.5, 0.95, 10)` hits it."),
        Mistake("eleven points", _map_with(ap=lambda precision, recall: metrics.ap(precision, recall, "voc07")), "Your AP reads 11 levels of recall, as VOC07. COCO reads 101."),
        Mistake("classes pooled", _pooled, "You put all classes into one curve. Make one AP a class, then the mean: rare classes count as much."),
        Mistake("one AP an image", _each_image, "You make one curve for each image and average them. Put the detections of a class in all images into one list: concatenate scores and correct, add up the truths, and make one curve of it."),
        Mistake("one AP an image, absent classes too", lambda images: _each_image(images, absent=True), "You make one curve for each image, and absent classes count as 0. Put a class's detections of all images into one curve; leave a class out only when no image has a truth of it."),
        Mistake("mean of the images' mAP", _image_means, "You take the mAP of each image, then the mean. Images share one curve a class: concatenate their scores and correct first."),
        Mistake("only the last image of a class", _last_image, "When a class occurs in several images, only the last one counts in yours. Collect them: a list of (scores, ious) a class."),
        Mistake("only the first image", lambda images: coco_map(images[:1]), "You look at the first image only."),
        Mistake("only the classes of the first image", _first_names, "You take the classes from the first image; another image may have others."),
        Mistake("images without truths left out", _map_with(keep=lambda scores, ious: ious.shape[1] > 0), "A class that an image does not hold can still be detected there: those detections are wrong, and belong in the curve. Leave a class out only when no image has a truth of it."),
        Mistake("images without detections left out", _map_with(keep=lambda scores, ious: len(scores) > 0), "Where nothing was detected the truths are missed, and you leave them out. Add up `ious.shape[1]` over all images."),
        Mistake("weighted by truths", _map_with(weigh=True), "Classes with more truths count more in your mean. In the mAP every class counts the same."),
        Mistake("sum", _map_with(join=np.sum), "This is the sum. Divide by the number of classes with truths, times ten thresholds."),
        Mistake("best threshold", _map_with(join=np.max), "You kept the largest AP. Take the mean over all thresholds and classes."),
        Mistake("nothing to measure is 0", _map_with(empty=0.0), "Without any truth there is nothing to measure: return -1.0, as COCO does, not 0."),
        Mistake("sum over thresholds", _map_with(join=lambda values: np.sum(values) / 10), "You divide by ten thresholds, but not by the number of classes that have a truth."),
        Mistake("sum over classes", _map_with(join=lambda values: 10 * np.mean(values)), "You divide by the number of classes, but not by ten thresholds."),
        Mistake("nothing to measure is nan", _map_with(empty=np.nan), "Without any truth you return nan, the mean of nothing. Return -1.0, as COCO does."),
        Mistake("percent", _map_with(join=lambda values: 100 * np.mean(values)), "This is in percent. Here the mAP lies between 0 and 1, or is -1.0."),
        Mistake("every class looked for in every image", _every_class, "Not every image holds every class, so the lookup fails. Take those that do: `if name in image`."),
    ],
    hints=[
        "Two loops: over the classes and over `np.linspace(0.5, 0.95, 10)`. What must be computed anew at "
        "each threshold?",
        "Inside: `match_detections` in each image, `np.concatenate` of its answers and of the scores, "
        "then one `pr_curve` with the truths of all images, then `average_precision`.",
        "Skip a class when its `ious.shape[1]` add up to 0. At the end the mean of all values, or -1.0 "
        "when there are none:\n"
        "    return float(np.mean(values)) if values else -1.0",
    ],
    note="COCO's evaluator adds crowds, sizes and a limit of 100 detections an image; the curve is this one.",
)  # fmt: skip
