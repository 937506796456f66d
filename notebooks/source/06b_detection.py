# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 06b · Detection: anchors
#
# **How can a network answer with a list whose length it does not know?**
#
# to be written
#
# *252 minutes, in five sittings: sections 1 and 2 (56 min), 3 and 4 (50 min), 5 and 6 (56 min), 7 and 8 (46 min), 9 and 10 (44 min). You need lesson
# 06a.*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# The imports of this lesson
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

draw.theme("light")

# %% [markdown]
# ## 1 · A grid of guesses *(22 min)*
#
# To be written.

# %% [markdown]
# ## 2 · Whose box is it, and how far off *(34 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 3 · Faster R-CNN: the network proposes *(30 min)*
#
# Fast R-CNN looks at a scene once, and cuts its regions from that one map. Is it fast now? Take three clocks: one for selective search, one for the frozen
# network, one for a head like Fast R-CNN's on a hundred regions.

# %% tags=["fold"]
# Scenes to learn from and scenes to judge, and their frozen maps
from time import perf_counter

from cvlab.detection.anchors import make_anchors, match_anchors
from cvlab.detection.offsets import decode_boxes, encode_boxes
from cvlab.detection.two_stage import LOSSES, train
from cvlab.regions.geometry import box_iou
from cvlab.regions.proposals import selective_search
from cvlab.regions.records import rows
from cvlab.segmentation.topdown import maps_of
from torchvision.ops import batched_nms, nms, roi_align

def levels_of(scenes):
    images = np.stack([scene.image for scene in scenes])
    return maps_of(images, batch=8, side=192)[:3]

learn = make_scenes(300, size=192)
tests = make_scenes(40, seed=5, size=192)
levels, seen = levels_of(learn), levels_of(tests)
boxes = [torch.from_numpy(scene.boxes) for scene in learn]
labels = [torch.from_numpy(scene.labels) for scene in learn]
truths = [torch.from_numpy(scene.boxes) for scene in tests]

# %% tags=["nbval-ignore-output"]
from cvlab.detection.two_stage import BoxHead as AnyHead

some, idle = tests[:8], AnyHead().eval()
def search():
    return [selective_search(scene.image) for scene in some]
def look():
    return levels_of(some)[2].float()
def name_them():
    return idle(looked_at, regions)

looked_at, regions, clocks = look(), search(), {}
for work in (search, look, name_them):
    begin = perf_counter()
    with torch.no_grad():
        work()
    clocks[work.__name__] = 1000 * (perf_counter() - begin) / 8
draw.table({"step": ["selective search", "one pass", "the head"],
    "ms a scene": clocks.values()}, digits=0)

# %% [markdown]
# Selective search takes the largest part. Everything else is one pass and two small layers. And it never learns: it knows edges and colours, and no
# stickers.
#
# Yet the map is there already. **Faster R-CNN** lets the network propose, by a *region proposal network*, RPN, on the same map: one 3 x 3 convolution that
# looks around, then two of 1 x 1 that answer for each of nine anchors at each place (a BatchNorm before brings the frozen channels to one size). *Is this an object? How far is its box from the anchor?* No word yet
# about which object.

# %% tags=["core"]
class Rpn(nn.Module):
    def __init__(self, channels=112, anchors=9, width=128):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.look = nn.Conv2d(channels, width, 3, padding=1)
        self.score = nn.Conv2d(width, anchors, 1)
        self.offset = nn.Conv2d(width, 4 * anchors, 1)

    def forward(self, maps):
        x = F.relu(self.look(self.norm(maps)))
        scores = self.score(x).permute(0, 2, 3, 1)  # (B, H, W, A)
        offsets = self.offset(x).permute(0, 2, 3, 1)  # and 4A
        return (scores.flatten(1),
                offsets.reshape(len(x), -1, 4))

# %% [markdown]
# **Predict:** the map of a scene is 12 x 12. How many boxes does the RPN judge, and how many of them answer for an object?

# %%
STRIDE, SIZES, RATIOS = 16, (48, 80, 112), (0.5, 1, 2)
CLASSES = 17
anchors = make_anchors(12, 12, STRIDE, SIZES, RATIOS)
with torch.no_grad():
    scores, offsets = Rpn()(seen[2][:1].float())
print(tuple(scores.shape), tuple(offsets.shape))

matches = torch.stack([match_anchors(anchors, b, high=0.6)
                       for b in boxes])
print(f"positive {(matches >= 0).float().mean():.1%}, "
      f"ignored {(matches == -2).float().mean():.1%}, "
      f"negative {(matches == -1).float().mean():.1%}")

# %% tags=["author"]
assert scores.shape == (1, 1296) and offsets.shape == (1, 1296, 4)
assert (matches >= 0).float().mean() < 0.04 and (matches == -1).float().mean() > 0.75

# %% [markdown]
# Almost all answer for nothing, although an IoU of 0.6 is enough here (0.7 in the paper: nine anchors fit few objects so well). A network that says "nothing" everywhere would be nearly always right, and useless. So a step looks at a **sample**: 64
# anchors of a scene (the paper: 256), at most half of them positive. Two losses: cross-entropy for *is it an object*, and Huber for the four offsets, of
# the positive ones only, since an anchor over grass has no right offset.

# %% tags=["core"]
def sampled(match, n, share):
    positive = (match >= 0).nonzero()[:, 0]
    negative = (match == -1).nonzero()[:, 0]
    some = torch.randperm(len(positive))[: int(n * share)]
    positive = positive[some]
    others = torch.randperm(len(negative))[: n - len(positive)]
    return positive, negative[others]

