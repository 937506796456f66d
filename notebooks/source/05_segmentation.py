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
#
# Shrink, then grow: before you let such a network name pixels, ask it for less. It is to give back *the picture it was shown*, through a **code** of a few numbers. Nobody has to label
# anything. What it keeps tells you what fits through the narrow place.
#
# The pictures: stickers on white, 32 x 32, so 3072 numbers. They are judged in two drawing styles that were not trained on.

# %% tags=["core"]
class Autoencoder(nn.Module):
    """3 x 32 x 32 numbers to `width`, and back."""

    def __init__(self, width, last=None):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, width),
            last or nn.Identity())
        self.decode = nn.Sequential(
            nn.Linear(width, 512), nn.ReLU(),
            nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1))

    def forward(self, x):
        return self.decode(self.encode(x))

# %% [markdown]
# Three strides down, section 5's transposed convolutions up, kernel 4 and stride 2, which makes no checkerboard. Training is the loop you know; the target is the input. The score is **PSNR**,
# `10 log10(1 / mean squared error)`: 10 dB more are a tenth of the squared error.

# %%
from cvlab.segmentation import autoencoder as recorded

train = recorded.small_stickers(1000)  # -0.5 to 0.5
val = recorded.small_stickers(200, "val")

def psnr(found, wanted):
    error = ((found - wanted) ** 2).mean(dim=(1, 2, 3))
    return (-10 * error.log10()).mean().item()

torch.manual_seed(0)
net = Autoencoder(16)
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for step in range(120):
    some = train[torch.randint(len(train), (50,))]
    loss = F.mse_loss(net(some), some)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% tags=["nbval-ignore-output"]
with torch.inference_mode():
    found = {"always the mean picture": train.mean(0).expand_as(val),
             "after a few seconds": net(val),
             "recorded, after 1200 steps": recorded.trained("16")(val)}
draw.table([{"what comes back": name, "PSNR": psnr(x, val)}
            for name, x in found.items()], units={"PSNR": "dB"}, digits=0)

# %% tags=["author"]
a, b, c = (psnr(x, val) for x in found.values())
assert a + 0.3 < b < c - 1, (a, b, c)

# %% [markdown]
# A few seconds beat the mean picture. The lesson goes on with longer trainings, from `data/make_autoencoder.py`.
#
# ### Compress
#
# An honest rival: **PCA** squeezes to the same width, with one matrix and no training loop. **Predict:** does the network win at every width?

# %% tags=["fold"]
# Draw PSNR against the width of the code, for both ways
kept = recorded.record()["psnr"]
widths = sorted(map(int, kept["pca"]))
figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
for name in ("autoencoder", "pca"):
    ax.plot(widths, [kept[name][str(w)] for w in widths], "o-",
            label="PCA" if name == "pca" else name)
ahead = {w: kept["autoencoder"][str(w)] - kept["pca"][str(w)]
         for w in widths}
ax.set(xscale="log", xticks=widths, xticklabels=widths,
       xlabel="numbers in the code (of 3072)", ylabel="PSNR, dB",
       title="Network less PCA, by width: " + ", ".join(
           f"{gain:+.1f} dB at {w}" for w, gain in ahead.items()))
ax.minorticks_off()
draw.label_lines(ax)

# %% tags=["author"]
assert ahead[4] > 0.1 < ahead[16] and ahead[64] < -0.5, ahead

# %% [markdown]
# No. With 4 or 16 numbers the network is a little ahead, with 64 PCA is, by a decibel: a matrix that is fitted exactly is hard to beat, and 1200 steps are few. Keep such a rival beside every network
# that "compresses".

# %% [markdown]
# **Trap:** a ReLU where a number must be free to be negative. At the end of the *code*: trained as long as the others. At the end of the *output*, for pictures in -0.5 to 0.5: what it costs
# needs no training, because the best that it could ever give is the picture, cut at 0. **Predict:** what does the cut take away?

