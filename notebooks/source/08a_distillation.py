# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 08a · DINO: a student and its own past
#
# **Can a network learn to see objects when nobody tells it what is in the picture?**
#
# To be written.
#
# *186 minutes, in three sittings: sections 1 and 2 (60 min), 3 and 4 (66 min), 5 and 6 (60 min). You need lessons 00 to 04.*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# The imports of this lesson
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.world import pool
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

draw.theme("light")

# %% [markdown]
# Two networks look at one fish before a cup. The **teacher** sees the whole picture. The **student** sees a crop, and is to say the same. Nobody tells
# either of them what a fish is. How small may the crop become before the two disagree? And what in it keeps them together?

# %%
from cvlab.widgets import CropViews

CropViews()

# %% [markdown]
# Then lay the crop over the fish, and look at the other three bars. The rocket shares the cup with our fish, and nothing else.

# %% [markdown]
# ## 1 · Pictures as words *(26 min)*
#
# To be written.

# %% [markdown]
# ## 2 · Attention *(34 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 3 · A vision transformer *(36 min)*
#
# To be written.

# %% [markdown]
# ## 4 · Two views of one thing *(30 min)*
#
# Nobody tells the network what is in a picture. What can it then be asked?
#
# DINO asks it to foretell itself: here are two views of one picture, say the same of both. Whatever differs between the views, the network must learn
# to ignore. Whatever they share, it may rely on. So choosing the views *is* the teaching.
#
# Here is a thing that you will see in many views. Each of its two pictures is one emoji laid over a photo. Sixty-three other
# things come along.

# %%
drawings = drawings_to_learn()
order = np.random.default_rng(0).permutation(len(drawings))
things = [drawings[i] for i in order[:64]]
two = make_moments(things, moments=2)
PANDA = 17
pictures = [torch.from_numpy(p).permute(2, 0, 1) / 255
            for p in two.images[0]]  # each (3, 192, 192)
panda = pictures[PANDA]
axes = show_many(two.images[:, PANDA], cols=2, titles=[
    "One moment of a thing", "Another moment"])
draw.describe(axes[0], "A panda before a dull ground, then "
    "larger before a cup of coffee.")

# %% [markdown]
# ### Crops
#
# The first way to two views is **multi-crop**. Two **global** crops cover 40 to 100 % of the picture's area, several **local** ones 5 to 40 %. The
# teacher sees the global ones only, the student all of them.
#
# A crop has an area, a ratio (width over height), and a place. Start with one for paper: a picture of 192 x 192, area 0.25, ratio 4. A quarter of
# 36,864 pixels is 9,216, and a width of four heights gives 192 x 48.
#
# **Predict:** area 0.5, ratio 4. How wide?

# %%
for area, ratio in [(0.25, 1), (0.25, 4), (0.5, 4)]:
    wide = (area * 192 * 192 * ratio) ** 0.5
    high = (area * 192 * 192 / ratio) ** 0.5
    print(f"area {area}, ratio {ratio}: {wide:.0f} x {high:.0f}")

# %% [markdown]
# 272 pixels, from a picture of 192: there is no such crop. Whoever draws areas and ratios at random has to keep both in bounds.
#
# **Exercise.** Write `multi_crop(image, crops, large=96, small=48)`. `image` is `(C, H, W)`; each row of `crops` is area, ratio, x, y. The area is a share
# of the picture's. x and y share out the room that is left beside the crop: 0 is the left or upper edge, 1 the other. Round sides and corner to whole
# pixels. The first two views are resized to `large`, the others to `small`, by
# `F.interpolate(part[None], (side, side), mode="bilinear", antialias=True)[0]`. Return them as a list.

# %% tags=["exercise"]
def multi_crop(image, crops, large=96, small=48):
    """Return a list of V views: two large, then small ones."""
    ### BEGIN SOLUTION
    h, w = image.shape[1:]
    views = []
    for i, (area, ratio, x, y) in enumerate(crops.tolist()):
        wide = round((area * h * w * ratio) ** 0.5)
        high = round((area * h * w / ratio) ** 0.5)
        left, top = round(x * (w - wide)), round(y * (h - high))
        part = image[:, top : top + high, left : left + wide]
        side = large if i < 2 else small
        view = F.interpolate(part[None], (side, side), mode="bilinear", antialias=True)
        views.append(view[0])
    return views
    ### END SOLUTION

# %%
check(multi_crop)

# %% [markdown]
# The lesson goes on with the package's copy, and with `random_crops`, which draws the rows by chance so that each crop fits. torchvision's
# `resized_crop` cuts and resizes one crop. Is it equal?