def rpn_losses(scores, offsets, anchors, boxes, n=64):
    match = match_anchors(anchors, boxes, high=0.6)
    positive, negative = sampled(match, n, share=0.5)
    both = torch.cat([positive, negative])
    wanted = (match[both] >= 0).float()
    which = F.binary_cross_entropy_with_logits(
        scores[both], wanted)
    goal = encode_boxes(boxes[match[positive]], anchors[positive])
    far = F.smooth_l1_loss(
        offsets[positive], goal, reduction="sum", beta=1 / 9)
    return which, far / len(both)

# %% [markdown]
# Answers become proposals: the 200 best anchors, moved by their offsets, cut to the scene, and thinned out by NMS. It is *not* class-aware, there are no
# classes yet, and it is mild: only above an IoU of 0.7 must one of two go. No gradient flows through the proposals' coordinates.

# %% tags=["core"]
@torch.no_grad()
def propose(scores, offsets, anchors, n=20, overlap=0.7, side=192):
    best = scores.topk(min(200, len(scores))).indices
    boxes = decode_boxes(offsets[best], anchors[best])
    boxes = boxes.clamp(0, side)
    large = (boxes[:, 2:] - boxes[:, :2]).amin(1) > 2
    boxes, best = boxes[large], best[large]
    return boxes[nms(boxes, scores[best], overlap)[:n]]

# %% [markdown]
# ### The second stage
#
# It is Fast R-CNN's: RoI align cuts 5 x 5 cells for each proposal, a layer looks, two answer. 18 scores, 0 is the background, and four offsets, now from
# the *proposal*. The map is frozen, so nothing has to flow back through RoI align. (The paper has four offsets for every class; here all classes share
# them.)

# %% tags=["core"]
class BoxHead(nn.Module):
    def __init__(self, channels=112, classes=CLASSES + 1,
                 size=5, width=256):
        super().__init__()
        self.size = size
        self.norm = nn.BatchNorm2d(channels)
        self.look = nn.Linear(channels * size * size, width)
        self.name = nn.Linear(width, classes)
        self.offset = nn.Linear(width, 4)

    def forward(self, maps, regions):
        grids = roi_align(maps, regions, self.size, 1 / STRIDE,
                          sampling_ratio=2, aligned=True)
        x = F.relu(self.look(self.norm(grids).flatten(1)))
        x = F.dropout(x, 0.3, self.training)
        return self.name(x), self.offset(x)

# %% [markdown]
# What should it answer? A proposal with an IoU of at least 0.5 with an object gets that object's class, all others are background. Again a sample, 32 a
# scene, at most a quarter of them objects. The true boxes are added to the proposals: a new RPN finds nothing, and the head would learn from nothing.

# %% tags=["core"]
def head_targets(proposals, boxes, labels, n=32, share=0.25):
    regions = torch.cat([proposals, boxes])
    match = match_anchors(regions, boxes, low=0.5, high=0.5)
    positive, negative = sampled(match, n, share)
    both = torch.cat([positive, negative])
    classes = torch.zeros(len(both), dtype=torch.int64)
    classes[: len(positive)] = labels[match[positive]] + 1
    goal = encode_boxes(boxes[match[positive]], regions[positive])
    return regions[both], classes, goal

# %% [markdown]
# Four losses, then, added: two of the RPN, two of the head. The paper trained the two in turn, its code soon all at once, as here.

# %% tags=["core"]
def four_losses(rpn, head, maps, anchors, boxes, labels):
    scores, offsets = rpn(maps)
    first, picked = [], []
    for k, (b, c) in enumerate(zip(boxes, labels, strict=True)):
        first.append(rpn_losses(scores[k], offsets[k], anchors, b))
        proposals = propose(scores[k], offsets[k], anchors, n=50)
        picked.append(head_targets(proposals, b, c))
    regions, classes, goals = zip(*picked, strict=True)
    named, moved = head(maps, list(regions))
    classes = torch.cat(classes)  # (N,) of all scenes
    name = F.cross_entropy(named, classes)
    far = F.smooth_l1_loss(moved[classes > 0], torch.cat(goals),
                           reduction="sum", beta=1 / 9)
    which, where = (torch.stack(part).mean()
                    for part in zip(*first, strict=True))
    return torch.stack([which, where, name, far / len(classes)])

# %% [markdown]
# `train` of the package is a plain loop around it: 16 scenes a step, every second batch mirrored, AdamW, one cycle of the learning rate, 150 steps.
# **Predict:** which of the four starts highest, and which falls slowest?

# %% tags=["nbval-ignore-output"]
rpn, head, history = train(levels[2], boxes, labels, steps=150)
begun, ended = history[:5].mean(0), history[-15:].mean(0)
draw.table({"loss": LOSSES, "at first": begun.tolist(),
            "at the end": ended.tolist()}, digits=2)

# %% tags=["fold", "nbval-ignore-output"]
# Draw the four losses, each as a share of where it begins
_, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
for k, name in enumerate(LOSSES):
    smooth = history[:, k].unfold(0, 10, 5).mean(1)
    ax.plot(5 + 5 * np.arange(len(smooth)), smooth,
            color=draw.PALETTE[k], label=name)
ax.set(yscale="log", xlabel="step", ylabel="loss",
       title="To name takes longest: the head's class loss stays on top")
draw.label_lines(ax)
draw.describe(ax, "Four falling lines on a logarithmic scale; the "
    "loss of the head's classes is the highest from first to last.")

# %% tags=["author"]
assert begun[2] > 1.2 and ended.argmax() == 2 and ended[0] < 0.4 * begun[0]

# %% [markdown]
# "Object or not" is soon learnt; *which* of 17 objects takes longest.
#
# ### Does it propose better?
#
# Now the same question as with selective search: what share of the objects is overlapped by half by one of the first n proposals?

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    answers = rpn(seen[2].float())
learnt = [propose(s, o, anchors, n=50)
          for s, o in zip(*answers, strict=True)]
