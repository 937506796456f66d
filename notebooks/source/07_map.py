# minimum: code 55, check 7, widget 4
# %% [markdown]
# # 07 · mAP
#
# **Detector A or detector B?**
#
# Two detectors looked at the same 120 scenes. You build the number that the field compares detectors by, from counting apples to
# COCO's twelve numbers, find out what it hides, and end with an answer that is not luck.
#
# *140 minutes, in three sittings: sections 1 to 3 (44 min), 4 and 5 (48 min), 6 to 8 (48 min). You need lesson 01; lesson 06 is not required.
# At a first reading you may skip the seven surprises of section 6 and all of section 7.*

# %% tags=["setup", "fold"]

# %% [markdown]
# Both detectors answer in the next widget. Switch between A and B and go through a few scenes. **Whom would you hire?** Write your choice down;
# at the end you will know what it was worth. (What the curve means, you learn in section 4.)

# %%
import matplotlib.pyplot as plt
import numpy as np

from cvlab import boxes, check, draw, hint, progress, show, solution
from cvlab.map import metrics
from cvlab.map.detectors import recorded
from cvlab.widgets import ScoreThreshold
from cvlab.world.scenes import make_scene

draw.theme("light")
ScoreThreshold(task="Look at A and at B. Whom would you hire?")

# %% [markdown]
# One scene, and all that each detector says about it. B says more: it alone finds the sheep, it alone sees a cow and a second tv. And it draws
# more loosely.

# %% tags=["fold", "cover"]
# Draw the boxes of both detectors over one scene
truth = recorded("truth")
names = {c["id"]: c["name"] for c in truth["categories"]}
images = {image["id"]: image for image in truth["images"]}


def look(image_id, found, title, ax):
    """Draw the boxes of one image over its scene."""
    scene = make_scene(**images[image_id]["scene"])
    show(scene.image, title=title, ax=ax)
    here = [r for r in found if r["image_id"] == image_id]
    corners = boxes.xywh_to_xyxy([r["bbox"] for r in here])
    labels = [names[r["category_id"]] for r in here]
    scores = [r["score"] for r in here]
    draw.draw_boxes(corners, labels=labels, scores=scores, ax=ax)


wide = {"figsize": (9, 4.7), "layout": "constrained"}
figure, axes = plt.subplots(1, 2, **wide)
for ax, detector in zip(axes, "AB", strict=True):
    look(98, recorded(detector), f"Detector {detector}", ax)

# %% [markdown]
# ## 1 · Count *(10 min)*
#
# An apple detector looks at 20 photos. Ten show one apple each. It finds 7 of them, misses 3, sees an apple in 4 photos that have none,
# and is rightly silent about 6.
#
# | | apple there | no apple |
# |---|---|---|
# | **says apple** | 7 true positives, TP | 4 false positives, FP |
# | **is silent** | 3 false negatives, FN | 6 true negatives, TN |
#
# **Precision**: of the 11 alarms, how many are right? 7 / 11 = 0.64. **Recall**: of the 10 apples, how many are found? 7 / 10 = 0.70.

# %% [markdown]
# **Exercise.** A share of nothing is 0.0 here.

# %% tags=["exercise"]
def precision_recall(tp, fp, fn):
    """Return precision and recall as two floats.

    Where there is nothing to divide by, 0.0.
    """
    ### BEGIN SOLUTION
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    return precision, recall
    ### END SOLUTION

# %%
check(precision_recall)

# %% [markdown]
# ### Trap: accuracy
#
# Why not simply count right answers? (7 + 6) / 20 = 65 %. Now let apples be rare: 10 in 1000 photos. **Predict** the accuracy of a
# detector that never says anything.

# %%
cases = {"ours, 20 photos": (7, 4, 3, 6)}
cases["silent, 1000 photos"] = (0, 0, 10, 990)
rows = []
for name, (tp, fp, fn, tn) in cases.items():
    precision, recall = metrics.precision_recall(tp, fp, fn)
    shares = {"precision": precision, "recall": recall}
    accuracy = (tp + tn) / (tp + fp + fn + tn)
    rows.append({"detector": name, "accuracy": accuracy} | shares)
draw.table(rows, digits=2)

# %% [markdown]
# Silence is 99 % accurate. With boxes it is worse: how many boxes did a detector rightly *not* draw? Nobody can count them. So detection
# works without true negatives.

# %% [markdown]
# ## 2 · How well does a box fit? *(15 min)*
#
# "Found" needs a meaning. This apple's true box starts at (75, 80) and is 450 wide, 440 high; the detector said (90, 120), 500 wide, 310
# high. On paper: the overlap runs in x from 90 to 525 and in y from 120 to 430.

# %% tags=["fold"]
# Paint an apple, its true box and a detection
y, x = np.mgrid[:600, :640]
apple = np.full((600, 640, 3), (236, 240, 228), np.uint8)
apple[((x - 300) / 222) ** 2 + ((y - 310) / 208) ** 2 < 1] = (200, 40, 46)
apple[((x - 220) / 50) ** 2 + ((y - 210) / 36) ** 2 < 1] = (232, 120, 118)
stalk = np.abs(x - 300 - (140 - y) / 4) < 7
apple[stalk & (y > 82) & (y < 140)] = (96, 66, 40)
said = boxes.xywh_to_xyxy([[75, 80, 450, 440], [90, 120, 500, 310]])
figure, ax = plt.subplots(figsize=(5, 4.9), layout="constrained")
show(apple, title="Is this apple found?", ax=ax)
for box, name in zip(said, ("truth", "detection"), strict=True):
    color = {"truth": draw.TRUTH}.get(name, draw.PREDICTION)
    draw.draw_boxes([box], labels=[name], color=color, ax=ax)

# %%
overlap = (525 - 90) * (430 - 120)
union = 450 * 440 + 500 * 310 - overlap
print(f"overlap {overlap}, union {union}")
print(f"overlap / union = {overlap / union:.3f}")

# %% [markdown]
# **Intersection over union**, IoU: the area both cover, as a part of the area either covers. 1 is the same box, 0 is apart. The usual
# demand is 0.5; this apple is found.

# %% [markdown]
# **Exercise.** Mind two boxes that are apart: one slip returns `None`
# there, another says that boxes far apart *diagonally* overlap.

# %% tags=["exercise"]
def iou(a, b):
    """Return the IoU of two boxes, arrays x0, y0, x1, y1.

    A float; 0.0 where they are apart, and for two empty ones.
    """
    ### BEGIN SOLUTION
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    overlap = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    return overlap / union if union > 0 else 0.0
    ### END SOLUTION