# %%
from torchvision.transforms.functional import resized_crop
from cvlab.distillation.views import multi_crop, random_crops

wide_one = torch.tensor([[0.25, 4, 0, 0.5]]).expand(2, -1)
theirs = resized_crop(panda, 72, 0, 48, 192, [96, 96], antialias=True)
ours = multi_crop(panda, wide_one)[0]
print("largest difference:", (ours - theirs).abs().max().item())

crops = random_crops(np.random.default_rng(2), local=6)  # (8, 4)
views = multi_crop(panda, crops)
print([tuple(view.shape[1:]) for view in views])

# %% tags=["fold"]
# Draw the crops on the picture, and what each one shows
def boxes_of(crops, side=192):
    area, ratio, x, y = crops.T
    w, h = side * (area * ratio).sqrt(), side * (area / ratio).sqrt()
    x, y = x * (side - w), y * (side - h)
    return torch.stack([x, y, x + w, y + h], dim=1)

def as_picture(view):
    return view.permute(1, 2, 0).clamp(0, 1).numpy()

names = [f"{'global' if i < 2 else 'local'}: {100 * area:.0f} %"
         for i, area in enumerate(crops[:, 0])]
axes = show_many([as_picture(v) for v in [panda, *views]], cols=5,
    titles=["Two global crops, six local", *names])
for part, color in ((slice(2), 0), (slice(2, 8), 1)):
    draw.draw_boxes(boxes_of(crops[part]), ax=axes[0],
                    color=draw.PALETTE[color])
draw.describe(axes[0], "A panda with eight boxes, and the eight "
    "crops, two large and six small.")

# %% [markdown]
# A local view that shows nothing of the thing could agree with the teacher by its background alone. How common is that? The mask of a thing can be
# cropped like its picture.
#
# **Predict:** which share of the local views shows none of the thing?

# %%
dice = np.random.default_rng(0)
masks = torch.from_numpy(two.masks[0])[:, None].float()
shown = torch.tensor([
    [part.mean() for part in multi_crop(mask, random_crops(dice))]
    for mask in masks])  # (64, 8) share of a view that is thing
none = (shown < 0.01).float().mean(0)
print(f"views without the thing: {none[:2].mean():.0%} of the "
      f"global ones, {none[2:].mean():.0%} of the local ones")

# %% tags=["author"]
assert none[:2].mean() < 0.02 and 0.02 < none[2:].mean() < 0.12

# %% [markdown]
# Few do, even of the local ones. Our things are large: 40 to 90 % of the picture's side. Keep that in mind: in 08b local crops cost more than they
# give, and views without the thing are too rare to be the whole reason.
#
# ### Colours
#
# Two crops of one picture share its colours. Would that be enough to tell them from crops of other pictures? Three of the usual changes are one and the
# same mix, with black, with the mean grey, with the grey picture. The fourth turns over what is bright.

# %% tags=["core"]
def mix(image, other, share):
    """1: the image; 0: the other; above 1: away from it."""
    return (share * image + (1 - share) * other).clamp(0, 1)

def to_grey(image):
    """(..., 3, H, W) to (..., 1, H, W)."""
    red, green, blue = image.unbind(-3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)

def solarize(image):
    """From a half on, a value becomes 1 - value."""
    return torch.where(image < 0.5, image, 1 - image)

# %% tags=["fold"]
# Each change by itself; hue and blur are torchvision's
from torchvision.transforms.functional import (
    adjust_hue, gaussian_blur, resize)
from cvlab.world import pool

small = torch.stack([resize(p, [96, 96], antialias=True)
                     for p in pictures])  # (64, 3, 96, 96)
emoji = torch.from_numpy(pool.sprites("noto")[0][0])  # (S, S, 4)
emoji = resize(emoji.permute(2, 0, 1) / 255, [38, 38], antialias=True)

def lay_over(image):
    image, alpha = image.clone(), emoji[3:]
    part = image[..., 56:94, 56:94]
    image[..., 56:94, 56:94] = alpha * emoji[:3] + (1 - alpha) * part
    return image

# %%
changes = {
    "mirrored": lambda x: x.flip(-1),
    "brightness 0.6": lambda x: mix(x, torch.zeros(1), 0.6),
    "contrast 1.4": lambda x: mix(
        x, to_grey(x).mean((-3, -2, -1), keepdim=True), 1.4),
    "saturation 0.8": lambda x: mix(x, to_grey(x), 0.8),
    "hue 0.1": lambda x: adjust_hue(x, 0.1),
    "grey": lambda x: to_grey(x).expand_as(x),
    "blurred": lambda x: gaussian_blur(x, 9, 2.0),
    "solarised": solarize,
    "an emoji over it": lay_over,
}
one = small[PANDA]
axes = show_many([as_picture(one)]
    + [as_picture(f(one)) for f in changes.values()],
    cols=5, titles=["as it was", *changes])
