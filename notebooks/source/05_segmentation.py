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
#
# A network that shrinks ends with a small map: 24 x 24 answers for a picture of 96 x 96. What stands in between? On paper: grow the row `0 4`
# to four pixels. *Nearest* copies: `0 0 4 4`. *Bilinear* asks where each new centre lies among the old ones, and mixes the two
# neighbours. There are two conventions:
#
# - **half-pixel**, as in lesson 01: new centre `i` lies at `(i + 0.5) * old / new - 0.5`, here -0.25, 0.25, 0.75, 1.25. Beyond the ends the last
#   value goes on: `0 1 3 4`.
# - **`align_corners`**: the first and last centres are tied together, `i * (old - 1) / (new - 1)`, here 0, 0.33, 0.67, 1: `0 1.33 2.67 4`.

# %%
row = torch.tensor([[[[0.0, 4.0]]]])  # (1, 1, 1, 2)

def four(mode, **how):
    return F.interpolate(row, (1, 4), mode=mode, **how).ravel()

ways = {
    "nearest": four("nearest"),
    "bilinear": four("bilinear"),
    "bilinear, align_corners":
        four("bilinear", align_corners=True),
    "bicubic": four("bicubic"),
}
draw.table([{"0 4 by": name, **{f"pixel {i}": v.item()
                                for i, v in enumerate(line)}}
            for name, line in ways.items()], digits=2)

# %% tags=["author"]
assert ways["nearest"].tolist() == [0, 0, 4, 4]
assert ways["bilinear"].tolist() == [0, 1, 3, 4]
assert np.allclose(ways["bilinear, align_corners"], [0, 4 / 3, 8 / 3, 4])
assert ways["bicubic"].min() < -0.1

# %% tags=["fold"]
# Draw three old pixels and the six new ones, by both conventions
figure, axes = plt.subplots(
    1, 2, figsize=(9, 1.9), layout="constrained", sharex=True)
conventions = {
    "Half-pixel: the edges of the maps meet": np.arange(6) / 2 - 0.25,
    "align_corners: the corner centres meet": np.arange(6) * 0.4}
blue, red = draw.PALETTE[:2]
for ax, title in zip(axes, conventions, strict=True):
    new = conventions[title]
    for y, at, hue in ((1, np.arange(3), blue), (0, new, red)):
        wide = at[1] - at[0]
        ax.barh([y] * len(at), wide, left=at - wide / 2, height=0.55,
                color=hue, alpha=0.25, edgecolor=hue)
        ax.plot(at, [y] * len(at), "o", color=hue)
    ax.vlines(new, 0, 1, color="0.6", linewidth=0.8, zorder=0)
    ax.set(title=title, xticks=range(3), yticks=[0, 1],
           yticklabels=["6 new", "3 old"])
    ax.grid(False)
draw.describe(axes[0], "Three old pixels over six new ones: with "
              "half-pixels both rows are equally long; with "
              "align_corners the corner centres lie on each other, "
              "and the new row is shorter.")

# %% [markdown]
# In two directions four neighbours count, and each weight is a product. Grow `0 4 / 8 12` to 4 x 4. New pixel (1, 1) lies at (0.25, 0.25): row 0
# weighs 0.75, row 1 weighs 0.25, and so do the columns. So 0 counts 0.5625, 4 and 8 count 0.1875 each, 12 counts 0.0625:
# `0 + 0.75 + 1.5 + 0.75 = 3`.

# %%
square = torch.tensor([[0.0, 4.0], [8.0, 12.0]])
larger = F.interpolate(square[None, None], (4, 4),
                       mode="bilinear")
both = [square.numpy(), larger[0, 0].numpy()]
show_many(both, numbers=True, limits=(0, 12),
          titles=["Old: 2 x 2", "New: (1, 1) is 3"]);

# %% tags=["author"]
assert larger[0, 0, 1, 1] == 3

# %% [markdown]
# **Exercise.** Write `upsample_bilinear`. For each axis find every new centre's place, the neighbour before it, the next one, and the share between
# them. Then mix the rows, and with the result the columns. A place before the first centre counts as 0; after the last centre the last
# pixel is its own neighbour. With `align_corners` a single new row lies at 0: mind the division.