# %%
check(iou)

# %% [markdown]
# Drag the detection onto the cup. What surprises most people is how *strict* IoU is: how good do boxes look at 0.5, 0.75, 0.95?

# %%
from cvlab.widgets import IouBoxes

IouBoxes()

# %% [markdown]
# A detector makes hundreds of boxes, so we want all pairs at once: shape (N, 1, 2) against (1, M, 2) gives (N, M, 2).

# %% tags=["core"]
def box_overlap(a, b):
    """Return the (N, M) areas that boxes `a` and `b` share."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    # negative means apart
    return (bottom_right - top_left).clip(min=0).prod(axis=2)


def box_iou(a, b):
    """Return the (N, M) IoU of boxes as x0, y0, x1, y1."""
    inter = box_overlap(a, b)  # (N, M)
    union = box_area(a)[:, None] + box_area(b)[None, :] - inter
    return np.divide(inter, union, out=np.zeros(inter.shape), where=inter > 0)

# %%
import torch
import torchvision

from cvlab.boxes import box_area

rng = np.random.default_rng(0)
corners = rng.uniform(0, 100, (500, 2, 2))
ends = [corners.min(axis=1), corners.max(axis=1)]
many = np.concatenate(ends, axis=1)  # (500, 4)
tensor = torch.from_numpy(many)
library = torchvision.ops.box_iou(tensor, tensor).numpy()
gap = np.abs(box_iou(many, many) - library).max()
print(library.shape, "gap below 1e-12:", gap < 1e-12)

# %% [markdown]
# ## 3 · Right or wrong? *(19 min)*
#
# Two detections lie on one apple, with IoU 0.8 and 0.7. Is that two right answers? No: one truth counts once, the second is a
# **duplicate**, and wrong. Who gets the truth? COCO's rule, the usual one today, is *greedy*:
#
# 1. sort the detections by score, best first;
# 2. each takes the free truth it overlaps most, if the IoU reaches the threshold: **right**;
# 3. otherwise it is **wrong**. Truths that nobody took are **missed**.
#
# **Predict:** detections with scores 0.6 and 0.9 and IoU 0.8 and 0.7 on one truth. Which one is right?

# %%
ious = np.array([[0.8], [0.7]])
metrics.match_detections(np.array([0.6, 0.9]), ious)

# %% [markdown]
# The more confident one, though its box is worse.

# %% [markdown]
# **Exercise.** One image, one class: `scores` (N,), `ious` (N, M). Answer in the order you were
# given.

# %% tags=["exercise"]
def match_detections(scores, ious, threshold=0.5):
    """Return (N,) bool: which detections are right."""
    ### BEGIN SOLUTION
    correct = np.zeros(len(scores), dtype=bool)
    free = np.ones(ious.shape[1], dtype=bool)
    for d in np.argsort(-scores, kind="stable"):
        candidates = np.flatnonzero(free & (ious[d] >= threshold))
        if len(candidates):
            best = candidates[ious[d, candidates].argmax()]
            correct[d], free[best] = True, False
    return correct
    ### END SOLUTION

# %%
check(match_detections)

# %% [markdown]
# ### The older rule: Pascal VOC
#
# VOC's detections do not look for a *free* truth. Each looks at the one truth it overlaps most; if that is taken, it is wrong, even where
# another would have done. **Predict** both answers for two detections and two truths.

# %%
def match_voc(scores, ious, threshold=0.5):
    """Return (N,) bool: right by VOC's rule."""
    correct = np.zeros(len(scores), dtype=bool)
    taken = np.zeros(ious.shape[1], dtype=bool)
    for d in np.argsort(-scores, kind="stable"):
        nearest = ious[d].argmax()  # taken or not
        correct[d] = ious[d, nearest] >= threshold and not taken[nearest]
        taken[nearest] |= correct[d]
    return correct


two = np.array([0.9, 0.8]), np.array([[0.8, 0.6], [0.7, 0.65]])
print("COCO", metrics.match_detections(*two).tolist())
print("VOC ", match_voc(*two).tolist())

# %% [markdown]
# Two more differences hide in the old numbers. VOC's corners are *pixels that belong to the box*, so a width is last - first **+ 1**. And it
# marks truths as **difficult**: nobody has to find them, and finding one is neither right nor wrong.

# %%
for extra in (1, 0):  # corners 0, 0, 9, 9 and 0, 0, 9, 4
    whole = (9 - 0 + extra) * (9 - 0 + extra)
    half = (9 - 0 + extra) * (4 - 0 + extra)
    share = half / whole
    print(f"with + {extra}: {half} / {whole} = {share:.2f},", end=" ")
    print("found at 0.5:", share >= 0.5)

# %% [markdown]
# So an "AP by VOC" is a matching rule *and* a way to read the curve of section 4. From here on we match as COCO does.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on; nothing before it is needed.

# %% tags=["again", "fold"]
# Import what sections 4 and 5 need
import matplotlib.pyplot as plt, numpy as np
from cvlab import boxes, check, draw, hint, show, solution
from cvlab.map import metrics
from cvlab.map.detectors import recorded
draw.theme("light")
truth = recorded("truth")

# %% [markdown]
# ## 4 · The curve *(29 min)*
#
# A score threshold would settle which detections to believe, but which threshold? Look at all of them. Ten detections on the apple photos,
# best score first, with the IoU each has with its apple. There are five apples to find:

# %%
ten = [0.6, 0.98, 0.4, 0.3, 0.1, 0.96, 0.7, 0.3, 0.2, 0.8]
table = np.array(ten)  # IoU, best score first
correct = table >= 0.5
n_truths = 5
rows = []
for place in range(1, 11):
    tp, right = correct[:place].sum(), correct[place - 1]
    row = {"place": place, "IoU": table[place - 1]}
    row |= {"right": "yes" if right else "no"}
    row |= {"precision": f"{tp} / {place} = {tp / place:.2f}"}
    row |= {"recall": f"{tp} / {n_truths} = {tp / n_truths:.1f}"}
    rows.append(row)
draw.table(rows, digits={"IoU": 2})

# %% [markdown]
# Do three rows by hand. A right detection moves recall up; a wrong one leaves it and pulls precision down: a zigzag.

# %% [markdown]
# **Exercise.** From scores and flags, in any order, to the two columns:
# one place a detection, equal scores or not.