# %%
cut = val.relu()
draw.table([
    {"network": "16 numbers, free",
     "PSNR": kept["autoencoder"]["16"]},
    {"network": "16 numbers, ReLU at the code",
     "PSNR": kept["relu"]["16"]},
    {"network": "any width, ReLU at the output, at best",
     "PSNR": psnr(cut, val)}], units={"PSNR": "dB"}, digits=1)

# %% tags=["author"]
assert kept["relu"]["16"] < kept["autoencoder"]["16"] - 1 and recorded.record()["never used of 16"] == 12
assert abs(kept["relu"]["16"] - kept["autoencoder"]["4"]) < 0.3 and 25 < psnr(cut, val) < 29

# %% tags=["fold"]
# Show three pictures, and what a ReLU leaves of them
def picture(x):  # (3, H, W), -0.5 to 0.5, to (H, W, 3)
    return (x + 0.5).clip(0, 1).permute(1, 2, 0).numpy()

shown = [picture(x[i]) for i in (0, 1, 2) for x in (val, cut)]
axes = show_many(shown, titles=["wanted", "cut at 0"] * 3, cols=6)
draw.describe(axes[0], "Three stickers, and the same with all that "
              "is darker than middle grey made grey")

# %% [markdown]
# The cut makes everything darker than middle grey middle grey: no outline, no eye is left, and no width of code brings it back. With the ReLU at the code, 12 of the 16 numbers ended as 0 for *every*
# training picture. Four are left, and the score is that of a code of four.

# %% [markdown]
# ### Denoise
#
# The same network, shown pictures with noise added, and asked for those without. It can't copy: it must know what stickers look like. The rival: a Gaussian blur, at the width that is best *for these
# pictures*, which is more than a fair chance.

# %%
from scipy.ndimage import gaussian_filter

torch.manual_seed(0)
noisy = val + 0.4 * torch.randn(val.shape)

def blurred(x, sigma):
    sigmas = (0, 0, sigma, sigma)
    return torch.from_numpy(gaussian_filter(x.numpy(), sigmas))

blurs = [blurred(noisy, s) for s in np.arange(0.5, 2.1, 0.25)]
results = {
    "noisy": noisy,
    "best blur": max(blurs, key=lambda x: psnr(x, val)),
    "trained without noise": recorded.trained("64")(noisy),
    "trained with noise": recorded.trained("denoise")(noisy)}
decibels = {name: psnr(x, val) for name, x in results.items()}

# %% tags=["fold"]
# Show two pictures, each way
shown, titles = [], []
for i in (0, 5):
    shown += [picture(x[i]) for x in (val, *results.values())]
    titles += ["the picture"] + [f"{name}: {db:.1f} dB"
                                 for name, db in decibels.items()]
axes = show_many(shown, titles=titles, cols=5)
draw.describe(axes[0], "Two stickers, with noise, three ways of "
              "taking it away; mean PSNR in the titles")

# %% tags=["author"]
assert decibels["noisy"] < 9 and decibels["trained without noise"] < decibels["best blur"] - 0.5
assert decibels["best blur"] + 0.3 < decibels["trained with noise"] < decibels["best blur"] + 2

# %% [markdown]
# Trained with noise it is some tenths of a decibel better than the best blur, and cleans the white; *without* noise in its training it is worse than the blur. But look at the taxi: outline and colour are made up. What noise
# has taken, a network fills in from what it has seen.
#
# ### Generate?
#
# The decoder makes a picture from *any* 16 numbers. Walk in a straight line from one sticker's code to another's. **Predict:** what stands halfway?

# %%
net = recorded.trained("16")
ends = net.encode(train[[3, 8]])  # (2, 16)
steps = torch.linspace(0, 1, 7)[:, None]
walk = net.decode((1 - steps) * ends[0] + steps * ends[1])
titles = [f"{100 * s:.0f} %" for s in steps[:, 0].tolist()]
axes = show_many([picture(x) for x in walk], titles=titles, cols=7)
draw.describe(axes[0], "Seven pictures on the straight line "
              "between two codes: halfway is a smudge of both")