# %% tags=["exercise"]
def upsample_bilinear(image, height, width, align_corners=False):
    """Return (H, W) floats resized to (height, width).

    Centres by half-pixels, or with the corner centres aligned.
    """
    ### BEGIN SOLUTION
    def neighbours(old, new):
        i = np.arange(new)
        if align_corners:
            place = i * (old - 1) / max(new - 1, 1)
        else:
            place = np.maximum((i + 0.5) * old / new - 0.5, 0)
        low = place.astype(int)
        return low, np.minimum(low + 1, old - 1), place - low

    top, bottom, down = neighbours(image.shape[0], height)
    left, right, across = neighbours(image.shape[1], width)
    down = down[:, None]  # (height, 1)
    rows = image[top] * (1 - down) + image[bottom] * down  # (height, W)
    return rows[:, left] * (1 - across) + rows[:, right] * across
    ### END SOLUTION

# %%
check(upsample_bilinear)

# %% [markdown]
# ### Four neighbours along each axis
#
# **Bicubic** weighs 4 x 4 old pixels by lesson 01's curve of the distance `t`. Its free number `a` is -0.75 in torch and OpenCV, -0.5 in Pillow.
# Between 1 and 2 the weights are negative: that is how a value can leave the old range, as -0.42 did.

# %% tags=["core"]
def tap_weights(distance, mode, a=-0.75):
    """Return how much an old pixel counts at a distance."""
    t = np.abs(distance)
    if mode != "bicubic":
        return np.maximum(0, 1 - t)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0))

# %%
distances = 1.25 - np.arange(4)  # a new centre at 1.25
draw.table([{"mode": mode, **{f"old pixel {j}": w for j, w in
             enumerate(tap_weights(distances, mode))},
             "sum": tap_weights(distances, mode).sum()}
            for mode in ("bilinear", "bicubic")], digits=3)

# %% tags=["fold"]
# Draw both curves, and the four weights of a centre at 1.25
figure, ax = plt.subplots(figsize=(9, 2.7), layout="constrained")
t = np.linspace(-2.2, 2.2, 221)
ax.axhline(0, color="0.6", linewidth=1)
for mode, hue in (("bilinear", draw.PALETTE[0]),
                  ("bicubic", draw.PALETTE[1])):
    ax.plot(t, tap_weights(t, mode), color=hue, label=mode)
    at = tap_weights(distances, mode)
    ax.plot(distances, at, "o", color=hue)
ax.set(xlabel="distance from the new centre, in old pixels",
       ylabel="weight", xlim=(-2.2, 2.9), title="Bilinear looks at "
       "two old pixels, bicubic at four, two of them below 0")
ax.text(2.25, 0.55, "dots: a new\ncentre at 1.25")
draw.label_lines(ax)
draw.describe(ax, "A triangle from -1 to 1, and a wider curve that "
              "dips below 0 between distance 1 and 2.");

# %% [markdown]
# Now one function for all modes: a matrix of weights for the rows, one for the columns, and two products. `nearest` takes the old pixel under the
# new pixel's *corner*, `nearest-exact` the one under its centre.

# %% tags=["core"]
def axis_weights(old, new, mode, align_corners=False):
    """Return (new, old): how much each old pixel counts."""
    i = np.arange(new)
    if mode == "nearest":
        place = i * old // new
    elif mode == "nearest-exact":
        place = (2 * i + 1) * old // (2 * new)
    elif align_corners:
        place = i * (old - 1) / max(new - 1, 1)
    else:
        place = (i + 0.5) * old / new - 0.5
    taps = np.floor(place).astype(int)[:, None] + np.arange(-1, 3)
    shares = tap_weights(place[:, None] - taps, mode)  # (new, 4)
    weights = np.zeros((new, old))
    np.add.at(weights, (i[:, None], taps.clip(0, old - 1)), shares)
    return weights


def interpolate(image, height, width, mode="bilinear",
                align_corners=False):
    down = axis_weights(image.shape[0], height, mode, align_corners)
    across = axis_weights(image.shape[1], width, mode, align_corners)
    return down @ image @ across.T

# %% [markdown]
# The matrices for 4 pixels that become 8: a line for each new pixel, a column for each old one. **Predict:** in which does every inner pair of lines
# repeat the pair before it?

# %%
how = [("bilinear",), ("bicubic",), ("bilinear", True)]
matrices = [axis_weights(4, 8, *one) for one in how]
titles = ["bilinear", "bicubic", "bilinear, align_corners"]
show_many([m.round(2) for m in matrices], titles=titles,
          numbers=True, signed=True, limits=(-1, 1));