searched = [selective_search(scene.image) for scene in tests]
counts = (1, 3, 5, 10, 20, 50, 100)

def recall(proposals, n):
    best = [box_iou(b, p[:n]).amax(1)
            for b, p in zip(truths, proposals, strict=True)]
    return (torch.cat(best) >= 0.5).float().mean().item()

curves = {"RPN": [recall(learnt, n) for n in counts[:-1]],
          "selective search": [recall(searched, n) for n in counts]}

# %% tags=["fold", "nbval-ignore-output"]
# Draw recall against the number of proposals
_, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
for k, (name, curve) in enumerate(curves.items()):
    ax.plot(counts[: len(curve)], curve, "o-", label=name,
            color=(draw.PREDICTION, "#777")[k])
ax.set(xscale="log", xlabel="proposals a scene", ylim=(0, 1),
       ylabel="objects found", xticks=counts, xticklabels=counts,
       title=f"10 proposals of the RPN find {curves['RPN'][3]:.0%}, "
             f"of selective search {curves['selective search'][3]:.0%}")
ax.minorticks_off()
draw.label_lines(ax)
draw.describe(ax, "The RPN's recall rises steeply and lies above "
    "that of selective search up to 50 proposals.")

# %% tags=["author"]
few, many = curves["RPN"], curves["selective search"]
assert all(a > b + 0.02 for a, b in zip(few[:5], many, strict=False))
assert few[3] > many[3] + 0.08 and few[4] > 0.7

# %% [markdown]
# Ten of the RPN find about as much as twenty of selective search, and its very first is often right: it learnt what is wanted, and gives each box a
# score. And all that this stage costs are a few small convolutions.
#
# ### The whole detector
#
# Proposals, head, offsets, and class-aware NMS at the end.

# %% tags=["core"]
@torch.no_grad()
def detect(rpn, head, maps, *, n=20, refine=True, least=0.03):
    found, side = [], maps.shape[3] * STRIDE
    anchors = make_anchors(*maps.shape[2:], STRIDE, SIZES, RATIOS)
    for x in maps.float().split(1):
        scores, offsets = rpn(x)
        boxes = propose(scores[0], offsets[0], anchors, n, side=side)
        named, moved = head(x, [boxes])
        if refine:
            boxes = decode_boxes(moved, boxes).clamp(0, side)
        p = named.softmax(1)[:, 1:]  # (n, 17), without background
        row, label = (p > least).nonzero(as_tuple=True)
        boxes, p = boxes[row], p[row, label]
        kept = batched_nms(boxes, p, label, 0.5)
        found.append({"boxes": boxes[kept], "scores": p[kept],
                      "labels": label[kept]})
    return found

# %% tags=["nbval-ignore-output"]
begin = perf_counter()
levels_of(tests)
one_pass = 1000 * (perf_counter() - begin) / len(tests)
begin = perf_counter()
found = detect(rpn, head, seen[2])
ms = one_pass + 1000 * (perf_counter() - begin) / len(tests)
numbers = judge(tests, found).numbers
row = {"way": "Faster R-CNN, here", "crops or passes a scene": 1,
       "ms a scene": ms, "AP": numbers["AP"], "AP50": numbers["AP50"]}
draw.table([*rows(until="Fast R-CNN", ms=one_pass), row],
           digits={"ms a scene": 0, "AP": 2, "AP50": 2})

# %% tags=["fold", "nbval-ignore-output"]
# Draw what it finds in three scenes
names = tests[0].class_names
chosen = (2, 6, 7)
axes = show_many([tests[i].image for i in chosen], cols=3,
    titles=[f"{len(tests[i].labels)} objects" for i in chosen])
for ax, i in zip(axes, chosen, strict=True):
    one = found[i]
    sure = one["scores"] > 0.4
    draw.draw_boxes(one["boxes"][sure].numpy(), ax=ax,
        labels=[names[k] for k in one["labels"][sure]],
        scores=one["scores"][sure].tolist())
draw.describe(axes[0], "Three scenes with the boxes that the "
    "detector is sure of by 0.4 or more, named and scored.")

# %% [markdown]
# What does each part give? Leave out the head's offsets, or most of the proposals.

# %% tags=["nbval-ignore-output"]
parts = {"all of it, 20 proposals": {}, "without the head's offsets":
         {"refine": False}, "5 proposals": {"n": 5},
         "50 proposals": {"n": 50}}
each = {name: judge(tests, detect(rpn, head, seen[2], **change))
        for name, change in parts.items()}
draw.table([{"detector": name, "AP": one.numbers["AP"],
             "AP50": one.numbers["AP50"]}
            for name, one in each.items()], digits=2)

# %% tags=["author"]
ap = {name: one.numbers["AP"] for name, one in each.items()}
assert ap["all of it, 20 proposals"] > ap["without the head's offsets"] + 0.01
assert 0.18 < ap["all of it, 20 proposals"] < 0.45
assert ap["5 proposals"] < ap["all of it, 20 proposals"] + 0.01

# %% [markdown]
# The second look at the box pays: a proposal that overlaps by half becomes one that fits better. Five proposals lose a few objects, fifty bring a few more.

# %% [markdown]
# ## 4 · Mask R-CNN: pixels, object by object *(20 min)*
#
# A box of a bicycle is mostly no bicycle. Lesson 05 named every pixel, and could not tell two cats apart that touch. The detector can: each box is one cat.
# What if it gave, for every box, the pixels of its object?
#
# That is **Mask R-CNN**: a third small network beside the head. RoI align cuts a finer grid, 14 x 14, convolutions keep it a map, and at the end stands
# a mask of 28 x 28, stretched over the box. For fine edges it gets finer maps too: strides 4, 8 and 16 together.

