# minimum: code 8, check 0, widget 0
# draft
# %% [markdown]
# # 05 · Segmentation
#
# **How does a network that shrinks pictures answer for every pixel?**
#
# A classifier looks at 224 x 224 pixels and says one word. Here you make a network that says a word for *every* pixel: how masks are stored, how
# maps grow back, what a U-Net joins, and how such an answer is judged without being fooled.
#
# *198 minutes, in four sittings: sections 1 to 3 (48 min), 4 and 5 (48 min), 6 to 8 (52 min), 9 to 11 (50 min). You need lessons 00 to 04.*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# The imports of this lesson
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.segmentation.targets import NAMES, label_map
from cvlab.world.scenes import make_scene, make_scenes

draw.theme("light")

# %% [markdown]
# ## 1 · One scene, six questions *(8 min)*

# %% [markdown]
# ## 2 · A mask in a file *(22 min)*

# %% [markdown]
# ## 3 · Three ways to answer for every pixel *(18 min)*

# %% tags=["again", "fold"]
# Start here again: the second sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 4 · Growing back *(26 min)*

# %% [markdown]
# ## 5 · The transposed convolution *(22 min)*

# %% tags=["again", "fold"]
# Start here again: the third sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.segmentation.targets import NAMES, label_map
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 6 · How good is a mask? *(19 min)*
#
# Somebody sells you a network that names nearly eighty of a hundred pixels right. Do you buy it? Here it is: whatever it is shown, it says "background".

# %%
scenes = make_scenes(100, split="val")
truth = np.stack([label_map(s) for s in scenes])  # (100, 96, 96)
nothing = np.zeros_like(truth)
right = (nothing == truth).mean(axis=(1, 2))  # of each picture
print(f"{100 * right.mean():.0f} % of all pixels are right, "
      f"{100 * right.max():.0f} % in the best picture")

# %% tags=["fold"]
# Draw three scenes for which "nothing at all" is a good answer
best = np.argsort(-right)[:3]
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3),
    layout="constrained")
for ax, i in zip(axes, best, strict=True):
    show(scenes[i].image, ax=ax,
         title=f"“Nothing there”: {100 * right[i]:.0f} % right")
    draw.draw_masks(scenes[i].masks, alpha=0.4, ax=ax,
        labels=[NAMES[k + 1] for k in scenes[i].labels])

# %% tags=["author"]
assert 0.75 < right.mean() < 0.8 and right.max() > 0.95

# %% [markdown]
# **Pixel accuracy** lies, because most pixels are background. So ask of each class: what is it called, and what is called so? Six pixels on paper: a
# **confusion matrix** has a row for each true class and a column for each answer.

# %% tags=["core"]
def confusion(predicted, truth, n_classes, ignore=255):
    seen = truth != ignore
    pairs = n_classes * truth[seen].astype(np.int64) + predicted[seen]
    counts = np.bincount(pairs, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)

# %%
real = np.array([0, 0, 0, 1, 1, 2])
called = np.array([0, 0, 1, 1, 1, 0])
table = confusion(called, real, 3)
hits = np.diag(table)
union = table.sum(0) + table.sum(1) - hits
words = ["background", "cat", "dog"]
draw.table([{"it is": words[k]}
            | {f"called {w}": n
               for w, n in zip(words, table[k], strict=True)}
            | {"IoU": hits[k] / union[k]} for k in range(3)],
           digits=2)

# %% tags=["author"]
assert table.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]] and np.allclose(hits / union, [0.5, 2 / 3, 0])

# %% [markdown]
# A class's **IoU** is read off there: its hits on the diagonal, over its row plus its column minus those hits. Of four pixels that are or are called background, two
# are hits. The dog was overlooked: 0. Their mean is the **mIoU**, 0.39; four of six pixels are right, 0.67.
#
# Now an answer with human faults: it slips three pixels to the right, and overlooks what is smaller than 300 pixels. **Predict:** which costs more?

# %%
def faulty(scene, slip=3, least=300):
    answer = label_map(scene)
    for mask in scene.masks:
        if mask.sum() < least:
            answer[mask] = 0
    return np.roll(answer, slip, axis=1)

def class_ious(answer, truth):
    table = confusion(answer, truth, 18)
    hits = np.diag(table)
    union = table.sum(0) + table.sum(1) - hits
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)