# %% tags=["author"]
half, _, tied = matrices
assert np.array_equal(half[1:3, :2], half[3:5, 1:3])
assert not np.allclose(tied[1:3, :2], tied[3:5, 1:3])

# %% [markdown]
# Half-pixel centres treat every place alike: 0.75 and 0.25 again and again. With `align_corners` each line has its own weights, and they depend on the
# size of the map: its step is `(old - 1) / (new - 1)`, 3/7 here, 4/9 for 5 pixels that become 10. Whichever a network was trained with, use that one.
#
# **Scratch, then library**: 768 pairs of sizes, up and down, in each mode.

# %%
def compared(mode, corners):
    rng, gaps = np.random.default_rng(0), []
    for old, new in np.ndindex(24, 32):
        image = rng.normal(size=(old + 1, 7 * old % 23 + 1))
        size = (new + 1, 5 * new % 29 + 1)
        theirs = F.interpolate(
            torch.from_numpy(image)[None, None], size, mode=mode,
            align_corners=corners)[0, 0].numpy()
        ours = interpolate(image, *size, mode, bool(corners))
        gaps.append(np.abs(ours - theirs).max())
    gaps = np.array(gaps)
    return {"mode": mode, "align_corners": corners,
            "sizes": len(gaps), "differ": sum(gaps > 1e-9),
            "largest gap of the others": gaps[gaps <= 1e-9].max()}

modes = ["nearest", "nearest-exact", "bilinear", "bicubic"]
agreed = [compared(mode, corners) for mode in modes for corners in
          ((False, True) if mode[0] == "b" else (None,))]
draw.table(agreed, digits={"largest gap of the others": ".0e"})

# %% tags=["author"]
for line in agreed:
    assert line["largest gap of the others"] < 1e-12
    assert line["differ"] <= (10 if line["mode"] == "nearest-exact" else 0)

# %% [markdown]
# Equal to rounding, but for a few sizes of `nearest-exact`. There a new centre falls exactly between two old pixels, and torch reckons the ratio with 32
# bits: 14 rows become 23, and new row 11 lies at 11.5 * 14 / 23, which is 7.

# %%
column = torch.arange(14.0)[None, None, :, None]
taken = F.interpolate(column, (23, 1), mode="nearest-exact")
ours = axis_weights(14, 23, "nearest-exact") @ np.arange(14)
draw.table([{
    "in full": 11.5 * 14 / 23,
    "with 32 bits": np.float32(11.5) * np.float32(14 / 23),
    "torch takes row": int(taken[0, 0, 11, 0]),
    "ours takes row": int(ours[11])}],
    digits={"in full": 7, "with 32 bits": 7})

# %% tags=["author"]
gap = np.float32(11.5) * np.float32(14 / 23)
assert gap < 7
assert taken[0, 0, 11, 0] in (6, 7)

# %% [markdown]
# ### The same words, other libraries
#
# Lesson 01's table goes on. Each method against ours of the same kind, for random numbers. **Predict:** where does Pillow part from torch?

# %%
import cv2
from PIL import Image

rng = np.random.default_rng(0)
floats = rng.normal(size=(9, 7)).astype(np.float32)
pillow, R = Image.fromarray(floats), Image.Resampling
methods = {
    "nearest": {"OpenCV INTER_NEAREST": cv2.INTER_NEAREST},
    "nearest-exact": {"OpenCV INTER_NEAREST_EXACT":
                      cv2.INTER_NEAREST_EXACT,
                      "Pillow NEAREST": R.NEAREST},
    "bilinear": {"OpenCV INTER_LINEAR": cv2.INTER_LINEAR,
                 "Pillow BILINEAR": R.BILINEAR},
    "bicubic": {"OpenCV INTER_CUBIC": cv2.INTER_CUBIC,
                "Pillow BICUBIC": R.BICUBIC}}

def gap_to_ours(mode, method, height, width):
    ours = interpolate(floats, height, width, mode)
    size = width, height
    if isinstance(method, R):
        return np.abs(ours - pillow.resize(size, method)).max()
    theirs = cv2.resize(floats, size, interpolation=method)
    return np.abs(ours - theirs).max()

# %%
sizes = {"twice": (18, 14), "to 20 x 15": (20, 15),
         "to 5 x 4": (5, 4)}