# %% [markdown]
# Halfway looks like both at once. Is it? And a code drawn at random, with the mean and spread that the codes of real pictures have? Measure: how far is a made picture from the *nearest* of
# 1000 training pictures, and halfway, how far from the plain mixture of the two ends?

# %%
def rms(a, b):  # each of a to each of b
    a, b = a.flatten(1), b.flatten(1)
    return torch.cdist(a, b) / a.shape[1] ** 0.5

codes = net.encode(train)
torch.manual_seed(0)
pairs = torch.randperm(1000)[:400].reshape(2, 200)
halfway = net.decode(codes[pairs].mean(dim=0))
mixture = net(train)[pairs].mean(dim=0)
drawn = codes.mean(dim=0) + codes.std(dim=0) * torch.randn(200, 16)
random = net.decode(drawn)
nearest = {name: rms(x, train).min(dim=1).values.mean().item()
           for name, x in [("a sticker not trained on", val),
                           ("its way through 16 numbers", net(val)),
                           ("halfway", halfway),
                           ("a random code", random)]}

# %% tags=["fold"]
# Table the distances, show six random codes
to_mixture = rms(halfway, mixture).diag().mean().item()
axes = show_many([picture(x) for x in random[:6]], cols=6)
draw.describe(axes[0], "Six pictures from random codes: coloured "
              "smudges, none of them a sticker")
rows = [{"picture": name, "distance": d, "to": "nearest of 1000"}
        for name, d in nearest.items()]
draw.table([*rows, {"picture": "halfway", "distance": to_mixture,
                    "to": "mixture of its ends"}], digits=2)

# %% tags=["author"]
assert to_mixture < 0.6 * nearest["halfway"]
assert nearest["a random code"] < nearest["a sticker not trained on"] + 0.02

# %% [markdown]
# Halfway lies about twice as near to the *mixture* of its ends as to any sticker: it is no third sticker between two others. A random code gives coloured smudges. The distance alone does not say so, blurry
# pictures are near to everything; your eyes do. Nothing in the training asked that every code be a picture; a variational autoencoder and a diffusion model ask for it.
#
# **In one line:** what comes through a narrow code is what the pictures have in common. To name every pixel, that is too little: the next section lays cables past the narrow place.

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
#
# Shrinking makes a network see wide and cheaply, and costs the outline. Three families answer that without a U-Net. First: how much *is* lost? Take the truth
# itself, keep the mean of each block of 32, 16 or 8 pixels, grow it back, and choose. No network at that stride is expected to do better.
#
# **Predict:** at stride 32, how much of the things is left, as IoU?

# %% tags=["fold"]
# Scenes of 128 pixels with a truth of five groups; two scores
from cvlab.convolutions.receptive import gradient_field
from cvlab.convolutions.receptive import receptive_field
from cvlab.segmentation.targets import GROUPS
from cvlab.transfer_learning.backbone import backbone, prepare
from cvlab.transfer_learning.levels import each_level

def scenes(n, split):
    made = make_scenes(n, split=split, size=128)
    truth = np.stack([label_map(s, "groups") for s in made])
    images = np.stack([s.image for s in made])
    return images, torch.from_numpy(truth)

def thing_iou(labels, truth):  # a thing of any group
    a, b = labels > 0, truth > 0
    return 100 * ((a & b).sum() / (a | b).sum()).item()

def edge_accuracy(labels, truth):  # within 3 pixels of it
    thing = (truth > 0).float()[:, None]
    near = (F.max_pool2d(thing, 7, 1, 3)
            + F.max_pool2d(-thing, 7, 1, 3))[:, 0] > 0
    return 100 * (labels == truth)[near].float().mean().item()