answer = np.stack([faulty(scene) for scene in scenes])
ious = class_ious(answer, truth)
for fault in ({"slip": 0}, {"least": 0}):
    only = np.stack([faulty(scene, **fault) for scene in scenes])
    name = "overlooks" if fault == {"slip": 0} else "slips"
    print(f"mIoU where it only {name}: "
          f"{class_ious(only, truth).mean():.2f}")

# %% tags=["fold"]
# Draw the IoU of every class, the worst first
order = np.argsort(ious)
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
colors = [draw.class_color(NAMES[k]) for k in order]
ax.bar(range(18), ious[order], color=colors)
ax.axhline(ious.mean(), color="0.3", linestyle="--")
ax.text(-0.5, ious.mean() + 0.02, f"mIoU {ious.mean():.2f}")
ax.set_xticks(range(18), [NAMES[k] for k in order], rotation=60,
              ha="right")
ax.set(ylabel="IoU over 100 scenes", ylim=(0, 1))
accuracy = (answer == truth).mean()
ax.set_title(f"{100 * accuracy:.0f} % of the pixels are right, "
             f"and the mean of the classes is {ious.mean():.2f}")
draw.describe(ax, "Bars: the IoU of 18 classes, the background's "
    "far above all others.")

# %% tags=["author"]
assert 0.85 < accuracy < 0.95 and 0.55 < ious.mean() < 0.75 and np.argmax(ious) == 0
assert class_ious(only, truth).mean() < 0.75 < class_ious(np.stack([faulty(s, slip=0) for s in scenes]), truth).mean()

# %% [markdown]
# Three pixels at every edge cost far more than all that was overlooked: things are small, and have much edge.
#
# mIoU is *one* number after two choices. **Which classes?** A scene holds few of the 18; those that are neither there nor called have 0 / 0. **One count over the whole
# set, or one a picture**, and then the pictures' mean? Each of these four is called mIoU somewhere.

# %%
def four_means(answer):
    each = np.stack([class_ious(a, t)
        for a, t in zip(answer, truth, strict=True)])  # (100, 18)
    return [np.nanmean(class_ious(answer, truth)),
            np.nanmean(each, axis=1).mean(),
            np.nan_to_num(each, nan=0).mean(),
            np.nan_to_num(each, nan=1).mean()]

draw.table({
    "counted over": ["the set", *["each picture"] * 3],
    "classes that do not occur": ["left out", "left out",
                                  "count 0", "count 1"],
    "faulty": four_means(answer),
    "“nothing”": four_means(nothing)}, digits=2)

# %% tags=["author"]
means = np.array([four_means(answer), four_means(nothing)])
assert (means[:, 3] > 0.8).all() and (means[:, 2] < 0.2).all() and 0.2 < means[1, 1] < 0.3 and means[1, 0] < 0.06

# %% [markdown]
# From 0.13 to 0.92 for one and the same answer; and counting absent classes as 1 makes even "nothing" look fine. In this course mIoU counts **over the set**, and **classes that occur**, in
# the truth or in the answer.
#
# **Exercise.** Write `mean_iou(predicted, truth, n_classes, ignore=255)`: for each class its pixels of both over its pixels of either, counted over all pictures
# together; then the mean over the classes that occur. Pixels whose truth is `ignore` count for nothing: at the edges even people do not agree, and data sets mark them so.
#
# `predicted` and `truth` are NumPy arrays of whole numbers of the same shape, such as (N, H, W). Return a float.

# %% tags=["exercise"]
def mean_iou(predicted, truth, n_classes, ignore=255):
    """Return the mean IoU of the classes that occur."""
    ### BEGIN SOLUTION
    seen = truth != ignore
    ious = []
    for k in range(n_classes):
        called, real = (predicted == k) & seen, (truth == k) & seen
        union = (called | real).sum()
        if union > 0:
            ious.append((called & real).sum() / union)
    return float(np.mean(ious))
    ### END SOLUTION

# %%
check(mean_iou)

# %% [markdown]
# ### One mask: IoU and Dice
#
# In medical pictures **Dice** is more usual: twice the pixels of both, over the sum of the two sizes. What if both masks are empty? 0 / 0: neither good nor bad. These two say NaN, "not a number".

# %% tags=["core"]
def mask_iou(a, b):
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else np.nan

def mask_dice(a, b):
    total = a.sum() + b.sum()
    return float(2 * (a & b).sum() / total) if total else np.nan