# %% tags=["core"]
class MaskHead(nn.Module):
    def __init__(self, masks=1, width=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(sum(WIDTHS[:LEVELS])),
            nn.Conv2d(sum(WIDTHS[:LEVELS]), width, 1),
            nn.ReLU(),
            mixing(width),
            mixing(width),
            nn.ConvTranspose2d(width, width // 2, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(width // 2, masks, 1),
        )

    def forward(self, grids):
        return self.layers(grids)

# %% [markdown]
# Only one mask a box is asked for, "what belongs to the object, and what not": the class is the other head's matter. `mixing` is the cheap pair of convolutions
# from lesson 05. Here is what goes in, and what is to come out.

# %%
from cvlab.detection.mask_head import (LEVELS, cut_levels,
    mask_targets, train_masks, with_masks)
from cvlab.segmentation.topdown import WIDTHS, mixing

scene = tests[2]
inside = [torch.from_numpy(scene.boxes)]
grids = cut_levels([level[2:3] for level in seen], inside)
wanted = mask_targets(torch.from_numpy(scene.masks), inside[0])
with torch.no_grad():
    print(tuple(grids.shape), "to",
          tuple(MaskHead().eval()(grids).shape),
          "wanted", tuple(wanted.shape))

# %% tags=["fold"]
# Draw the scene and the masks that are wanted
axes = show_many([scene.image, *wanted[:3].numpy()], cols=4,
    titles=["Boxes of any shape",
            *[f"{scene.class_names[k]}: 28 x 28"
              for k in scene.labels[:3]]])
draw.draw_boxes(scene.boxes[:3], ax=axes[0],
    labels=[scene.class_names[k] for k in scene.labels[:3]])
draw.describe(axes[0], "A scene with boxes; beside it the objects' "
    "masks, each stretched to the same square.")

# %% [markdown]
# It learns from the *true* boxes, by cross-entropy at each of the 784 places. Twice, in fact: once with **RoI align**, once with **RoI pool**, which
# rounds every box to whole cells. Mask R-CNN's paper says that the rounding costs masks dearly. **Predict:** does it here, where a cell of the finest map is 4
# pixels?

# %% tags=["nbval-ignore-output"]
masks = [torch.from_numpy(scene.masks) for scene in learn]
aligned, loss_a = train_masks(levels, boxes, masks, steps=80)
pooled, loss_p = train_masks(levels, boxes, masks, steps=80,
                             pool=True)
draw.table({"cut by": ["RoI align", "RoI pool"],
    "loss at first": [loss_a[0].item(), loss_p[0].item()],
    "at the end": [loss_a[-10:].mean().item(),
                   loss_p[-10:].mean().item()]}, digits=2)

# %% [markdown]
# ### Back into the picture
#
# Each pixel of the picture asks: where in the box am I, from 0 to 1? Then it reads the small mask there, between its cells. Above a half it belongs to the
# object.

# %% tags=["core"]
def paste_masks(masks, boxes, height, width):
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)  # (N, 1) each
    x = ((torch.arange(width) + 0.5 - x0)
         / (x1 - x0).clamp(min=1e-6))
    y = ((torch.arange(height) + 0.5 - y0)
         / (y1 - y0).clamp(min=1e-6))
    x = x[:, None, :].expand(-1, height, -1)  # (N, H, W)
    y = y[:, :, None].expand(-1, -1, width)
    places = torch.stack([x, y], dim=3) * 2 - 1  # as grid_sample counts
    inside = (places.abs() <= 1).all(3)
    pasted = F.grid_sample(masks[:, None], places,
                           align_corners=False, padding_mode="border")
    return (pasted[:, 0] > 0.5) & inside

# %% [markdown]
# Paste the *true* masks of 28 x 28: what does the small grid lose? And what does torchvision's way, which rounds each box to whole pixels first?

# %%
from torchvision.models.detection.roi_heads import (
    paste_masks_in_image)

def overlap(a, b):
    return ((a & b).sum((1, 2)) / (a | b).sum((1, 2))).mean().item()

ours, theirs, between = [], [], []
for one in tests:
    true, b = torch.from_numpy(one.masks), torch.from_numpy(one.boxes)
    small = mask_targets(true, b)
    a = paste_masks(small, b, 192, 192)
    t = paste_masks_in_image(small[:, None], b, (192, 192))[:, 0] > 0.5
    ours.append(overlap(a, true))
    theirs.append(overlap(t, true))
    between.append(overlap(a, t))
draw.table({"masks": ["ours and the truth", "torchvision's and the "
    "truth", "ours and torchvision's"], "mean IoU":
    [np.mean(x) for x in (ours, theirs, between)]}, digits=2)

# %% tags=["author"]
assert np.mean(ours) > 0.9 and np.mean(between) > 0.9
assert np.mean(ours) > np.mean(theirs) - 0.005

# %% [markdown]
# No mask head of 28 x 28 can do better than the first row. Now the detector's own boxes, and the judge with `kind="segm"`: an answer is right when its
# *pixels* overlap the truth's.

# %% tags=["nbval-ignore-output"]
heads = {"RoI align": (aligned, False), "RoI pool": (pooled, True)}
out = {name: with_masks(one, seen, found, pool=pool)
       for name, (one, pool) in heads.items()}
filled = [{**one, "masks": paste_masks(torch.ones(
    len(one["boxes"]), 2, 2), one["boxes"], 192, 192)}
    for one in found]
out = {"the whole box": filled, **out}
judged = {name: judge(tests, one, kind="segm").numbers
          for name, one in out.items()}