# %% tags=["exercise"]
def pr_curve(scores, correct, n_truths):
    """Return precision (N,) and recall (N,), best score first.

    Without truths the recall is 0.
    """
    ### BEGIN SOLUTION
    order = np.argsort(-scores, kind="stable")
    tp = np.cumsum(correct[order])
    return tp / np.arange(1, len(tp) + 1), tp / max(n_truths, 1)
    ### END SOLUTION

# %%
check(pr_curve)

# %% [markdown]
# A threshold picks one point of the curve. **Predict:** how many of the objects does detector B lose when nine of ten boxes
# have to be right?

# %%
from cvlab.widgets import ScoreThreshold

ScoreThreshold()

# %% [markdown]
# ### From curve to number
#
# **Average precision**, AP, is the area under that curve, after one repair. At recall 0.6 the table has precision 0.5, yet going on to
# recall 0.8 gives 0.57. Nobody would stop at 0.6, so each level gets the best precision *still to come*: the **envelope**.

# %%
scores = np.linspace(0.95, 0.05, 10)  # any ten that fall
precision, recall = metrics.pr_curve(scores, correct, n_truths)
envelope = np.maximum.accumulate(precision[::-1])[::-1]

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
blue, red = draw.PALETTE[:2]
ax.plot([0, *recall], [1, *precision], "o-", color=blue)
steps = [0, *recall], [envelope[0], *envelope]
ax.step(*steps, where="pre", color=red)
ax.fill_between(*steps, step="pre", color=red, alpha=0.12)
ax.text(0.5, 0.33, "zigzag", color=draw.readable(blue))
ax.text(0.5, 0.61, "envelope", color=draw.readable(red))
ax.set(xlabel="recall", ylabel="precision", ylim=(0, 1.05))
ax.set_title("The envelope never rises: its area is the AP");

# %% [markdown]
# On paper: precision 1 up to recall 0.4, then 4/7 up to 0.8, then 1/2 up to 1: 0.4 · 1 + 0.4 · 0.571 + 0.2 · 0.5 = 0.729.

# %% [markdown]
# **Exercise.** COCO does not take the area, but the mean of the envelope at 101 levels of
# recall: 0, 0.01, ..., 1. At each level it reads the first place whose recall is at least that; a level that is never reached counts 0.
# So no detections at all give 0.

# %% tags=["exercise"]
def average_precision(precision, recall):
    """Return COCO's AP, a float.

    Precision and recall are (N,), recall never falls.
    """
    ### BEGIN SOLUTION
    # (N,) the best still to come
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # (101,) the first place with at least this recall
    found = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.append(envelope, 0)[found].mean())
    ### END SOLUTION

# %%
check(average_precision)

# %% [markdown]
# Three conventions are in use. VOC2007 read 11 levels, VOC2010 took the exact area, COCO reads 101.

# %% tags=["core"]
def ap(precision, recall, convention="coco"):
    """Return the AP as "voc07", "voc10" or "coco" defines it."""
    if convention == "coco":
        return metrics.average_precision(precision, recall)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if convention == "voc10":
        return float((np.diff(recall, prepend=0) * envelope).sum())
    found = np.searchsorted(recall, np.linspace(0, 1, 11))  # (11,)
    return float(np.append(envelope, 0)[found].mean())

# %%
from sklearn.metrics import auc

one_of_three = np.array([1.0]), np.array([1 / 3])
rows = []
for name in ("voc07", "voc10", "coco"):
    here = ap(precision, recall, name)
    row = {"AP by": name, "our curve": here}
    rows.append(row | {"one of three": ap(*one_of_three, name)})
slip = auc(recall, envelope)
lost = rows[1]["our curve"] - slip
rows.append({"AP by": "sklearn auc", "our curve": slip})
print(f"auc lacks {recall[0]} x {envelope[0]} = {lost:.2f}")
draw.table(rows, digits=3)

# %% [markdown]
# The last row is a slip that tutorials share: sklearn's `auc` starts at the *first* recall, 0.2, so everything before it is lost. It also
# draws slopes where there are steps; here, at IoU 0.5, that changes nothing.
#
# One curve, four numbers. The conventions part most where there are few truths: one object found out of three is an AP of 0.364, 0.333 or 0.337. An AP
# without its convention is not a number you can compare.
#
# Now play against it. After the widget's task, look for moves that change nothing at all. What does the AP not see?

# %%
from cvlab.widgets import RankingGame

RankingGame()

# %% [markdown]
# AP sees the *order* of the scores, never their values. Whether "90 %" is right nine times in ten is another question: section 8.
#
# ### One point of the curve
#
# AP is for comparing; a machine in use needs *one* score to act on. **F1** weighs precision and recall alike: 2PR / (P + R). Better is to
# say what mistakes cost. Let a miss cost five false alarms. We choose the score on one half of the scenes and pay on the other.

# %%
from cvlab.map.diagnose import label_errors

def operating_curve(found):
    """Return what acting above each score would do.

    A dict for the even scenes, and one for the odd scenes.
    """
    right = label_errors(truth, found).kinds == "right"  # (N,)
    scores = np.array([r["score"] for r in found])  # (N,)
    odd = np.array([r["image_id"] % 2 for r in found])  # (N,)
    asked = [a["image_id"] % 2 for a in truth["annotations"]]
    halves = []
    for half in (0, 1):
        mine, n = odd == half, asked.count(half)
        sure = scores[mine, None] >= levels  # (n, 99)
        tp = (sure & right[mine, None]).sum(axis=0)  # (99,)
        fp = sure.sum(axis=0) - tp
        cost = (5 * (n - tp) + fp) / n
        halves.append({"F1": 2 * tp / (tp + fp + n), "cost": cost})
    return halves

# %%
levels = np.arange(1, 100) / 100
rows = []
for detector in "AB":
    chosen_on, paid_on = operating_curve(recorded(detector))
    for what, best in (("F1", np.argmax), ("cost", np.argmin)):
        at = best(chosen_on[what])
        row = {"detector": detector, "best by": what}
        row |= {"at score": levels[at]}
        rows.append(row | {"on other scenes": paid_on[what][at]})
draw.table(rows, digits=2)

# %% [markdown]
# "0.5" does not mean the same to both: A is best from 0.47 up, B only from 0.83. Where a miss is dear, both should speak sooner. And at their own
# points they are nearly equal, in F1 and in cost, far nearer than their mAP will be. Compare by AP, but buy by what mistakes cost *you*.
#
# ## 5 · Ten thresholds, all classes: mAP *(19 min)*
#
# Why 0.5? COCO asks ten times, at IoU 0.50, 0.55, ..., 0.95, and takes the mean: tight boxes are rewarded. Then the mean over
# classes. That is the **mAP**, which COCO simply calls AP.
#
# Write the ten numbers with `linspace`, as pycocotools does. **Predict** what `np.arange` makes of a box with an IoU of exactly 0.6.