draw.describe(axes[0], "A picture of a panda in ten versions.")

# %% [markdown]
# **Predict:** a frozen network from lesson 04 sees each picture before and after. Which change moves its answer furthest?
#
# The answer is the map of block 4, pooled to 112 numbers; the distance is 1 - cosine. (Say it plainly: that network learnt from ImageNet's *labels*.
# What stands on its maps is not free of labels from the ground up; the *Real* DINO in 08b is.)

# %%
from cvlab.distillation.maps import maps_of
from cvlab.distillation.views import auc, view_distances

def pooled(images):
    """(N, 112) from (N, 3, H, W) in 0 to 1."""
    pixels = (255 * images).round().byte().permute(0, 2, 3, 1)
    return maps_of(pixels.numpy()).float().mean((2, 3))

some = small[:24]
before = pooled(some)
rows = [{"change": name, "mean distance":
         view_distances(before, pooled(f(some)))[0].mean().item()}
        for name, f in changes.items()]
draw.table(rows, digits=".2f", sort="mean distance")

# %% tags=["author"]
moved = {row["change"]: row["mean distance"] for row in rows}
assert max(moved, key=moved.get) == "blurred" and 0.1 < moved["blurred"] < 0.25
assert moved["saturation 0.8"] < 0.01 and moved["grey"] > moved["hue 0.1"]

# %% [markdown]
# Blur, which takes the fine pattern away, moves it furthest; a little less saturation hardly counts. Keep the size of these numbers in mind: no change
# moves the answer by more than 0.25. (AugLy, a library of changes, has the emoji laid over as one of its own.)
#
# All together, as in DINO: colours change in four views of five, the first global view is always blurred, the second hardly ever, and only the second is
# ever solarised.

# %% tags=["core"]
def change(views, dice):
    """Change each view (3, H, W) as DINO does."""
    changed = []
    for i, view in enumerate(views):
        if dice.random() < 0.5:
            view = view.flip(-1)
        if dice.random() < 0.8:
            light, contrast = dice.uniform(0.6, 1.4, 2)
            view = mix(view, torch.zeros(1), light)
            view = mix(view, to_grey(view).mean(), contrast)
            view = mix(view, to_grey(view), dice.uniform(0.8, 1.2))
            view = adjust_hue(view, dice.uniform(-0.1, 0.1))
        if dice.random() < 0.2:
            view = to_grey(view).expand(3, -1, -1)
        if dice.random() < (1.0, 0.1, 0.5)[min(i, 2)]:
            wide = view.shape[-1] // 20 * 2 + 1  # odd
            view = gaussian_blur(view, wide, dice.uniform(0.1, 2))
        if i == 1 and dice.random() < 0.2:
            view = solarize(view)
        changed.append(view)
    return changed

# %% tags=["fold"]
# Draw five views of one picture, twice
dice = np.random.default_rng(5)
rows = [change(multi_crop(panda, random_crops(dice, 3)), dice)
        for _ in range(2)]
axes = show_many([as_picture(v) for row in rows for v in row], cols=5,
    titles=["global", "global", "local", "local", "local"] * 2)
draw.describe(axes[0], "Ten crops of one picture in changed "
    "colours, some mirrored, blurred or grey.")

# %% [markdown]
# Now the question about colours. Take two global crops of each picture, and of each crop nothing but its mean colour, three numbers. The **AUC** is how
# often two crops of one picture are nearer to each other than crops of two pictures: 1 is always, 0.5 is chance.

# %%
def mean_colours(dice, changed):
    both = [multi_crop(p, random_crops(dice, 0)) for p in pictures]
    both = [change(b, dice) for b in both] if changed else both
    return [torch.stack([views[k].mean((1, 2)) for views in both])
            for k in (0, 1)]  # (64, 3) each

rated = []
for changed in (False, True):
    a, b = mean_colours(np.random.default_rng(1), changed)
    apart = torch.cdist(a, b)  # (64, 64)
    same = torch.eye(64, dtype=torch.bool)
    rated.append(auc(apart[same], apart[~same]))
    print(f"colours {'changed' if changed else 'as they were'}: "
          f"AUC {rated[-1]:.2f}")

# %% tags=["author"]
assert rated[0] > 0.93 and 0.52 < rated[1] < 0.75