# %%
CAT = NAMES.index("cat")

def each_cat(score, answer):
    return np.array([score(a == CAT, t == CAT)
                     for a, t in zip(answer, truth, strict=True)])

ious, dices = (each_cat(f, answer) for f in (mask_iou, mask_dice))
met = ~np.isnan(ious)  # a cat is there, or is called
same = np.allclose(dices[met], 2 * ious[met] / (1 + ious[met]))
print(f"Dice is 2 IoU / (1 + IoU) in all {met.sum()}: {same}")
blind = each_cat(mask_iou, nothing)
draw.table({
    "no cat, none called": ["left out", "counts 1"],
    "pictures": [int((~np.isnan(blind)).sum()), len(blind)],
    "mean IoU of “nothing”": [np.nanmean(blind),
        np.nan_to_num(blind, nan=1).mean()]}, digits=2)

# %% tags=["author"]
assert same and 5 < met.sum() < 40 and np.nanmean(blind) == 0 and np.nan_to_num(blind, nan=1).mean() > 0.6

# %% [markdown]
# One follows from the other, so both put single masks in the same order. *Means* need not agree. **Predict:** whose mean is higher, the steady one's or that of the one with ups and downs?

# %%
pairs = {"steady": np.array([0.50, 0.50]),
         "ups and downs": np.array([0.20, 0.82])}
draw.table([{"on two pictures": name, "mean IoU": v.mean(),
             "mean Dice": (2 * v / (1 + v)).mean()}
            for name, v in pairs.items()], digits=2)

# %% [markdown]
# By IoU the second wins, by Dice the first: Dice lifts the middling masks most. Say which mean you took, and over what.
#
# ### Where to cut
#
# A network says *how likely* each pixel is the thing; you decide where to cut. Two kinds of errors trade places: **false alarms** and **misses**. Two
# shares of right pixels tell them apart: **precision**, of what is called so, and **recall**, of what is there.
#
# The soft masks here are no net's: true ones, blurred, with smooth noise, and leaning to "no". You meet a net that leans so in section 7.

# %%
from cvlab.widgets import MaskThreshold

MaskThreshold()

# %% [markdown]
# ### What a big thing hides
#
# Every thing of the hundred scenes gets the same fault: its edge lies one pixel too far out. **Predict:** which things have the better IoU, large or small ones?
#
# **Boundary IoU** compares only the two *rims*, here two pixels wide. A rim is a mask without its **eroded** self: what is left when each pixel with a neighbour
# outside goes.

# %% tags=["core"]
def erode(mask):
    h, w = mask.shape
    around = np.pad(mask, 1)  # (H + 2, W + 2)
    shifted = [around[r : r + h, c : c + w] for r in range(3) for c in range(3)]
    return np.all(shifted, axis=0)

def boundary_iou(predicted, truth, width=2):
    rims = []
    for mask in (predicted, truth):
        inner = mask
        for _ in range(width):
            inner = erode(inner)
        rims.append(mask & ~inner)
    return mask_iou(*rims)

# %%
import cv2
from scipy import ndimage

masks = np.concatenate([scene.masks for scene in scenes])
square = np.ones((3, 3), np.uint8)
ours = np.stack([erode(mask) for mask in masks])
scipys = np.stack([ndimage.binary_erosion(mask, square)
                   for mask in masks])
cv2s = np.stack([cv2.erode(
    mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT,
    borderValue=0) for mask in masks]) == 1
print(f"{len(masks)} masks, equal to SciPy's: "
      f"{np.array_equal(ours, scipys)}, to OpenCV's: "
      f"{np.array_equal(ours, cv2s)}")

# %%
fat = np.stack([ndimage.binary_dilation(mask, square)
                for mask in masks])
plain, rims = (np.array([f(*pair)
                for pair in zip(fat, masks, strict=True)])
               for f in (mask_iou, boundary_iou))

# %% tags=["fold"]
# Draw both scores of every thing against its size
size = masks.sum(axis=(1, 2))
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
both = {"IoU": plain, "boundary IoU": rims}
for (name, scores), color in zip(both.items(), draw.PALETTE,
                                 strict=False):
    ax.scatter(size, scores, s=12, color=color)
    ax.text(size.max() * 1.05, scores[size > 1200].mean(), name,
            color=draw.readable(color), va="center")