# %%
right = np.linspace(0.5, 0.95, 10)
tempting = np.arange(0.5, 1, 0.05)
overlap = 24 * 40 / (40 * 40)  # 0.6
for name, ten in (("linspace", right), ("arange", tempting)):
    third, found = float(ten[2]), (ten <= overlap).sum()
    print(f"{name:8} third: {third!r:18} found at {found}")

# %% [markdown]
# ### Trap: the curve does not stay
#
# A tempting shortcut keeps the precision and recall of threshold 0.5 and drops the rows whose IoU is too small. But a detection that fails a stricter
# threshold does not vanish: it stays in the list, as a false one. **Predict** which way the shortcut errs.

# %%
thresholds = np.linspace(0.5, 0.95, 10)
shortcut, right_way = [], []
for t in thresholds:
    kept = table >= t
    shortcut.append(ap(precision[kept], recall[kept]))
    right_way.append(ap(*metrics.pr_curve(scores, kept, n_truths)))

# %% tags=["fold"]
# Draw both against the threshold
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
ways = {"the shortcut": (shortcut, draw.ERROR)}
ways["matched again"] = right_way, draw.PALETTE[0]
for name, (aps, color) in ways.items():
    label = f"{name}, mAP {np.mean(aps):.3f}"
    ax.plot(thresholds, aps, "o-", color=color, label=label)
ax.set(xlabel="IoU threshold", ylabel="AP", ylim=(0, 0.8))
ax.set_title("The shortcut forgets the boxes that became wrong")
draw.label_lines(ax);

# %% tags=["author"]
assert (np.array(shortcut) >= right_way).all()
assert np.mean(right_way) < np.mean(shortcut)

# %%
strict = metrics.pr_curve(scores, table >= 0.95, n_truths)
print("at 0.95, precision down the list:")
print(strict[0].round(2).tolist())
print("the shortcut keeps two places of the curve at 0.5:")
print(precision[table >= 0.95].round(2).tolist())

# %% [markdown]
# At 0.95 the first detection has become wrong, so nothing after it can have precision 1, and recall ends at 0.4. The shortcut still reads
# the old precision 1 and the old recall up to 0.6, so it errs upwards.
#
# ### Trap: two mistakes can hide each other
#
# Now use the shortcut *and* sklearn's `auc`. Which of `auc`'s two habits does what? Take them apart.

# %%
def area(kept, slopes, from_zero):
    """Return the area under the shortcut's curve.

    With slopes or steps, from recall 0 or from the first one.
    """
    r, rising = recall[kept], precision[kept][::-1]
    best = np.maximum.accumulate(rising)[::-1]
    lost = 0 if from_zero else r[0] * best[0]
    if slopes:
        return auc(np.append(0, r), np.append(best[0], best)) - lost
    return ap(precision[kept], r, "voc10") - lost


def mean_area(slopes, zero):
    return np.mean([area(table >= t, slopes, zero) for t in thresholds])


rows = []
for name, slopes in (("steps", False), ("slopes", True)):
    row = {"drawn with": name}
    row["from recall 0"] = mean_area(slopes, True)
    rows.append(row | {"from the first": mean_area(slopes, False)})
print(f"the right answer, 101 levels:  {np.mean(right_way):.3f}")
draw.table(rows, digits=3)

# %% [markdown]
# Slopes lie above the steps of a falling curve (+ 0.05). The missing start costs far more (- 0.34), and what is left, 0.364, looks
# nearly like the right 0.387: two large mistakes, one innocent number. Check a metric on a case you can do by hand.

# %% [markdown]
# **Exercise.** Now many images: `images` is a list with one dict an image, class → `(scores, ious)`;
# `ious` is (N, M) for M truths. Match in each image, anew at each threshold; then the detections of a class in *all* images share **one**
# curve, not one an image. A class without a truth in any image has no AP and does not count; when there is none, return -1.0. The pieces are
# in `metrics`.

# %% tags=["exercise"]
def coco_map(images):
    """Return the mean AP over ten thresholds and all classes.

    A class without a truth has none.
    """
    ### BEGIN SOLUTION
    values = []
    for name in sorted(set().union(*images)):
        found = [image[name] for image in images if name in image]
        n_truths = sum(ious.shape[1] for _, ious in found)
        if n_truths == 0:
            continue  # an absent class has no average precision
        scores = np.concatenate([s for s, _ in found])
        for threshold in np.linspace(0.5, 0.95, 10):
            correct = np.concatenate([
                metrics.match_detections(s, ious, threshold)
                for s, ious in found
            ])
            precision, recall = metrics.pr_curve(scores, correct, n_truths)
            values.append(metrics.average_precision(precision, recall))
    return float(np.mean(values)) if values else -1.0
    ### END SOLUTION

# %%
check(coco_map)

# %% [markdown]
# **Predict:** who leads at 0.5, and does it stay so?

# %%
from cvlab.widgets import IouThreshold

IouThreshold()

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on; nothing before it is needed.

# %% tags=["again", "fold"]
# Import what sections 6 to 8 need
import matplotlib.pyplot as plt, numpy as np
from cvlab import boxes, check, draw, hint, progress, show, solution
from cvlab.map.detectors import recorded
from cvlab.map.metrics import ap, match_detections
from cvlab.world.scenes import make_scene
draw.theme("light"); truth = recorded("truth")

# %% [markdown]
# ## 6 · COCO's evaluator, whole *(22 min)*
#
# A data set has many images, sizes from a coin to a bus, and regions marked **crowd** ("many people, not outlined one by one"). The matching
# grows by two flags. A truth to *ignore* counts neither as found nor as missed; a crowd may be matched again and again.

# %% tags=["core"]
def match_image(ious, threshold, crowd, ignore):
    """Return (N,) the truth each detection gets, -1 for none.

    `ious` is (N, M), the best score first.
    """
    matched, taken = np.full(len(ious), -1), np.zeros(len(ignore), dtype=bool)
    for d in range(len(ious)):
        best = min(threshold, 1 - 1e-10)
        # those that count first
        for t in np.argsort(ignore, kind="stable"):
            if taken[t] and not crowd[t]:
                continue  # one truth once; a crowd takes any number
            if matched[d] >= 0 and ignore[t] and not ignore[matched[d]]:
                break  # a truth that counts is better
            if ious[d, t] >= best:
                best, matched[d] = ious[d, t], t
        if matched[d] >= 0:
            taken[matched[d]] = True
    return matched

