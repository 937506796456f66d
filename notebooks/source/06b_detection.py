# minimum: code 140, check 5, widget 2
# %% [markdown]
# # 06b · Detection: anchors
#
# **How can a single look find everything in a picture?**
#
# In 06a every region was looked at, or at least proposed, by something that could not learn. Here the network does it all: it proposes, it names, it draws
# outlines, and in the end it answers for every place at once, trained in a minute. Then it leaves PyTorch.
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
# In 06a a region came first, from windows or from selective search, and the network was asked about it. From here on the network itself
# says where to look, and it starts from a grid of **anchors**: ready-made boxes, the same for every picture. Here is such a grid. A number on a true
# box is the IoU of its best anchor. Blue anchors would be told "this object is yours", white places "nothing here". Can you choose a grid that
# serves all four objects?

# %%
from cvlab.widgets import AnchorMatches

AnchorMatches()

# %% [markdown]
# ## 1 · A grid of guesses *(22 min)*
#
# A network's last layer has a fixed number of outputs. A scene has one object, or five, or none. How does a fixed number of outputs answer with a
# list of any length?
#
# Give every place of the last map a few guessed boxes to answer for. Each answer is "mine is an object" or "mine is not", and the list is what is left.
# Begin with a case for paper: a map of 2 x 2 places, 16 pixels from one to the next, and at each place one square of 8 pixels.

# %%
x, y = torch.meshgrid(torch.arange(2), torch.arange(2),
                      indexing="xy")  # (2, 2) each
places = torch.stack([x, y, x, y], dim=2) * 16  # (2, 2, 4)
shape = torch.tensor([-4, -4, 4, 4])  # around (0, 0)
print((places + shape).reshape(-1, 4))

# %% [markdown]
# Four anchors. The first is centred in the picture's corner, so that three quarters of it lie outside. That is torchvision's custom; others begin half
# a step further.
#
# Objects are not all squares of one size. So there are several **sizes** and several **ratios**, height over width. A ratio changes the form and keeps
# the area: the height is multiplied by the ratio's root, the width divided by it. Size 8 and ratio 4: 16 high, 4 wide.
#
# **Predict:** a map of 12 x 12 places, 3 sizes, 3 ratios. How many anchors?

# %% [markdown]
# **Exercise.** Write `make_anchors(height, width, stride, sizes, ratios)`: all anchors of a map, as `(height * width * A, 4)` corners x0, y0, x1, y1 in
# pixels. The place in row `r` and column `c` is centred at x = `c * stride`, y = `r * stride`. The order: row by row, place by place; at a place every
# ratio, and with each ratio every size.

# %% tags=["exercise"]
def make_anchors(height, width, stride, sizes, ratios):
    """Return (height * width * A, 4) boxes x0, y0, x1, y1."""
    ### BEGIN SOLUTION
    sizes = torch.as_tensor(sizes, dtype=torch.float32)
    root = torch.as_tensor(ratios, dtype=torch.float32).sqrt()[:, None]
    h = (root * sizes).flatten()  # (A,) every ratio with every size
    w = (1 / root * sizes).flatten()
    shapes = torch.stack([-w, -h, w, h], dim=1) / 2  # (A, 4)
    y = torch.arange(height)[:, None].expand(height, width)
    x = torch.arange(width).expand(height, width)
    places = torch.stack([x, y, x, y], dim=2) * stride  # (H, W, 4)
    return (places[:, :, None] + shapes).reshape(-1, 4)
    ### END SOLUTION

# %%
check(make_anchors)

# %% [markdown]
# The lesson goes on with the package's copy. torchvision has the same grid, in a class that asks the feature map for its size. Is it equal?

# %% tags=["fold"]
# torchvision's anchors for one map
import torchvision.models.detection.anchor_utils as theirs
from torchvision.models.detection.image_list import ImageList

def library_anchors(side, stride, sizes, ratios):
    generator = theirs.AnchorGenerator((tuple(sizes),),
                                       (tuple(ratios),))
    picture = torch.zeros(1, 3, side * stride, side * stride)
    images = ImageList(picture, [picture.shape[-2:]])
    return generator(images, [torch.zeros(1, 1, side, side)])[0]

# %%
from cvlab.detection.anchors import make_anchors

SIZES, RATIOS = [32, 64, 96], [0.5, 1, 2]
anchors = make_anchors(12, 12, 16, SIZES, RATIOS)
theirs = library_anchors(12, 16, SIZES, RATIOS)
print(len(anchors), "largest difference:",
      round((anchors - theirs).abs().max().item(), 2))
print("ours: ", anchors[0].numpy().round(2),
      "\ntheirs:", theirs[0].numpy())

# %% tags=["author"]
assert len(anchors) == 1296 and 0.3 < (anchors - theirs).abs().max() <= 0.5
step = torch.tensor([16.0, 0, 16, 0])
assert torch.allclose(anchors[9:18] - anchors[0:9], step, atol=1e-4)

# %% [markdown]
# 1,296 anchors, in the same order. They differ by up to half a pixel: torchvision rounds half the width and half the height to whole pixels, once, when
# the grid is made. It does no harm, as long as training and use have the same grid.
#
# A scene has five objects at most, so most of the 1,296 will have nothing to tell. Here are the nine of one place, and for each object the best of all.

# %% tags=["fold"]
# Draw the nine anchors of a place, and each object's best anchor
from cvlab.regions.geometry import box_iou

scene = make_scene(2, seed=5, size=192, objects=(2, 5))
truth = torch.from_numpy(scene.boxes)
best, place = box_iou(truth, anchors).max(dim=1)
nine = anchors.view(144, 9, 4)[6 * 12 + 6]
axes = show_many([scene.image] * 2, cols=2, titles=[
    "One of 144 places: nine boxes",
    f"The best of all: IoU {best.min():.2f} to {best.max():.2f}"])
at = np.arange(0, 192, 16)
axes[0].scatter(*np.meshgrid(at, at), s=4, c="white")
draw.draw_boxes(nine, color=draw.PALETTE[4], ax=axes[0])
draw.draw_boxes(truth, color=draw.TRUTH, ax=axes[1])
draw.draw_boxes(anchors[place], color=draw.PREDICTION, ax=axes[1])
draw.describe(axes[0], "A scene with a grid of places, and the "
    "nine anchors of one; then each object with its best anchor.")

# %% [markdown]
# The bus behind is flat and small, and no anchor comes nearer than 0.45.
#
# ### Shapes from the data
#
# Who says that 32, 64, 96 and three ratios are good? Let the training boxes say it. YOLOv2 sorted them into `k` groups by **k-means** and took the
# groups' mean shapes. Its distance is 1 - IoU, both boxes laid on one corner.

# %% tags=["core"]
def fit_shapes(sizes, k, distance, seed=0):
    """Return (k, 2) shapes in the midst of (N, 2) sizes."""
    dice = torch.Generator().manual_seed(seed)
    shapes = sizes[torch.randperm(len(sizes), generator=dice)[:k]]
    for _ in range(30):
        mine = distance(sizes, shapes).argmin(1)  # (N,) whose each is
        for j in range(k):
            if (mine == j).any():
                shapes[j] = sizes[mine == j].mean(0)
    return shapes

# %%
from cvlab.detection.shapes import shape_iou

def true_boxes(n, **options):
    return [torch.from_numpy(make_scene(i, size=192, **options).boxes)
            for i in range(n)]

boxes_of = true_boxes(300)  # 300 training scenes
every = torch.cat(boxes_of)
sizes_of = every[:, 2:] - every[:, :2]  # (N, 2)
fitted = fit_shapes(sizes_of, 3, lambda a, b: 1 - shape_iou(a, b))
print(len(every), "boxes; three shapes, w and h:",
      fitted.round().int().tolist())

# %% [markdown]
# **Predict:** which covers the boxes better, these three shapes, or nine chosen by hand: sizes 32, 64, 128, each in three ratios?

# %%
def by_hand(sizes, ratios):
    shapes = make_anchors(1, 1, 1, sizes, ratios)
    return shapes[:, 2:] - shapes[:, :2]

def covered(shapes, some=sizes_of):
    """Mean over the boxes of their best shape's IoU."""
    return shape_iou(some, shapes).amax(1).mean().item()

def apart(a, b):
    return 1 - shape_iou(a, b)

tried = {"by hand: 64": by_hand([64], [1]),
         "by hand: 32, 64, 128": by_hand([32, 64, 128], RATIOS),
         "by hand: 32, 64, 96": by_hand(SIZES, RATIOS)}
tried |= {f"fitted {k}": fit_shapes(sizes_of, k, apart)
          for k in (1, 3, 5, 9)}
rows = [{"shapes": name, "k": len(shapes),
         "mean best IoU": covered(shapes)}
        for name, shapes in tried.items()]
draw.table(rows, digits={"mean best IoU": 2})

# %% tags=["author"]
ious = [row["mean best IoU"] for row in rows]
assert ious[4] > ious[1] + 0.05 and ious[4] > ious[2] and ious[6] > ious[2] + 0.05
assert 0.75 < ious[4] < 0.8 and 0.66 < ious[1] < 0.7

# %% [markdown]
# Three fitted shapes beat either nine. Positions are left out here: what an anchor loses by its place comes on top.
#
# Why 1 - IoU, and not the plain distance of width and height? YOLOv2's reason: with the plain one, large boxes make larger errors than small ones. If
# that is the cause, a data set in which all boxes are about as large should not care. Our stickers have 24 to 58 % of the side. Try both distances on
# them, and on scenes with 6 to 70 %.

# %%
wide = torch.cat(true_boxes(200, sizes=(6, 70)))
wide = wide[:, 2:] - wide[:, :2]
distances = {"1 - IoU": apart, "plain": torch.cdist}
rows = []
for name, some in [("24 to 58 %", sizes_of), ("6 to 70 %", wide)]:
    small = some[some.prod(1).sqrt() < 32]
    for distance, function in distances.items():
        shapes = fit_shapes(some, 3, function)
        rows.append({"objects": name, "distance": distance,
                     "all": covered(shapes, some),
                     "under 32 px": covered(shapes, small),
                     "how many": len(small)})
draw.table(rows, digits={"all": ".2f", "under 32 px": ".2f"})

# %% tags=["author"]
alike, unlike = rows[:2], rows[2:]
assert abs(alike[0]["all"] - alike[1]["all"]) < 0.01
assert unlike[0]["under 32 px"] > unlike[1]["under 32 px"] + 0.05
assert abs(unlike[0]["all"] - unlike[1]["all"]) < 0.02
small = wide[wide.prod(1).sqrt() < 32]
better, worse = (covered(fit_shapes(wide, 3, d, seed=1), small) for d in (apart, torch.cdist))
assert better > worse + 0.04

# %% [markdown]
# So it is. Where sizes are alike, the two agree. Where they are not, the mean is nearly the same again, and the plain distance pays with the small boxes.
#
# **Trap: sizes that no object has.** The anchors of the first Faster R-CNN measure 128, 256 and 512 pixels, for photos with a short side of 600. Copied
# into a net for pictures of 192 pixels:

# %%
def served(sizes, stride=16):
    """Share of objects with an anchor of IoU 0.7, best IoU."""
    side = 192 // stride
    grid = make_anchors(side, side, stride, sizes, RATIOS)
    best = torch.cat([box_iou(b, grid).amax(1) for b in boxes_of])
    return (best >= 0.7).float().mean().item(), best.mean().item()

serves = {str(s): served(s) for s in ([128, 256, 512], SIZES)}
for sizes, (share, mean) in serves.items():
    print(f"{sizes}: {share:.0%} of the objects have an anchor "
          f"with IoU 0.7; mean best IoU {mean:.2f}")

# %% tags=["author"]
copied, better = serves.values()
assert copied[0] < 0.06 and 0.5 < better[0] < 0.65 and copied[1] < 0.4