box = judge(tests, found).numbers
draw.table([{"answer": "box", "AP": box["AP"], "AP50": box["AP50"]},
    *[{"answer": f"mask: {name}", "AP": one["AP"],
       "AP50": one["AP50"]} for name, one in judged.items()]],
    digits=2)

# %% tags=["fold", "nbval-ignore-output"]
# Draw instance masks in three scenes
axes = show_many([tests[i].image for i in chosen], cols=3,
    titles=["Each object's own pixels", "found by its box,",
            "coloured by its class"])
for ax, i in zip(axes, chosen, strict=True):
    one = out["RoI align"][i]
    sure = one["scores"] > 0.4
    draw.draw_masks(one["masks"][sure].numpy(), ax=ax,
        labels=[names[k] for k in one["labels"][sure]])
draw.describe(axes[0], "Three scenes with coloured masks that follow "
    "the stickers' outlines, one for each object found.")

# %% tags=["author"]
mask_ap = {name: one["AP"] for name, one in judged.items()}
assert mask_ap["RoI align"] > mask_ap["the whole box"] + 0.04
assert loss_a[-10:].mean() < loss_p[-10:].mean() - 0.01

# %% [markdown]
# The whole box in place of a mask is hardly ever right: stickers do not fill their boxes. The small head finds most of an outline in seconds. And the
# rounding costs: with RoI pool the loss ends higher, and so it is with the mask's AP. All but the cutting is equal, head, steps, seed and boxes, so
# here too it is the cutting that makes the difference. (The paper: about three points of AP at a stride of 16.)
#
# The box still decides: an object that the detector missed, or named wrongly, has no mask, however good the mask head is.

# %% tags=["fold"]
# Let the large arrays go
levels = seen = learn = tests = masks = out = filled = None

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 5 · One look: from YOLO to YOLOX *(28 min)*
#
# To be written.

# %% [markdown]
# ## 6 · The easy many *(28 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 7 · A pyramid of features *(18 min)*
#
# To be written.

# %% [markdown]
# ## 8 · A detector in a minute *(28 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 9 · Out of PyTorch *(22 min)*
#
# Your detector works in a notebook. The camera at the gate has no Python and no PyTorch, and its picture is not square. What has to leave, and what
# has to be written again on the other side?
#
# First the network leaves. `torch.onnx.export` runs it once, notes every operation, and writes graph and weights into one file. You take the long
# recipe's detector.

# %%
import tempfile
from pathlib import Path
from cvlab.detection.one_stage import recorded

detector = recorded()
path = Path(tempfile.mkdtemp()) / "detector.onnx"
program = torch.onnx.export(
    detector, (torch.zeros(1, 3, 192, 192),), path,
    input_names=["image"], output_names=["boxes", "scores"],
    dynamo=True, external_data=False, verbose=False)

# %% [markdown]
# **Predict:** which parts of your detector are *not* in the file: the sigmoid, the pyramid, non-maximum suppression, the resizing of the photo?

# %% tags=["fold"]
# Count what the file holds
import onnx
from collections import Counter

graph = onnx.load(path).graph
kinds = Counter(node.op_type for node in graph.node)
size = path.stat().st_size / 1e6
draw.table([{"operation": kind, "in the file": count}
            for kind, count in kinds.most_common(6)])

# %% [markdown]
# Convolutions, additions, clipping; the pyramid as convolutions and `Resize`, one sigmoid. But nothing prepares the photo, and nothing makes a list
# of the answers: no suppression. Those two ends you write by hand, in NumPy and OpenCV.

# %% tags=["author"]
assert kinds["Conv"] > 50 and kinds["Resize"] >= 1 and kinds["Sigmoid"] == 1 and "NonMaxSuppression" not in kinds

# %% [markdown]
# ### The way in
#
# The network takes squares. A photo of the camera is wide. You may squeeze it, or **letterbox** it: make it smaller until its longer side fits, and
# fill the rest with grey. Then the boxes must go the way back.

# %% tags=["core"]
def letterbox(image, side=192, fill=114):
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=way)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.full((side, side, 3), fill, np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    return square, scale, (left, top)


def unletterbox(boxes, scale, corner, size):
    height, width = size
    boxes = (boxes - np.tile(corner, 2)) / scale
    return boxes.clip(0, [width, height, width, height])

# %% tags=["fold"]
# Join two scenes into one wide picture, and show both ways in
import cv2
from dataclasses import replace

def wide(left, right):
    """Return one scene of twice the width."""
    gap = np.array([192, 0, 192, 0], np.float32)
    edge = [np.pad(s.masks, ((0, 0), (0, 0), pad)) for s, pad
            in ((left, (0, 192)), (right, (192, 0)))]
    both = {name: np.concatenate(
        [getattr(left, name), getattr(right, name)])
        for name in ("labels", "visibility")}
    return replace(
        left, image=np.hstack([left.image, right.image]),
        boxes=np.concatenate([left.boxes, right.boxes + gap]),
        masks=np.concatenate(edge),
        depth=np.arange(len(both["labels"])), **both)

def squeezed(image, side=192):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)

scenes = make_scenes(40, size=192, seed=5)
broad = [wide(*pair) for pair in
         zip(scenes[:20], scenes[20:], strict=True)]
photo = broad[0].image
show_many([photo, squeezed(photo), letterbox(photo)[0]], cols=3,
          titles=["The camera's picture", "Squeezed: thin",
                  "Letterboxed: small"]);

# %% [markdown]
# ### The way out
#
# What comes out is a box and 17 scores for each of the 576 cells. Then follows what you know from 06a: low scores go, and within a class a box goes
# that overlaps a better one.

