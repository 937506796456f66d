# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 06a · Detection: regions
#
# **How can a network answer with a list whose length it does not know?**
#
# A classifier gives one answer. A scene holds one thing, or five, or none. Here you follow the field's first way out: ask a network that answers *once*, and ask it again for every region worth a look.
#
# *214 minutes, in four sittings: sections 1 and 2 (50 min), 3 and 4 (50 min), 5 and 6 (58 min), 7 and 8 (56 min). You need lessons 00 to 05; of 07, its first three sections help.*

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
# ## 1 · Four numbers, four customs *(18 min)*
#
# To be written.

# %% [markdown]
# ## 2 · One object *(32 min)*
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
# ## 3 · A class and a box, and points *(28 min)*
#
# To be written.

# %% [markdown]
# ## 4 · A window at every place *(22 min)*
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
# ## 5 · One box for each object *(38 min)*
#
# To be written.

# %% [markdown]
# ## 6 · Regions worth a look *(20 min)*
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
# ## 7 · R-CNN: a network for each region *(16 min)*
#
# To be written.

# %% [markdown]
# ## 8 · Fast R-CNN: one pass for all *(40 min)*
#
# R-CNN shows the network a hundred crops of one scene, and most of them overlap. The same pixels are looked at again and again. **Fast R-CNN** looks
# once, at the whole scene, and cuts every region out of the *map* that the network made of it. Cutting is nearly free. But a map is coarse: how do you cut
# a box whose edges lie between its cells?

# %%
from cvlab.regions import roi
from cvlab.regions.fast_rcnn import map_of

scene = make_scene(12, size=192)
feature = map_of([scene])[0]  # one pass: (112, 12, 12)
box = torch.tensor([[57.0, 57, 121, 130]])  # a chair
print(tuple(feature.shape), "box in cells:", box[0] / 16)

# %% [markdown]
# A cell stands for 16 x 16 pixels, so `box * scale` with `scale = 1 / 16` gives the box in cells. **RoI pool** (RoI: region of interest) rounds twice:
#
# 1. The corners go to the nearest cell, and the far corner's cell counts in full: `x1 - x0 + 1` cells.
# 2. Those cells are divided into `size x size` parts. Each begins at a whole cell, rounded down, and ends at one, rounded up. So neighbours may share cells.
#
# Of each part the largest number is kept, channel by channel. **RoI align** rounds nothing: it reads the map at exact places *between* the cells' centres.

# %% tags=["fold"]
# Draw the box, the cells that RoI pool reads, its parts, and the places where RoI align samples
x0, y0, x1, y1 = box[0].tolist()
c0, r0, c1, r1 = (box[0] / 16 + 0.5).int().tolist()
read = [16 * c0, 16 * r0, 16 * c1 + 16, 16 * r1 + 16]
w, h = c1 - c0 + 1, r1 - r0 + 1  # in cells
grown = 256 * w * h / ((x1 - x0) * (y1 - y0))
axes = show_many([scene.image] * 2, cols=2, titles=[
    f"RoI pool reads {grown:.2f} times the box",
    "RoI align reads inside the box"])
for ax in axes:
    for k in range(16, 192, 16):
        ax.axhline(k - 0.5, color="white", lw=0.4, alpha=0.6)
        ax.axvline(k - 0.5, color="white", lw=0.4, alpha=0.6)
    draw.draw_boxes(box, color=draw.TRUTH, ax=ax)