# %% [markdown]
# No error, no warning: such a net trains, and it learns from guesses that are nearly all far off. Count, before you train, what your anchors can
# reach. Even the better grid leaves four objects in ten without an anchor of 0.7. What happens to them?

# %% [markdown]
# ## 2 · Whose box is it, and how far off *(34 min)*
#
# The answers need a teacher. Which of the 1,296 anchors shall say "object", and about which one? Start with four anchors and two objects, small enough
# for paper. Every number is an IoU.

# %%
few = torch.tensor([[0., 0, 10, 10], [0, 0, 10, 5],
                    [20, 0, 30, 4], [40, 40, 50, 50]])
two = torch.tensor([[0., 0, 10, 10], [20, 0, 30, 10]])
table = box_iou(two, few)  # (2, 4)
names = [f"anchor {n}" for n in range(4)]
draw.table([{"object": m, **dict(zip(names, row, strict=True))}
            for m, row in enumerate(table.tolist())],
           digits=dict.fromkeys(names, 1))

# %% [markdown]
# Three rules, in this order, with the thresholds of Faster R-CNN:
#
# - IoU of at least **0.7** with an object: **positive**. It answers for the object that it overlaps most. Anchor 0 does.
# - Less than **0.3** with every object: **negative**. It is to say "nothing here". Anchor 3 does.
# - In between: **ignored**. Half an object is neither a good example nor a bad one, so no loss is taken. Anchor 1 is.
#
# And anchor 2? Nobody overlaps object 1 better, but 0.4 is not enough. Object 1 would have no anchor, and would never be learnt. So there is a fourth
# rule: **an object's best anchor is positive, whatever its IoU**, and all that are equally good.

# %% [markdown]
# **Exercise.** Write `match_anchors(anchors, boxes, low=0.3, high=0.7)`: for each of the N anchors the place of its object in `boxes`, or -1 for negative,
# -2 for ignored, int64. The fourth rule holds for any IoU above 0; an anchor it rescues answers for the object that *the anchor* overlaps most. Without
# any boxes all anchors are negative. `box_iou` gives the table.

# %% tags=["exercise"]
def match_anchors(anchors, boxes, low=0.3, high=0.7):
    """Return (N,): the place of each anchor's object, -1 or -2."""
    ### BEGIN SOLUTION
    iou = box_iou(boxes, anchors)  # (M, N)
    if iou.numel() == 0:
        return torch.full((len(anchors),), -1)
    best, nearest = iou.max(dim=0)  # (N,) each
    match = nearest.clone()
    match[best < high] = -2
    match[best < low] = -1
    top = iou.amax(dim=1, keepdim=True)  # (M, 1) what no anchor beats
    kept = ((iou == top) & (top > 0)).any(dim=0)  # (N,)
    match[kept] = nearest[kept]
    return match
    ### END SOLUTION

# %%
check(match_anchors)

# %% [markdown]
# torchvision's `Matcher` takes the table and gives the same. On all 300 scenes?

# %%
from torchvision.models.detection._utils import Matcher
from cvlab.detection.anchors import match_anchors

print("four anchors:", match_anchors(few, two).tolist())
matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
matches = [match_anchors(anchors, b) for b in boxes_of]
equal = [torch.equal(m, matcher(box_iou(b, anchors)))
         for m, b in zip(matches, boxes_of, strict=True)]
print(f"equal on {sum(equal)} of {len(equal)} scenes")

# %% tags=["author"]
assert all(equal) and match_anchors(few, two).tolist() == [0, -2, 1, -1]

# %% [markdown]
# **Trap: one empty box.** A label can be broken: a box of width 0, say. It overlaps no anchor, so its best IoU is 0. **Predict:** how many anchors does
# torchvision's fourth rule give it?

# %%
broken = torch.tensor([[50.0, 60, 50, 90]])  # no width
theirs = matcher(box_iou(broken, anchors))
print("torchvision:", (theirs >= 0).sum().item(), "positive")
print("ours:", (match_anchors(anchors, broken) >= 0).sum().item())

# %% tags=["author"]
assert (theirs >= 0).sum() == 1296 and (match_anchors(anchors, broken) == -1).all()

# %% [markdown]
# All of them: every anchor equals the best, which is 0. torchvision's whole models refuse empty boxes before they match, the `Matcher` alone does not.
# That is what `top > 0` is for.
#
# What does the fourth rule save? Count the objects, with it and without.

# %%
def without_rule(grid, b):
    return box_iou(b, grid).amax(0) >= 0.7  # (N,) positive

reached = torch.cat([box_iou(b, anchors).amax(1) >= 0.7
                     for b in boxes_of])
owned = sum(len(m[m >= 0].unique()) for m in matches)
objects = len(reached)
draw.table([
    {"rule": "IoU of at least 0.7 only",
     "objects without an anchor": objects - reached.sum().item()},
    {"rule": "and each object's best one",
     "objects without an anchor": objects - owned}])

# %% tags=["author"]
assert objects == 833 and 0.36 < 1 - reached.float().mean() < 0.48
assert 1 <= objects - owned <= 6

# %% [markdown]
# Four objects in ten would have been lost without an error. A few are still lost: their best anchor overlaps a neighbour even more, and answers for it.
#
# Now count the anchors.

# %%
every_match = torch.stack(matches)  # (300, 1296)
kinds = {"positive": every_match >= 0, "ignored": every_match == -2,
         "negative": every_match == -1}
a_scene = {name: is_.float().sum(1).mean().item()
           for name, is_ in kinds.items()}
draw.table([{"anchors": name, "a scene": n, "share": n / 1296}
            for name, n in a_scene.items()],
           digits={"a scene": ".1f", "share": ".1%"})
print("negatives for each positive:",
      round(a_scene["negative"] / a_scene["positive"], -1))

# %% tags=["author"]
assert 3.5 < a_scene["positive"] < 5 and 1050 < a_scene["negative"] < 1150
assert 220 < a_scene["negative"] / a_scene["positive"] < 310

# %% [markdown]
# Four positives, eleven hundred negatives. A net that always says "nothing here" is right for 99 % of the anchors it is asked about. Faster R-CNN draws
# a small sample with up to half positives, which is the next sitting's; section 6 counts what the easy many do to a loss, and hushes them.
#
# ### How far off
#
# A positive anchor is near its object, not on it. So the net also says how to move the anchor to the object. In pixels? Take a fine grid with small
# anchors, and one twice as coarse with anchors twice as large, as section 7 will. How widely do the moves of their positives spread?

# %%
def positives(grid):
    """Return (P, 4) positive anchors and (P, 4) their boxes."""
    pairs = [(grid[m >= 0], b[m[m >= 0]]) for b in boxes_of
             for m in [match_anchors(grid, b)]]
    return [torch.cat(part) for part in zip(*pairs, strict=True)]

def measures(boxes):
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size / 2, size  # centre, size

fine, coarse = (make_anchors(192 // s, 192 // s, s, [3 * s], RATIOS)
                for s in (16, 32))
(a, size), (b, wanted) = map(
    measures, positives(torch.cat([fine, coarse])))
large = size.prod(1).sqrt() > 70
moves = {"move, px": b - a, "move, shares": (b - a) / size,
         "growth, px": wanted - size,
         "growth, log": (wanted / size).log()}
draw.table([{"anchors": name, "positives": len(a[some]), **{
    kind: v[some].std().item() for kind, v in moves.items()}}
    for name, some in [("48 px", ~large), ("96 px", large)]],
    digits={kind: ".1f" if "px" in kind else ".2f" for kind in moves})

# %% tags=["author"]
ratio = {kind: (v[large].std() / v[~large].std()).item() for kind, v in moves.items()}
assert 1.6 < ratio["move, px"] < 2.2 and 0.75 < ratio["move, shares"] < 1.05
assert 1.3 < ratio["growth, px"] < 1.8 and 0.7 < ratio["growth, log"] < 1

# %% [markdown]
# In pixels, the larger anchors need larger moves, almost twice. In shares of the anchor's own width and height, both need about the same. One set of
# weights answers for all anchors, so it helps when the answers are alike. Blow up scene and anchors, and the shares stay. For the growth it is less
# clear: 1.4 times in pixels, and as logarithms the *small* anchors need a little more.
#
# Why a logarithm, then? As a share, an object twice as wide is 1 more, one half as wide 0.5 less. The **logarithm** of the ratio treats both alike, 0.69
# and -0.69, and 0 is no change.

# %% [markdown]
# **Exercise.** Write `encode_boxes(boxes, anchors)`, both (N, 4), one anchor a box. Four numbers a row: how far the box's centre is to the right and down
# of the anchor's, in shares of the anchor's width and height; the natural logarithms of box width over anchor width, and of the heights.

# %% tags=["exercise"]
def encode_boxes(boxes, anchors):
    """Return (N, 4) offsets from each anchor to its box."""
    ### BEGIN SOLUTION
    size = anchors[:, 2:] - anchors[:, :2]  # (N, 2)
    wanted = boxes[:, 2:] - boxes[:, :2]
    centre, goal = anchors[:, :2] + size / 2, boxes[:, :2] + wanted / 2
    return torch.cat([(goal - centre) / size, (wanted / size).log()], 1)
    ### END SOLUTION

# %%
check(encode_boxes)

# %% [markdown]
# And back. Whatever the net says must become a box. **Predict:** which four numbers turn an anchor into a box of negative width?

# %% [markdown]
# **Exercise.** Write `decode_boxes(offsets, anchors)`, which undoes `encode_boxes`: move the centre, stretch the size. Before `exp`, let no logarithm
# exceed `np.log(1000 / 16)`.

# %% tags=["exercise"]
def decode_boxes(offsets, anchors):
    """Return (N, 4) boxes x0, y0, x1, y1."""
    ### BEGIN SOLUTION
    size = anchors[:, 2:] - anchors[:, :2]  # (N, 2)
    centre = anchors[:, :2] + size / 2 + offsets[:, :2] * size
    size = size * offsets[:, 2:].clamp(max=np.log(1000 / 16)).exp()
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)
    ### END SOLUTION

# %%
check(decode_boxes)

# %%
from torchvision.models.detection._utils import BoxCoder
from cvlab.detection.offsets import decode_boxes, encode_boxes

mine, goals = positives(anchors)
offsets = encode_boxes(goals, mine)
coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
back = decode_boxes(offsets, mine)
print("as torchvision's:",
      torch.equal(offsets, coder.encode_single(goals, mine)))
print("there and back, less than 0.001 px off:",
      ((back - goals).abs().max() < 1e-3).item())

# %% tags=["author"]
assert torch.equal(offsets, coder.encode_single(goals, mine))
assert torch.allclose(back, coder.decode_single(offsets, mine), atol=1e-4)
assert (back - goals).abs().max() < 1e-3

# %% [markdown]
# No four numbers give a negative width: `exp` is never below 0. A fresh net says anything, so try ten thousand random answers, and beside them the
# same numbers taken as shares that are added to the size.

# %%
dice = torch.Generator().manual_seed(0)
wild = torch.randn(10_000, 4, generator=dice)
anchor = torch.tensor([[64.0, 64, 128, 128]]).expand(10_000, 4)
boxes = decode_boxes(wild, anchor)
added = 64 * (1 + wild[:, 2:])  # width and height, in pixels
turned = {"exp": boxes[:, 2:] < boxes[:, :2], "adding": added < 0}
for name, bad in turned.items():
    print(f"by {name}: {bad.any(1).sum()} of 10000 inside out")

# %% tags=["author"]
assert (boxes[:, 2:] >= boxes[:, :2]).all()
assert 2500 < (added < 0).any(1).sum() < 3300

# %% [markdown]
# What does a wrong answer cost? Two true objects, 32 and 96 pixels wide. First both are answered 8 pixels too far to the right, then both 0.2 of their
# width. **Predict:** which pair is equally bad?