# %% tags=["core"]
def answers(scores, boxes, least=0.05, threshold=0.5, most=100):
    place, label = np.nonzero(scores >= least)
    score, boxes = scores[place, label], boxes[place]
    order, kept = np.argsort(-score, kind="stable"), []
    while len(order) and len(kept) < most:
        best, order = order[0], order[1:]
        kept.append(best)
        overlap = box_iou(boxes[[best]], boxes[order])[0]
        order = order[(label[order] != label[best]) | (overlap <= threshold)]
    return {"boxes": boxes[kept], "scores": score[kept], "labels": label[kept]}

# %% tags=["core"]
def detect(net, image, side=192):
    square, scale, corner = letterbox(image, side)
    blob = cv2.dnn.blobFromImage(square, 1 / 127.5, mean=[127.5] * 3)
    net.setInput(blob)  # (1, 3, side, side), -1 to 1
    boxes, scores = net.forward(["boxes", "scores"])
    found = answers(scores[0], boxes[0])
    boxes = unletterbox(found["boxes"], scale, corner, image.shape[:2])
    return found | {"boxes": boxes}

# %%
from cvlab.boxes import box_iou

net = cv2.dnn.readNetFromONNX(str(path))
found = [detect(net, scene.image) for scene in scenes]
print(len(found[0]["boxes"]), "boxes in the first scene")

# %% [markdown]
# No PyTorch took part. Does it say the same? Here is PyTorch's answer to the same forty scenes, through the same `answers`.

# %%
from cvlab.segmentation.topdown import enlarged

with torch.inference_mode():
    raw = [detector(enlarged(scene.image[None], 192))
           for scene in scenes]
theirs = [answers(scores[0].numpy(), boxes[0].numpy())
          for boxes, scores in raw]
same = all(np.array_equal(a["labels"], b["labels"])
           for a, b in zip(found, theirs, strict=True))
gap = {key: max(np.abs(a[key] - b[key].clip(0, 192)).max(initial=0)
                for a, b in zip(found, theirs, strict=True))
       for key in ("boxes", "scores")}
print("the same list of classes:", same)
print("boxes within 0.001 pixels:", gap["boxes"] < 1e-3,
      "and scores within 0.0001:", gap["scores"] < 1e-4)

# %% tags=["author"]
assert same and gap["boxes"] < 1e-3 and gap["scores"] < 1e-4, gap

# %% [markdown]
# The same. Now the wide pictures. **Predict** which way in finds more.

# %%
def detect_squeezed(net, image):
    found = detect(net, squeezed(image))
    stretch = np.tile([image.shape[1], image.shape[0]], 2) / 192
    return found | {"boxes": found["boxes"] * stretch}

ways = {"letterboxed": detect, "squeezed": detect_squeezed}
lists = {name: [way(net, scene.image) for scene in broad]
         for name, way in ways.items()}
forgot = [{**found, "boxes": found["boxes"] / 2}
          for found in lists["letterboxed"]]
lists["boxes not brought back"] = forgot
AP = {name: judge(broad, found).numbers["AP"]
      for name, found in lists.items()}
AP["the halves, one by one"] = judge(
    scenes, found).numbers["AP"]

# %% tags=["fold"]
# Table the four
draw.table([{"way in": name, "AP": value}
            for name, value in AP.items()], digits=2)

# %% tags=["author"]
assert AP["letterboxed"] < AP["squeezed"] < AP["the halves, one by one"] - 0.1, AP
assert AP["boxes not brought back"] < 0.5 * AP["letterboxed"], AP

# %% [markdown]
# Both lose more than half, and the letterbox, which everybody recommends, loses *more*. It makes things half as large in both directions, squeezing
# in one only. This detector has learnt sizes of 18 to 58 % of the side: to be thin costs less than to be small. A letterbox pays where training used
# it too, and where the side can grow. Best is to look twice, half by half.
#
# And boxes that are not brought back are all wrong, without an error.

# %% [markdown]
# ### Four slips
#
# **Trap:** nothing complains when the way in is wrong. OpenCV reads photos as **BGR**, blue first; the network learnt red first. Or you forget to
# scale 0 to 255 down to -1 to 1. Or you scale to 0 to 1. What does each slip cost?

# %%
slips = {"right": {}, "blue first": {"swapRB": True},
         "0 to 1": {"scalefactor": 1 / 255, "mean": [0] * 3},
         "0 to 255": {"scalefactor": 1, "mean": [0] * 3}}
right = {"scalefactor": 1 / 127.5, "mean": [127.5] * 3}
rows = []
for name, slip in slips.items():
    lists = []
    for scene in scenes:
        net.setInput(cv2.dnn.blobFromImage(
            scene.image, **right | slip))
        boxes, scores = net.forward(["boxes", "scores"])
        lists.append(answers(scores[0], boxes[0]))
    numbers = judge(scenes, lists).numbers
    rows.append({"the way in": name, "AP": numbers["AP"],
                 "AP50": numbers["AP50"]})
draw.table(rows, digits=2)

# %% tags=["author"]
by = {row["the way in"]: row["AP"] for row in rows}
assert by["blue first"] < by["right"] - 0.03 and by["0 to 255"] < 0.6 * by["right"], by
assert by["0 to 1"] > by["right"] - 0.1, by

# %% [markdown]
# The worst slip, 0 to 255, leaves a fraction. Blue for red costs a good part, and 0 to 1 so little that you would never notice: half the contrast, a
# brighter picture, and this network was trained on pictures of changed colours. A slip that costs two hundredths is the one that stays in the
# product. Compare numbers, as above, not impressions.

# %% [markdown]
# ### How fast, how small?
#
# Three programs run the same network on one core: PyTorch, OpenCV, and ONNX Runtime where it is installed.

# %% tags=["nbval-ignore-output"]
from time import perf_counter
from importlib.util import find_spec