ax.set(xscale="log", ylim=(0, 1), xlabel="pixels of the thing")
ax.set_xlim(right=size.max() * 1.6)
ax.set_title("One pixel too fat: a large thing hides it from IoU, "
             "not from boundary IoU")
draw.describe(ax, "Scatter: IoU rises with size, "
    "boundary IoU does not.")

# %% tags=["author"]
assert np.array_equal(ours, scipys) and np.array_equal(ours, cv2s)
assert np.corrcoef(size.argsort().argsort(), plain.argsort().argsort())[0, 1] > 0.7
large, small = size > np.quantile(size, 0.75), size < np.quantile(size, 0.25)
assert plain[large].mean() - plain[small].mean() > 0.1 > abs(rims[large].mean() - rims[small].mean())

# %% [markdown]
# The same edge, drawn equally badly: IoU forgives it where there is much inside. Now draw one yourself, and see how much an edge costs.

# %%
from cvlab.widgets import PaintMask

PaintMask()

# %% [markdown]
# ### Judged as COCO does
#
# COCO asks for *instances*: each with its class, its mask and how sure you are. A mask counts as found if its IoU reaches a bar, and **AP** is averaged over ten bars, 0.50 to 0.95. How it is
# counted is lesson 07; you only use its judge. Five answers, made from the truth: **predict** which is worst.

# %%
from cvlab.coco.categories import category_id
from cvlab.coco.results import to_results
from cvlab.coco.write import to_coco
from cvlab.map.evaluate import evaluate

def dilated(masks, steps):
    return [ndimage.binary_dilation(mask, square, steps)
            for mask in masks]

def upper_half(masks):
    middles = [int(np.argwhere(m)[:, 0].mean()) for m in masks]
    return [m & (np.arange(96)[:, None] < row)
            for m, row in zip(masks, middles, strict=True)]

answers = {
    "perfect": lambda m: m,
    "one pixel too fat": lambda m: dilated(m, 1),
    "three pixels too fat": lambda m: dilated(m, 3),
    "every other thing": lambda m: m[::2],
    "the upper half of each": upper_half}

# %%
rows = []
for name, change in answers.items():
    results = []
    for number, scene in enumerate(scenes, start=1):
        changed = change(scene.masks)
        labels = scene.labels[:: 2 if "other" in name else 1]
        ids = [category_id(NAMES[k + 1]) for k in labels]
        results += to_results(number, ids, [0.9] * len(ids),
                              masks=changed)
    judged = evaluate(to_coco(scenes), results, kind="segm")
    rows.append({"answer": name} | {
        key: judged.numbers[key] for key in ("AP", "AP50", "AP75")})
draw.table(rows, digits=2)

# %% tags=["author"]
ap = {row["answer"]: row["AP"] for row in rows}
fifty = {row["answer"]: row["AP50"] for row in rows}
assert ap["perfect"] == 1 and 0.5 < ap["every other thing"] < 0.7 and ap["the upper half of each"] < 0.2
assert 0.4 < ap["one pixel too fat"] < 0.55 < ap["every other thing"] and fifty["one pixel too fat"] > 0.95 and fifty["the upper half of each"] < 0.1

# %% [markdown]
# Who overlooks every other thing, and draws the rest perfectly, is put *before* who finds them all, one pixel too fat: that pixel passes the bar of 0.50 and fails the high ones. Half a mask
# hardly passes the lowest. On things of a few hundred pixels COCO's judge is strict about edges.

# %% [markdown]
# ## 7 · What to minimise *(19 min)*
#
# IoU counts pixels, and a count has no slope: turn a weight a little, and it stays where it was. So what does a net go downhill on? Four pixels by hand: **binary
# cross-entropy**, for each pixel minus the logarithm of the probability that the net gave to the truth.

# %%
t = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # 1: the thing
p = torch.tensor([[0.9, 0.2], [0.6, 0.1]])  # the net's answer
each = -(t * p.log() + (1 - t) * (1 - p).log())
show_many([t.numpy(), p.numpy(), each.numpy().round(2)],
          titles=["truth", "the net's answer", "surprise"],
          numbers=True, limits=(0, 2.4))
theirs = F.binary_cross_entropy_with_logits(p.logit(), t)
print(f"mean {each.mean():.3f}, torch's {theirs:.3f}")