# %%
same = np.array([[0.8, 0.8], [0.7, 0.0]])  # the first fits both
free = np.zeros(2, dtype=bool)
by_coco = match_image(same, 0.5, crowd=free, ignore=free) >= 0
yours = match_detections(np.array([0.9, 0.8]), same, 0.5)
print("COCO: ", by_coco.tolist())
print("yours:", yours.tolist())

# %% [markdown]
# Of two truths that fit *equally* well COCO takes the later (`>=`), your exercise the first (`argmax`). Only exact ties show it; to agree
# with COCO to the last digit, its rule counts.
#
# Sizes work through the same flag: to measure *small* objects, ignore the truths of other sizes, and the unmatched detections of other
# sizes too.

# %% tags=["core"]
def judge(matchup, threshold, area_range):
    """Return right (N,), counted (N,), how many truths count."""
    low, high = area_range
    # (M,)
    ignore = matchup.crowd | (matchup.truth_areas < low) | (matchup.truth_areas > high)
    matched = match_image(matchup.ious, threshold, matchup.crowd, ignore)  # (N,)
    right = matched >= 0
    # if it matched nothing
    counted = (matchup.areas >= low) & (matchup.areas <= high)
    counted[right] = ~ignore[matched[right]]
    return right, counted, int((~ignore).sum())

# %% [markdown]
# Then one class over all its images: the detections of *all* images go into one list, sorted by score, and make one curve.

# %% tags=["core"]
def evaluate_class(matchups, threshold, area_range, max_dets):
    """Return AP and final recall of a class; -1 if absent."""
    judged = [judge(matchup, threshold, area_range) for matchup in matchups]
    n_truths = sum(count for _, _, count in judged)
    if n_truths == 0:
        return -1.0, -1.0  # absent: no AP, not an AP of 0
    scores = np.concatenate([matchup.scores[:max_dets] for matchup in matchups])
    right = np.concatenate([right[:max_dets] for right, _, _ in judged])
    counted = np.concatenate([counted[:max_dets] for _, counted, _ in judged])
    # of equal scores the earlier image, then the earlier line
    order = np.argsort(-scores, kind="stable")
    tp, seen = np.cumsum((right & counted)[order]), np.cumsum(counted[order])
    precision, recall = tp / np.maximum(seen, 1), tp / n_truths
    return ap(precision, recall, "coco"), float(recall[-1]) if len(recall) else 0.0

# %% [markdown]
# Last, the loop over settings, thresholds and classes, and twelve means.

# %% tags=["core"]
def evaluate_tables(classes):
    """Return AP and recall: (6 settings, 10 thresholds, K)."""
    aps, recalls = -np.ones((2, len(SETTINGS), len(THRESHOLDS), len(classes)))
    for s, (area, max_dets) in enumerate(SETTINGS):
        for t, threshold in enumerate(THRESHOLDS):
            for k, matchups in enumerate(classes):
                aps[s, t, k], recalls[s, t, k] = evaluate_class(
                    matchups, threshold, AREAS[area], max_dets
                )
    return aps, recalls


def summarize(aps, recalls):
    """Return the twelve numbers by name; -1: not measured."""
    def mean(table):
        return float(table[table > -1].mean()) if (table > -1).any() else -1.0

    # all, at 0.50, at 0.75, by size
    of_ap = [aps[0], aps[0, 0], aps[0, 5], aps[1], aps[2], aps[3]]
    # 1, 10, 100 detections, by size
    of_ar = [recalls[s] for s in (4, 5, 0, 1, 2, 3)]
    return dict(zip(NUMBERS, map(mean, of_ap + of_ar), strict=True))

# %% [markdown]
# That is all of it. Now from files to numbers: `pair_up` sorts annotations and results by class and image and computes the IoUs.

# %%
from cvlab.coco.read import read_results, read_truth
from cvlab.map.coco_eval import AREAS, NUMBERS, SETTINGS, pair_up
from cvlab.map.evaluate import evaluate
from cvlab.map.metrics import THRESHOLDS

checked = read_truth(truth)
ours = {}
for detector in "AB":
    results = read_results(recorded(detector), checked)
    classes = pair_up(checked, results)
    ours[detector] = summarize(*evaluate_tables(classes))
columns = {"number": NUMBERS}
columns |= {d: list(ours[d].values()) for d in "AB"}
draw.table(columns, digits=3, highlight="AP")

# %% [markdown]
# | Number | Question |
# |---|---|
# | AP | mean over ten thresholds and all classes: *the* mAP |
# | AP50, AP75 | at one threshold: found at all? found tightly? |
# | APs, APm, APl | truths below 32², from 32² to 96², above 96² square pixels (here 134, 216 and only 15) |
# | AR1, AR10, AR100 | mean final recall, with that many detections an image and class: what could better ranking still win? |
# | ARs, ARm, ARl | the same by size, with 100 detections |
#
# Before you make a story of "B sees large things better", ask how many there are.

# %%
annotations = truth["annotations"]
large = [
    a["category_id"] for a in annotations if a["area"] > 96**2
]
kinds = set(large)
alone = sum(large.count(c) == 1 for c in kinds)
print(len(large), "large truths of", len(kinds), "classes")
print(alone, "of these classes have just one")
print(f"it alone moves APl by up to {1 / len(kinds):.2f}")

# %% [markdown]
# ### The library
#
# `pycocotools` is what everyone quotes. Same files, same numbers?