parted = [{"library": name, "torch's name": mode,
           **{head: gap_to_ours(mode, method, *size)
              for head, size in sizes.items()}}
          for mode, theirs in methods.items()
          for name, method in theirs.items()]
draw.table(parted, digits=2, title="Largest gap, from 9 x 7")

# %% tags=["author"]
for line in parted:
    *grown, shrunk = list(line.values())[2:]
    assert (max(grown) > 0.05) == (line["library"] == "Pillow BICUBIC")
    assert (shrunk > 0.05) == (line["library"] in ("Pillow BICUBIC", "Pillow BILINEAR"))

# %% [markdown]
# When a map *grows*, all agree but Pillow's bicubic; when it shrinks, Pillow's two mixtures part, since they antialias. Torch's `nearest` is
# OpenCV's, its `nearest-exact` is Pillow's. What does Pillow's bicubic do? Two suspects: its `a`, and what stands outside the rim.

# %%
line = floats[:1]  # (1, 7), becomes (1, 14)
at = (np.arange(14) + 0.5) / 2 - 0.5
by_pillow = Image.fromarray(line).resize((14, 1), R.BICUBIC)

def by_hand(a, repeat):
    taps = np.arange(-2, 9)  # two beyond either end
    weights = tap_weights(at[:, None] - taps, "bicubic", a)
    weights *= repeat | (taps >= 0) & (taps < 7)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ line[0, taps.clip(0, 6)]

suspects = [
    {"a": a, "beyond the rim": words, "largest gap to Pillow":
     np.abs(by_hand(a, words == "repeated") - by_pillow).max()}
    for a in (-0.75, -0.5) for words in ("repeated", "left out")]
draw.table(suspects, digits={"a": 2, "largest gap to Pillow": 3})

# %% tags=["author"]
gaps = [row["largest gap to Pillow"] for row in suspects]
assert gaps[3] < 1e-5 < 0.01 < min(gaps[:3])

# %% [markdown]
# Both: `a` is -0.5, and Pillow leaves out what lies outside and scales the rest up to 1, where torch repeats the last pixel.
#
# Now point at single pixels. **Predict:** when you double a map, how many of its inner pixels are copies of old ones?

# %%
from cvlab.widgets import UpsamplingExplorer

UpsamplingExplorer()

# %% [markdown]
# ### Trap: growing a map of class numbers
#
# A label map holds names, not amounts. Between cat 8 and person 14 lies 11, and 11 is a dog.

# %%
from cvlab.segmentation import growing
from cvlab.segmentation.targets import NAMES, label_map

between = growing.upsample_bilinear(np.array([[8.0, 14.0]]), 1, 3)
print("8 14 grown to three pixels:",
      ", ".join(f"{v:.0f} {NAMES[int(v)]}" for v in between[0]))

# %% [markdown]
# On scenes: keep every fourth pixel's class, 24 x 24, and grow it back three ways. The third is what networks do: one map of *scores* a class, each
# grown bilinearly, and only then the class with the largest score.

# %%
def by_numbers(small, mode):
    grown = interpolate(small, 96, 96, mode)
    return np.rint(grown).astype(int)

def by_scores(small):
    scores = np.eye(len(NAMES))[small].transpose(2, 0, 1)
    grown = [interpolate(score, 96, 96) for score in scores]
    return np.argmax(grown, axis=0)  # of (18, 96, 96)

ways = {
    "nearest, of numbers":
        lambda small: by_numbers(small, "nearest-exact"),
    "bilinear, of numbers":
        lambda small: by_numbers(small, "bilinear"),
    "bilinear, of scores": by_scores}
truths = [label_map(s) for s in make_scenes(8, split="val")]
found = []
for name, grow in ways.items():
    maps = [grow(truth[2::4, 2::4]) for truth in truths]
    pairs = list(zip(maps, truths, strict=True))
    found.append({
        "grown by": name,
        "right": np.mean([m == t for m, t in pairs]),
        "of classes that the scene lacks":
            np.mean([~np.isin(m, t) for m, t in pairs])})
draw.table(found, digits=".1%", title="Pixels of eight scenes")

# %% tags=["author"]
copied, invented, scored = found
assert copied["of classes that the scene lacks"] == scored["of classes that the scene lacks"] == 0
assert invented["of classes that the scene lacks"] > 0.05
assert scored["right"] > copied["right"] > invented["right"] + 0.05