# %% [markdown]
# With several classes it is lesson 03's cross-entropy, once for every pixel: logits have shape (N, classes, H, W), the truth holds *numbers* of classes, (N, H, W).

# %%
logits = torch.randn(2, 18, 5, 7,
                     generator=torch.Generator().manual_seed(0))
labels = torch.arange(70).reshape(2, 5, 7) % 18
log_p = logits.log_softmax(dim=1)  # the 18 of one pixel compete
ours = -log_p.gather(1, labels[:, None]).mean()
theirs = F.cross_entropy(logits, labels)
print(f"ours {ours:.4f}, torch's {theirs:.4f}")

# %% tags=["author"]
assert torch.allclose(ours, theirs) and torch.allclose(each.mean(), F.binary_cross_entropy(p, t))

# %% [markdown]
# **Soft Dice** is last section's Dice without a cut: the overlap is `p * t`, the sizes are sums. Of those four pixels: overlap 0.9 + 0.6 + 0.1 = 1.6, sizes 1.8 and 3, Dice 2 · 1.6 / 4.8 = 0.67. It
# has a slope everywhere, and *background that is rightly left out does not appear in it*.
#
# **Exercise.** Write `dice_loss(logits, target, eps=1.0)`: sigmoid first; then, for each picture on its own, twice the overlap plus `eps`, over the sum of the two sizes plus `eps`; return 1 minus that, averaged over
# the pictures. Both tensors are (N, H, W) or (N, 1, H, W); the result is a tensor with one number.

# %% tags=["exercise"]
def dice_loss(logits, target, eps=1.0):
    """Return 1 minus the soft Dice, the mean over pictures."""
    ### BEGIN SOLUTION
    p = logits.sigmoid().flatten(1)  # (N, pixels)
    t = target.flatten(1)
    overlap = (p * t).sum(1)  # (N,)
    total = p.sum(1) + t.sum(1)
    return (1 - (2 * overlap + eps) / (total + eps)).mean()
    ### END SOLUTION

# %%
check(dice_loss)

# %% [markdown]
# What is `eps` for? And what if it stands elsewhere? A picture of 900 pixels, once empty, once with a thing of 20; four answers. A loss must be lowest where the answer is right, and 0 there.

# %%
def dice_with(above, below):
    def loss(logits, target):
        p, t = logits.sigmoid(), target
        return (1 - (2 * (p * t).sum() + above)
                / (p.sum() + t.sum() + below)).item()
    return loss

empty, thing = torch.zeros(2, 30, 30)
thing[10:15, 10:14] = 1
said = {"nothing": 18 * empty - 9, "it": 18 * thing - 9}  # logits
draw.table([
    {"eps": name,
     "empty, says nothing": loss(said["nothing"], empty),
     "empty, invents it": loss(said["it"], empty),
     "thing, says nothing": loss(said["nothing"], thing),
     "thing, says it": loss(said["it"], thing)}
    for name, loss in {
        "1 above and below": dice_with(1, 1),
        "1 above only": dice_with(1, 0),
        "1 below only": dice_with(0, 1),
        "200 above and below": dice_with(200, 200)}.items()],
    digits=2)

# %% tags=["author"]
assert dice_with(1, 0)(said["nothing"], empty) < -5 and dice_with(1, 0)(said["it"], thing) < 0
assert dice_with(0, 1)(said["nothing"], empty) > 0.99 and dice_with(200, 200)(said["nothing"], thing) < 0.15
assert dice_with(1, 1)(said["nothing"], empty) < 0.15 < 0.9 < dice_with(1, 1)(said["nothing"], thing)

# %% [markdown]
# **Trap:** above only, the loss of an empty picture falls far *below zero*. Below only, an empty picture costs 1 whatever is said: nothing to learn. And an `eps` much
# larger than the thing **rewards emptiness**: to overlook it costs a tenth. The eps of a *sum* over pixels is not the eps of a *mean*.
#
# More traps, of *targets*. To try out a loss one takes random masks. **Predict** the extremes of `torch.randint(1, ...)`.

# %%
dice = torch.Generator().manual_seed(0)
size = (1, 30, 30)
targets = {
    "randint(1, …)": torch.randint(1, size, generator=dice),
    "randint(2, …)": torch.randint(2, size, generator=dice),
    "randn(…)": torch.randn(size, generator=dice)}