# %%
images, truth = scenes(60, "val")
one_hot = F.one_hot(truth, 5).permute(0, 3, 1, 2).float()
limits = {}
for stride in (32, 16, 8):
    small = F.avg_pool2d(one_hot, stride)  # (60, 5, h, w)
    limits[stride] = F.interpolate(
        small, (128, 128), mode="bilinear").argmax(dim=1)
ious = {s: thing_iou(m, truth) for s, m in limits.items()}

# %% tags=["fold"]
# Colour class maps over their picture, side by side
from matplotlib.colors import to_rgb

colors = np.array([to_rgb(c) for c in ("k", *draw.PALETTE[:4])])

def colored(image, labels):
    mixed = 0.3 * image / 255 + 0.7 * colors[labels]
    return np.where((labels > 0)[..., None], mixed, image / 255)

def side_by_side(i, maps, titles):
    pictures = [colored(images[i], m[i].numpy()) for m in maps]
    axes = show_many(pictures, titles=titles, cols=4)
    draw.describe(axes[0], f"One scene: {'; '.join(titles)}")

SHOWN = 8
side_by_side(SHOWN, [truth, *limits.values()], ["truth"] + [
    f"stride {s}: IoU {iou:.0f} %" for s, iou in ious.items()])

# %% tags=["author"]
assert ious[32] < 60 < 68 < ious[16] < 82 < ious[8] < 92

# %% [markdown]
# At 32 even the truth loses half. But a classifier's deepest map, the one that knows what it sees, has that stride.
#
# ### FCN: add up what several levels say
#
# Long, Shelhamer and Darrell, 2015: a 1x1 convolution turns each level into **score maps**, one a class. Grow the deepest, add the next level's, grow again. With one level it is an
# **FCN-32s**, with two a 16s, with three an 8s.

# %% tags=["core"]
class FCN(nn.Module):
    """Adds up the score maps of levels, deepest first."""

    def __init__(self, widths, classes):
        super().__init__()
        self.scores = nn.ModuleList(
            nn.Conv2d(width, classes, 1) for width in widths)

    def forward(self, levels, size):
        total = 0
        for level, score in zip(levels, self.scores, strict=False):
            scores = score(level)  # (B, classes, h, w)
            if torch.is_tensor(total):
                total = F.interpolate(
                    total, scores.shape[2:], mode="bilinear")
            total = total + scores
        return F.interpolate(total, size, mode="bilinear")