# %% tags=["fold"]
# Draw one scene's map and the three in the classes' colours
hues = np.array([[255, 255, 255], *(
    [int(draw.class_color(n)[k:k + 2], 16) for k in (1, 3, 5)]
    for n in NAMES[1:])], np.uint8)
truth = truths[7]
maps = [grow(truth[2::4, 2::4]) for grow in ways.values()]
count = [len(np.unique(m)) - 1 for m in (truth, *maps)]
titles = [f"Truth: {count[0]} classes", f"Nearest: {count[1]}",
          f"Numbers mixed: {count[2]}", f"Scores mixed: {count[3]}"]
axes = show_many([hues[m] for m in (truth, *maps)], titles=titles)
draw.describe(axes[0], "A label map and three that grew from a "
              "quarter of its side: steps; rims of other colours "
              "round every object; smooth borders.")

# %% [markdown]
# Nearest never invents a class, and growing scores is even a little better: its borders are smooth. **The rule: labels by nearest, scores bilinear
# before the `argmax`.**
#
# ### Max-unpooling: remember where it stood
#
# Max-pooling keeps the largest of each window. If it also remembers *where* it stood, the way back can put it there again, and 0 everywhere else.
# A place is one number, `row * width + column`. On paper: 9 in a map 4 wide, in row 1, column 0, has index 4.

# %%
map_ = torch.tensor([[1.0, 2, 5, 1], [9, 0, 3, 7],
                     [4, 4, 0, 2], [1, 6, 8, 3]])
values, indices = F.max_pool2d(map_[None], 2, return_indices=True)
back = nn.MaxUnpool2d(2)(values, indices)
steps = {"A map": map_, "The largest of each 2 x 2": values[0],
         "Where it stood": indices[0], "Put back": back[0]}
show_many([step.numpy() for step in steps.values()],
          titles=list(steps), numbers=True, limits=(0, 15));

# %% [markdown]
# **Exercise.** Write `max_unpool2d` for (C, h, w) arrays. Each channel has its own places. Windows that overlap may share a largest number: then the
# same place comes twice, and it is *set* twice.

# %% tags=["exercise"]
def max_unpool2d(values, indices, height, width):
    """Return (C, height, width): values at their places, else 0.

    `values` and `indices` are (C, h, w); an index counts along the
    rows of its channel, row * width + column.
    """
    ### BEGIN SOLUTION
    channels = len(values)
    grown = np.zeros((channels, height * width), values.dtype)
    places = indices.reshape(channels, -1)  # (C, h * w)
    np.put_along_axis(grown, places, values.reshape(channels, -1), axis=1)
    return grown.reshape(channels, height, width)
    ### END SOLUTION

# %%
check(max_unpool2d)

# %%
from cvlab.segmentation import unpooling

rng, rows = np.random.default_rng(0), []
for window, stride in ((2, 2), (3, 2), (2, 1)):
    gaps = []
    for h, w in np.ndindex(6, 6):
        maps = torch.tensor(rng.normal(size=(3, h + 3, w + 3)))
        kept, at = F.max_pool2d(maps, window, stride,
                                return_indices=True)
        unpool = nn.MaxUnpool2d(window, stride)
        theirs = unpool(kept, at, output_size=maps.shape[1:])
        ours = unpooling.max_unpool2d(kept.numpy(), at.numpy(),
                                      *maps.shape[1:])
        gaps.append(np.abs(ours - theirs.numpy()).max())
    rows.append({"window": window, "stride": stride,
                 "maps": len(gaps),
                 "largest gap to torch": max(gaps)})
draw.table(rows, digits={"largest gap to torch": 0})

# %% tags=["author"]
assert [row["largest gap to torch"] for row in rows] == [0, 0, 0]

# %% [markdown]
# **Trap: the size before pooling.** 5 rows and 4 rows both pool to 2, and torch guesses 4. The indices still count in rows of 5, so the numbers land
# elsewhere, or an error comes if one falls outside. Say `output_size`.

# %%
odd = torch.arange(24.0, -1, -1).reshape(1, 5, 5)
values, indices = F.max_pool2d(odd, 2, return_indices=True)
unpool = nn.MaxUnpool2d(2)
told = unpool(values, indices, output_size=(5, 5))
steps = {"5 x 5": odd, "Told the size": told,
         "Guessed: 14 went astray": unpool(values, indices)}