# %% tags=["fold"]
# Draw the same error on a small and on a large object
pair = torch.tensor([[24.0, 80, 56, 112], [80, 48, 176, 144]])
wide_by = pair[:, 2] - pair[:, 0]  # (2,)
wrong = {"8 pixels off": torch.full((2,), 8.0),
         "0.2 of the width off": 0.2 * wide_by}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True,
                         layout="constrained")
costs = {}
for ax, (name, by) in zip(axes, wrong.items(), strict=True):
    said = pair + by[:, None] * torch.tensor([1.0, 0, 1, 0])
    costs[name] = box_iou(pair, said).diagonal()
    ax.set(xlim=(0, 210), ylim=(150, 38), aspect="equal")
    draw.draw_boxes(pair, color=draw.TRUTH, ax=ax)
    draw.draw_boxes(said, color=draw.PREDICTION, ax=ax)
    for box, iou in zip(pair, costs[name], strict=True):
        ax.text(*box[:2] + torch.tensor([0, -3]), f"IoU {iou:.2f}")
    ax.set_title(f"{name}: IoU {costs[name][0]:.2f} "
                 f"and {costs[name][1]:.2f}")
    ax.axis("off")
draw.describe(axes[0], "Two true boxes and two shifted ones, twice.")

# %% tags=["author"]
assert torch.allclose(costs["8 pixels off"], torch.tensor([0.6, 88 / 104]))
assert torch.allclose(*costs["0.2 of the width off"])

# %% [markdown]
# 8 pixels cost the small object 0.40 of its IoU and the large one 0.15. An equal error in shares costs both the same. So a loss on these four numbers
# treats small and large alike, as IoU does.
#
# **Trap: a logarithm that runs away.** In the first steps of training the net may say anything, 100 for a log width too. What becomes of it without the
# limit?

# %%
said = torch.tensor([[0.0, 0, 100, 0]])
square = torch.tensor([[64.0, 64, 80, 80]])  # 16 px
width = 16 * said[:, 2].exp()
raw = torch.stack([72 - width / 2, 72 + width / 2])
print("without the limit:", raw.flatten().tolist())
print("infinity minus infinity:", (width - width).item())
print("with it:", decode_boxes(said, square).round().tolist())

# %% tags=["author"]
assert torch.isinf(raw).all() and torch.isnan(width - width).all()
assert torch.allclose(decode_boxes(said, square)[0, 2] - decode_boxes(said, square)[0, 0], torch.tensor(1000.0))

# %% [markdown]
# Infinite corners, and infinity minus infinity is NaN, which an IoU or a loss hands on to every weight. With the limit an anchor of 16 pixels grows to
# 1,000 and no further: wrong, but a number.
#
# You have a grid, its truths, and the four numbers to learn. The next sitting gives them to a network.

# %% tags=["fold"]
# Let go of what the next sitting does not need
matches = positive = every_match = kinds = wild = boxes = None

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
    return maps_of(images, batch=3, side=192)[:3]

learn = make_scenes(300, size=192)
tests = make_scenes(40, seed=5, size=192)
levels, seen = levels_of(learn), levels_of(tests)
boxes = [torch.from_numpy(scene.boxes) for scene in learn]
labels = [torch.from_numpy(scene.labels) for scene in learn]
truths = [torch.from_numpy(scene.boxes) for scene in tests]

# %% tags=["nbval-ignore-output"]
from cvlab.detection.two_stage import BoxHead as AnyHead

some, idle = tests[:8], AnyHead().eval()
done, clocks = {}, {}
def search():
    return [selective_search(scene.image) for scene in some]
def look():
    return levels_of(some)[2].float()
def name_them():
    return idle(done["look"], done["search"])

for work in (search, look, name_them):
    begin = perf_counter()
    with torch.no_grad():
        done[work.__name__] = work()
    clocks[work.__name__] = 1000 * (perf_counter() - begin) / 8
draw.table({"step": ["selective search", "one pass", "the head"],
    "ms a scene": clocks.values()}, digits=0)

# %% [markdown]
# Selective search takes a large part. Everything else is one pass and two small layers. And it never learns: it knows edges and colours, and no
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
# `train` of the package is a plain loop around it: 8 scenes a step, every second batch mirrored, AdamW, one cycle of the learning rate, 150 steps.
# **Predict:** which of the four starts highest, and which falls slowest?

# %% tags=["nbval-ignore-output"]
rpn, head, history = train(levels[2], boxes, labels,
                           steps=150, batch=8)
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
one_pass = clocks["look"]  # timed above
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
matches = idle = some = None

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
# Faster R-CNN looks twice: it proposes, then asks about each proposal. In 2016 one network answered at once. Cut the picture into cells. **The cell
# that holds an object's centre answers** for the object: something is here, its box, its class. All other cells say nothing. What does that gain,
# and what can it never say?

# %%
import torchvision
from cvlab.detection import pieces

scene = make_scene(8, size=192, objects=(3, 4))
boxes = torch.from_numpy(scene.boxes)    # (N, 4) in pixels
labels = torch.from_numpy(scene.labels)  # (N,)
centre = (boxes[:, :2] + boxes[:, 2:]) / 2
print((centre / 192 * 6).numpy().round(1))  # in cells, six a side

# %% [markdown]
# The whole part says which cell, the rest where in it. Five numbers and a class are what that cell is to answer.

# %% tags=["core"]
def grid_targets(boxes, labels, cells=6, side=192):
    target = torch.zeros(cells, cells, 6)
    for box, label in zip(boxes, labels, strict=True):
        centre = (box[:2] + box[2:]) / 2 / side * cells
        col, row = centre.long().clamp(max=cells - 1).tolist()
        size = ((box[2:] - box[:2]) / side).sqrt()
        target[row, col, 0] = 1
        target[row, col, 1:3] = centre - torch.tensor([col, row])
        target[row, col, 3:5] = size
        target[row, col, 5] = label
    return target

# %%
target = grid_targets(boxes, labels)
rows, cols = torch.nonzero(target[..., 0], as_tuple=True)
draw.table([{"cell": f"row {r}, column {c}",
             "x in it": float(target[r, c, 1]),
             "y in it": float(target[r, c, 2]),
             "root of w": float(target[r, c, 3]),
             "root of h": float(target[r, c, 4]),
             "class": scene.class_names[int(target[r, c, 5])]}
            for r, c in torch.stack([rows, cols], 1).tolist()],
    digits=2)

# %% tags=["fold"]
# Draw the scene, its cells, and the cells that answer
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
show(scene.image, ax=ax, title=f"{len(rows)} cells answer, "
     f"{36 - len(rows)} say nothing")
for k in range(1, 6):
    ax.axhline(32 * k, color="white", lw=0.8)
    ax.axvline(32 * k, color="white", lw=0.8)
for r, c in torch.stack([rows, cols], 1).tolist():
    ax.add_patch(plt.Rectangle((32 * c, 32 * r), 32, 32, lw=3,
        fc=(0, 0.45, 0.7, 0.35), ec=draw.PREDICTION))
ax.plot(*centre.T.numpy(), "o", color=draw.TRUTH, ms=7,
        markeredgecolor="white")
draw.draw_boxes(scene.boxes, color=draw.TRUTH, ax=ax,
    labels=[scene.class_names[k] for k in scene.labels])
draw.describe(ax, "A scene under a grid of 6 by 6 cells; those "
              "that hold the centre of an object are outlined.")

# %% tags=["author"]
assert len(rows) == len(boxes) >= 3

# %% [markdown]
# The roots make an error of four pixels weigh more in a small box than in a large one. The first YOLO's loss is a sum of squares: the box counts
# five times, the doubt of empty cells a half, because there are so many. (We leave out its second box a cell, and let a sure answer be 1 where it
# took the IoU.)

# %% tags=["core"]
def yolo_loss(answer, target):
    p = answer.sigmoid()
    there = target[..., 0] == 1  # (B, cells, cells)
    found, truth = p[there], target[there]  # (n, 22), (n, 6)
    where = ((found[:, 1:5] - truth[:, 1:5]) ** 2).sum()
    sure = ((found[:, 0] - 1) ** 2).sum()
    nothing = (p[~there][:, 0] ** 2).sum()
    one_hot = F.one_hot(truth[:, 5].long(), p.shape[-1] - 5)
    what = ((found[:, 5:] - one_hot) ** 2).sum()
    return (5 * where + sure + 0.5 * nothing + what) / len(p)

# %%
unsure = torch.zeros(1, 6, 6, 5 + 17)  # every answer is 0.5
empty = grid_targets(torch.zeros(0, 4), torch.zeros(0))
print(f"this scene: {yolo_loss(unsure, target[None]):.2f}")
print(f"without objects: {yolo_loss(unsure, empty[None]):.2f}")

# %% tags=["author"]
assert yolo_loss(unsure, empty[None]) == 4.5 and yolo_loss(unsure, target[None]) > 12

# %% [markdown]
# A scene without objects costs 36 doubts, 0.5 times a quarter each: finite, and quite right. But a cell has **one** answer. **Predict:** in how
# many of 200 scenes do two centres share a cell, with 3, 6, 12 cells a side?

# %%
many = make_scenes(200, split="train", seed=0, size=192)

def crowded(cells):
    """Scenes with a shared cell, and objects that are lost."""
    scenes = lost = 0
    for s in many:
        middle = (s.boxes[:, :2] + s.boxes[:, 2:]) / 2
        cell = (middle / 192 * cells).astype(int)
        gone = len(cell) - len(np.unique(cell, axis=0))
        scenes, lost = scenes + (gone > 0), lost + gone
    return scenes, lost

total = sum(len(s.boxes) for s in many)
counts = {cells: crowded(cells) for cells in (3, 6, 12)}
draw.table([{"cells a side": cells, "scenes with a shared cell": n,
             "objects lost": lost, "of all objects": lost / total}
            for cells, (n, lost) in counts.items()],
    digits={"of all objects": ".1%"})

# %% tags=["author"]
lost = [counts[cells][1] for cells in (3, 6, 12)]
assert lost[0] > 3 * lost[1] > 3 * lost[2] and lost[0] / total > 0.05

# %% [markdown]
# No training mends that: the answer has no room for a second object. Finer cells help. So do *several* answers a cell, if each has a job of its
# own.
#
# ### Sizes to begin from (v2)
#
# Version 2 gives each cell a few **priors**, boxes to begin from: section 1's anchors, their shapes chosen by k-means with 1 - IoU as the distance.
# How well does a set fit? Each object's IoU with the best prior, both moved to one centre.

# %%
from cvlab.detection.priors import k_means, shape_iou

everything = torch.from_numpy(np.concatenate(
    [s.boxes for s in many]))
sizes = everything[:, 2:] - everything[:, :2]  # (N, 2)
by_hand = torch.tensor([[32.0, 32], [64, 64], [128, 128]])
fit = shape_iou(sizes, by_hand).max(1).values.mean()
print(f"three squares by hand: mean best IoU {fit:.2f}")

# %%
learnt = {k: k_means(sizes, k) for k in (1, 2, 3, 5, 9)}
fits = {k: shape_iou(sizes, p).max(1).values.mean().item()
        for k, p in learnt.items()}
draw.table([{"priors": k, "mean best IoU": fits[k], "sizes":
             ", ".join(f"{w:.0f} x {h:.0f}" for w, h in p[:3])
             + (" …" if k > 3 else "")}
            for k, p in learnt.items()], digits=2)

# %% tags=["author"]
assert fits[1] < fits[2] < fits[3] < fits[5] < fits[9] and fits[3] > fit + 0.05

# %% [markdown]
# Two learnt priors already fit better than our three by hand, which is a fact about boxes. Whether a *detector* gets better is another question.
# Keep it for the table.
#
# ### What a sigmoid cannot say (v4, v5)
#
# Where in the cell? A sigmoid answers between 0 and 1. **Predict:** which logit says "exactly on the border"? Versions 4 and 5 stretch the answer
# around its middle, by 1.2 or by 2.

