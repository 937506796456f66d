"""The exercise of lesson 05 that judges whole maps: the mean of the classes' IoU."""

import numpy as np

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.segmentation import metrics

__all__ = ["MEAN_IOU"]


def _case(predicted, truth, n_classes, **ignore) -> Case:
    return Case(predicted=np.array(predicted), truth=np.array(truth), n_classes=n_classes, **ignore)


def _cases() -> list[Case]:
    dice = np.random.default_rng(3)
    truth, predicted = dice.integers(0, 4, (2, 3, 4, 5))
    truth = np.where(truth == 3, 5, truth)  # class 3 only in the answer, class 4 nowhere
    blind = truth.copy()
    blind[0, :, :3] = 255
    return [
        _case([[0, 1, 1]], [[0, 0, 1]], 2),
        _case([[0, 0, 1]], [[0, 0, 1]], 2),
        _case([[0, 0, 0, 2]], [[0, 0, 2, 2]], 4),  # two classes occur nowhere
        _case([[0, 0, 0, 0]], [[0, 0, 0, 1]], 2),  # found nothing
        _case([[0, 0, 1, 1]], [[0, 0, 0, 0]], 3),  # called what is not there
        _case([[0, 1, 1, 0]], [[0, 1, 255, 255]], 2),  # what nobody judges
        _case([[[0, 0], [0, 1]], [[1, 1], [1, 1]]], [[[0, 0], [0, 0]], [[1, 1], [1, 1]]], 2),  # two pictures
        _case([[0, 1, 2, 2]], [[0, 1, 9, 2]], 3, ignore=9),
        _case([[0, 1, 1, 2, 1]], [[0, 0, 1, 2, 2]], 3, ignore=0),  # the background is not judged
        _case([[2, 2], [2, 2]], [[2, 2], [2, 2]], 3),
        _case(predicted, truth, 6),
        _case(predicted.astype(np.uint8), blind.astype(np.uint8), 6),
    ]


def _table(predicted, truth, n_classes, ignore=255):
    seen = truth != ignore
    pairs = truth[seen].astype(np.int64) * n_classes + predicted[seen]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def _other(predicted, truth, n_classes, ignore=255):
    """Count all pairs once; rows and columns of the table give the unions."""
    table = _table(predicted, truth, n_classes, ignore)
    hit = np.diag(table)
    union = table.sum(axis=0) + table.sum(axis=1) - hit
    return float((hit[union > 0] / union[union > 0]).mean())


def _from_table(score):
    """Return the mistake that takes another score from the right table: `score(hits, truths, answers)`."""

    def mean_iou(predicted, truth, n_classes, ignore=255):
        table = _table(predicted, truth, n_classes, ignore)
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(score(np.diag(table), table.sum(axis=1), table.sum(axis=0)))

    return mean_iou


def _iou(hits, truths, answers):
    return hits / (truths + answers - hits)


def _filled(value):
    return lambda *counts: np.nan_to_num(_iou(*counts), nan=value).mean()


def _only(which):
    """Average the IoU of the classes for which `which(truths, answers)` holds."""

    def score(hits, truths, answers):
        keep = which(truths, answers)
        return np.mean(_iou(hits, truths, answers)[keep]) if keep.any() else 0.0

    return _from_table(score)


def _without_background(hits, truths, answers):
    ious = _iou(hits, truths, answers)[1:]
    return np.nanmean(ious) if np.isfinite(ious).any() else 0.0


def _each_picture(predicted, truth, n_classes, ignore=255):
    pictures = [(p, t) for p, t in zip(predicted, truth, strict=True) if (t != ignore).any()]
    return float(np.mean([metrics.mean_iou(p, t, n_classes, ignore) for p, t in pictures]))


def _accuracy(hits, truths, answers):
    return hits.sum() / truths.sum()


def _weighted(hits, truths, answers):
    return np.nansum(_iou(hits, truths, answers) * truths) / truths.sum()


def _ignore_is_wrong(predicted, truth, n_classes, ignore=255):
    """Forget what nobody judges: such a pixel spoils the union of the class that was called there."""
    ious = []
    for k in range(n_classes):
        called, real = predicted == k, truth == k
        if union := (called | real).sum():
            ious.append((called & real).sum() / union)
    return float(np.mean(ious))


def _ignore_is_255(predicted, truth, n_classes, ignore=255):
    return metrics.mean_iou(predicted, np.where(truth == 255, n_classes, truth), n_classes + 1, n_classes)


def _ignore_is_background(predicted, truth, n_classes, ignore=255):
    return metrics.mean_iou(predicted, np.where(truth == ignore, 0, truth), n_classes)


def _ignored_agree(predicted, truth, n_classes, ignore=255):
    return metrics.mean_iou(predicted, np.where(truth == ignore, predicted, truth), n_classes)