show_many([step[0].numpy() for step in steps.values()],
          titles=list(steps), numbers=True, limits=(0, 24));

# %% tags=["author"]
assert odd[0, 2, 0] == told[0, 2, 0] == 14
assert unpool(values, indices)[0, 2, 0] == 0

# %% [markdown]
# What can it restore? A photo, and one feature map of it: how much brighter each pixel is than its left neighbour, after ReLU. **Predict:** for which is
# unpooling the better way back, and for which nearest, which knows no places?

# %%
from cvlab import photo

gray = torch.from_numpy(photo("chelsea")[:, :450].mean(axis=2))
edges = F.pad(gray.diff(dim=1), (1, 0)).relu()  # (300, 450)
halved = {}
for name, before in (("photo", gray), ("edges", edges)):
    values, indices = F.max_pool2d(before[None], 2,
                                   return_indices=True)
    copied = F.interpolate(values[None], scale_factor=2)[0, 0]
    halved[name] = {
        "before": before,
        "max-unpooling": nn.MaxUnpool2d(2)(values, indices)[0],
        "nearest": copied}
draw.table([
    {"map": name, "way back": way, "exactly as before":
     (maps[way] == maps["before"]).double().mean(), "mean gap":
     (maps[way] - maps["before"]).abs().mean()}
    for name, maps in halved.items()
    for way in ("max-unpooling", "nearest")],
    digits={"exactly as before": ".0%", "mean gap": 1})

# %% tags=["author"]
def lost(name, way):
    return (halved[name][way] - halved[name]["before"]).abs().mean()

assert lost("photo", "max-unpooling") > 10 * lost("photo", "nearest")
assert 2 * lost("edges", "max-unpooling") < lost("edges", "nearest")
assert abs((halved["photo"]["max-unpooling"] == gray).double().mean() - 0.25) < 0.01

# %% tags=["fold"]
# Draw a corner of both: an eye of the cat
corner = np.s_[100:132, 180:220]
titles = ["An eye", "Unpooled: dots in black",
          "Nearest: no holes", "Its edges", "Unpooled: fine, with gaps",
          "Nearest: blocks of 2 x 2"]
white = {"photo": 200, "edges": 40}
pictures = [grown[corner].numpy() / white[name]
            for name, maps in halved.items()
            for grown in maps.values()]
show_many(pictures, titles=titles, cols=3, limits=(0, 1));

# %% [markdown]
# A quarter of the photo comes back exactly, and nothing of the rest: nearest is far nearer. Of the edge map, where most numbers are small or 0, unpooling
# is the nearer one: what it puts back is where it was, though its lines have gaps. SegNet carries such indices from its shrinking half to its growing
# half; the U-Net of section 9 carries whole maps.
#
# ### Trap: the pairs of `F.pad`
#
# Sizes that do not match are mended by padding. Torch's numbers begin with the *last* axis: left, right, then top, bottom. NumPy has a pair for
# each axis, the *first* axis first. **Predict** the shape: `F.pad` of a 2 x 3 map by `(1, 2, 3, 4)`.

# %%
small = torch.ones(2, 3)
padded = {
    "F.pad, (1, 2, 3, 4)": F.pad(small, (1, 2, 3, 4)).numpy(),
    "NumPy, ((1, 2), (3, 4))": np.pad(small, ((1, 2), (3, 4))),
    "NumPy, ((3, 4), (1, 2))": np.pad(small, ((3, 4), (1, 2)))}
draw.table([{"pad": name, "rows": len(p), "columns": p.shape[1]}
            for name, p in padded.items()])

# %% tags=["fold"]
# Draw the three, the old map grey
titles = ["F.pad", "NumPy, the same order", "NumPy, exchanged"]
axes = show_many(list(padded.values()), titles=titles,
                 limits=(0, 1.6), cols=3)
draw.describe(axes[0], "A map of 2 x 3 in a frame: 9 x 6 by torch, "
              "5 x 10 by NumPy with the numbers in the same order, "
              "9 x 6 again with the two pairs exchanged.")

# %% tags=["author"]
by_torch, misread, same = padded.values()
assert by_torch.shape == (9, 6)
assert misread.shape == (5, 10)
assert np.array_equal(by_torch, same)

# %% [markdown]
# Torch's first pair belongs to the columns. In a batch of (B, C, H, W) two pairs still mean width and height.

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

# %% [markdown]
# ## 7 · What to minimise *(19 min)*

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