# %%
def logit_for(place, reach):
    """What the net must answer for a place in its cell."""
    return torch.logit(0.5 + (place - 0.5) / reach)

place = torch.tensor([0.5, 0.9, 0.99, 0.999, 1.0])
draw.table({"place in the cell": place.tolist()} | {
    f"sigmoid x {reach}": logit_for(place, reach).tolist()
    for reach in (1.0, 1.2, 2.0)}, digits={"place in the cell": 3,
    "sigmoid x 1.0": 1, "sigmoid x 1.2": 1, "sigmoid x 2.0": 1})

# %%
inside = np.concatenate([(s.boxes[:, :2] + s.boxes[:, 2:]) / 2
                         for s in many]) / 192 * 12 % 1  # (N, 2)
edge = np.minimum(inside, 1 - inside).min(1)
for share in (0.01, 0.05, 0.1):
    print(f"within {share:.0%} of a border:",
          f"{(edge < share).mean():.0%}")

# %% tags=["author"]
assert torch.isinf(logit_for(place, 1.0)[-1]) and abs(logit_for(place, 2.0)[-1] - 1.0986) < 1e-3
assert 0.1 < (edge < 0.05).mean() < 0.35

# %% [markdown]
# A plain sigmoid needs an infinite logit; stretched by two, 1.1 is enough. About a fifth of all centres lie within a twentieth of a border, on one
# axis or the other.
#
# ### A loss that is the score (v4)
#
# Squared errors of x, y, w, h are not what a detector is judged by. IoU is. But apart boxes all have IoU 0. **GIoU** subtracts the empty share of
# the *hull*, the smallest box around both; **DIoU** the squared distance of the centres, as a share of the hull's squared diagonal; **CIoU** also
# how far the shapes differ.