def _each_class(predicted, truth, n_classes, ignore=255):
    table = _table(predicted, truth, n_classes, ignore)
    with np.errstate(invalid="ignore"):
        return _iou(np.diag(table), table.sum(axis=1), table.sum(axis=0))


MEAN_IOU = Exercise(
    name="mean_iou",
    lesson="05",
    minutes=8,
    difficulty="medium",
    reference=metrics.mean_iou,
    other=_other,
    cases=_cases,
    equivalent={
        "real, called = ((predicted == k) & seen, (truth == k) & seen)": "union and overlap do not ask which mask is which",
        "called, real = ((truth == k) & seen, (predicted == k) & seen)": "union and overlap do not ask which mask is which",
        "return np.mean(ious)": "NumPy's float64 is a float too",
    },
    mistakes=[
        Mistake("absent counts 0", _from_table(_filled(0.0)), "A class that is neither there nor called counts as 0 in your mean. It was not judged: leave it out where the union is empty."),
        Mistake("absent counts 1", _from_table(_filled(1.0)), "A class that is neither there nor called counts as 1 in your mean: each class more that nobody needs would raise it. Leave it out where the union is empty."),
        Mistake("absent left as NaN", _from_table(lambda *counts: _iou(*counts).mean()), "0 / 0 is NaN, and one NaN makes the mean NaN. Divide only where the union has pixels."),
        Mistake("classes of the truth", _only(lambda truths, answers: truths > 0), "You average over the classes that are in the truth. One that was called and is not there has IoU 0, and counts: a false alarm must cost something."),
        Mistake("classes of the answer", _only(lambda truths, answers: answers > 0), "You average over the classes that were called. One that is there and was never called has IoU 0, and counts."),
        Mistake("classes of both", _only(lambda truths, answers: (truths > 0) & (answers > 0)), "You average over classes that are there and were called. Overlooking a class, or inventing one, would cost nothing: its IoU is 0, and counts."),
        Mistake("pixel accuracy", _from_table(_accuracy), "That is pixel accuracy: right pixels over all pixels. Here each class has its own IoU, and all classes weigh the same."),
        Mistake("recall", _from_table(lambda h, t, a: np.nanmean(h / t)), "You divide by the class's true pixels: that is recall, and calling everything cat would find all cats. Divide by the union."),
        Mistake("precision", _from_table(lambda h, t, a: np.nanmean(h / a)), "You divide by the pixels that were called so: that is precision, and one sure pixel would be enough. Divide by the union."),
        Mistake("union without minus", _from_table(lambda h, t, a: np.nanmean(h / (t + a))), "You add the two sizes, and pixels of both are counted twice. The union is `|`, or both sizes minus the hits."),
        Mistake("Dice", _from_table(lambda h, t, a: np.nanmean(2 * h / (t + a))), "That is the mean Dice: twice the hits over the sum of the sizes. IoU is the hits over the union."),
        Mistake("background left out", _from_table(_without_background), "Class 0 is missing in your mean. Here the background is a class as any other: begin at 0."),
        Mistake("mean of pictures", _each_picture, "You take the mean of each picture, then the mean of those. Here pixels of the whole set are counted first, then each class has one IoU."),
        Mistake("weighted by pixels", _from_table(_weighted), "You weigh the classes by their pixels, so the background decides. In this mean all classes weigh the same."),
        Mistake("IoU of all classes together", _from_table(lambda h, t, a: h.sum() / (t + a - h).sum()), "You add up the hits of all classes, then divide once. One IoU for each class first, then their mean."),
        Mistake("ignored pixels are wrong", _ignore_is_wrong, "Pixels whose truth is `ignore` stand in your unions, as if they were wrong. Take them out of both: `seen = truth != ignore`, then `& seen`."),
        Mistake("ignored pixels are 255", _ignore_is_255, "You leave out 255, whatever `ignore` says. Compare with the argument: `truth != ignore`."),
        Mistake("ignored pixels are background", _ignore_is_background, "You count the pixels that nobody judges as background. They count for nothing: `seen = truth != ignore`."),
        Mistake("ignored pixels are right", _ignored_agree, "You count the pixels that nobody judges as right. They count for nothing, neither for nor against."),
        Mistake("no mean", _each_class, "You return one IoU a class. Their mean is wanted, one number, over the classes that occur."),
    ],
    hints=[
        "For one class k there are two masks: `predicted == k` and `truth == k`. Their IoU is pixels of both over pixels of either.",
        "Pixels with `truth == ignore` belong to neither mask:\n"
        "    seen = truth != ignore\n"
        "    called, real = (predicted == k) & seen, (truth == k) & seen",
        "Keep an IoU only where there is a union, and average what was kept:\n"
        "    union = (called | real).sum()\n"
        "    if union > 0:\n"
        "        ious.append((called & real).sum() / union)",
    ],
    note="A rare class weighs as much as the background: sixteen pixels of a bottle can move this mean as far as all the sky.",
)  # fmt: skip