# %% tags=["fold"]
# Frozen levels at strides 32, 16 and 8; a short training
def levels_of(images):
    parts = []
    with torch.no_grad():
        for some in np.array_split(images, len(images) // 10):
            maps = each_level(backbone(), prepare(some))
            parts.append([maps[7], maps[5], maps[3]])
    return [torch.cat(maps) for maps in zip(*parts, strict=True)]

def train(net, levels, truth, rate, steps=80):
    dice = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps)
    half = truth[:, ::2, ::2]  # a quarter of the work
    for _ in range(steps):
        some = torch.randint(len(half), (16,), generator=dice)
        few = [maps[some] for maps in levels]
        scores = net(few, half.shape[1:])
        loss = F.cross_entropy(scores, half[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

# %% tags=["nbval-ignore-output"]
seen, seen_truth = scenes(160, "train")
learn, judge = levels_of(seen), levels_of(images)  # frozen: once
seen = None
nets = {}
for name, widths in {"FCN-32s": [320], "FCN-16s": [320, 112],
                     "FCN-8s": [320, 112, 40]}.items():
    torch.manual_seed(0)
    nets[name] = FCN(widths, len(GROUPS))
    train(nets[name], learn, seen_truth, rate=0.02)

def answer(net):
    with torch.inference_mode():
        return net(judge, (128, 128)).argmax(dim=1)

answers = {name: answer(net) for name, net in nets.items()}

# %% tags=["nbval-ignore-output"]
side_by_side(SHOWN, [truth, *answers.values()],
             ["truth", *answers])
draw.table([
    {"network": name, "IoU of things": thing_iou(labels, truth),
     "right near an outline": edge_accuracy(labels, truth),
     "weights": sum(p.numel() for p in nets[name].parameters())}
    for name, labels in answers.items()], digits=0,
    units={"IoU of things": "%", "right near an outline": "%"})

# %% tags=["author"]
scored = [thing_iou(labels, truth) for labels in answers.values()]
edges = [edge_accuracy(labels, truth) for labels in answers.values()]
assert scored[0] + 10 < scored[1] < scored[2] - 2, scored
assert edges[0] + 3 < edges[1] and edges[0] + 5 < edges[2], edges
assert scored[1] - scored[0] > scored[2] - scored[1], scored

# %% [markdown]
# Each shallower level adds detail, the first step more than the second, for a few hundred weights. But every place of a level is judged alone, through a single 1x1.
#
# ### Dilation: holes in the kernel
#
# The other way: do not shrink, widen the *kernel*. With dilation 2 a kernel skips every other pixel. On paper: nine ones and a kernel of four twos. With dilation 1 each output is
# `4 · 2 = 8`. With dilation 2 the kernel reaches over all nine, *touches the four corners*, and gives 8 as well. Now a plus: **predict** both answers.

# %%
plus = torch.tensor([[0., 1, 0], [1, 1, 1], [0, 1, 0]])
kernel = torch.full((1, 1, 2, 2), 2.)
nine = {"ones": torch.ones(3, 3), "plus": plus}
for name, x in nine.items():
    for d in (1, 2):
        out = F.conv2d(x[None, None], kernel, dilation=d)[0, 0]
        print(f"{name}, dilation {d}: {out.tolist()}")

# %% tags=["author"]
assert F.conv2d(plus[None, None], kernel, dilation=2).item() == 0
assert (F.conv2d(plus[None, None], kernel) == 6).all()

# %% [markdown]
# Zero: the whole plus lies in the holes. That is no accident of small numbers. Stack three 3x3 layers, and ask by gradients which pixels can move the middle output.

# %% tags=["fold"]
# Which cells move the middle one? Picture and count
def field(net, channels=1, side=33):
    x = torch.rand(4, channels, side, side)
    return gradient_field(net, x)

def box(seen):  # side of the field, cells in use inside it
    rows = np.nonzero(seen.any(axis=1))[0]
    return np.ptp(rows) + 1, int((seen > 0).sum())

def ones(d):
    layer = nn.Conv2d(1, 1, 3, padding=d, dilation=d)
    nn.init.ones_(layer.weight)
    return layer

# %%
titles, pictures = [], []
for dilations in [(1, 1, 1), (1, 2, 4), (2, 2, 2)]:
    seen = field(nn.Sequential(*map(ones, dilations)))
    side, cells = box(seen)
    titles.append(f"{dilations}: {cells} of {side} x {side}")
    bright = 0.4 + 0.6 * seen / seen.max()
    pictures.append(np.where(seen > 0, bright, 0))
axes = show_many(pictures, titles=titles, cols=3, limits=(0, 1))
draw.describe(axes[0], "; ".join(titles))

# %% tags=["author"]
assert [t.split(": ")[1] for t in titles] == ["49 of 7 x 7", "225 of 15 x 15", "49 of 13 x 13"]

# %% [markdown]
# Twenty-seven weights each time. With dilations 1, 2, 4 the field doubles its side with every layer, without a hole. **Trap:** the same dilation again and again looks at one
# pixel in two each way, the **gridding** artefact: 120 of 169 pixels cannot be seen, however long you train.
#
# ### A stride becomes a dilation
#
# So take a network that shrinks 32 times, give its last stride of 2 a 1, and the layer after it a dilation of 2. Same weights. **Predict:** what of the old map is found in the new one?

# %%
def body(strides, dilations):
    torch.manual_seed(0)  # the same weights each time
    channels = [3, 8, 8, 8, 8, 8]
    return nn.Sequential(*(
        nn.Conv2d(c, 8, 3, stride, padding=d, dilation=d)
        for c, stride, d in zip(channels, strides, dilations,
                                strict=True)))

bodies = {32: body((2, 2, 2, 2, 2, 1), (1, 1, 1, 1, 1, 1)),
          16: body((2, 2, 2, 2, 1, 1), (1, 1, 1, 1, 1, 2))}
x = torch.rand(1, 3, 128, 128)
old, new = (net(x) for net in bodies.values())
print("every other cell of the new map is the old one:",
      torch.allclose(new[..., ::2, ::2], old, atol=1e-6))

# %% tags=["fold"]
# Count a network's multiply-adds, layer by layer, as it runs
def multiply_adds(net, *x):
    counts = []
    def count(layer, _, out):
        counts.append(layer.weight.numel() * out[0, 0].numel())
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    hooks = [m.register_forward_hook(count) for m in convs]
    with torch.no_grad():
        net(*x)
    for hook in hooks:
        hook.remove()
    return sum(counts)

def size(net):
    return sum(p.numel() for p in net.parameters())

# %%
draw.table([
    {"output stride": stride,
     "map": f"{128 // stride} x {128 // stride}",
     "field": receptive_field(
         [(m.kernel_size[0], m.stride[0], m.dilation[0])
          for m in net]),
     "weights": size(net), "multiply-adds": multiply_adds(net, x)}
    for stride, net in bodies.items()], units={"field": "pixels"})

# %% tags=["author"]
assert torch.allclose(new[..., ::2, ::2], old, atol=1e-6) and new.shape[2] == 2 * old.shape[2] == 8
fields = [receptive_field([(m.kernel_size[0], m.stride[0], m.dilation[0]) for m in net]) for net in bodies.values()]
assert fields == [127, 127]
assert [box(field(net, 3, 257))[0] for net in bodies.values()] == [127, 127]
assert multiply_adds(bodies[16], x) > multiply_adds(bodies[32], x)

# %% [markdown]
# All of it: between the old cells stand new ones. Weights and field stay, so trained weights can be kept. The layers from that stride on have four times the places to
# work at; here they are two thin ones of six. That is DeepLab's *output
# stride*, 16 or 8, and torchvision's `replace_stride_with_dilation`.
#
# ### Any size in, one length out
#
# **Trap:** a linear layer behind `flatten` fixes the picture's size. **Spatial pyramid pooling** (He et al., 2014) cuts the map into 1, 4 and 16 parts, however large these are, and keeps each part's maximum.

# %% tags=["core"]
class SpatialPyramidPooling(nn.Module):
    """Maps of any size become one vector, 21 numbers a channel."""

    def __init__(self, sides=(1, 2, 4)):
        super().__init__()
        self.pools = nn.ModuleList(
            nn.AdaptiveMaxPool2d(side) for side in sides)

    def forward(self, maps):
        return torch.cat(
            [pool(maps).flatten(1) for pool in self.pools], dim=1)

# %%
pyramid, linear = SpatialPyramidPooling(), nn.Linear(7168, 10)
rows = []
for height, width in [(128, 128), (96, 160), (250, 130)]:
    picture = np.zeros((1, height, width, 3), np.uint8)
    maps = each_level(backbone(), prepare(picture))[5]
    flat = maps.flatten(1)  # (1, 112 * h * w)
    try:
        fits = f"{linear(flat).shape[1]} scores"
    except RuntimeError as error:
        fits = type(error).__name__
    rows.append({
        "picture": f"{height} x {width}",
        "map": " x ".join(map(str, maps.shape[1:])),
        "flattened": flat.shape[1], "nn.Linear(7168, 10)": fits,
        "pyramid": pyramid(maps).shape[1]})
draw.table(rows)

# %% tags=["author"]
assert {row["pyramid"] for row in rows} == {21 * 112}
assert [row["nn.Linear(7168, 10)"] for row in rows] == ["10 scores", "RuntimeError", "RuntimeError"]

# %% [markdown]
# ### ASPP: several views of one place
#
# DeepLab joins the two ideas, and calls it **atrous spatial pyramid pooling**; *à trous*, with holes. Side by side on one map: a 1x1, three 3x3 with different dilations, and the mean of the whole
# map. Then a 1x1 mixes. Which kind of 3x3? There are two, so `conv` is a parameter.

# %% tags=["core"]
def pointwise(channels, width):
    return nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU())

def dilated(channels, width, rate=1):
    """A 3 x 3 convolution with holes: channels in, width out."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=rate,
                  dilation=rate), nn.ReLU())

def separable(channels, width, rate=1):
    """The same in two steps: a kernel a channel, then a 1 x 1."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=rate,
                  dilation=rate, groups=channels),
        *pointwise(channels, width))