# %% tags=["fold"]
# Ask pycocotools for its twelve numbers
import contextlib
import copy
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def by_library(truth, results, kind="bbox"):
    """Return pycocotools' twelve numbers."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        gt = COCO()
        gt.dataset = copy.deepcopy(truth)  # it writes into it
        gt.createIndex()
        found = gt.loadRes(copy.deepcopy(results))
        judge = COCOeval(gt, found, kind)
        judge.evaluate(), judge.accumulate(), judge.summarize()
    return judge.stats

# %%
def largest_gap(theirs, mine):
    return np.abs(theirs - list(mine.values())).max()


for detector in "AB":
    theirs = by_library(truth, recorded(detector))
    gap = largest_gap(theirs, ours[detector])
    print(f"{detector}, boxes: gap below 1e-12: {gap < 1e-12}")
masks = recorded("A masks")
by_mask = evaluate(truth, masks, kind="segm")
theirs = by_library(truth, masks, "segm")
gap = largest_gap(theirs, by_mask.numbers)
print(f"A, masks: gap below 1e-12: {gap < 1e-12}")
by_mask

# %% [markdown]
# Masks only change where the IoU comes from: pixels instead of corners. `cvlab.map.evaluate.evaluate` is the same algorithm on flat arrays, for
# large files. How fast? Your numbers will differ; read the ratios.

# %% tags=["nbval-ignore-output"]
from time import perf_counter


def seconds(run):
    start = perf_counter()
    run()
    return perf_counter() - start


def these_cells():
    paired = pair_up(checked, read_results(results, checked))
    return evaluate_tables(paired)


results = recorded("A")
runs = {
    "these cells": these_cells,
    "pycocotools": lambda: by_library(truth, results),
    "cvlab.map.evaluate": lambda: evaluate(truth, results),
}
times = [1000 * min(seconds(f) for _ in "12") for f in runs.values()]
ratios = [time / min(times) for time in times]
rows = {"program": list(runs), "time": times, "ratio": ratios}
draw.table(rows, units={"time": "ms"}, digits=1, sort="time")

# %% [markdown]
# ### Seven things that surprise people
#
# A tiny world to try them in: one image, a truth of 40 x 40, and results that you can change.

# %%
def world(*annotations, categories=(1,)):
    """Return a COCO truth with one image.

    Annotations are changes to one of 40 x 40 pixels.
    """
    one = {"image_id": 1, "category_id": 1, "iscrowd": 0}
    one |= {"bbox": [10, 10, 40, 40], "area": 1600}
    return {
        "images": [{"id": 1, "width": 200, "height": 200}],
        "categories": [
            {"id": c, "name": f"class {c}"} for c in categories
        ],
        "annotations": [one | changes for changes in annotations],
    }


def map_of(world, results):
    return round(evaluate(world, results).numbers["AP"], 3)


hit = {"image_id": 1, "category_id": 1, "score": 0.5}
hit["bbox"] = [10, 10, 40, 40]
away = hit | {"bbox": [120, 120, 40, 40]}

# %% [markdown]
# **1 · Ties.** Two detections with the same score, one right, one wrong. The order of the lines in your file decides.

# %%
print("right one first:", map_of(world({"id": 1}), [hit, away]))
print("wrong one first:", map_of(world({"id": 1}), [away, hit]))

# %% [markdown]
# **2 · Absent is not zero.** A class without truths gets -1 and stays out of the mean, however much is detected. A class with truths and no
# detection gets 0, and counts.

# %%
absent = world({"id": 1}, categories=(1, 2))
second = {"id": 2, "category_id": 2}
missed = world({"id": 1}, second, categories=(1, 2))
rows = []
for name, two in (("absent", absent), ("missed", missed)):
    row = {"class 2 is": name, **evaluate(two, [hit]).per_class}
    rows.append(row | {"mAP": map_of(two, [hit])})
draw.table(rows, digits=1)

# %% [markdown]
# **3 · Crowds.** Against a crowd, "IoU" is the share of the *detection* that lies inside. Three boxes in a crowd are three times forgiven: neither
# right nor wrong.

# %%
many = {"id": 2, "iscrowd": 1, "area": 8100}
crowd = world({"id": 1}, many | {"bbox": [100, 100, 90, 90]})
inside = [away | {"score": score} for score in (0.9, 0.8, 0.7)]
found = [*inside, hit]
print("three boxes in a crowd:     AP", map_of(crowd, found))
bare = world({"id": 1})
print("the same, no crowd marked:  AP", map_of(bare, found))

# %% [markdown]
# **4 · `ignore` in the file is thrown away.** pycocotools reads it, and in the next line overwrites it with `iscrowd`.

# %%
second = {"id": 2, "ignore": 1, "bbox": [120, 120, 40, 40]}
ignored = world({"id": 1}, second)
print("pycocotools:", by_library(ignored, [hit])[0].round(3))
print("ours:       ", map_of(ignored, [hit]))

# %% [markdown]
# **5 · 32² is small *and* medium.** Both ends belong to a range. And the size is the annotation's `area`, for COCO the area of the mask, not of the
# box.

# %%
edge = evaluate(world({"id": 1, "area": 32**2}), [hit]).numbers
draw.table([{name: edge[name] for name in ("APs", "APm", "APl")}])

# %% [markdown]
# **6 · A hundred, and no more.** An image and class may bring 100 detections. The 101st is not wrong; it is not read at all.

# %%
crowded = [away | {"score": 0.9}] * 99
for extra in (0, 1):
    found = [*crowded, *[away] * extra, hit | {"score": 0.1}]
    recall = evaluate(world({"id": 1}), found).numbers["AR100"]
    print(f"{99 + extra} wrong ones first: recall {recall:.0f}")

# %% [markdown]
# **7 · Never number an annotation 0.** pycocotools marks "unmatched" with 0, so that object can be found only in vain. Here we differ from it on
# purpose.

# %%
zero = world({"id": 0})
print("pycocotools:", by_library(zero, [hit])[0].round(3))
print("ours:       ", map_of(zero, [hit]))

# %% [markdown]
# ## 7 · Formats *(10 min)*
#
# The same box, four ways. Each is four numbers, and no number says which way it is meant.

# %%
# x0, y0, x1, y1 in a picture of 100 rows and 200 columns
box = np.array([[10.0, 20.0, 110.0, 70.0]])
written = {
    "ours and torchvision: x0, y0, x1, y1": box,
    "COCO: x, y, w, h": boxes.xyxy_to_xywh(box),
    "VOC: first and last pixel, from 1": boxes.xyxy_to_voc(box),
}
written["YOLO: centre, size"] = boxes.xyxy_to_yolo(box, 100, 200)
for name, numbers in written.items():
    print(f"{name:36} {numbers[0].tolist()}")

# %%
_, as_coco, as_voc, as_yolo = written.values()
back = [boxes.xywh_to_xyxy(as_coco), boxes.voc_to_xyxy(as_voc)]
back.append(boxes.yolo_to_xyxy(as_yolo, 100, 200))
print("all come back:", all(np.allclose(b, box) for b in back))
wrong = []
for result in recorded("A"):
    corners = boxes.xywh_to_xyxy([result["bbox"]])[0]
    wrong.append(result | {"bbox": corners.tolist()})
print("corners in A's file, pycocotools: AP", end=" ")
print(f"{by_library(truth, wrong)[0]:.3f}, and no error")

# %% [markdown]
# pycocotools computes on. Our reader looks first, and names the record and the field.

# %%
slips = [{"bbox": [10, 10, -5, 40]}, {"score": float("nan")}]
slips += [{"image_id": 999}, {"category_id": 12}]
first = recorded("A")[0]
for results in (wrong, *([first | slip] for slip in slips)):
    try:
        evaluate(truth, results)
    except ValueError as error:
        print(error)

# %% [markdown]
# A **mask** becomes run lengths, counted down the columns, off first: this mask is 1 off, 3 on. Packed into text it travels in the
# results file.

# %%
from cvlab.coco import rle
from cvlab.coco.categories import CATEGORIES, VOC_CLASSES
from cvlab.coco.results import from_results, to_results

small = np.array([[False, True], [True, True]])
runs = rle.mask_to_rle(small)
print(runs, "->", rle.rle_to_mask(runs).tolist())
mask = make_scene(0, split="test").masks[:1]
records = to_results(7, [17], [0.9], masks=mask)
print(records[0]["segmentation"]["counts"][:40], "...")
np.array_equal(from_results(records), mask)

# %% [markdown]
# ### Trap: equal names
#
# A detector trained on Pascal VOC, judged on COCO: match the classes by name, and nothing complains.

# %%
known = {category["name"] for category in CATEGORIES}
lost = [name for name in VOC_CLASSES if name not in known]
print(20 - len(lost), "of 20 match; silently lost:", *lost)

# %% [markdown]
# **Exercise.** `categories` is COCO's list of dicts with `id` and `name`. Return a dict from
# VOC name to COCO id, for the names given. A sofa is a *couch*; read the ids from `categories`, another file may number them otherwise.

# %% tags=["exercise"]
def voc_to_coco(names, categories):
    """Return {VOC name: COCO id}."""
    ### BEGIN SOLUTION
    spelling = {"aeroplane": "airplane", "diningtable": "dining table", "motorbike": "motorcycle"}
    spelling |= {"pottedplant": "potted plant", "sofa": "couch", "tvmonitor": "tv"}
    ids = {category["name"]: category["id"] for category in categories}
    return {name: ids[spelling.get(name, name)] for name in names}
    ### END SOLUTION

# %%
check(voc_to_coco)

# %% [markdown]
# ## 8 · Why, and how sure? *(16 min)*
#
# B has the better AP50, A the better mAP. The number does not say why. So give each error a kind, and each kind a price: by how much would the
# AP rise if only that kind were mended? The kinds: *classification*, a wrong name; *localisation*, a loose box; *both* at once; *duplicate*, a second box
# on one object; *background*, a box on nothing; *missed*, an object that no box came near. **Predict** the largest bar of each detector, at IoU 0.5
# and over all ten thresholds.

# %%
from cvlab.map.diagnose import confusion_matrix
from cvlab.map.diagnose import error_costs, label_errors

def bill(found, thresholds):
    """Return {kind: (errors, AP they cost)} over thresholds."""
    counts = [
        label_errors(truth, found, threshold=t).counts
        for t in thresholds
    ]
    costs = error_costs(truth, found, thresholds=thresholds)
    errors = {k: sum(c[k] for c in counts) for k in costs}
    return {k: (errors[k], costs[k]) for k in costs}


rounds = {"At IoU 0.5": [0.5], "Over ten thresholds": THRESHOLDS}
bills = {
    (detector, name): bill(recorded(detector), at)
    for detector in "AB"
    for name, at in rounds.items()
}

# %% tags=["fold"]
# Draw what each kind of error costs A and B
colors = {"A": draw.PALETTE[0], "B": draw.PALETTE[4]}
figure, axes = plt.subplots(
    1, 2, figsize=(9, 4.4), layout="constrained", sharey=True
)
for ax, name in zip(axes, rounds, strict=True):
    for offset, detector in ((-0.2, "A"), (0.2, "B")):
        bill_of = bills[detector, name].values()
        errors, costs = zip(*bill_of, strict=True)
        places = np.arange(6) + offset
        bars = ax.barh(places, costs, 0.4, color=colors[detector])
        texts = [f"{detector}: {n} errors" for n in errors]
        ink = draw.readable(colors[detector])
        ax.bar_label(bars, texts, padding=3, size=10, color=ink)
    ax.set(yticks=range(6), yticklabels=bills["A", name])
    ax.set(xlabel="AP lost", xlim=(0, 0.46), title=name)
    ax.grid(False)
axes[0].invert_yaxis()

# %%
rows = [
    {"kind of error": kind, "errors": int(n), "AP lost": cost}
    | {"AP per hundred": 100 * cost / n}
    for kind, (n, cost) in bills["B", "At IoU 0.5"].items()
]
title = "B at IoU 0.5: what an error of each kind costs"
by_price = {"sort": "AP per hundred", "ascending": False}
draw.table(rows, digits=3, title=title, **by_price)

# %% tags=["author"]
price = {row["kind of error"]: row["AP per hundred"] for row in rows}
dear, cheap = ("classification", "localisation", "missed"), ("both", "duplicate", "background")
assert min(price[k] for k in dear) > 3 * max(price[k] for k in cheap)
dearest = {key: max(kinds, key=lambda k: kinds[k][1]) for key, kinds in bills.items()}
assert dearest["A", "At IoU 0.5"] == dearest["A", "Over ten thresholds"] == "missed"
assert (dearest["B", "At IoU 0.5"], dearest["B", "Over ten thresholds"]) == ("classification", "localisation")

# %% [markdown]
# Two findings. **Numerous is not expensive:** B's 58 duplicates cost less than half of its 17 missed objects, for most of them come later in the list
# than the right boxes (see the next picture), where the envelope does not mind them. And **the threshold writes the bill:** at 0.5 B's
# loose boxes are cheap and its wrong names dear; over ten thresholds the same boxes fail again and again, and cost more than all else together.
# A should look harder; B should draw better.

# %%
import seaborn as sns

found = recorded("B")
kinds = label_errors(truth, found).kinds
scores = np.array([r["score"] for r in found])
shown = ["right", "duplicate", "background"]
kept = np.isin(kinds, shown)
figure, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
sns.boxenplot(
    x=scores[kept], y=kinds[kept], order=shown, ax=ax, width=0.6,
    hue=kinds[kept], hue_order=shown, legend=False,
    palette=[draw.TRUTH, draw.ERROR, draw.PALETTE[4]],
)
for place, kind in enumerate(shown):
    median = np.median(scores[kinds == kind])
    ax.text(1.01, place, f"median {median:.2f}", va="center")
ax.set(xlim=(0, 1), xlabel="score", ylabel="")
ax.set_title("B's duplicates come later than its right boxes");

# %% [markdown]
# Which class is taken for which? Unlike AP, this needs one score threshold: here 0.5. The last column counts misses, the last row ghosts
# and duplicates.

# %%
matrix = confusion_matrix(truth, recorded("B"), score=0.5)
words = [*checked.category_names, "background"]
figure, ax = plt.subplots(figsize=(9, 7), layout="constrained")
sns.heatmap(
    np.sqrt(matrix), annot=np.where(matrix, matrix, ""), fmt="",
    mask=matrix == 0, cmap="Blues", cbar=False, linewidths=0.5,
    linecolor="#e4e7ea", ax=ax,
    xticklabels=words, yticklabels=words,
)
ax.set(xlabel="detected as", ylabel="is")
title = "B confuses little, but says too much: its last row"
ax.set_title(title)
ax.grid(False);

# %% [markdown]
# ### Is "90 %" right nine times in ten?
#
# Sort the detections by score into ten bins, and see what share of each bin is right. On the dotted line a score keeps its word; *error* is the
# mean distance from it, over all detections.

# %%
from cvlab.map.certainty import bootstrap_difference, calibration

figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
ax.plot([0, 1], [0, 1], ":", color="#6b7075", label="honest")
for detector, color in colors.items():
    said = calibration(truth, recorded(detector))
    name = f"{detector}, error {said.error:.2f}"
    at = said.scores, said.right
    ax.plot(*at, "o-", color=color, label=name)
ax.set(xlabel="score", ylabel="share that is right")
ax.set_title("A is nearly honest, B boasts")
draw.label_lines(ax);

# %% [markdown]
# AP cannot see this: squeezing all of B's scores into 0.9 to 1 would change no order. A program that acts on scores sees it very well.
#
# ### Could it be luck?
#
# Other scenes would have given other numbers. Draw 120 scenes from our 120, with replacement, and judge both detectors on them; again, a
# thousand times. This is the **bootstrap**; drawing the *same* scenes for both is what makes it sharp.

# %%
a, b = recorded("A"), recorded("B")
gaps = {"mAP": bootstrap_difference(truth, a, b)}
gaps["AP50"] = bootstrap_difference(truth, a, b, thresholds=[0.5])
rows = [
    {"A minus B in": name, "gap": str(gap)}
    | {"A ahead, share of draws": (gap.samples > 0).mean()}
    for name, gap in gaps.items()
]
draw.table(rows, digits={"A ahead, share of draws": ".1%"})

# %% tags=["fold"]
# Draw the thousand differences
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
hues = [draw.PALETTE[0], draw.PALETTE[2]]
for (name, gap), color in zip(gaps.items(), hues, strict=True):
    sns.kdeplot(gap.samples, fill=True, color=color, ax=ax)
    text = f"{name}\n{gap.low:+.2f} to {gap.high:+.2f}"
    ink = draw.readable(color)
    at = np.quantile(gap.samples, 0.32), 2
    ax.text(*at, text, color=ink, ha="center", weight="bold")
ax.axvline(0, color="#6b7075", linestyle=":")
ax.text(0.004, 0.93, "equal", transform=ax.get_xaxis_transform())
ax.set(xlabel="A minus B", ylabel="", yticks=[])
title = "By mAP A is better; by AP50 these 120 scenes cannot tell"
ax.set_title(title);

# %% tags=["author"]
assert gaps["mAP"].low > 0 and gaps["AP50"].low < 0 < gaps["AP50"].high

# %% [markdown]
# **The answer.** By mAP, A is better, and not by luck: the whole interval lies above 0. By AP50 nobody can say, not even which one leads: that
# interval holds 0. If you need to *know that something is there*, both will do. If you need to *grasp it*, hire A.

# %% [markdown]
# ## Recap
#
# - IoU says how well two boxes fit; clip at 0. Match greedily by score, one truth once.
# - AP is the area under the envelope of the precision-recall curve; name the convention.
# - A new IoU threshold means matching again. mAP: ten thresholds, then classes that exist.
# - AP sees only the order of scores. Look at error costs, confusions and calibration too.
# - Report a difference with its interval.
#
# **In the library.** `gt = COCO("truth.json")`, `judge = COCOeval(gt, gt.loadRes("results.json"), "bbox")`, then `evaluate`, `accumulate`, `summarize`; `torchvision.ops.box_iou`;
# `torchmetrics.detection.MeanAveragePrecision` inside a training loop; `faster-coco-eval` where pycocotools is too slow; `tidecv` for error kinds.
#
# **Your own detector.** `evaluate("truth.json", "results.json")` takes any two COCO files, and `cvlab.coco.other_formats` reads VOC and YOLO files.

# %% [markdown]
# **Where it breaks.** A mean over classes hides the one you care about: look at `per_class`. Unlabelled objects make good detections "wrong".
# Classes with few truths make AP jump. mAP never asks at which score you will run. And ten thresholds up to 0.95 trust annotators to a few
# pixels: move every true edge by one pixel and see what a perfect detector would get.

# %%
shaken = []
for annotation in truth["annotations"]:
    x, y, w, h = annotation["bbox"]
    inner = [x + 1, y + 1, max(w - 2, 0), max(h - 2, 0)]
    keys = ("image_id", "category_id")
    record = {key: annotation[key] for key in keys}
    shaken.append(record | {"score": 0.9, "bbox": inner})
numbers = evaluate(truth, shaken).numbers
draw.table([{k: numbers[k] for k in ("AP", "APs", "APm", "APl")}])

# %% [markdown]
# **Sources.** Everingham et al., [The Pascal Visual Object Classes (VOC) Challenge](https://doi.org/10.1007/s11263-009-0275-4), IJCV 2010 · Lin et al.,
# [Microsoft COCO: Common Objects in Context](https://arxiv.org/abs/1405.0312), ECCV 2014, and [its evaluation page](https://cocodataset.org/#detection-eval) ·
# [pycocotools](https://github.com/cocodataset/cocoapi) · Bolya et al., [TIDE: A General Toolbox for Identifying Object Detection Errors](https://arxiv.org/abs/2008.08115), ECCV 2020 · Guo et al.,
# [On Calibration of Modern Neural Networks](https://arxiv.org/abs/1706.04599), ICML 2017 · Efron, [Bootstrap Methods: Another Look at the Jackknife](https://doi.org/10.1214/aos/1176344552), Annals of Statistics 1979. The coffee cup: Rachel Michetti
# (CC0).
#
# **In one line:** sort by score, match each truth once, take the area under what remains, and say how sure you are.

# %%
progress("07")