x = enlarged(scenes[0].image[None], 192)
array = x.numpy()
with torch.inference_mode():
    detector(x)

def in_torch():
    with torch.inference_mode():
        detector(x)

def in_opencv():
    net.setInput(array)
    net.forward(["boxes", "scores"])

runs = {"PyTorch": in_torch, "OpenCV": in_opencv}

# %% tags=["fold", "nbval-ignore-output"]
# Add ONNX Runtime where it is installed, and time all on one core
if find_spec("onnxruntime"):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"])
    runs["ONNX Runtime"] = lambda: session.run(
        None, {"image": array})

threads = torch.get_num_threads(), cv2.getNumThreads()
torch.set_num_threads(1)
cv2.setNumThreads(1)
ms = {}
for name, run in runs.items():
    times = []
    for _ in range(15):
        begin = perf_counter()
        run()
        times.append(1e3 * (perf_counter() - begin))
    ms[name] = np.median(times)
torch.set_num_threads(threads[0])
cv2.setNumThreads(threads[1])

# %% tags=["fold", "nbval-ignore-output"]
# Table frames a second
draw.table([{"program": name, "frames a second": 1000 / value,
             "against PyTorch": ms["PyTorch"] / value}
            for name, value in ms.items()],
           digits={"frames a second": 0, "against PyTorch": 1})

# %% [markdown]
# The file has 12 million bytes, four for each weight. **int8** stores one: each output channel's weights are rounded to 255 steps. That much you can
# try: round, and judge. (Whole int8 also rounds what flows between the layers. For that one shows the network pictures first, to learn the ranges;
# its speed depends on the chip. So: a fourth of the bytes for certain, speed no promise.)

# %%
import copy

def rounded(net, bits):
    """Return a copy, the weights of each channel in 2^bits - 1 steps."""
    net, most = copy.deepcopy(net), 2 ** (bits - 1) - 1
    for weight in net.parameters():
        if weight.ndim == 4:
            top = weight.data.abs().amax((1, 2, 3), keepdim=True)
            step = top.clamp(min=1e-12) / most
            weight.data = (weight.data / step).round() * step
    return net

def judged(net):
    with torch.inference_mode():
        raw = [net(enlarged(s.image[None], 192)) for s in scenes]
    return judge(scenes, [answers(scores[0].numpy(), boxes[0].numpy())
                          for boxes, scores in raw])

bits = {32: judged(detector).numbers["AP"]}
bits |= {b: judged(rounded(detector, b)).numbers["AP"]
         for b in (8, 6, 5, 4)}

# %% tags=["fold"]
# Table AP by bits
draw.table([{"bits a weight": b, "megabytes": 3 * b / 8, "AP": value}
            for b, value in bits.items()],
           digits={"megabytes": 1, "AP": 2})

# %% tags=["author"]
assert abs(bits[8] - bits[32]) < 0.025 and bits[4] < bits[32] - 0.05, bits

# %% [markdown]
# Eight bits are free, five nearly so, at four it breaks.
#
# And a file that was cut short on its way? OpenCV's own error is four lines of C++. The package's reader says which file, and what is wrong with it,
# before the camera starts.

# %%
from cvlab.detection.deploy import read_onnx

broken = path.with_name("half.onnx")
broken.write_bytes(path.read_bytes()[: 6_000_000])
try:
    read_onnx(broken)
except ValueError as error:
    print(error)

# %% tags=["fold"]
# Let go of what is not needed any more
program = graph = raw = theirs = broad = lists = forgot = None

# %% [markdown]
# ## 10 · Real *(22 min)*
#
# Stickers on photos are a small world. Which detectors have seen the large one, and can you read their answers now?
#
# torchvision has four of those whose parts you built: **Faster R-CNN**, **Mask R-CNN**, **RetinaNet**, **SSD**. With random weights they know
# nothing, but all their machinery is there. In training mode a detector takes pictures *and* truths, and answers with its losses. **Predict:** how
# many losses has each?

# %%
from torchvision.models import detection

def built(name):
    torch.manual_seed(0)
    small = {} if "ssd" in name else {"min_size": 160,
                                      "max_size": 160}
    return getattr(detection, name)(
        weights=None, weights_backbone=None, **small)

picture = [torch.rand(3, 160, 160)]
truth = [{"boxes": torch.tensor([[10.0, 20, 80, 90]]),
          "labels": torch.tensor([17]),
          "masks": torch.ones(1, 160, 160, dtype=torch.uint8)}]

@torch.no_grad()
def facts(name):
    net = built(name).train()
    losses = net(picture, truth)
    answer = net.eval()(picture)[0]
    weights = sum(p.numel() for p in net.parameters()) / 1e6
    return {"network": name, "weights": weights,
            "losses": ", ".join(losses), "answers": ", ".join(answer)}

# %% tags=["fold"]
# Ask all four
from cvlab.detection import real

rows = [facts(name) for name in real.NETWORKS]
draw.table(rows, digits=1, units={"weights": "million"})

# %% tags=["author"]
assert [row["losses"].count(",") + 1 for row in rows] == [4, 5, 2, 2]

# %% [markdown]
# Faster R-CNN has the four of section 3, by these names. Mask R-CNN adds the masks' loss. The two that look once have two. And all answer with the
# same dict: boxes, labels, scores.
#
# **Trap:** their labels are COCO's *numbers*, 1 to 90, ten of them unused: 17 is a cat, as in lesson 05. YOLO counts its 80 classes in a row, from 0.

# %% [markdown]
# ### A YOLO in one file
#
# **Trap:** many tutorials load YOLOv3 from Darknet's `.cfg` and `.weights`. **Predict** what your OpenCV says.

# %%
import cv2