# %% tags=["core"]
class ASPP(nn.Module):
    """Looks at each place near, wide, wider, and as a whole."""

    def __init__(self, channels, width, conv, rates=(1, 2, 4)):
        super().__init__()
        self.point = pointwise(channels, width)
        self.wide = nn.ModuleList(
            conv(channels, width, rate) for rate in rates)
        self.whole = pointwise(channels, width)
        self.mix = pointwise((2 + len(rates)) * width, width)

    def forward(self, x):
        whole = self.whole(x.mean(dim=(2, 3), keepdim=True))
        whole = whole.expand(-1, -1, *x.shape[2:])  # everywhere
        views = [self.point(x), *(conv(x) for conv in self.wide)]
        return self.mix(torch.cat([*views, whole], dim=1))

# %% [markdown]
# `separable` you know from lesson 04: depthwise, then pointwise. **DeepLabv3+** uses it everywhere, and adds a small decoder: grow ASPP's answer, put a *thinned* shallow
# level beside it, let one more 3x3 mix. (Theirs goes back to stride 4; ours to 8, to be quick.)

# %% tags=["core"]
class Decoder(nn.Module):
    """DeepLabv3+: ASPP's maps grown, shallow maps beside them."""

    def __init__(self, deep, shallow, width, classes, conv):
        super().__init__()
        self.aspp = ASPP(deep, width, conv)
        self.thin = pointwise(shallow, width // 4)
        self.mix = nn.Sequential(
            conv(width + width // 4, width),
            nn.Conv2d(width, classes, 1))

    def forward(self, levels, size):
        _, deep, shallow = levels  # strides 32, 16 and 8
        grown = F.interpolate(
            self.aspp(deep), shallow.shape[2:], mode="bilinear")
        x = torch.cat([grown, self.thin(shallow)], dim=1)
        return F.interpolate(self.mix(x), size, mode="bilinear")

# %% [markdown]
# Now one table: what each costs on a map of 16 x 16 with 112 channels, and how wide it sees, measured. **Predict:** what does ASPP's field depend on?

# %%
WIDTH = 32
parts = {
    "one 3 x 3": dilated(112, WIDTH),
    "three 3 x 3": nn.Sequential(dilated(112, WIDTH), dilated(
        WIDTH, WIDTH), dilated(WIDTH, WIDTH)),
    "dilated 1, 2, 4": nn.Sequential(dilated(112, WIDTH), dilated(
        WIDTH, WIDTH, 2), dilated(WIDTH, WIDTH, 4)),
    "ASPP": ASPP(112, WIDTH, dilated),
    "ASPP, separable": ASPP(112, WIDTH, separable)}
maps = torch.rand(1, 112, 16, 16)
rows = [{"part": name, "weights": size(net),
         "multiply-adds": multiply_adds(net, maps) / 1e6,
         "field": box(field(net, 112))[0]}
        for name, net in parts.items()]

# %% tags=["nbval-ignore-output"]
from time import perf_counter

def milliseconds(net, *x):
    times = []
    with torch.inference_mode():
        for _ in range(15):
            start = perf_counter()
            net(*x)
            times.append(1000 * (perf_counter() - start))
    return min(times)

draw.table([row | {"time": milliseconds(net, maps)} for row, net
            in zip(rows, parts.values(), strict=True)],
           units={"multiply-adds": "million", "time": "ms",
                  "field": "of 33 cells"},
           digits={"multiply-adds": 1, "time": 2})

# %% tags=["author"]
assert [row["field"] for row in rows] == [3, 7, 15, 33, 33]
assert box(field(parts["ASPP"].wide[2], 112))[0] == 9
assert rows[1]["weights"] == rows[2]["weights"] and rows[1]["multiply-adds"] == rows[2]["multiply-adds"]
assert rows[3]["weights"] > 4 * rows[4]["weights"] and rows[3]["multiply-adds"] > 4 * rows[4]["multiply-adds"]

# %% [markdown]
# Dilation doubles the field for nothing. ASPP's field is the whole map, because of the mean: give it 33 cells or 330, it sees them all; without that branch it is 9. The separable one needs less
# than a quarter of weights and multiply-adds. Is it worse? Train both decoders as the FCNs were trained.

# %% tags=["nbval-ignore-output"]
for name, conv in [("full", dilated), ("separable", separable)]:
    torch.manual_seed(0)
    net = Decoder(112, 40, WIDTH, len(GROUPS), conv)
    train(net, learn, seen_truth, rate=0.005)
    nets[f"decoder, {name}"] = net
    answers[f"decoder, {name}"] = answer(net)
answers["the truth at stride 8"] = limits[8]

# %% tags=["fold", "nbval-ignore-output"]
# Table costs and scores of all five, and the bound
one = [maps[:1] for maps in judge], (128, 128)
rows = []
for name, labels in answers.items():
    row = {"network": name,
           "IoU of things": thing_iou(labels, truth),
           "right near an outline": edge_accuracy(labels, truth)}
    if net := nets.get(name):
        row |= {"weights": size(net), "time": milliseconds(net, *one),
                "multiply-adds": multiply_adds(net, *one) / 1e6}
    rows.append(row)
draw.table(
    rows, units={"multiply-adds": "million", "time": "ms",
                 "IoU of things": "%", "right near an outline": "%"},
    digits={"multiply-adds": 2, "time": 2, "IoU of things": 0,
            "right near an outline": 0})

# %% tags=["author"]
scored = {name: thing_iou(labels, truth) for name, labels in answers.items()}
full, thin = nets["decoder, full"], nets["decoder, separable"]
assert size(full) > 4 * size(thin)
assert abs(scored["decoder, full"] - scored["decoder, separable"]) < 6, scored
assert scored["decoder, separable"] > scored["FCN-16s"] + 3, scored
assert abs(scored["decoder, full"] - scored["FCN-8s"]) < 12 and scored["FCN-8s"] > 48, scored
assert max(v for k, v in scored.items() if k in nets) + 10 < scored["the truth at stride 8"], scored
bound = edge_accuracy(limits[8], truth)
assert bound - max(edge_accuracy(answers[n], truth) for n in nets) > 100 - bound

# %% tags=["fold"]
# Let the levels go
learn, judge, one, nets, answers = None, None, None, None, None

# %% [markdown]
# The two decoders are within a few points of each other: a quarter of the weights was enough here. Over FCN-8s they gain little, for many times its cost; 160 scenes and frozen levels
# are no more than a taste. And all stay well below what stride 8 allows: most of what is missing is not the stride's fault.
#
# **In one line:** shrink less and put holes in the kernels to see as wide; add shallow levels for the outline; look at one place with several dilations at once.

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