# %% tags=["core"]
def overlap_parts(a, b):
    low = torch.max(a[:, :2], b[:, :2])
    high = torch.min(a[:, 2:], b[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)  # (N,)
    areas = [(x[:, 2:] - x[:, :2]).prod(1) for x in (a, b)]
    low = torch.min(a[:, :2], b[:, :2])
    high = torch.max(a[:, 2:], b[:, 2:])
    return inter, areas[0] + areas[1] - inter, high - low

def giou(a, b, eps=1e-7):
    inter, union, hull = overlap_parts(a, b)
    hull = hull.prod(1)  # (N,)
    return inter / (union + eps) - (hull - union) / (hull + eps)

# %% tags=["core"]
def diou(a, b, eps=1e-7):
    inter, union, hull = overlap_parts(a, b)
    apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2
    apart, hull = (apart**2).sum(1), (hull**2).sum(1)
    return inter / (union + eps) - apart / (hull + eps)

def ciou(a, b, eps=1e-7):
    inter, union, _ = overlap_parts(a, b)
    shapes = [x[:, 2:] - x[:, :2] for x in (a, b)]
    turn = [torch.atan2(*shape.unbind(1)) for shape in shapes]
    v = 4 / torch.pi**2 * (turn[0] - turn[1]) ** 2  # (N,) 0 to 1
    with torch.no_grad():
        weight = v / (1 - inter / (union + eps) + v + eps)
    return diou(a, b, eps) - weight * v

# %%
truth = torch.tensor([[40.0, 40, 80, 80]])
guesses = {"near, apart": [90, 40, 130, 80],
           "far": [150, 40, 190, 80],
           "inside, the middle": [50, 50, 70, 70],
           "inside, a corner": [40, 40, 60, 60],
           "inside, flat": [40, 55, 80, 65]}

def iou(a, b):
    inter, union, _ = overlap_parts(a, b)
    return inter / union

kinds = {"IoU": iou, "GIoU": giou, "DIoU": diou, "CIoU": ciou}
rows = [{"guess": name} | {kind: f(torch.tensor([box]).float(),
        truth).item() for kind, f in kinds.items()}
        for name, box in guesses.items()]
theirs = torchvision.ops.complete_box_iou_loss(
    torch.tensor([*guesses.values()]).float(), truth.expand(5, 4))
ours = torch.tensor([row["CIoU"] for row in rows])
print("torchvision's CIoU is 1 - ours:",
      torch.allclose(theirs, 1 - ours, atol=1e-6))
draw.table(rows, digits=2)

# %% tags=["author"]
by = {row["guess"]: row for row in rows}
assert torch.allclose(theirs, 1 - ours, atol=1e-6) and by["far"]["IoU"] == by["near, apart"]["IoU"] == 0
assert by["far"]["GIoU"] < by["near, apart"]["GIoU"] < 0
assert abs(by["inside, the middle"]["GIoU"] - by["inside, a corner"]["GIoU"]) < 1e-4 < by["inside, the middle"]["DIoU"] - by["inside, a corner"]["DIoU"]
assert by["inside, flat"]["CIoU"] < by["inside, flat"]["DIoU"] - 0.01 and all(abs(by[k]["CIoU"] - by[k]["DIoU"]) < 1e-4 for k in ("far", "inside, a corner"))

# %% [markdown]
# Each measure tells apart what the one before cannot. Now go downhill on each: 200 boxes anywhere in the picture, each with a truth elsewhere, only
# the four numbers learn. **Predict:** what becomes of those that begin apart, under plain IoU?

# %%
rng = torch.Generator().manual_seed(0)
at, goal = (192 * torch.rand(200, 2, generator=rng) for _ in "ab")
size, wish = (30 + 60 * torch.rand(200, 2, generator=rng)
              for _ in "ab")
start = torch.cat([at / 50, size.log()], 1)  # centre, log size
goal = torch.cat([goal - wish / 2, goal + wish / 2], 1)

def descended(measure, steps=200):
    """Mean IoU with the truth, before each step."""
    box, path = start.clone().requires_grad_(), []
    optimizer = torch.optim.Adam([box], lr=0.02)
    for _ in range(steps):
        centre, half = 50 * box[:, :2], box[:, 2:].exp() / 2
        corners = torch.cat([centre - half, centre + half], 1)
        loss = (1 - measure(corners, goal)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(iou(corners, goal).mean().item())
    return path

paths = {name: descended(f) for name, f in kinds.items()}

# %% tags=["fold"]
# Draw how well the boxes fit, step by step
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
for k, (name, path) in enumerate(paths.items()):
    ax.plot(path, color=draw.PALETTE[k], label=name, lw=2)
ax.set(xlabel="step", ylabel="mean IoU with the truth",
       ylim=(0, 1), title="Plain IoU ends at "
       f"{paths['IoU'][-1]:.2f}, CIoU at {paths['CIoU'][-1]:.2f}")
draw.label_lines(ax)
draw.describe(ax, "Mean IoU of 200 boxes that descend on 1 minus "
              "IoU, GIoU, DIoU and CIoU, by step.")

# %% tags=["author"]
ends = {name: path[-1] for name, path in paths.items()}
assert ends["IoU"] < 0.5 < 0.7 < min(ends["GIoU"], ends["DIoU"], ends["CIoU"])

# %% [markdown]
# A box that touches nothing gets no slope from plain IoU: it stays. The three others pull it over.
#
# ### Each piece alone
#
# One piece is of the data: a **mosaic** lays parts of four scenes around a point. More objects a step, some of them cut, and new neighbours.

# %%
from cvlab.detection.mosaics import mosaic

image, cut, kinds_there = mosaic(many, np.random.default_rng(3))
ax = show(image, title=f"A mosaic: {len(cut)} objects")
draw.draw_boxes(cut, color=draw.TRUTH, ax=ax,
    labels=[scene.class_names[k] for k in kinds_there])
draw.describe(ax, "Parts of four scenes in one, with boxes.")

# %% [markdown]
# Does a detector get better by them? Same frozen features, 12 x 12 cells, the same 1,000 scenes, equal steps. The base is the grid that you built,
# with cross-entropy for confidence and class. Every row changes **one** thing. The trainings are recorded; `data/make_yolo.py` repeats them.
# **SPP** adds the largest values nearby to the coarse map. With two branches one answers "what", the other "where". **Predict:** which row gains
# most?

# %%
record = pieces.yolo_record()
ways = list(dict.fromkeys(run["way"] for run in record["runs"]))
runs = len({run["seed"] for run in record["runs"]})
def mean(way, style="seen", number="AP"):
    return pieces.scores_of(record, way, style, number).mean()

print("runs of each:", runs)
draw.table([{"what is changed": way, "AP": mean(way),
    "gain": mean(way) - mean("base"),
    "AP50": mean(way, number="AP50"), "AP75": mean(way, number="AP75"),
    "AP, unseen": mean(way, "unseen")} for way in ways],
    digits={"AP": 3, "gain": "+.3f", "AP50": 3, "AP75": 3,
            "AP, unseen": 3})

# %% tags=["author"]
gain = {way: mean(way) - mean("base") for way in ways}
assert gain["squared errors for all (v1)"] < -0.05 and max(gain["3 priors by hand"], gain["3 priors by k-means (v2)"]) < -0.03
assert np.ptp(pieces.scores_of(record, "pooled context, SPP (v3-spp)", "seen")) < 0.031
assert gain["two branches (YOLOX)"] > 0.015 and max(gain[w] for w in ("pooled context, SPP (v3-spp)", "mosaic (v4)", "stretched sigmoid (v4, v5)")) < 0.015 and mean("base") > 0.15 and abs(gain["GIoU for the box"] - gain["CIoU for the box (v4)"]) < 0.02
whole, freed, dear = "all that YOLOX has", "centre may leave its cell", "the same, cells chosen by cost (YOLOX)"
assert gain[whole] > 4.5 * max(g for way, g in gain.items() if way != whole) and gain[freed] < 0 and gain[dear] > gain[freed] + 0.01
assert all(mean(w, number="AP75") > mean("base", number="AP75") and mean(w, number="AP50") < mean("base", number="AP50") for w in ("GIoU for the box", "CIoU for the box (v4)"))

# %% [markdown]
# Squared errors, the first YOLO's loss, halve what is found. Priors fit boxes better, and these detectors get *worse*: each of three answers a cell
# sees a part of the examples only. (That cause is a guess; more steps would test it.) CIoU does what it promises, tighter boxes: AP75 rises. It
# pays at AP50, and GIoU does the same. Two branches give a little; pooled context, mosaic and the stretched sigmoid nothing that is sure: two runs
# of one row differ by up to 0.03.
#
# **And then the last row.** All together gain five times the best single piece. Alone, most help nothing; they need each other. So "each piece
# alone" is one way to ask, "all but one" another. Ask both of your own detector.

# %% [markdown]
# ### Without priors (YOLOX)
#
# **YOLOX** (2021) threw the priors out again. Each place says one box, and its centre may leave the cell; so several cells *could* answer for an
# object. **SimOTA** lets a cost decide: what a cell's class and box would lose right now. The sum of the ten best IoUs says how many cells an
# object gets, the cheapest get it. Compare the two rows "centre may leave its cell" and "cells chosen by cost": the room alone costs AP, the choice
# wins it back.

# %% [markdown]
# ## 6 · The easy many *(28 min)*
#
# A dense detector answers for every anchor of every cell, nearly always "nothing here". How many answers are that, and what do they do to the loss?

# %%
from cvlab.detection import pieces
from cvlab.detection.anchors import make_anchors, match_anchors

anchors = make_anchors(12, 12, 16, sizes=[45, 65, 95],
                       ratios=[0.5, 1, 2])  # nine a place
match = torch.stack([
    match_anchors(anchors, torch.from_numpy(s.boxes), 0.4, 0.5)
    for s in make_scenes(40, split="train", size=192)])
found = (match >= 0).sum().item()
nothing = (match == -1).sum().item()
print(f"{len(anchors)} anchors a scene;",
      f"one finds something, {nothing / found:.0f} do not")

# %% tags=["author"]
assert 15 < nothing / found < 40

# %% [markdown]
# And each anchor answers for 17 classes, by 17 sigmoids: a positive anchor still says "no" sixteen times. Here is a **real batch**: sixteen scenes,
# and what a head said of them that was trained with cross-entropy. Logits are kept in tenths, with how often each stood for a "yes" and for a "no"
# in truth.

# %%
logits, no, yes = pieces.batch_logits(
    "weighted cross-entropy, alpha 0.75", 250)
easy = logits < -2.15  # "no", said with 0.9 and more
ce_no, ce_yes = F.softplus(logits), F.softplus(-logits)

def shares(on_no, on_yes):
    """Who carries the loss: easy negatives, others, positives."""
    total = (no * on_no).sum() + (yes * on_yes).sum()
    parts = (no * on_no)[easy], (no * on_no)[~easy], yes * on_yes
    return [(part.sum() / total).item() for part in parts]

print(f"{no.sum() / yes.sum():.0f} negatives for each positive,",
      f"{no[easy].sum() / no.sum():.1%} of them easy")
by_easy, _, by_yes = shares(ce_no, ce_yes)
print(f"of the cross-entropy, easy ones carry {by_easy:.0%},",
      f"positives {by_yes:.0%}")

# %% tags=["author"]
carried = shares(ce_no, ce_yes)
assert 380 < no.sum() / yes.sum() < 470 and no[easy].sum() / no.sum() > 0.98 and 0.4 < carried[0] < 0.6 and 0.35 < carried[2] < 0.5

# %% [markdown]
# Each easy "no" costs almost nothing. There are so many that together they carry *half* of the loss, more than all objects. A net can lower it by
# saying the same "no" a little louder.
#
# **Focal loss** multiplies the cross-entropy of each answer by `(1 - p of the truth) ** gamma`. Surely right: nearly 0. Wrong: nearly 1. And
# `alpha` weights positives, `1 - alpha` negatives.

# %%
p = torch.linspace(0.01, 0.99, 99)  # of the truth
z = torch.logit(p).requires_grad_()
curves = {}
for gamma in (0, 1, 2, 5):
    loss = (1 - z.sigmoid()) ** gamma * F.softplus(-z)
    slope, = torch.autograd.grad(loss.sum(), z)
    curves[gamma] = loss.detach(), -slope

# %% tags=["fold"]
# Draw the losses and their pull
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True,
                            layout="constrained")
for k, (gamma, both) in enumerate(curves.items()):
    for ax, values in zip(axes, both, strict=True):
        ax.plot(p, values, color=draw.PALETTE[k], lw=2,
                label=f"gamma {gamma}")
at = 89  # p = 0.9
gain = (curves[0][0][at] / curves[2][0][at]).item()
axes[0].set(ylim=(0, 3), ylabel="loss", xlabel="p of the truth",
    title=f"Gamma 2: {gain:.0f} times less at 0.9")
axes[1].set(ylabel="pull on the logit", xlabel="p of the truth",
    title="What is surely right lets go")
draw.label_lines(axes[1])
draw.describe(axes[0], "Focal loss by the probability of the "
    "truth, for gamma 0, 1, 2 and 5, and its slope by the logit.")

# %% tags=["author"]
assert abs(gain - 100) < 1

# %% [markdown]
# **Exercise.** Write the focal loss: a loss for every answer. `targets` are 1 for a positive and 0 for a negative; the sigmoid is inside. Take
# `F.binary_cross_entropy_with_logits` with `reduction="none"`, so that sure answers stay finite.

# %% tags=["exercise"]
def focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    ### BEGIN SOLUTION
    ce = F.binary_cross_entropy_with_logits(
        logits, targets, reduction="none")
    p = logits.sigmoid()
    right = p * targets + (1 - p) * (1 - targets)  # p of the truth
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (1 - right) ** gamma * ce
    ### END SOLUTION

# %%
check(focal_loss)

# %% [markdown]
# The lesson goes on with the package's copy. Is it the library's? And who carries the loss of the real batch now?

# %%
from torchvision.ops import sigmoid_focal_loss
from cvlab.detection import losses

ones, zeros = torch.ones(301), torch.zeros(301)
print("equal to torchvision's:", all(torch.allclose(
    losses.focal_loss(logits, t), sigmoid_focal_loss(logits, t))
    for t in (ones, zeros)))

rows = []
for alpha, gamma in ((0.5, 0), (0.9, 0), (0.5, 0.5), (0.5, 2),
                     (0.25, 2)):
    parts = shares(losses.focal_loss(logits, zeros, alpha, gamma),
                   losses.focal_loss(logits, ones, alpha, gamma))
    rows.append({"alpha": alpha, "gamma": gamma,
                 "easy negatives": parts[0],
                 "other negatives": parts[1], "positives": parts[2]})
draw.table(rows, digits={"alpha": 2, "gamma": 1} | dict.fromkeys(
    ("easy negatives", "other negatives", "positives"), ".1%"))

# %% tags=["author"]
by = {(row["alpha"], row["gamma"]): row for row in rows}
assert by[0.5, 2]["easy negatives"] < 0.01 < 0.1 < by[0.9, 0]["easy negatives"] < 0.15 < by[0.5, 0]["easy negatives"]
assert by[0.25, 2]["positives"] < by[0.5, 2]["positives"] and by[0.25, 2]["positives"] > 0.9
assert all(torch.allclose(losses.focal_loss(logits, t), sigmoid_focal_loss(logits, t)) for t in (ones, zeros))

# %% [markdown]
# With gamma 2 the easy ones are silent, and the positives carry nearly all. So they may weigh less: RetinaNet's authors found 0.25 best for gamma
# 2, and 0.75 for gamma 0. Turn both. **Predict:** can alpha alone do it?

# %%
from cvlab.widgets import FocalLoss

FocalLoss()

# %% [markdown]
# ### The first step
#
# An untrained sigmoid says 0.5 to everything. RetinaNet's second trick is one line: begin with the bias at `-log((1 - p) / p)`, so that every
# anchor says p = 0.01. **Predict:** how far does the first loss fall?

# %%
bias = -np.log((1 - 0.01) / 0.01)

def first_loss(logit, gamma):
    """Of the batch, if all say one thing; for each positive."""
    z = torch.full((301,), float(logit))
    by = [losses.focal_loss(z, t, 0.5, gamma) for t in (zeros, ones)]
    total = (no * by[0]).sum() + (yes * by[1]).sum()
    return (2 * total / yes.sum()).item()  # both weights are 1

draw.table([{"first answer": said, "logit": z,
             "cross-entropy": first_loss(z, 0),
             "focal, gamma 2": first_loss(z, 2)}
            for said, z in ((0.5, 0), (0.01, bias))], digits=2)

# %% tags=["author"]
assert first_loss(0, 0) > 25 * first_loss(bias, 0) and 250 < first_loss(0, 0) < 350 and first_loss(bias, 0) < 10
assert first_loss(0, 2) > 10 * first_loss(bias, 2)

# %% [markdown]
# ### Or leave the easy ones out
#
# There is another way: train on few negatives. R-CNN drew them at random. **SSD** sorts the negatives by their loss and keeps the hardest, three
# for each positive. **OHEM**, online hard example mining, is the same idea in Fast R-CNN: whatever costs most now is trained on now.

# %%
def hardest(losses, positive, times=3):
    """Which anchors count: all positives, the worst negatives."""
    keep = positive.clone()
    of_no = losses.masked_fill(positive, -1)
    keep[of_no.topk(times * int(positive.sum())).indices] = True
    return keep

cost = torch.tensor([0.1, 2.0, 0.3, 0.9, 0.2, 0.7])
positive = torch.tensor([True, False, False, False, False, False])
print(hardest(cost, positive).tolist())

# %% [markdown]
# Now each of them for 250 steps, from the same weights, on the same batches. "Rare at the start" is the bias. The trainings are recorded;
# `data/make_focal.py` repeats them. **Predict:** which matters more, the loss or the start?

# %%
record = pieces.focal_record()
ways = list(dict.fromkeys(run["way"] for run in record["runs"]))
rows = []
for way in ways:
    runs = [run for run in record["runs"] if run["way"] == way]
    seen = pieces.scores_of(record, way, "seen")
    rows.append({"loss of the classes": way,
        "first": np.mean([run["first loss"] for run in runs]),
        "AP": seen.mean(), "least": seen.min(), "most": seen.max()})
draw.table(rows, digits={"first": 1, "AP": 3, "least": 3, "most": 3})

# %% tags=["author"]
ap = {row["loss of the classes"]: row["AP"] for row in rows}
start = "cross-entropy, rare at the start"
assert ap[start] > 4 * ap["cross-entropy"] and ap[start] > max(ap[w] for w in ap if w.startswith(("3 ", "weighted")))
assert ap["focal, rare at the start (RetinaNet)"] > 3 * ap["focal"] and ap[start] > ap["focal, rare at the start (RetinaNet)"]
assert all(ap[w] > 2 * ap["cross-entropy"] for w in ap if w.startswith("3 ")) and rows[0]["first"] > 30 * rows[1]["first"]

# %% [markdown]
# The first loss says it: where every "no" begins at 0.5, many of the steps go into saying "no". Beginning at 0.01, the same cross-entropy finds six
# times as much. **The start matters most here**, for the focal loss too. With it, plain cross-entropy is even ahead. Few negatives help as well,
# without any bias, and *the hardest* are no better than any three.
#
# RetinaNet's paper saw the same first step: without that bias its training fell apart, with it plain cross-entropy reached 30.2 AP on COCO. Focal
# loss made that 34.0, over 90,000 steps, with 100,000 anchors a picture. We have 1,296 and 250 steps. Whether the focal loss wins here as well,
# with finer cells or more steps, is yours to try: `data/make_focal.py`.
#
# ### No number, no loss

# %%
none = torch.full((len(anchors), 17), float(bias))
empty = match_anchors(anchors, torch.zeros(0, 4))  # no object
loss = losses.focal_loss(none, torch.zeros(none.shape)).sum()
print("positives:", (empty >= 0).sum().item(),
      f"loss: {loss / max((empty >= 0).sum().item(), 1):.3f}")

# %% tags=["author"]
assert torch.isfinite(loss) and (empty == -1).all()

# %% [markdown]
# **Trap:** divide by the number of positives, and a batch without objects divides by 0. Divide by at least 1. A NaN from elsewhere should not be
# trained on silently:

# %% tags=["raises-exception"]
wrong = torch.full((2, 17), torch.nan)
losses.focal_loss(wrong, torch.zeros(2, 17))

# %% tags=["fold"]
# Let the scenes go
many = everything = None

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
# A boat far away is 12 pixels long, a bus nearby 130. One network makes maps of three strides from the same picture. Which of them should answer for the
# boat, and which for the bus?

# %% tags=["fold"]
# A scene with small and large objects, and the cells of three maps
from cvlab.detection.pyramid import STRIDES, places

WIDE = (6, 70)  # an object's longer side, percent of the picture's

def span(scene):  # the longest object over the shortest
    longer = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max(1)
    return longer.max() / longer.min() * (len(longer) > 2)

wide = max(make_scenes(40, split="train", seed=5, size=192,
                       sizes=WIDE), key=span)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2),
                            layout="constrained")
for ax, stride in zip(axes, STRIDES, strict=True):
    ax.imshow(wide.image)
    draw.draw_boxes(wide.boxes, color=draw.TRUTH, ax=ax)
    ax.set(xticks=np.arange(0, 192, stride) - 0.5, xticklabels=[],
           yticks=np.arange(0, 192, stride) - 0.5, yticklabels=[],
           title=f"stride {stride}: {(192 // stride) ** 2} cells")
    ax.grid(color="white", linewidth=0.4)
    ax.tick_params(length=0)
draw.describe(axes[0], "One scene under three grids: a cell of stride "
    "32 holds the smallest object whole, one of stride 8 a small part "
    "of the largest");