rows = []
for name, target in targets.items():
    target = target.float()
    logits = 18 * (target > 0.5).float() - 9  # a good answer
    rows.append({
        "target": name, "lowest": target.min().item(),
        "highest": target.max().item(),
        "BCE": F.binary_cross_entropy_with_logits(
            logits, target).item(),
        "Dice loss": dice_with(1, 1)(logits, target)})
draw.table(rows, digits=2)

# %% tags=["author"]
assert rows[0]["lowest"] == rows[0]["highest"] == 0 and rows[2]["BCE"] < 0 and rows[2]["Dice loss"] < 0 < rows[1]["BCE"]

# %% [markdown]
# `randint(1, …)` draws from 0 to *below* 1: zeros only, so "nothing" is a perfect answer, and any code seems to learn. `randn` leaves 0 to 1, and both losses go below zero without a word. **Trap:** and what if the net already ends in a
# sigmoid, and the loss takes another one?

# %%
right = said["it"][None]  # sure and right everywhere
target = thing[None]
once, twice = (dice_with(1, 1)(z, target)
               for z in (right, right.sigmoid()))
print(f"a perfect answer: Dice loss {once:.2f}, "
      f"with the sigmoid taken twice {twice:.2f}")

# %% tags=["author"]
assert once < 0.02 and twice > 0.9

# %% [markdown]
# "Nothing" became 0.5 at 880 pixels. Our package asks before it counts: shapes, targets, and logits that are numbers.

# %% tags=["raises-exception"]
from cvlab.segmentation import losses

losses.dice_loss(torch.full((1, 30, 30), np.nan), target)

# %% [markdown]
# ### Who pulls how hard
#
# A third idea, the **focal loss**: cross-entropy, times `(1 - p of the truth)` squared. What is surely right is hushed.

# %% tags=["core"]
def focal_loss(logits, target, gamma=2.0):
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = (-bce).exp()  # the probability of the right answer
    return ((1 - right) ** gamma * bce).mean()

# %% [markdown]
# What a net feels is not the loss but its *slope*. Take a picture of 400 pixels, 20 of them the thing, the others answered 0.8 and 0.1. Turn one pixel's answer from 0 to 1.

# %%
bce = F.binary_cross_entropy_with_logits
compared = {"BCE": bce, "focal": focal_loss,
            "Dice": losses.dice_loss}

def turned(loss, is_thing, p):
    """Loss and slope, each times 400, as one pixel turns."""
    target = torch.zeros(1, 20, 20)
    target[0, 0] = 1  # the first row is the thing
    base = torch.where(target > 0, 0.8, 0.1).logit()
    base[0, 0 if is_thing else 1, 0] = torch.tensor(p).logit()
    base.requires_grad_()
    value = 400 * loss(base, target)
    slope, = torch.autograd.grad(value, base)
    return value.item(), slope[0, 0 if is_thing else 1, 0].item()

ps = np.linspace(0.01, 0.99, 50)
seen = {(name, is_thing): np.array(
            [turned(loss, is_thing, p) for p in ps])
        for name, loss in compared.items()
        for is_thing in (True, False)}

# %% tags=["fold"]
# Draw the losses, and the slopes by the pixel's logit
figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True,
    layout="constrained")
titles = {(0, 0): "A pixel of the thing",
          (0, 1): "A pixel of the background",
          (1, 0): "Dice lets go of what is surely missed …",
          (1, 1): "… and of what is surely invented"}
for row, words in enumerate(("what it adds to the loss",
                             "its pull: the slope by its logit")):
    for col in range(2):
        ax = axes[row, col]
        for i, name in enumerate(compared):
            values = seen[name, col == 0][:, row]
            values = values - values.min() * (row == 0)
            ax.plot(ps, values, color=f"C{i}", label=name, lw=2)
        ax.set_title(titles[row, col])
        pull = ((-2.4, 0.3), (-0.3, 2.4))[col]
        ax.set(ylim=pull if row else (0, 9), xlim=(0, 1.2),
               xticks=[0, 0.5, 1])
        draw.label_lines(ax)
    axes[row, 0].set_ylabel(words)
for ax in axes[1]:
    ax.set_xlabel("its answer")
draw.describe(axes[0, 0], "Losses and slopes of BCE, focal and Dice "
    "for a pixel of the thing and of the background.")

