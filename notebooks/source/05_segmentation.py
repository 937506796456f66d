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
#
# Two networks that many use as they are: torchvision's **FCN-ResNet50** and **DeepLabv3-ResNet50**. How big are they, and what do they answer?
#
# To learn that you need no weights. On the device `meta` a tensor has a shape and no numbers: the network is described, not filled.
# **Predict:** a picture of 64 x 96 goes in; how large is what comes out, and how large was the map that it grew from?

# %%
from torchvision.models import get_weight, segmentation

def described(name):
    build = getattr(segmentation, name)
    with torch.device("meta"):
        return build(weights=None, weights_backbone=None,
                     aux_loss=True)

nets = {name: described(name)
        for name in ("fcn_resnet50", "deeplabv3_resnet50")}
x = torch.zeros(2, 3, 64, 96, device="meta")
answers = {name: net(x) for name, net in nets.items()}

# %% tags=["fold"]
# Table the parts and the shapes
def millions(part):
    return sum(p.numel() for p in part.parameters()) / 1e6

def shape(maps):
    return " x ".join(map(str, maps.shape[1:]))

draw.table([
    {"network": name, "weights": millions(net),
     "body": millions(net.backbone),
     "head": millions(net.classifier),
     "aux": millions(net.aux_classifier),
     "the body's map": shape(net.backbone(x)["out"]),
     "out": shape(answers[name]["out"]),
     "aux ": shape(answers[name]["aux"])}
    for name, net in nets.items()
], digits=1, units=dict.fromkeys(
    ("weights", "body", "head", "aux"), "million"))

# %% tags=["author"]
assert [round(1e6 * millions(net)) for net in nets.values()] == [35_322_218, 42_004_074]
for name, net in nets.items():
    assert tuple(net.backbone(x)["out"].shape) == (2, 2048, 8, 12)
    assert {k: tuple(v.shape) for k, v in answers[name].items()} == dict.fromkeys(("out", "aux"), (2, 21, 64, 96))

# %% [markdown]
# The same body twice: ResNet-50, whose last two strides were replaced by dilations, so its map is an eighth of the picture and not a 32nd. Only the heads differ:
# one convolution of 3 x 3, or ASPP. Both answer with a *dict*, 21 scores a pixel at the size of the picture, grown bilinearly from that eighth.
#
# `out` is the answer. What is `aux`? Give each a loss of its own, and look which weights it can move.

# %%
target = torch.zeros(2, 64, 96, dtype=torch.long, device="meta")
rows = []
for key in ("out", "aux"):
    net = described("fcn_resnet50")
    F.cross_entropy(net(x)[key], target).backward()
    moved = {name.split(".")[1] if "backbone" in name else
             name.split(".")[0] for name, weight
             in net.named_parameters() if weight.grad is not None}
    rows.append({"loss on": key, "moves": ", ".join(
        part for part in (
            "conv1", "layer1", "layer2", "layer3", "layer4",
            "classifier", "aux_classifier") if part in moved)})
draw.table(rows)

# %% tags=["author"]
assert rows[0]["moves"].endswith("layer3, layer4, classifier") and rows[1]["moves"].endswith("layer3, aux_classifier")

# %% [markdown]
# `aux` is a second, smaller head that looks at `layer3`. Its loss reaches the lower layers by a shorter way; torchvision's training adds half of it to the loss of `out`.
# For an answer nobody needs it: take it out of a network, and `out` does not change by a bit.

# %%
torch.manual_seed(0)
net = segmentation.fcn_resnet50(
    weights=None, weights_backbone=None, aux_loss=True).eval()
picture = torch.randn(1, 3, 64, 96)
with torch.inference_mode():
    with_aux = net(picture)
    net.aux_classifier = None
    without = net(picture)
same = torch.equal(with_aux["out"], without["out"])
print(list(with_aux), "then", list(without), "and out is equal:",
      same)

# %% tags=["author"]
assert list(with_aux) == ["out", "aux"] and list(without) == ["out"]
assert same

# %% [markdown]
# From scores to a **class map**: the likeliest class at each pixel. One function for every network of this lesson: it takes `out` where there is a dict. torchvision's
# two were trained on photos whose shorter side has 520 pixels, so it resizes, and brings the scores back to the photo's own size *before* it chooses.

# %%
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
SPREAD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

# %% tags=["core"]
def class_map(net, photo, side=520):
    """Return (H, W), a class a pixel, of an (H, W, 3) photo."""
    height, width = photo.shape[:2]
    scale = side / min(height, width)
    x = torch.from_numpy(photo).permute(2, 0, 1) / 255
    x = ((x - MEAN) / SPREAD)[None]  # (1, 3, H, W)
    x = F.interpolate(
        x, (round(scale * height), round(scale * width)),
        mode="bilinear", antialias=True)
    with torch.inference_mode():
        scores = net(x)
    if isinstance(scores, dict):
        scores = scores["out"]  # (1, K, h, w)
    scores = F.interpolate(scores, (height, width), mode="bilinear")
    return scores.argmax(dim=1)[0].numpy()

# %%
from cvlab.world.photos import load as load_photo

cat = load_photo("chelsea")
random = class_map(net, cat, side=64)
net, with_aux, without = None, None, None  # let 140 MB go
print(cat.shape, "->", random.shape, random.dtype)

# %% tags=["author"]
assert random.shape == cat.shape[:2] and 0 <= random.min() <= random.max() < 21

# %% [markdown]
# The shapes are right; what random weights say means nothing. Now the trained ones, 310 MB, and a photo from COCO's validation set: fetched where you allow it, else one line says
# what is left out. Weights are compared with all 64 digits of their sha256. The photo's is not published: it is held to 2 MB, and must be a picture.

# %%
from cvlab.segmentation import real

photo, maps = real.photo(), {}
for name in real.VOC if photo is not None else ():
    net = real.network(name)
    if net is not None:
        maps[name] = class_map(net, photo)
net = None

# %% tags=["fold"]
# Draw class maps over the photo; offline, a scene's truth
def draw_classes(picture, labels, names, title, ax):
    found = np.unique(labels[labels > 0])
    ax = show(picture, title=title, ax=ax)
    draw.draw_masks(labels == found[:, None, None],
                    labels=[names[k] for k in found], ax=ax)
    shares = {names[k]: (labels == k).mean() for k in found}
    draw.describe(ax, f"{title}: " + ", ".join(
        f"{n} {share:.0%}" for n, share in shares.items()))

weights = "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1"
voc = get_weight(weights).meta["categories"]  # 21 names
scene = make_scene(26, split="test")
panels = [(photo, m, voc, n) for n, m in maps.items()] or [
    (scene.image, label_map(scene), NAMES, "Its truth")]
figure, axes = plt.subplots(1, 1 + len(panels), figsize=(9, 4.4),
    layout="constrained")
show(panels[0][0], title="Every pixel gets a class", ax=axes[0])
for ax, panel in zip(axes[1:], panels, strict=True):
    draw_classes(*panel, ax)

# %% [markdown]
# The classes are VOC's twenty; `weights.meta["categories"]` holds their names, in the order of the scores. What lies outside them is background to these networks, however
# large it is. **In one line:** a famous network is a body, a head, and perhaps an `aux` that you may throw away.

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