# %% [markdown]
# A cell knows more than its square: what can change its numbers is its *receptive field* (lesson 02). **Predict:** can a cell of the finest map see the
# largest object whole?

# %%
from cvlab.convolutions.receptive import receptive_field, spatial_layers
from cvlab.transfer_learning.backbone import backbone

net = backbone()
layers, rows = spatial_layers([net.conv_stem]), []
for k, block in enumerate(net.blocks):
    layers = layers + spatial_layers(block)
    if k in (2, 4, 6):  # the last block of a stride
        stride = STRIDES[len(rows)]
        rows.append({"stride": stride, "cells": (192 // stride) ** 2,
                     "layers before it": len(layers),
                     "receptive field": receptive_field(layers)})
draw.table(rows, units={"stride": "px", "receptive field": "px"})

# %% tags=["author"]
assert [row["receptive field"] for row in rows] == [67, 339, 851]

# %% [markdown]
# No: it sees 67 pixels, through six layers. A cell of the coarsest map can see the whole picture, through seventeen; but there are only 36 of them, and the
# smallest objects fill a small part of one.
#
# **SSD** (Liu et al., 2016) concludes: *each map answers for the objects of its size*. Here that is a longer side of 3 to 6 strides. Of the cells inside a
# box only those near its middle are asked, as in FCOS (Tian et al., 2019): no anchors, nothing to match.

# %% tags=["core"]
def targets(boxes, labels, cells, radius=1.5):
    if not len(boxes):
        return torch.full((len(cells),), -1), torch.zeros(len(cells), 4)
    x, y, stride = cells.T[..., None]  # (P, 1) each
    first, last = boxes[:, :2], boxes[:, 2:]  # (N, 2) each
    sides = [x - first[:, 0], y - first[:, 1],
             last[:, 0] - x, last[:, 1] - y]
    far = (cells[:, None, :2] - (first + last) / 2).abs().amax(-1)  # (P, N)
    longer = (last - first).amax(-1)
    fits = (torch.stack(sides).amin(0) > 0) & (far < radius * stride)
    fits &= (longer > 3 * stride) | (stride == stride.min())
    fits &= (longer <= 6 * stride) | (stride == stride.max())
    area = (last - first).prod(-1).expand_as(far)
    smallest, which = area.where(fits, torch.inf).min(1)  # (P,) each
    return labels[which].where(smallest < torch.inf, -1), boxes[which]

# %%
cells = places(192)  # (756, 3): x, y, stride
wanted, truth = targets(torch.from_numpy(wide.boxes),
                        torch.from_numpy(wide.labels), cells)
rows = [{"stride": stride, "cells": (of := cells[:, 2] == stride).sum(),
         "with an object": (of & (wanted >= 0)).sum()}
        for stride in STRIDES]
draw.table([{k: int(v) for k, v in row.items()} for row in rows])

# %% tags=["fold"]
# Draw the cells that answer, in the colours of their classes
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2),
                            layout="constrained")
for ax, row in zip(axes, rows, strict=True):
    stride = row["stride"]
    ax.imshow(wide.image, alpha=0.6)
    ax.axis("off")
    for (x, y, step), k in zip(cells.tolist(), wanted.tolist(),
                               strict=True):
        if step == stride and k >= 0:
            ax.add_patch(plt.Rectangle((x - step / 2, y - step / 2),
                step, step, color=draw.class_color(k), alpha=0.7))
    ax.set_title(f"stride {stride}: "
                 f"{int(row['with an object'])} asked")
draw.describe(axes[0], "The same scene three times: small objects "
    "have coloured cells on the fine map, large ones on a coarser");

# %% [markdown]
# But now the small objects are left to the map with the fewest layers. A **feature pyramid** (FPN, Lin et al., 2017) hands down what the coarse maps know:
# a 1 x 1 convolution makes each level equally wide, and the next coarser one, doubled in size, is added.

# %% tags=["core"]
class Pyramid(nn.Module):
    def __init__(self, width=96, top_down=True):
        super().__init__()
        self.top_down = top_down
        self.side = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False),
                          nn.BatchNorm2d(width))
            for c in (40, 112, 320))

    def forward(self, maps):
        levels = [side(level) for side, level
                  in zip(self.side, maps, strict=True)]
        levels[2] = F.relu(levels[2])
        for k in (1, 0):
            if self.top_down:
                coarser = F.interpolate(levels[k + 1], scale_factor=2.0)
                levels[k] = levels[k] + coarser
            levels[k] = F.relu(levels[k])
        return levels

# %%
from cvlab.detection.training import levels_of

maps = levels_of([wide])
levels = Pyramid()([level.float() for level in maps])
draw.table([{"stride": stride, "from the network": tuple(a.shape[1:]),
             "in the pyramid": tuple(b.shape[1:])}
            for stride, a, b in zip(STRIDES, maps, levels, strict=True)])

# %% [markdown]
# Lesson 05's decoder did the same with its skips; there the finest map answered alone. Does it help here, and whom? `data/make_pyramid.py` trained heads for
# five choices of levels, on the same frozen maps of the same 600 scenes, as many steps, three seeds each. Objects have 6 to 70 % of the side. Small, medium
# and large are COCO's: areas below 32 x 32 pixels, below 96 x 96, and beyond.
#
# **Predict:** who wins on the small ones? And on the large?

# %% tags=["fold"]
# The recorded trainings in a table and a figure, by size of object
from cvlab.detection import records

AREAS = {"APs": "small", "APm": "medium", "APl": "large"}
by_size = {way: {name: 100 * records.level_runs(way, number)
                 for number, name in {"AP": "all", **AREAS}.items()}
           for way in records.LEVELS}
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
for i, (way, found) in enumerate(by_size.items()):
    values = np.array([found[name] for name in AREAS.values()])
    ax.plot(values.mean(1), "o-", color=draw.PALETTE[i],
            label=records.LEVELS[way])
    ax.fill_between(range(3), values.min(1), values.max(1),
                    color=draw.PALETTE[i], alpha=0.2)
mean = {way: found["all"].mean() for way, found in by_size.items()}
helps = mean["finest, top-down"] - mean["fine alone"]
ax.set(xticks=range(3), xticklabels=AREAS.values(), xlabel="objects",
       ylabel="mAP, %", title="What coarser maps hand down is worth "
       f"{helps:.0f} points to the finest")
draw.label_lines(ax)
draw.table([{"levels": records.LEVELS[way]}
            | {name: runs.mean() for name, runs in found.items()}
            for way, found in by_size.items()], digits=0,
           units=dict.fromkeys(["all", *AREAS.values()], "mAP, %"))

# %% tags=["author"]
small, medium, large = ({w: f[name].mean() for w, f in by_size.items()} for name in AREAS.values())
assert 4 < helps < 9 and min(small, key=small.get) == min(medium, key=medium.get) == "coarse alone"
assert max(large, key=large.get) == "coarse alone" and medium["finest, top-down"] == max(medium.values())
assert mean["each, top-down"] < mean["each for its size"] + 1 < mean["fine alone"]
assert abs(small["finest, top-down"] - small["each for its size"]) < 4

# %% [markdown]
# Stride 32 alone finds the large objects, and next to no small ones. Stride 8 alone finds small and medium ones. Given what the coarser maps know, that same
# fine map gains six points, most of them on medium and large objects. (Large ones are few in these 150 scenes: see how wide their bands are.)
#
# And the papers' way, each level for its size? **Not here**: it is no better than the fine map alone, and the top-down path adds nothing to it beyond the
# spread of the seeds. These are 300 steps on 600 scenes, and each of three heads gets only its share of the objects. Whether a longer training, or one head
# for all levels as RetinaNet has it, would turn it: these runs don't say.
#
# **Trap:** look at the coloured cells again. Does every object have one?

# %%
longest = (wide.boxes[:, 2:] - wide.boxes[:, :2]).max(1)
asked = {tuple(box.tolist()) for box in truth[wanted >= 0]}
draw.table([{"object": wide.class_names[k], "longer side": int(side),
             "cells": "some" if tuple(box.tolist()) in asked else "none"}
            for k, side, box in zip(wide.labels, longest, wide.boxes,
                                    strict=True)],
           units={"longer side": "px"})

# %% tags=["author"]
assert len(asked) == len(wide.boxes) - 1 and longest.min() < 12 and longest.max() > 120

# %% [markdown]
# One has none: no middle of a fine cell lies in its box, or a smaller box took it. What no cell is asked about, no training can teach.
#
# **In one line:** a coarse map knows what, a fine one where; added from coarse to fine, one map knows both.

# %% tags=["fold"]
# Let the large arrays go
net = maps = levels = None

# %% [markdown]
# ## 8 · A detector in a minute *(28 min)*
#
# Can you train a detector while you wait? The backbone stays frozen, its maps are computed once. What learns is the pyramid and a **head**: two
# layers, then
# for every cell 17 class scores and four distances, to the left, upper, right and lower edge of the box. The finest level answers alone: it did best.

# %% tags=["fold"]
# What earlier sections wrote, from the package; torchvision's GIoU loss
from torch.optim.lr_scheduler import OneCycleLR
from torchvision.ops import generalized_box_iou_loss

from cvlab.regions.geometry import box_iou
from cvlab.regions.suppression import batched_nms