# %% tags=["author"]
pull = {key: np.abs(values[:, 1]) for key, values in seen.items()}
assert pull["BCE", True].argmax() == 0 and pull["BCE", False].argmax() == 49
assert pull["Dice", True][0] < 0.1 and 20 < pull["Dice", True].argmax() < 30 and pull["Dice", True].max() > 3 * pull["Dice", False].max()

# %% [markdown]
# BCE pulls hardest where the answer is surely wrong, and equally at thing and background. Dice pulls *over three times harder* at the thing, but **least where it is surely wrong**: a thing answered 0.01 hardly feels
# it. And BCE asks one pixel at a time, while Dice asks all of them. The same pixel, answered 0.3 and in truth the thing, in three pictures:

# %%
def pulls(n_thing, missed, alarms):
    target = torch.zeros(1, 20, 20)
    target.view(-1)[:n_thing] = 1
    p = torch.where(target > 0, 0.1 if missed else 0.9,
                    0.9 if alarms else 0.1)
    p[0, 0, 0] = 0.3
    logits = p.logit().requires_grad_()
    slopes = {name: torch.autograd.grad(
                  400 * compared[name](logits, target), logits)[0]
              for name in ("BCE", "Dice")}
    return {name: abs(s[0, 0, 0].item()) for name, s in slopes.items()}

draw.table([{"the other pixels": words} | pulls(*case)
    for words, case in (
        ("a thing of 20, right", (20, False, False)),
        ("a thing of 20, missed", (20, True, False)),
        ("a thing of 20, the rest false alarms", (20, False, True)),
        ("a thing of 200, right", (200, False, False)))],
    digits=2)

# %% tags=["author"]
cases = [pulls(20, False, False), pulls(20, True, False), pulls(20, False, True), pulls(200, False, False)]
assert all(abs(case["BCE"] - 0.7) < 1e-4 for case in cases)
assert cases[1]["Dice"] > cases[0]["Dice"] > 3 * cases[3]["Dice"] and cases[0]["Dice"] > 3 * cases[2]["Dice"]

# %% [markdown]
# ### Few pixels that matter
#
# Now train: scenes with one small thing each, four of a hundred pixels. The same small net, the same first weights, the same pictures in the same order, six rounds; only the loss differs. In the weighted BCE a
# thing's pixel counts as thirty. **Predict:** what has BCE learnt after six rounds?

# %% tags=["nbval-ignore-output"]
from cvlab.segmentation.imbalance import small_net
from cvlab.segmentation.imbalance import small_things, train_epoch

pictures, masks = small_things(160)
new, new_masks = small_things(80, seed=7)  # never trained on
print(f"{100 * masks.mean():.1f} % of the pixels are a thing's")
thirty = torch.tensor(30.0)
trained = {
    "BCE": bce,
    "weighted BCE": lambda z, t: bce(z, t, pos_weight=thirty),
    "Dice": losses.dice_loss,
    "Dice + BCE": lambda z, t: losses.dice_loss(z, t) + bce(z, t),
    "focal": losses.focal_loss}

def iou_at(p, cut):
    called, real = p > cut, new_masks > 0.5
    return ((called & real).sum() / (called | real).sum()).item()

# %% tags=["nbval-ignore-output"]
curves, answers = {}, {}
for name, loss in trained.items():
    net = small_net()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    curves[name] = []
    for epoch in range(6):
        train_epoch(net, optimizer, loss, pictures, masks,
                    seed=epoch)
        net.eval()
        with torch.no_grad():
            answers[name] = torch.cat(
                [net(x).sigmoid() for x in new.split(20)])
        curves[name].append(iou_at(answers[name], 0.5))

# %% tags=["fold", "nbval-ignore-output"]
# Draw the IoU on new scenes after each round
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
for (name, curve), color in zip(curves.items(), draw.PALETTE,
                                strict=False):
    ax.plot(range(1, 7), curve, color=color, label=name, lw=2,
            marker="o")
ax.set(xlabel="rounds", ylabel="IoU of new scenes, cut at 0.5",
       xlim=(0.8, 7.2), ylim=(-0.02, 0.7), xticks=range(1, 7))
draw.label_lines(ax)
ends = [curves[name][-1] for name in ("BCE", "Dice + BCE")]
ax.set_title("After six rounds BCE's IoU is {:.2f}, "
             "Dice + BCE's {:.2f}".format(*ends))
draw.describe(ax, "Lines: IoU after each round, for five losses.")