draw.draw_boxes([read], color=draw.PREDICTION, ax=axes[0])
look = {"color": draw.PREDICTION, "lw": 2, "ls": "--"}
for half in (w // 2, w - w // 2):
    axes[0].vlines(16 * (c0 + half) - 0.5, read[1], read[3], **look)
for half in (h // 2, h - h // 2):
    axes[0].hlines(16 * (r0 + half) - 0.5, read[0], read[2], **look)
x, y = np.meshgrid(*np.linspace(box[0, :2], box[0, 2:], 9)[1::2].T)
axes[1].scatter(x, y, color=draw.PALETTE[1], ec="black", zorder=5)
draw.describe(axes[0], "A box over a chair. RoI pool's cells reach "
    "beyond it; RoI align's sixteen places lie inside.")

# %% [markdown]
# Green is the box that was asked for. Blue is what RoI pool reads; the dashed lines bound its four parts, which share a strip where the number of cells is odd.
#
# **Predict:** move the green box to the right, pixel by pixel. How does what is cut change?

# %%
def changes(cut, pixels=24):
    """How far a cut is from the first, as its box moves right."""
    first = cut(feature, box, 2, 1 / 16)
    shifts = torch.arange(pixels + 1)[:, None]  # (25, 1)
    boxes = box + shifts * torch.tensor([1.0, 0, 1, 0])
    moved = cut(feature, boxes, 2, 1 / 16)  # (25, 112, 2, 2)
    change = (moved - first).flatten(1).norm(dim=1)
    return (change / first.norm()).tolist()

pool, align = changes(roi.roi_pool), changes(roi.roi_align)
still = sum(change == 0 for change in pool) - 1

# %% tags=["fold"]
# Draw both changes
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.plot(pool, color=draw.PREDICTION, label="RoI pool", ls="", marker="o", ms=4)
ax.plot(align, color=draw.PALETTE[1], label="RoI align")
ax.set(xlabel="box moved right by (pixels)",
       ylabel="change of what is cut",
       title=f"RoI pool notices nothing for {still} pixels")
draw.label_lines(ax)
draw.describe(ax, "RoI pool stays at 0 and then jumps; "
              "RoI align rises from the first pixel.")

# %% tags=["author"]
assert still == 14 and align[1] > 0 and max(np.diff(pool)) > 3 * max(np.diff(align))

# %% [markdown]
# For 14 pixels, nothing, and then a jump. A head that should say "the edge lies four pixels further left" gets the very same numbers for a box that is right
# and for one that is 14 pixels off. It cannot know.
#
# ### On paper
# A map of 4 x 4 cells, one channel, stride 16. The box 10, 10, 42, 42 is to become 2 x 2. In cells: 0.625 to 2.625. RoI pool rounds to cells 1 to 3,
# that is three cells for two parts: 1 and 2, then 2 and 3.

# %%
paper = torch.arange(16.0).reshape(1, 4, 4)
small = torch.tensor([[10.0, 10, 42, 42]])
print(paper[0])
print(roi.roi_pool(paper, small, 2, 1 / 16)[0, 0])

# %% [markdown]
# **Exercise.** Write `roi_pool(feature, boxes, size, scale)`: `feature` is one map (C, H, W), `boxes` (N, 4) are in pixels of the picture, and the result has
# shape (N, C, size, size). Round the corners to the nearest cell, a half upwards (`torch.round` does not: it makes 2.5 a 2). Part `i` of `h` cells goes from
# `i * h / size`, rounded down, to `(i + 1) * h / size`, rounded up. Cells outside the map are left out; a part without any is 0. Loop over boxes and parts.

# %% tags=["exercise"]
def roi_pool(feature, boxes, size, scale):
    ### BEGIN SOLUTION
    boxes = boxes * scale  # in cells
    boxes = (boxes + boxes.frac()).long()  # nearest, halves up
    pooled = feature.new_zeros(
        len(boxes), len(feature), size, size)
    for k, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        w, h = x1 - x0 + 1, y1 - y0 + 1  # the last cell counts
        for i, j in np.ndindex(size, size):
            top = y0 + i * h // size
            bottom = y0 - (i + 1) * h // -size
            left = x0 + j * w // size
            right = x0 - (j + 1) * w // -size
            part = feature[:, max(top, 0) : max(bottom, 0),
                           max(left, 0) : max(right, 0)]
            if part.numel():
                pooled[k, :, i, j] = part.amax((1, 2))
    return pooled
    ### END SOLUTION

# %%
check(roi_pool)

# %% [markdown]
# Is it the library's? In torchvision, boxes come as a list, one tensor a picture of the batch. From here on the lesson uses the package's copy.

# %%
from torchvision import ops

dice = torch.Generator().manual_seed(0)
points = torch.rand(200, 2, 2, generator=dice) * 240 - 24
some = points.sort(dim=1).values.flatten(1)  # some outside
theirs = ops.roi_pool(feature[None], [some], 5, 1 / 16)
ours = roi.roi_pool(feature, some, 5, 1 / 16)
print("equal:", torch.equal(ours, theirs))

# %% tags=["author"]
assert torch.equal(ours, theirs)

# %% [markdown]
# ### Between the cells
# RoI align reads a number at any place: it mixes the neighbours, as `bilinear` did in lesson 05. Along one side, a cell's weight is 1 at its centre and falls to 0 at its
# neighbour's. Up to one cell outside the map, the edge's number goes on; farther out is nothing.

# %% tags=["core"]
def bilinear_weights(places, length):
    inside = (places >= -1) & (places <= length)
    places = places.clamp(0, length - 1)
    apart = places[:, None] - torch.arange(length)  # (n, length)
    return (1 - apart.abs()).clamp(min=0) * inside[:, None]

# %%
bilinear_weights(torch.tensor([0.625, 1.625, -0.4, 4.5]), 4)

# %% [markdown]
# The first place lies between cells 0 and 1, nearer to 1. The last is outside.
#
# Where do the places come from? Cell 0 covers pixels 0 to 16 and its number stands at its *centre*, 8 pixels in. So pixel 10 is at `10 / 16 - 0.5`, which is 0.125:
# half a cell comes off (`aligned=True`). The paper box goes from 0.125 to 2.125, each of its two parts is one cell long, and with one sample in the middle of
# each the places are 0.625 and 1.625. `down @ map @ across.T` then mixes all rows and columns at once:

# %%
down = across = bilinear_weights(torch.tensor([0.625, 1.625]), 4)
print(down @ paper[0] @ across.T)
print(roi.roi_align(paper, small, 2, 1 / 16, sampling=1)[0, 0])

# %% tags=["author"]
hand = torch.tensor([[3.125, 4.125], [7.125, 8.125]])
assert torch.allclose(down @ paper[0] @ across.T, hand)
assert torch.allclose(roi.roi_align(paper, small, 2, 1 / 16, sampling=1)[0, 0], hand)

# %% [markdown]
# **Exercise.** Write `roi_align`. Per box and side: a part is `(end - start) / size` cells long, its `n` samples divide it evenly, sample `k` (0 to `size * n - 1`)
# stands at `start + part * (k + 0.5) / n`. The mean of a part's samples is its number. `n` is `sampling`; where that is 0 or less, as many as a part has cells,
# rounded up. `aligned=False` is the first version: no half cell comes off, and a box is at least one cell wide and high. A flat box without samples gives 0.

# %% tags=["exercise"]
def roi_align(feature, boxes, size, scale, sampling=2, aligned=True):
    ### BEGIN SOLUTION
    C, H, W = feature.shape
    pooled = feature.new_zeros(len(boxes), C, size, size)
    boxes = boxes * scale - (0.5 if aligned else 0)  # in cells
    for k, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        weights, counts = [], []
        for start, end, length in ((y0, y1, H), (x0, x1, W)):
            side = end - start if aligned else max(end - start, 1)
            part = side / size
            n = sampling if sampling > 0 else int(np.ceil(part))
            steps = torch.arange(size * n, dtype=feature.dtype)
            places = start + part * (steps + 0.5) / max(n, 1)
            weights.append(bilinear_weights(places, length))
            counts.append(n)
        down, across = counts
        samples = weights[0] @ feature @ weights[1].T
        samples = samples.reshape(C, size, down, size, across)
        pooled[k] = samples.sum((2, 4)) / max(down * across, 1)
    return pooled
    ### END SOLUTION

# %%
check(roi_align)

# %%
apart = {}
for n in (1, 2, 3, -1):
    for aligned in (True, False):
        how = 5, 1 / 16, n, aligned
        theirs = ops.roi_align(feature[None], [some], *how)
        ours = roi.roi_align(feature, some, *how)
        apart[n, aligned] = (ours - theirs).abs().max().item()
print("equal to 1e-4:", max(apart.values()) < 1e-4)

# %% tags=["author"]
assert max(apart.values()) < 1e-4

# %% [markdown]
# Now by hand. The map is one you can check by eye, the brightness of each cell. Blue is what RoI pool reads, the dots are where RoI align samples.

# %%
from cvlab.widgets import RoiGrid

RoiGrid()

# %% [markdown]
# **Trap: pixels for cells.** torchvision's `spatial_scale` is 1 unless you say otherwise, and a box in pixels is then read as a box in cells. **Predict:** what comes back
# for the chair, and is there an error?

# %%
forgotten = ops.roi_align(feature[None], [box], 5)
right = ops.roi_align(feature[None], [box], 5, 1 / 16)
for name, grid in (("without", forgotten), ("with", right)):
    print(name, f"scale: {(grid != 0).double().mean():.0%} not 0")

# %% tags=["author"]
assert forgotten.abs().max() == 0 and right.abs().max() > 0.5

# %% [markdown]
# No error: cells 57 to 121 of a map with 12 are outside, so all is 0. Worse are boxes near the upper left corner: they give numbers, of the wrong place.
#
# ### The whole detector
# Every region becomes a grid of 5 x 5 cells with 112 channels. Two small layers read it; then one output names the class, with 0 for background, and another moves the four
# edges by shares of the width and height, as in R-CNN.

# %% tags=["core"]
class FastHead(nn.Module):
    def __init__(self, classes=18, size=5, width=128):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(112),
            nn.Flatten(),
            nn.Linear(112 * size * size, width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.classes = nn.Linear(width, classes)
        self.edges = nn.Linear(width, 4)

    def forward(self, grids):
        x = self.body(grids)  # (N, width)
        return self.classes(x), self.edges(x)

# %% [markdown]
# Both answers are learnt together: cross-entropy over all regions, and a Huber loss for the edges of those that hold an object. Background has no edges to move. So one training
# with one loss takes the place of R-CNN's separate classifier and regression.

# %% tags=["core"]
def fast_loss(scores, moves, labels, shares):
    found = labels > 0
    edges = F.smooth_l1_loss(5 * moves[found], 5 * shares[found],
                             reduction="sum", beta=0.5)
    mean = edges / (4 * max(int(found.sum()), 1))
    return F.cross_entropy(scores, labels) + mean

# %% tags=["fold"]
# Maps and regions of scenes to learn from, and of 40 that judge
import time
from functools import partial
from cvlab.regions import records
from cvlab.regions.fast_rcnn import detect, fit
from cvlab.regions.proposals import selective_search
from cvlab.regions.rcnn import sample_regions

learnt = make_scenes(160, split="train", seed=0, size=192)
judged = make_scenes(40, split="train", seed=5, size=192)
maps = map_of(learnt)
regions = [sample_regions(s, seed=i) for i, s in enumerate(learnt)]

def timed(work):
    """What `work` gives, and its milliseconds a judged scene."""
    begin = time.perf_counter()
    done = work()
    seconds = time.perf_counter() - begin
    return done, 1000 * seconds / len(judged)

proposals, ms_propose = timed(
    lambda: [selective_search(s.image) for s in judged])
judged_maps, ms_pass = timed(lambda: map_of(judged))

# %% [markdown]
# The head learns from 160 scenes, the same kind of regions as R-CNN. The network is frozen, so the maps are made once and every region is cut once; then an epoch is cheap. Two heads are trained, alike
# in everything but how their grids are cut.
#
# **Predict:** how much does the rounding cost, in AP and in AP50?

# %% tags=["nbval-ignore-output"]
rows, found, ms_head = [], {}, {}
for cut in (ops.roi_pool, ops.roi_align):
    head = fit(learnt, maps, regions, cut=cut)
    find = partial(detect, head, judged_maps, proposals, cut=cut)
    found[cut], ms_head[cut] = timed(find)
    numbers = judge(judged, found[cut]).numbers
    rows.append({"cut": cut.__name__, "AP": numbers["AP"],
                 "AP50": numbers["AP50"]})
draw.table(rows, digits=2)

# %% tags=["author"]
assert rows[1]["AP"] > rows[0]["AP"] + 0.02 and 0.3 < rows[1]["AP50"] < 0.8

# %% [markdown]
# Same scenes, same regions, same head, same seed: only the cut differs. RoI align is ahead. Here the stride is 16 and an object about 80 pixels wide, five cells, so half a cell matters; for larger
# objects or finer maps it matters less.

# %% tags=["fold", "nbval-ignore-output"]
# Draw the detections of four scenes with RoI align
four = [0, 1, 2, 3]
axes = show_many([judged[i].image for i in four], cols=4,
    titles=[f"{len(judged[i].labels)} objects" for i in four])
for ax, i in zip(axes, four, strict=True):
    one = found[ops.roi_align][i]
    told = one["scores"] > 0.4
    draw.draw_boxes(judged[i].boxes, color=draw.TRUTH, ax=ax)
    words = [judged[i].class_names[k] for k in one["labels"][told]]
    draw.draw_boxes(one["boxes"][told].numpy(), labels=words,
                    color=draw.PREDICTION, ax=ax)
draw.describe(axes[0], "Four scenes with true boxes in green "
              "and found boxes in blue, with their classes.")

# %% [markdown]
# Green is the truth, blue what was found with a score above 0.4. And the growing table? The earlier rows were recorded, three seeds each; their times are scaled by what one pass takes here.

# %% tags=["nbval-ignore-output"]
ms = ms_propose + ms_pass + ms_head[ops.roi_align]
live = {"way": "Fast R-CNN, live", "crops or passes a scene": 1.0,
        "ms a scene": ms, "AP": rows[1]["AP"], "AP50": rows[1]["AP50"]}
draw.table([*records.rows(until="Fast R-CNN", ms=ms_pass), live],
           digits={"crops or passes a scene": 0,
                   "ms a scene": 0, "AP": 2, "AP50": 2})

# %% [markdown]
# Hundreds of passes have become one. So where does the time go now?

# %% tags=["nbval-ignore-output"]
parts = {"propose regions": ms_propose,
         "one pass of the network": ms_pass,
         "cut, name, move, thin out": ms_head[ops.roi_align]}
draw.table([{"part": name, "ms a scene": each, "share": each / ms}
            for name, each in parts.items()],
           digits={"ms a scene": 0, "share": ".0%"})

# %% tags=["author"]
assert ms_propose > 0.25 * ms and ms_head[ops.roi_align] < ms

# %% tags=["fold"]
# Let the large tensors go
maps = regions = judged_maps = found = None

# %% [markdown]
# The network looks once, and no longer is it the only thing to wait for: a large share goes into *finding* regions, by rules that nobody trained and that never look at the map. The map is there already. Could it
# propose the regions itself? That is Faster R-CNN, and the next notebook.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("06a")