# %% tags=["core"]
class Head(nn.Module):
    def __init__(self, classes, width, stride):
        super().__init__()
        layers, self.stride = [], stride
        for _ in range(2):
            layers += [
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.tower = nn.Sequential(*layers)
        self.classes = nn.Conv2d(width, classes, 3, padding=1)
        self.edges = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.constant_(self.classes.bias, -4.0)  # "nothing"

    def forward(self, level):
        x = self.tower(level)
        far = (self.edges(x) / 2).clamp(max=4).exp() * 3 * self.stride
        logits, edges = self.classes(x), far  # (B, 17, h, w), (B, 4, h, w)
        return logits.flatten(2).mT, edges.flatten(2).mT

# %% tags=["core"]
class OneStage(nn.Module):
    def __init__(self, classes=17, width=96, strides=(8,), top_down=True):
        super().__init__()
        self.strides = strides
        self.pyramid = Pyramid(width, top_down)
        self.heads = nn.ModuleList(
            Head(classes, width, stride) for stride in strides)
        self.to(memory_format=torch.channels_last)

    def forward(self, maps):
        levels = dict(zip(STRIDES, self.pyramid(maps), strict=True))
        parts = [head(levels[head.stride]) for head in self.heads]
        logits, edges = zip(*parts, strict=True)
        return torch.cat(logits, 1), torch.cat(edges, 1)  # (B, P, 17), (B, P, 4)

# %%
from cvlab.detection.training import levels_of

scene = make_scene(3, split="test", seed=1, size=192)
maps = [level.float() for level in levels_of([scene])]
logits, edges = OneStage()(maps)
cells = places(192, (8,))  # (576, 3)
print(tuple(logits.shape), tuple(edges.shape), tuple(cells.shape))

# %% [markdown]
# ### What to minimise
#
# The edges: 1 - GIoU (section 5). The classes: a focal loss (section 6), with a twist. Its target is not 1 but the *IoU of the cell's own box with the
# truth* (Li et al., 2020): a score is to say how good the box is, too, since NMS goes by it.
#
# **Predict:** what does this loss give for a scene without any object?

# %% tags=["core"]
def boxes_at(cells, edges):
    middle = cells[:, :2]  # (P, 2)
    return torch.cat([middle - edges[..., :2], middle + edges[..., 2:]], -1)

# %% tags=["core"]
def loss_of(logits, edges, cells, wanted, truth):
    taken = wanted >= 0  # (B, P)
    found, truth = boxes_at(cells, edges)[taken], truth[taken]  # (M, 4)
    target = torch.zeros_like(logits)
    iou = box_iou(found, truth).diagonal().detach()  # (M,)
    target[taken, wanted[taken]] = iou
    bce = F.binary_cross_entropy_with_logits(
        logits, target, reduction="none")
    focal = (target - logits.sigmoid()) ** 2 * bce  # (B, P, 17)
    giou = generalized_box_iou_loss(found, truth)  # (M,)
    count = taken.sum().clamp(min=1)
    return focal.sum() / count, giou.sum() / count

# %%
boxes, labels = torch.from_numpy(scene.boxes), torch.from_numpy(scene.labels)
rows = []
for name, n in {"its objects": len(boxes), "none": 0}.items():
    wanted, truth = targets(boxes[:n], labels[:n], cells)
    parts = loss_of(logits, edges, cells, wanted[None], truth[None])
    rows.append({"objects": name, "cells": int((wanted >= 0).sum()),
                 "classes": parts[0].item(), "boxes": parts[1].item()})
draw.table(rows, digits=2, title="The loss before any training")

# %% tags=["author"]
assert np.isfinite(rows[1]["classes"]) and rows[1]["boxes"] == 0 and rows[0]["cells"] > 0

# %% [markdown]
# Finite: the boxes cost nothing, and every cell that claims something still pays. `clamp(min=1)` stands against a division by 0.
#
# ### Watch it learn
#
# Scores become a list as in lesson 06a: the best ones, then NMS class by class.

# %% tags=["core"]
@torch.inference_mode()
def answers(logits, edges, cells, side=192, threshold=0.02, overlap=0.55):
    found = []
    corners = boxes_at(cells, edges).clamp(0, side)
    for scores, boxes in zip(logits.sigmoid(), corners, strict=True):
        best, place = scores.flatten().topk(min(150, scores.numel()))
        best, place = best[best > threshold], place[best > threshold]
        box, label = boxes[place // scores.shape[1]], place % scores.shape[1]
        kept = batched_nms(box, best, label, overlap)[:50]
        found.append({"boxes": box[kept], "scores": best[kept], "labels": label[kept]})
    return found

# %% tags=["core"]
def train_head(net, maps, truths, steps, rate=0.005, watch=None):
    cells = places(8 * maps[0].shape[-1], net.strides)
    pairs = [targets(boxes, labels, cells) for boxes, labels in truths]
    wanted, truth = map(torch.stack, zip(*pairs, strict=True))
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.05)
    schedule = OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    net.train()
    for step in range(1, steps + 1):
        some = torch.randperm(len(wanted))[:8]
        x = [level[some].float() for level in maps]
        loss = sum(loss_of(*net(x), cells, wanted[some], truth[some]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if watch:
            watch(step, loss.item())
    net.eval()

# %% [markdown]
# 700 scenes, 400 steps of eight, 64 channels: half a minute on one core. At some steps the net is asked about a scene in a
# style it never sees. **Predict:** after how many of the 400 steps does it dare a first box?

# %% tags=["nbval-ignore-output"]
from time import perf_counter

def shown(n):  # maps and truths; the pictures are not kept
    scenes = make_scenes(n, split="train", seed=0, size=192)
    return levels_of(scenes), [
        (torch.from_numpy(s.boxes), torch.from_numpy(s.labels))
        for s in scenes]

begin = perf_counter()
train_maps, truths = shown(700)
print(f"maps {perf_counter() - begin:.0f} s")

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
net, seen_at, losses = OneStage(width=64), {}, []

def watch(step, loss):
    losses.append(loss)
    if step in (10, 50, 150, 400):
        net.eval()
        with torch.inference_mode():
            seen_at[step] = answers(*net(maps), cells)[0]
        net.train()

begin = perf_counter()
train_head(net, train_maps, truths, 400, watch=watch)
print(f"training {perf_counter() - begin:.0f} s")

# %% tags=["fold", "nbval-ignore-output"]
# Draw the best boxes at four steps, beside the truth
def draw_found(scene, found, ax, least=0.35, most=4):
    keep = (found["scores"] >= least).nonzero()[:most, 0]
    ax.imshow(scene.image)
    ax.axis("off")
    names = [scene.class_names[k] for k in found["labels"][keep]]
    if len(keep):
        draw.draw_boxes(found["boxes"][keep].numpy(), labels=names,
            scores=found["scores"][keep].numpy(), ax=ax)

figure, axes = plt.subplots(1, 5, figsize=(9, 2.1),
                            layout="constrained")
axes[0].imshow(scene.image)
axes[0].axis("off")
axes[0].set_title("truth")
draw.draw_boxes(scene.boxes, color=draw.TRUTH, ax=axes[0],
    labels=[scene.class_names[k] for k in scene.labels])
for ax, (step, found) in zip(axes[1:], seen_at.items(), strict=True):
    draw_found(scene, found, ax)
    ax.set_title(f"step {step}")
draw.describe(axes[0], "The answers after 10, 50, 150 and 400 steps: "
              "at first none, then boxes on things, their names last")
train_maps = maps = logits = edges = None

# %% [markdown]
# Boxes with a score below 0.35 are not drawn. The bias of -4 begins with "nothing anywhere", and after ten steps that is still the answer. Then come
# boxes where things are. Their names come last, and in a style that it never saw some stay wrong.
#
# ### How well, honestly
#
# `data/make_detector.py` is the long recipe: the same network with 96 channels, and EfficientNet-Lite0 learns too, from block 2 on, from 52,800
# scenes, none shown twice,
# each object's colours changed, the whole cut, stretched and bent. 50 minutes of one core; its weights come with the course. **Predict:** what is
# that worth
# in styles that were trained on, what in Twemoji's, which neither has seen?

# %% tags=["nbval-ignore-output"]
from cvlab.detection import records
from cvlab.detection.one_stage import detect
from cvlab.detection.training import found_on

STYLES = {"seen": ("train", 5), "unseen": ("test", 1)}
tests = {style: make_scenes(40, split=split, seed=seed, size=192)
         for style, (split, seed) in STYLES.items()}
long = records.detector()
found, ms = {}, {}
for style, some in tests.items():
    begin = perf_counter()
    maps = levels_of(some)
    ready = perf_counter()
    found["live", style] = found_on(net, maps)
    ms[style] = [1000 / 40 * (t - begin)
                 for t in (ready, perf_counter())]
    found["recipe", style] = detect(
        long, np.stack([s.image for s in some]))
numbers = {key: judge(tests[key[1]], one).numbers
           for key, one in found.items()}

# %% tags=["fold", "nbval-ignore-output"]
# Table the live training, the recorded ones and the goals
rows = []
for style in STYLES:
    for name in ("live", "recipe"):
        rows.append({"training": f"{name}, 40 scenes", "style": style}
                    | {k: 100 * numbers[name, style][k]
                       for k in ("AP", "AP50", "APs", "APm")})
    runs = {k: 100 * records.minute_runs(k, style).mean()
            for k in ("AP", "AP50", "APs", "APm")}
    final = records.recipe()["final"][style]
    rows += [{"training": "a minute, three seeds", "style": style} | runs,
             {"training": "recipe, as recorded", "style": style}
             | {k: 100 * final[k] for k in runs}]
    for name, goal in records.GOALS.items():
        a, b = goal[style]
        rows.append({"training": f"goal: {name}", "style": style,
                     "AP": 100 * a, "AP50": 100 * b,
                     "APs": None, "APm": None})
draw.table(rows, digits=0, units=dict.fromkeys(
    ("AP", "AP50", "APs", "APm"), "%"))

# %% [markdown]
# The recorded minute ends a point short of its goals in seen styles: 44 and 77, where 45 and 78 were planned. In the unseen one it passes 55, and reaches 30
# within half a point. Yours is shorter, has fewer channels, and is judged by 40 scenes only: it sways by some points.
#
# The recipe passes its goals by far: 68 and 94 of 60 and 88 seen, 54 and 81 of 40 and 65 unseen.

# %% tags=["author"]
assert numbers["live", "seen"]["AP"] > 0.3 and numbers["live", "unseen"]["AP"] > 0.22, numbers
assert 0.43 < records.minute_runs("AP").mean() < 0.445 and 0.76 < records.minute_runs("AP50").mean() < 0.78
assert 0.29 < records.minute_runs("AP", "unseen").mean() < 0.30 and records.minute_runs("AP50", "unseen").mean() > 0.57
for style, goal in records.GOALS["recipe"].items():
    final = records.recipe()["final"][style]
    assert final["AP"] > goal[0] + 0.07 and final["AP50"] > goal[1] + 0.05
    assert abs(numbers["recipe", style]["AP"] - final["AP"]) < 0.04

# %% tags=["fold"]
# Draw the long training: mAP at its steps
curve = records.recipe()["curve"]
half = curve[len(curve) // 2]
NAMED = {"seen": "seen styles", "unseen": "Twemoji",
         "val": "Fluent, unseen too"}
figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
for i, style in enumerate(("seen", "unseen", "val")):
    ax.plot([at["seconds"] / 60 for at in curve],
            [100 * at[style]["AP"] for at in curve], "o-",
            color=draw.PALETTE[i], label=NAMED[style])
ax.set(xlabel="minutes of one core", ylabel="mAP, %", ylim=(0, 80),
       title=f"From {half['step']} steps to {curve[-1]['step']}: "
       f"{100 * (curve[-1]['seen']['AP'] - half['seen']['AP']):+.0f} "
       "points in seen styles, "
       f"{100 * (curve[-1]['unseen']['AP'] - half['unseen']['AP']):+.0f}"
       " in Twemoji")
draw.label_lines(ax);

# %% [markdown]
# ### What it gets wrong
#
# Lesson 07 gives each error a price: the mAP that it would win to have it mended. **Predict:** boxes too loose, wrong classes, doubles, or objects
# missed: which costs most in the unseen style?

# %%
from cvlab.coco.categories import category_id
from cvlab.coco.results import to_results
from cvlab.coco.write import to_coco
from cvlab.map.diagnose import error_costs

def costs(name, style):
    scenes, results = tests[style], []
    for i, one in enumerate(found[name, style]):
        classes = [category_id(scenes[0].class_names[k])
                   for k in one["labels"]]
        results += to_results(i + 1, classes, one["scores"].numpy(),
                              boxes=one["boxes"].numpy())
    return error_costs(to_coco(scenes), results)

# %% tags=["nbval-ignore-output"]
prices = {key: costs(*key) for key in found}
draw.table([{"detector": f"{name}, {style}"}
            | {kind: 100 * p for kind, p in price.items()}
            for (name, style), price in prices.items()], digits=0)

# %% tags=["author"]
for (name, style), price in prices.items():
    assert max(price, key=price.get) == "localisation" and price["duplicate"] + price["background"] < 0.03, (name, style)
    assert price["classification"] > prices[name, "seen"]["classification"] + 0.005 or style == "seen", (name, style)
assert prices["recipe", "unseen"]["classification"] < 0.75 * prices["live", "unseen"]["classification"]

# %% tags=["fold", "nbval-ignore-output"]
# Draw unseen scenes with truth, live and long training
figure, axes = plt.subplots(3, 3, figsize=(8, 8),
                            layout="constrained")
for column, i in zip(axes.T, (0, 5, 11), strict=True):
    one = tests["unseen"][i]
    column[0].imshow(one.image)
    column[0].axis("off")
    draw.draw_boxes(one.boxes, color=draw.TRUTH, ax=column[0],
        labels=[one.class_names[k] for k in one.labels])
    for ax, name in zip(column[1:], ("live", "recipe"), strict=True):
        draw_found(one, found[name, "unseen"][i], ax)
for row, name in zip(axes, ("truth", "live", "recipe"), strict=True):
    row[0].set_title(name, loc="left")
draw.describe(axes[0, 0], "Three unseen scenes: truth, answers of the "
    "live training, answers of the recipe");

# %% [markdown]
# In all four, loose boxes cost most by far: mAP counts overlaps up to 0.95. A wrong class costs more in the unseen style than in the seen ones, and the
# long recipe about halves that. Doubles and boxes on nothing cost next to nothing here.
#
# Beside the ways of before: one pass, no proposals.

# %% tags=["nbval-ignore-output"]
# The growing table goes on
from cvlab.regions import records as earlier

one_pass, whole = ms["seen"]
rows = earlier.rows(until="Faster R-CNN", ms=one_pass)
rows += [{"way": f"one stage, {name}", "crops or passes a scene": 1,
          "ms a scene": whole if name == "live" else None,
          "AP": numbers[name, "seen"]["AP"],
          "AP50": numbers[name, "seen"]["AP50"]}
         for name in ("live", "recipe")]
draw.table(rows, digits={"ms a scene": 0, "AP": 2, "AP50": 2,
                         "crops or passes a scene": 0})

# %% tags=["fold"]
# Let the large things go
net = long = maps = found = tests = scenes = truths = None

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 9 · Out of PyTorch *(22 min)*
#
# Your detector works in a notebook. The camera at the gate has no Python and no PyTorch, and its picture is not square. What has to leave, and what
# has to be written again on the other side?
#
# First the network leaves. `torch.onnx.export` runs it once, notes every operation, and writes graph and weights into one file. You take the long recipe's
# detector. The exporter would leave a hundred megabytes in this kernel; so, on Linux, `apart` lets a copy of the kernel do it, which then ends.

# %%
import tempfile
from pathlib import Path
from cvlab.detection import records
from cvlab.detection.deploy import apart

detector = records.detector()
path = Path(tempfile.mkdtemp()) / "detector.onnx"

def leave():
    torch.onnx.export(
        detector, (torch.zeros(1, 3, 192, 192),), path,
        input_names=["image"], output_names=["boxes", "scores"],
        dynamo=True, external_data=False, verbose=False)

apart(leave)
print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")

# %% [markdown]
# **Predict:** which parts of your detector are *not* in the file: the sigmoid, the pyramid, non-maximum suppression, the resizing of the photo?

# %% tags=["fold"]
# Count what the file holds
import onnx
from collections import Counter

graph = onnx.load(path).graph
kinds = Counter(node.op_type for node in graph.node)
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
    gap = np.array([192, 0, 192, 0], np.float32)
    edge = [np.pad(s.masks, ((0, 0), (0, 0), pad)) for s, pad
            in ((left, (0, 192)), (right, (192, 0)))]
    both = {name: np.concatenate([getattr(left, name), getattr(right, name)])
        for name in ("labels", "visibility")}
    return replace(
        left, image=np.hstack([left.image, right.image]),
        boxes=np.concatenate([left.boxes, right.boxes + gap]),
        masks=np.concatenate(edge),
        depth=np.arange(len(both["labels"])), **both)

def squeezed(image, side=192):
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)

scenes = make_scenes(40, size=192, seed=5)
broad = [wide(*pair) for pair in zip(scenes[:20], scenes[20:], strict=True)]
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

# %% tags=["nbval-ignore-output"]
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
halves = judge(scenes, found).numbers
AP["the halves, one by one"] = halves["AP"]

# %% tags=["fold", "nbval-ignore-output"]
# Table the four
draw.table([{"way in": name, "AP": value}
            for name, value in AP.items()], digits=2)

# %% tags=["author"]
assert AP["letterboxed"] < AP["squeezed"] < AP["the halves, one by one"] - 0.1, AP
assert AP["boxes not brought back"] < 0.5 * AP["letterboxed"], AP

# %% [markdown]
# Both lose much, and the letterbox, which everybody recommends, loses *more*. It makes things half as large in both directions, squeezing in one only. This
# detector has learnt sizes from a sixth of the side on: to be thin costs less than to be small. A letterbox may pay where training used it too, and where the
# side can grow. Best is to look twice, half by half.
#
# And boxes that are not brought back are all wrong, without an error.

# %% [markdown]
# ### Four slips
#
# **Trap:** nothing complains when the way in is wrong. OpenCV reads photos as **BGR**, blue first; the network learnt red first. Or you forget to
# scale 0 to 255 down to -1 to 1. Or you scale to 0 to 1. What does each slip cost?

# %% tags=["nbval-ignore-output"]
slips = {"blue first": {"swapRB": True},
         "0 to 1": {"scalefactor": 1 / 255, "mean": [0] * 3},
         "0 to 255": {"scalefactor": 1, "mean": [0] * 3}}
right = {"scalefactor": 1 / 127.5, "mean": [127.5] * 3}
rows = [{"the way in": "right", "AP": halves["AP"],
         "AP50": halves["AP50"]}]  # asked above
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
assert by["blue first"] < by["right"] - 0.015 and by["0 to 255"] < 0.6 * by["right"], by
assert by["0 to 1"] > by["right"] - 0.1, by

# %% [markdown]
# The worst slip, 0 to 255, leaves a fraction. Blue for red costs a few points, and 0 to 1 so little that you would never notice: half the contrast, a
# brighter picture, and this network was trained on pictures of changed colours. A slip that costs two hundredths is the one that stays in the product.
# Compare numbers, as here, not impressions.

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

@torch.inference_mode()
def asked(net):
    raw = [net(enlarged(s.image[None], 192)) for s in scenes]
    return [answers(scores[0].numpy(), boxes[0].numpy())
            for boxes, scores in raw]

lists = {32: theirs}  # PyTorch's, from above
lists |= {b: asked(rounded(detector, b)) for b in (8, 6, 5, 4)}
bits = {b: judge(scenes, found).numbers["AP"]
        for b, found in lists.items()}

# %% tags=["fold", "nbval-ignore-output"]
# Table AP by bits
draw.table([{"bits a weight": b, "megabytes": 3 * b / 8, "AP": value}
            for b, value in bits.items()],
           digits={"megabytes": 1, "AP": 2})

# %% tags=["author"]
assert abs(bits[8] - bits[32]) < 0.025 and bits[4] < bits[32] - 0.05, bits

# %% [markdown]
# Eight bits cost next to nothing, six and five a few points, four a good part.
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
graph = raw = theirs = broad = lists = forgot = None
runs = session = scenes = None

# %% [markdown]
# ## 10 · Real *(22 min)*
#
# Stickers on photos are a small world. Which detectors have seen the large one, and can you read their answers now?
#
# torchvision has four of those whose parts you built: **Faster R-CNN**, **Mask R-CNN**, **RetinaNet**, **SSD**. With random weights they know nothing, but
# all their machinery is there; here with small bodies, a ResNet-18 and a MobileNet, and tiny pictures, so that it costs seconds. In training mode a detector takes pictures
# *and* truths, and answers with its losses. **Predict:** how many losses has each?

# %%
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import (
    resnet_fpn_backbone)

def built(name):
    torch.manual_seed(0)
    if name == "SSD":
        return detection.ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None)
    body = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None)
    make = {"Faster R-CNN": detection.FasterRCNN,
            "Mask R-CNN": detection.MaskRCNN,
            "RetinaNet": detection.RetinaNet}[name]
    return make(body, 91, min_size=64, max_size=64)

# %%
pictures = list(torch.rand(2, 3, 64, 64))
truth = {"boxes": torch.tensor([[10.0, 20, 40, 50]]),
         "labels": torch.tensor([17]),
         "masks": torch.ones(1, 64, 64, dtype=torch.uint8)}

@torch.no_grad()
def facts(name):
    net = built(name).train()
    losses = net(pictures, [truth, truth])
    answer = net.eval()(pictures[:1])[0]
    anchors = getattr(net, "rpn", net).anchor_generator
    each = anchors.num_anchors_per_location()
    return {"network": name, "levels": len(each),
            "anchors at a place": each[0],
            "losses": ", ".join(losses), "answers": ", ".join(answer)}

# %% tags=["fold"]
# Ask all four
rows = [facts(name) for name in
        ("Faster R-CNN", "Mask R-CNN", "RetinaNet", "SSD")]
draw.table(rows)

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
from cvlab.detection import real
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

# %% tags=["fold", "nbval-ignore-output"]
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
# **Trap:** a loop that draws *after* itself. This one means to draw all that `ours` found. **Predict:** how many does it draw?

# %% tags=["nbval-ignore-output"]
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

# %% tags=["nbval-ignore-output"]
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
# - Anchors turn a list of any length into a fixed number of answers: matched by IoU, moved by offsets in shares of their size and by log-sizes.
# - The network's own proposals beat selective search by learning what is wanted; a second look at each makes boxes fit. A mask is one more small head.
# - A dense detector says "nothing" hundreds of times for each "something". Focal loss, or only the hardest negatives, keep the easy many quiet.
# - A fine map that a coarse one has told what is there: a pyramid. One head on it, trained for a minute, is a detector.
# - What leaves PyTorch is the middle. Letterbox, colours, range, suppression and the way back are yours, and silent when wrong.

# %% [markdown]
# **In the library.** torchvision has each part by itself, ready for a network of yours:

# %%
from torchvision import ops
from torchvision.models.detection import anchor_utils, rpn

parts = {"anchors": anchor_utils.AnchorGenerator,
         "proposals": rpn.RegionProposalNetwork,
         "pyramid": ops.FeaturePyramidNetwork,
         "regions of several levels": ops.MultiScaleRoIAlign,
         "focal loss": ops.sigmoid_focal_loss,
         "box losses": ops.complete_box_iou_loss}
draw.table([{"part": part, "torchvision": thing.__qualname__}
            for part, thing in parts.items()])

# %% [markdown]
# **Where it breaks.**
#
# - A new drawing style: even the long recipe falls by more than ten points of AP from the styles that it was trained on to Twemoji's.
# - Small things: one cell of stride 8 is all that a thing of eight pixels gets.
# - A detector must say *some* class. A unicorn becomes a horse, with a good score.
# - What counts as one thing is a custom of those who labelled. A crowd, a picture of a cat on a mug, a cat in the mirror: no loss can tell.

# %% [markdown]
# **Sources.**
# [Faster R-CNN](https://arxiv.org/abs/1506.01497), Ren, He, Girshick, Sun, NeurIPS 2015.
# [Mask R-CNN](https://arxiv.org/abs/1703.06870), He, Gkioxari, Dollár, Girshick, ICCV 2017.
# [You Only Look Once](https://arxiv.org/abs/1506.02640), Redmon, Divvala, Girshick, Farhadi, CVPR 2016;
# [YOLO9000](https://arxiv.org/abs/1612.08242), Redmon, Farhadi, CVPR 2017;
# [YOLOv3](https://arxiv.org/abs/1804.02767), Redmon, Farhadi, 2018;
# [YOLOv4](https://arxiv.org/abs/2004.10934), Bochkovskiy, Wang, Liao, 2020;
# [YOLOX](https://arxiv.org/abs/2107.08430), Ge, Liu, Wang, Li, Sun, 2021.
# [SSD](https://arxiv.org/abs/1512.02325), Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg, ECCV 2016.
# [Training Region-based Object Detectors with Online Hard Example Mining](https://arxiv.org/abs/1604.03540), Shrivastava, Gupta, Girshick, CVPR 2016.
# [Feature Pyramid Networks](https://arxiv.org/abs/1612.03144), Lin, Dollár, Girshick, He, Hariharan, Belongie, CVPR 2017.
# [Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002), Lin, Goyal, Girshick, He, Dollár, ICCV 2017.
# [FCOS](https://arxiv.org/abs/1904.01355), Tian, Shen, Chen, He, ICCV 2019.
# [Generalized IoU](https://arxiv.org/abs/1902.09630), Rezatofighi, Tsoi, Gwak, Sadeghian, Reid, Savarese, CVPR 2019;
# [Distance-IoU Loss](https://arxiv.org/abs/1911.08287) (and CIoU), Zheng, Wang, Liu, Li, Ye, Ren, AAAI 2020.
#
# **In one line:** every place of a map answers for what lies there, most of them "nothing", and suppression makes the list.

# %%
progress("06b")