# %% tags=["author"]
assert 0.02 < masks.mean() < 0.05
last = {name: curve[-1] for name, curve in curves.items()}
assert max(last["BCE"], last["focal"]) < 0.25 < 0.3 < min(last["weighted BCE"], last["Dice"], last["Dice + BCE"])

# %% [markdown]
# BCE and the focal loss say "nothing there" nearly everywhere, and so are right in the background, 96 of 100 pixels. Are they blind? The cut at 0.5 is *our* choice. Look for the best cut of each.

# %% tags=["nbval-ignore-output"]
cuts = np.arange(0.02, 1, 0.02)
best = {name: max(cuts, key=lambda cut: iou_at(p, cut))
        for name, p in answers.items()}
rows = []
for name, p in answers.items():
    called, real = p > 0.5, new_masks > 0.5
    hits = (called & real).sum().item()
    rows.append({
        "loss": name, "IoU at 0.5": iou_at(p, 0.5),
        "precision": hits / max(called.sum().item(), 1),
        "recall": hits / real.sum().item(),
        "best cut": best[name],
        "IoU there": iou_at(p, best[name])})
draw.table(rows, digits=2)

# %% tags=["author"]
there = {row["loss"]: row["IoU there"] for row in rows}
assert there["BCE"] > last["BCE"] + 0.1 and there["focal"] > last["focal"] + 0.1
assert best["BCE"] < 0.4 < best["weighted BCE"] and there["BCE"] < there["Dice + BCE"] > 0.35
assert rows[1]["recall"] == max(row["recall"] for row in rows) and rows[3]["precision"] > rows[1]["precision"]

# %% tags=["fold", "nbval-ignore-output"]
# Draw the IoU of small and of larger things, at two cuts
share = 100 * new_masks.mean((1, 2, 3)).numpy()
edges = np.quantile(share, [0, 0.25, 0.5, 0.75, 1])
group = np.digitize(share, edges[1:-1])  # four of equal number
at = [share[group == g].mean() for g in range(4)]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True,
    layout="constrained")
panels = {"Cut at 0.5": dict.fromkeys(best, 0.5),
          "Each at its best cut: small is hard": best}
for ax, (words, cuts) in zip(axes, panels.items(), strict=True):
    for (name, p), color in zip(answers.items(), draw.PALETTE,
                                strict=False):
        called, real = p > cuts[name], new_masks > 0.5
        ious = ((called & real).sum((1, 2, 3))
                / (called | real).sum((1, 2, 3))).numpy()
        ax.plot(at, [ious[group == g].mean() for g in range(4)],
                color=color, label=name, marker="o", lw=2)
    ax.set(title=words, xlim=(1, 7), ylim=(-0.02, 0.7),
           xlabel="pixels of the thing, % of the picture")
    draw.label_lines(ax)
axes[0].set_ylabel("mean IoU of 20 new scenes")
draw.describe(axes[0], "Lines: IoU against the share of the thing, "
    "for five losses, at two cuts.")

# %% tags=["author"]
ends = [line.get_ydata()[[0, -1]] for line in axes[1].lines if len(line.get_ydata()) == 4]
assert len(ends) == 5 and all(small < large for small, large in ends)

# %% [markdown]
# They are not blind: at a lower cut much of what they know appears. After few rounds **the loss decides how soon a net dares, and where its cut must be**: the best cuts lie far apart. Weighted BCE finds the most,
# Dice + BCE raises fewer false alarms. And the smallest quarter of the things has a worse IoU than the largest, with every loss.
#
# Here Dice + BCE is a sound beginning. Six rounds are few, and this is one seed: train BCE for twelve rounds, and look whether it still says nothing. Whatever you take, choose the cut on pictures kept for it.

# %% [markdown]
# ## 8 · Squeeze it and grow it back *(14 min)*

# %% tags=["again", "fold"]
# Start here again: the fourth sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.segmentation.targets import NAMES, label_map
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 9 · U-Net *(24 min)*

# %% [markdown]
# ## 10 · Seeing wider without shrinking *(18 min)*

# %% [markdown]
# ## 11 · Real *(8 min)*

# %% [markdown]
# ## Recap
#
# - One line for each thing that stays.
#
# **In the library.** To come.
#
# **Where it breaks.** To come.
#
# **Sources.** COCO Consortium, [COCO: data format](https://cocodataset.org/#format-data), 2014.

# %%
progress("05")