# %% [markdown]
# As they were, three numbers are nearly enough: a network could agree with itself and never look at a form. Changed, little of that is left. So the
# changes are no decoration: they close a way out. Chen et al. saw the same in histograms of pixels, and named it the reason for changing colours.
#
# ### Two moments
#
# A crop moves the frame, a change of colour the light. Neither moves the thing before its background. A video does that for free: the next moment shows
# the same thing elsewhere. Our two moments imitate it. They know the thing's outline, which a video does not.
#
# Four kinds of pairs let thing and background vary one by one.

# %%
kept = make_moments(things, moments=2, elsewhere=False)
turned = things[1:] + things[:1]  # before a neighbour's ground
swapped = make_moments(turned)
pairs = {"same thing, same background": kept.images[1],
         "other thing, same background": swapped.images[0],
         "same thing, other background": two.images[1]}
axes = show_many([two.images[0, PANDA]]
    + [images[PANDA] for images in pairs.values()], cols=4,
    titles=["one picture", *pairs])
draw.describe(axes[0], "A panda, the panda moved before the same "
    "ground, another thing there, the panda before a cup.")

# %% [markdown]
# **Predict:** to the frozen network, which of the three is nearest to the first picture? And to our transformer of section 3, untrained?

# %%
from cvlab.distillation.teaching import small_vit

torch.manual_seed(0)
vit = small_vit().eval()

@torch.no_grad()
def both(images):
    maps = maps_of(images).float()
    return {"pooled map": maps.mean((2, 3)),
            "untrained ViT": vit(maps)}

first = both(two.images[0])
second = {name: both(images) for name, images in pairs.items()}
rows, apart = [], {}
for net, a in first.items():
    elsewhere = view_distances(a, second[list(pairs)[2]][net])[1]
    for name in pairs:
        within = view_distances(a, second[name][net])[0]
        apart[net, name] = within
        rows.append({"network": net, "pair": name,
                     "mean distance": within.mean().item(),
                     "AUC": auc(within, elsewhere)})
    rows.append({"network": net,
                 "pair": "other thing, other background",
                 "mean distance": elsewhere.mean().item(),
                 "AUC": 0.5})
    apart[net, "other"] = elsewhere
draw.table(rows, digits=".2f")

# %% tags=["author"]
by = {(row["network"], row["pair"]): row for row in rows}
for net in first:
    same, swap, other = (by[net, name] for name in pairs)
    assert same["AUC"] > 0.96 and swap["AUC"] > 0.93 and 0.45 < other["AUC"] < 0.65
    assert 3 * swap["mean distance"] < other["mean distance"]

# %% [markdown]
# Two moments before one background are told from other pictures at once: AUC near 1. Does the network know the thing again? The second row says no:
# *another* thing before that background is nearly as close. And the third: the same thing elsewhere is hardly closer than any other picture, near 0.5. To
# both networks a picture is, in the main, its background. The untrained transformer inherits that from its maps.
#
# Before one background the two histograms lie apart, and nothing need be learnt. Before two, they lie on each other: all of that is left to learn.

# %% tags=["fold"]
# Draw distances within a thing and between things
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True,
                            layout="constrained")
bins = np.linspace(0, 1, 31)
for ax, name in zip(axes, (list(pairs)[0], list(pairs)[2]),
                    strict=True):
    within = apart["pooled map", name]
    between = apart["pooled map", "other"]
    for distances, color, words, at in (
            (between, 1, "two things", 0.6),
            (within, 0, "one thing", 0.22)):
        ax.hist(distances.numpy(), bins, density=True, alpha=0.7,
                color=draw.PALETTE[color])
        ax.text(at, 0.55, words, transform=ax.transAxes,
                color=draw.readable(draw.PALETTE[color]))
    ground = name.split(", ")[1].capitalize()
    ax.set_title(f"{ground}: AUC {auc(within, between):.2f}")
    ax.set_xlabel("distance, 1 - cosine")
axes[0].set_ylabel("density")
draw.describe(axes[0], "Distances within a thing and between things: "
    "apart before one background, mixed before two.")

# %% [markdown]
# **Two views teach what they share.** A student whose views share the background can agree without knowing anything of the thing. What does it learn
# then, and what if the background differs? 08b trains both and draws these two histograms again. First: who is the teacher?

# %% tags=["fold"]
# Let the large arrays go
two = kept = swapped = pairs = pictures = small = masks = None
first = second = views = None

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 5 · A student and its own past *(34 min)*
#
# To be written.

# %% [markdown]
# ## 6 · Two ways to collapse *(26 min)*
#
# To be written.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("08a")