major = int(cv2.__version__.split(".")[0])
print("OpenCV", major, "reads Darknet:",
      hasattr(cv2.dnn, "readNetFromDarknet"))

# %% [markdown]
# OpenCV 5 threw that reader out, and Caffe's too. ONNX is the road now. **YOLOX-Nano** is one such file: 0.9 million weights, 3.7 MB. It writes 85
# numbers a cell, for strides 8, 16 and 32: centre and log-size in units of the stride, "is there anything?", and 80 classes. Here is its way out by
# hand.

# %% tags=["core"]
def decode_yolox(raw, side=416):
    cells = []
    for stride in (8, 16, 32):
        row, col = np.indices((side // stride, side // stride)).reshape(2, -1)
        cells.append(np.stack([col, row, np.full_like(col, stride)], axis=1))
    cells = np.concatenate(cells)  # (P, 3)
    corner, stride = cells[:, :2], cells[:, 2:]
    center = (raw[:, :2] + corner) * stride
    half = np.exp(raw[:, 2:4]) * stride / 2
    boxes = np.concatenate([center - half, center + half], axis=1)
    return raw[:, 4:5] * raw[:, 5:], boxes

# %% [markdown]
# A test that needs no weights: write a cat's box into a cell as YOLOX would, and read it back. The box is (100, 60, 180, 220); its centre, (140,
# 140), lies in cell (8, 8) of stride 16.

# %%
raw = np.zeros((52**2 + 26**2 + 13**2, 85))
cell = 52**2 + 8 * 26 + 8
raw[cell, :4] = [140 / 16 - 8, 140 / 16 - 8,
                 np.log(80 / 16), np.log(160 / 16)]
raw[cell, 4], raw[cell, 5 + 15] = 0.9, 1  # 15: cat, from 0
scores, boxes = decode_yolox(raw)
best = scores.max(axis=1).argmax()
print(scores.shape, boxes[best].round(6), scores[best].argmax())

# %% tags=["author"]
assert best == cell and np.allclose(boxes[best], [100, 60, 180, 220])

# %% [markdown]
# ### One function, any model
#
# torchvision's take a list of tensors, resize, suppress, and give a list. Everything else is a function from a photo to a dict. That is all the
# difference:

# %% tags=["core"]
@torch.inference_mode()
def ask(model, photo, least=0.3):
    if isinstance(model, torch.nn.Module):
        x = torch.from_numpy(photo).permute(2, 0, 1) / 255
        found = model([x])[0]  # a list in: it resizes, and suppresses
        names = [NUMBERED.get(k, "unused") for k in found["labels"].tolist()]
        found = {"boxes": found["boxes"], "scores": found["scores"], "names": names}
    else:
        found = model(photo)
    good = np.asarray(found["scores"]) >= least
    return {
        "boxes": np.asarray(found["boxes"]).reshape(-1, 4)[good],
        "scores": np.asarray(found["scores"])[good],
        "names": [name for name, kept in zip(found["names"], good, strict=True) if kept],
    }

# %% [markdown]
# Who can be asked now? Ours, always. The others come where you allow it; else one line says what is left out.

# %%
from cvlab.coco.categories import CATEGORIES
from cvlab.segmentation.real import photo as coco_photo

NUMBERED = {c["id"]: c["name"] for c in CATEGORIES}
scene = make_scene(8, size=192, seed=5)

def ours(photo):
    found = detect(net, photo)
    return found | {"names": [scene.class_names[k]
                              for k in found["labels"]]}

models = {"ours": ours, "YOLOX-Nano": real.yolox()}
models |= {name: real.network(name) for name in real.NETWORKS}
models = {k: v for k, v in models.items() if v is not None}
photo = coco_photo()

# %% tags=["fold"]
# Ask each of them about what there is, and draw all alike
asked = [(name, "a scene", scene.image) for name in models]
asked += [(name, "a photo of COCO", photo)
          for name in models if photo is not None]
axes = show_many([image for *_, image in asked], cols=2,
    titles=[f"{name}, {what}" for name, what, _ in asked])
for ax, (name, _, image) in zip(axes, asked, strict=True):
    found = ask(models[name], image)
    draw.draw_boxes(found["boxes"], labels=found["names"],
                    scores=found["scores"], ax=ax)

# %% [markdown]
# ### Two slips that many copy
#
# **Trap:** a loop that draws *after* itself. Both cells draw what `ours` found. How many boxes does the first one draw?

# %%
found = ask(ours, scene.image)
drawn = 0
for box in found["boxes"]:
    x0, y0, x1, y1 = box
drawn += 1  # not in the loop: the last box only
print(len(found["boxes"]), "found,", drawn, "drawn")

# %% tags=["author"]
assert drawn == 1 < len(found["boxes"])

# %% [markdown]
# No error, a picture with a right box: only a count shows it.
#
# **Trap:** what you give decides what you get. YOLOv5's hub model takes a *photo*: it letterboxes, scales, suppresses. Given a *tensor*, it does none
# of that, and returns raw numbers. The same, in six lines, with ours:

# %%
class Hub(torch.nn.Module):
    def forward(self, given):
        if torch.is_tensor(given):
            return detector(given)  # as it is: raw
        return detect(net, given)   # prepared and suppressed

hub = Hub()
lists = hub(scene.image)
x = torch.from_numpy(scene.image).permute(2, 0, 1)[None].float()
with torch.inference_mode():
    boxes, scores = hub(x)
print("a photo: ", len(lists["boxes"]), "boxes in a dict")
print("a tensor:", boxes.shape[1], "boxes, two tensors, nothing left out")

# %% [markdown]
# And this tensor was even in 0 to 255: the second slip hid behind the first. Look at the type of what comes back before you look at its numbers.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("06b")
