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
#
# A classifier says one word for a picture. Here you ask for a word for every pixel, the simplest there are: *a thing* or *background*.
#
# **The first way** needs nothing new: cut a small window around each pixel, and let a classifier name its *middle*. This one takes windows of 9 x 9: four
# convolutions of 3 x 3 without padding, each of which takes two off, until one number is left. How long for one scene?

# %%
def window_net(dilation=1):
    layers, channels = [], 3
    for _ in range(4):
        layers += [nn.Conv2d(channels, 16, 3, dilation=dilation),
                   nn.ReLU()]
        channels = 16
    return nn.Sequential(*layers, nn.Conv2d(16, 1, 1)).eval()

torch.manual_seed(0)
net = window_net()
scene = make_scene(4, seed=1)
x = torch.from_numpy(scene.image).permute(2, 0, 1)[None]
x = x / 127.5 - 1  # (1, 3, 96, 96)
wide = F.pad(x, (4, 4, 4, 4), "reflect")  # (1, 3, 104, 104)
windows = wide.unfold(2, 9, 1).unfold(3, 9, 1)
windows = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 9, 9)
print(tuple(windows.shape), "->", tuple(net(windows[:1]).shape))

# %% [markdown]
# 9216 windows, each one number. **The second way:** convolutions do not mind the size of a picture. Give the same network the *whole* scene, once. **Predict:** are the numbers the same?

# %%
with torch.inference_mode():
    by_windows = net(windows).reshape(96, 96)
    at_once = net(wide)[0, 0]  # (96, 96)
gap = (by_windows - at_once).abs().max().item()
print("largest difference below 1e-5:", gap < 1e-5)

# %% tags=["author"]
assert gap < 1e-5 and at_once.shape == (96, 96) and len(windows) == 9216

# %% tags=["fold"]
# Time a call, and count the multiply-adds of its convolutions
from time import perf_counter

@torch.inference_mode()
def milliseconds(run, repeats=3):
    times = []
    for _ in range(repeats):
        start = perf_counter()
        run()
        times.append(1000 * (perf_counter() - start))
    return min(times)

@torch.inference_mode()
def multiply_adds(net, x):
    counts = []
    def count(layer, _, out):
        counts.append(layer.weight[0].numel() * out.numel())
    convs = [layer for layer in net.modules()
             if isinstance(layer, nn.Conv2d)]
    hooks = [layer.register_forward_hook(count) for layer in convs]
    net(x)
    for hook in hooks:
        hook.remove()
    return sum(counts)

# %% tags=["nbval-ignore-output"]
some = windows[:300]
one_by_one = milliseconds(lambda: [net(w[None]) for w in some], 1)
one_by_one *= len(windows) / len(some)  # measured on 300
ms = {"windows, one by one": one_by_one,
      "windows, in one batch": milliseconds(lambda: net(windows)),
      "all-convolutional": milliseconds(lambda: net(wide))}
cost = {"windows": multiply_adds(net, windows) / 1e6,
        "once": multiply_adds(net, wide) / 1e6}
draw.table(
    [{"way": way, "time": time, "multiply-adds":
      cost["windows" if way.startswith("windows") else "once"]}
     for way, time in ms.items()], digits=0,
    units={"time": "ms", "multiply-adds": "million"})

# %% tags=["author"]
assert 13 < cost["windows"] / cost["once"] < 13.5

# %% [markdown]
# The same numbers, thirteen times fewer multiply-adds. Neighbouring windows share nearly all of their pixels, and the windows compute for each anew what
# the whole picture computes once. A classifier of windows that has only convolutions *is* an answer for every pixel.
#
# **Trap: padding in every layer.** Usually each layer pads with zeros, so that no pixel is lost. Then the answers near the edge are others. How near?

# %%
padded = window_net()
padded.load_state_dict(net.state_dict())
for layer in padded:
    if getattr(layer, "kernel_size", 0) == (3, 3):
        layer.padding = (1, 1)
with torch.inference_mode():
    other = (padded(x)[0, 0] - at_once).abs() > 1e-5
rows = np.flatnonzero(other[:, 48])
print("in the middle column, these rows differ:", *rows)
print("pixels that differ, four or more from every edge:",
      other[4:-4, 4:-4].sum().item())

# %% tags=["author"]
assert not other[4:-4, 4:-4].any() and set(rows) == {0, 1, 2, 3, 92, 93, 94, 95}

# %% [markdown]
# Four layers, four pixels from every edge. Inside, where no padding is in sight, nothing changed.
#
# ### The last layer is a dense layer for every pixel
#
# The window's network ends with a convolution of 1 x 1. It looks at one pixel's channels only: that is lesson 03's dense layer, applied at each place. The same weights, to the test:

# %%
conv, dense = nn.Conv2d(16, 5, 1), nn.Linear(16, 5)
dense.weight.data = conv.weight.data[:, :, 0, 0]  # (5, 16)
dense.bias.data = conv.bias.data
maps = torch.randn(2, 16, 6, 7)
with torch.inference_mode():
    per_pixel = dense(maps.permute(0, 2, 3, 1))  # (2, 6, 7, 5)
    per_pixel = per_pixel.permute(0, 3, 1, 2)
    gap = (conv(maps) - per_pixel).abs().max().item()
print("largest difference below 1e-6:", gap < 1e-6)

# %% tags=["author"]
assert gap < 1e-6

# %% [markdown]
# So *any* classifier that ends in a dense layer can be turned: write its head as a 1 x 1 convolution. Lesson 04's EfficientNet averages its last map, then a dense layer makes 1000
# scores. Turned, it scores every place of the map. The mean of those scores must be the old answer; and a wide picture gets a map of answers.

# %%
from cvlab.transfer_learning.backbone import backbone, prepare
from cvlab.world import photos

trained = backbone()
head = nn.Conv2d(1280, 1000, 1)
head.weight.data = trained.classifier.weight[:, :, None, None]
head.bias.data = trained.classifier.bias
wanted = ("chelsea", "coffee", "flower")
three = np.hstack([photos.load(name)[:300, 100:400]
                   for name in wanted])
with torch.inference_mode():
    for name, picture in {"300 x 300": three[:, :300],
                          "300 x 900": three}.items():
        image = prepare(picture[None])
        scores = head(trained.forward_features(image))[0]
        gap = (scores.mean((1, 2)) - trained(image)[0]).abs().max()
        print(f"{name}: answers {tuple(scores.shape)}, the mean is "
              f"the old answer to 1e-4: {bool(gap < 1e-4)}")

# %% tags=["fold"]
# Draw where each of three words scores
from cvlab.store.weights import imagenet_classes

chances = scores.softmax(dim=0).numpy()  # (1000, h, w)
figure, axes = plt.subplots(2, 2, figsize=(9, 4),
    layout="constrained")
axes = axes.ravel()
show(three, title="One picture, three things", ax=axes[0])
for ax, word in zip(axes[1:], ("tiger cat", "espresso", "daisy"),
                    strict=True):
    heat = chances[imagenet_classes().index(word)]
    show(three, title=f"Where it says “{word}”", ax=ax)
    ax.imshow(heat, cmap="magma", alpha=0.75, vmin=0, vmax=0.5,
              extent=(-0.5, 899.5, 299.5, -0.5))
draw.describe(axes[0], "A cat, a cup and a flower side by side; "
    "three heat maps: each word lights up at its own third.")

# %% tags=["author"]
thirds = [np.array_split(chances[imagenet_classes().index(w)], 3, axis=1) for w in ("tiger cat", "espresso", "daisy")]
assert [int(np.argmax([part.mean() for part in parts])) for parts in thirds] == [0, 1, 2]

# %% [markdown]
# Never trained to say *where*, it does, coarsely: one answer for 32 x 32 pixels.
#
# ### What a pixel's answer sees
#
# Back to the windows. Each 3 x 3 layer widens what one answer sees by two: `1 + 2L` for L layers. Measured as in lesson 02, by the gradient of the middle answer; and once with
# `dilation=2`, which spreads the same nine weights over 5 x 5.

# %%
from cvlab.convolutions.receptive import gradient_field

def field_side(net, pictures=20, side=65):
    torch.manual_seed(0)
    noise = torch.randn(pictures, 3, side, side)
    seen = np.flatnonzero(gradient_field(net, noise).any(axis=0))
    return int(seen[-1] - seen[0] + 1)

spread = window_net(dilation=2)
layers = [{"layers": L, "dilation": d, "1 + 2 L d": 1 + 2 * L * d,
           "measured": field_side(net[:2 * L])}
          for d, net in ((1, net), (2, spread)) for L in (1, 2, 4)]
draw.table(layers)

# %% tags=["author"]
assert all(row["measured"] == row["1 + 2 L d"] for row in layers)

# %% [markdown]
# Things in these scenes take a quarter to a half of the side, some 25 to 55 pixels; windows of 9 must guess from a patch of fur or sky. To see further *and* compute less, there is **the third way: shrink and grow**. Pool
# twice, compute on the small map, enlarge the answer.

# %%
def shrink_and_grow():
    def block(before, after):
        return nn.Conv2d(before, after, 3, padding=1), nn.ReLU()
    return nn.Sequential(
        *block(3, 16), nn.MaxPool2d(2), *block(16, 32),
        nn.MaxPool2d(2), *block(32, 48), *block(48, 48),
        nn.Conv2d(48, 1, 1),
        nn.Upsample(scale_factor=4, mode="bilinear"))

def around(net, pixels):
    """The answers of a window net, for every pixel."""
    return nn.Sequential(nn.ReflectionPad2d(pixels), *net)

# %% [markdown]
# Train all three, each for the same number of multiply-adds, so that the cheap one takes more steps. On crops of 48 x 48 of 120 scenes; judged on 40 others of 96 x 96, by **IoU**: pixels that both
# call a thing, over pixels that either does. **Predict** the order.

# %%
def scenes(n, seed):
    made = make_scenes(n, seed=seed)
    x = torch.from_numpy(np.stack([s.image for s in made]))
    x = x.permute(0, 3, 1, 2).float() / 127.5 - 1
    things = np.stack([label_map(s) > 0 for s in made])
    return x, torch.from_numpy(things)

def learn(net, x, things, steps):
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(net.parameters())
    pace = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.01, steps)
    for _ in range(steps):
        some = torch.randint(len(x), (8,))
        top, left = torch.randint(96 - 48 + 1, (2,)).tolist()
        cut = (slice(top, top + 48), slice(left, left + 48))
        answers = net(x[(some, slice(None), *cut)])[:, 0]
        loss = F.binary_cross_entropy_with_logits(
            answers, things[(some, *cut)].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pace.step()
    return net.eval()

# %% tags=["nbval-ignore-output"]
x, things = scenes(120, seed=0)
new, truth = scenes(40, seed=1)
makers = {"all-convolutional": lambda: around(window_net(), 4),
          "the same, dilated": lambda: around(window_net(2), 8),
          "shrink and grow": shrink_and_grow}
nets, results = {}, []
for way, make in makers.items():
    torch.manual_seed(0)
    net = make()
    field, each = field_side(net), multiply_adds(net, new[:1])
    nets[way] = learn(net, x, things, steps=int(8.5e9 / each))
    with torch.inference_mode():
        found = nets[way](new)[:, 0] > 0
    iou = (found & truth).sum() / (found | truth).sum()
    results.append({
        "way": way, "IoU": iou.item(),
        "field": field, "multiply-adds": each / 1e6,
        "time": milliseconds(lambda net=nets[way]: net(new[:1]))})

# %% tags=["fold", "nbval-ignore-output"]
# One table; windows give the all-convolutional answers, later
slow = {**results[0], "way": "windows, one by one",
        "multiply-adds": cost["windows"], "time": one_by_one}
guess = {"way": "“all is a thing”", "IoU": truth.float().mean().item(),
         "field": None, "multiply-adds": None, "time": None}
draw.table([guess, slow, *results], digits={
    "IoU": 2, "multiply-adds": 0, "time": 0},
    units={"field": "pixels", "multiply-adds": "million",
           "time": "ms"})

# %% tags=["author"]
by_way = {row["way"]: row for row in results}
best, near, far = (by_way[w] for w in ("shrink and grow", "all-convolutional", "the same, dilated"))
assert near["field"] == 9 and far["field"] == 17 and 24 <= best["field"] <= 34
assert near["IoU"] > truth.float().mean() + 0.15 and best["IoU"] > max(near["IoU"] + 0.02, far["IoU"])
assert far["IoU"] > near["IoU"] - 0.02 and best["multiply-adds"] < 0.6 * near["multiply-adds"]

# %% tags=["fold", "nbval-ignore-output"]
# Draw one new scene and the three answers
pick = 4
with torch.inference_mode():
    answers = [net(new[pick:pick + 1])[0, 0] > 0
               for net in nets.values()]
pixels = (new[pick].permute(1, 2, 0).numpy() + 1) / 2
masks = [mask.numpy() for mask in (truth[pick], *answers)]
show_many([pixels, *masks], cols=5,
          titles=["a new scene", "truth", *nets]);

# %% [markdown]
# Shrinking and growing sees furthest, costs least and has the highest IoU. Is it the field? The dilated network is the experiment: as many weights and nearly as many multiply-adds as the
# first, only the field is wider. It stays behind too. The rest is what cheap places buy: wider layers, and twice the steps. Look at what shrinking costs: thin things go, edges are round, one decision
# for 4 x 4 pixels. The rest of this lesson is about growing back without losing them.
#
# **In one line:** convolutions answer for every pixel at once, what an answer sees is the field, and shrinking makes it wide and cheap.

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
#
# The rules of section 4 grow a map, and have nothing to learn. A convolution with stride 2 *learns* how to shrink. Can it be run the other way?
#
# Lesson 02 wrote every patch into a table, *im2col*. The same table of the pixels' *numbers* tells which pixels each answer reads, and that makes
# the whole layer **one matrix**: a row an answer, the kernel at the pixels it reads, zeros elsewhere. On paper: a picture of 5 x 5, a kernel of
# 3 x 3, stride 2. That makes 4 answers from 25 pixels.

# %%
from cvlab.convolutions.layers import conv2d, im2col

kernel = np.array([[1.0, 2, 1], [3, 5, 2], [2, 1, 4]])
numbered = np.arange(25).reshape(1, 1, 5, 5)
reads = im2col(numbered, 3, stride=2)[0]  # (9, 4)
matrix = np.zeros((4, 25))
for answer, nine in enumerate(reads.T):
    matrix[answer, nine] = kernel.ravel()

picture = np.random.default_rng(0).integers(0, 9, (5, 5))
layer = conv2d(picture[None, None], kernel[None, None], stride=2)
print("the matrix:", matrix @ picture.ravel())
print("the layer: ", layer.ravel())

# %% tags=["author"]
assert np.array_equal(matrix @ picture.ravel(), layer.ravel()) and (matrix != 0).sum() == 36

# %% tags=["fold"]
# Draw the matrix and its transpose
figure, axes = plt.subplots(1, 2, figsize=(9, 4.6),
    layout="constrained", width_ratios=(20, 8))
titles = ["The layer: 25 pixels in, 4 answers out", "Its transpose"]
words = [("pixel it reads", "answer"),
         ("number in", "pixel it writes")]
for ax, grid, title, (across, down) in zip(
        axes, (matrix, matrix.T), titles, words, strict=True):
    ax.imshow(grid, cmap="Blues", vmin=0, vmax=8)
    for (row, col), value in np.ndenumerate(grid):
        if value:
            ax.text(col, row, f"{value:.0f}", fontsize=8,
                    ha="center", va="center")
    yticks, xticks = (range(0, n, 1 if n < 9 else 6)
                      for n in grid.shape)
    ax.set(title=title, xlabel=across, ylabel=down,
           yticks=yticks, xticks=xticks)
    ax.grid(False)
draw.describe(axes[0], "Two matrices: 4 rows of 25, nine numbers "
    "in each, and the same turned, 25 rows of 4.")

# %% [markdown]
# Turned by a diagonal, the same numbers take 4 numbers and give 25: the **transposed convolution**. It asks for no new weights. Is torch's
# `conv_transpose2d` that matrix? **Predict** the first row of the result for the input 1, 2, 3, 4 before you run it.

# %%
def to_torch(array):
    return torch.from_numpy(array)[None, None]

small = np.array([[1.0, 2], [3, 4]])
grown = (matrix.T @ small.ravel()).reshape(5, 5)
theirs = F.conv_transpose2d(to_torch(small), to_torch(kernel),
                            stride=2)[0, 0].numpy()
print(grown)
print("equal to torch:", np.array_equal(grown, theirs))

# %% [markdown]
# You have met it before. Lesson 02: in a backward pass, a pixel that was read often collects from all who read it. Let autograd send 1, 2, 3, 4 back
# through the convolution.

# %%
leaf = to_torch(picture.astype(float)).requires_grad_()
out = F.conv2d(leaf, to_torch(kernel), stride=2)
(back,) = torch.autograd.grad(out, leaf, to_torch(small))
print("the gradient of the convolution, equal:",
      np.array_equal(back[0, 0], grown))

# %% tags=["author"]
assert np.array_equal(grown, theirs) and np.array_equal(back[0, 0], grown)
assert grown[0].tolist() == [1, 2, 3, 4, 2]

# %% [markdown]
# ### Stamps
#
# Read the transposed matrix by *columns*: a column is what one input pixel writes. It is the kernel, laid down at that pixel's place. So each pixel **stamps** the
# kernel, multiplied by its value, two cells from its neighbour; where stamps overlap, they add up.

# %%
stamps = [(matrix.T[:, i] * small.ravel()[i]).reshape(5, 5)
          for i in range(4)]
titles = [f"{value:.0f} x kernel" for value in small.ravel()]
show_many([*stamps, sum(stamps)], titles=[*titles, "their sum"],
          numbers=True, cols=5, limits=(0, 24));

# %% [markdown]
# Now stamp yourself, with other sizes. `padding` here cuts off: a convolution *adds* a border before it reads, its transpose *takes* it away after writing.

# %%
from cvlab.widgets import TransposedSteps

TransposedSteps()

# %% [markdown]
# **Exercise.** Write `conv_transpose2d`. `x` is (C_in, H, W), `weight` (C_in, C_out, kh, kw): torch's order, the input's channels first, the other way
# round than in a convolution. Every pixel has C_in values; each adds its value times its own kernels, at `row * stride`, `col * stride` of a canvas that has just enough room. In the end
# cut `padding` cells off on each side. The input `[1, 10]` with the kernel `[1, 2, 3]` and stride 2 gives `[1, 2, 13, 20, 30]`.

# %% tags=["exercise"]
def conv_transpose2d(x, weight, stride=1, padding=0):
    """Grow `x` (C_in, H, W) by `weight` (C_in, C_out, kh, kw)."""
    ### BEGIN SOLUTION
    (_, H, W), (_, C_out, kh, kw) = x.shape, weight.shape
    canvas = np.zeros((C_out, (H - 1) * stride + kh, (W - 1) * stride + kw))
    for row in range(H):
        for col in range(W):
            # all input channels of one pixel: (C_out, kh, kw)
            stamp = np.tensordot(x[:, row, col], weight, axes=1)
            top, left = row * stride, col * stride
            canvas[:, top : top + kh, left : left + kw] += stamp
    bottom, right = (side - padding for side in canvas.shape[1:])
    return canvas[:, padding:bottom, padding:right]
    ### END SOLUTION

# %%
check(conv_transpose2d)

# %% [markdown]
# The lesson goes on with the package's copy. It against torch, with random channels, sizes and settings:

# %%
from cvlab.segmentation import transposed

rng, gaps = np.random.default_rng(0), []
for _ in range(300):
    c_in, c_out, H, W, k, stride = rng.integers(1, 5, 6)
    padding = rng.integers(0, (k + 1) // 2)
    x = rng.normal(size=(c_in, H, W))
    weight = rng.normal(size=(c_in, c_out, k, k))
    how = {"stride": int(stride), "padding": int(padding)}
    ours = transposed.conv_transpose2d(x, weight, **how)
    theirs = F.conv_transpose2d(
        torch.tensor(x)[None], torch.tensor(weight), **how)[0]
    gaps.append(abs(ours - theirs.numpy()).max())
print(f"{len(gaps)} settings, largest difference below 1e-12:",
      max(gaps) < 1e-12)

# %% tags=["author"]
assert len(gaps) == 300 and max(gaps) < 1e-12

# %% [markdown]
# **Trap: "deconvolution".** Many call it so, but a deconvolution would *undo* a convolution. Does this? Shrink the picture and grow it back. With stride 2, four
# numbers cannot hold 25. So give it a fair chance too: stride 1 and padding 1, 25 answers from 25 pixels, nothing need be lost.

# %%
def layer_matrix(stride, padding):
    every = torch.eye(25, dtype=torch.double).reshape(25, 1, 5, 5)
    return F.conv2d(every, to_torch(kernel), None, stride,
                    padding).reshape(25, -1).T.numpy()

fair, rows = layer_matrix(1, 1), []
layers = {"stride 2": matrix, "stride 1, padding 1": fair}
for name, M in layers.items():
    pixels = picture.ravel()
    back = M.T @ (M @ pixels)
    back *= (back @ pixels) / (back @ back)  # the best scale
    undone = np.linalg.lstsq(M, M @ pixels, rcond=None)[0]
    rows.append({
        "layer": name, "answers": len(M),
        "rank": np.linalg.matrix_rank(M),
        "transposed": abs(back - pixels).max(),
        "best inverse": abs(undone - pixels).max()})
draw.table(rows, digits=1)

# %% tags=["author"]
assert [row["rank"] for row in rows] == [4, 25]
assert rows[1]["best inverse"] < 1e-9 and rows[0]["best inverse"] > 1
assert all(row["transposed"] > 3 for row in rows)
assert np.array_equal(layer_matrix(2, 0), matrix)

# %% [markdown]
# The last two columns are the largest error of a pixel, and pixels go from 0 to 8; the transpose's answer is even scaled as suits it best. The fair layer *can* be undone, exactly, by its
# inverse matrix. The transpose is no inverse: it brings back the *shape*, not the numbers. Which numbers come is for training to find.
#
# ### Sizes
#
# A stamp every `stride` cells, room for the last, `padding` off both ends:
#
# `out = (in − 1) · stride − 2 · padding + kernel + output_padding`
#
# What is the last term for? Count which sizes a layer with stride 2 makes of 7 and of 8 pixels.

# %%
down = nn.Conv2d(1, 1, 3, stride=2, padding=1)
rows = []
for size, extra in ((7, 0), (8, 1)):
    up = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1,
                            output_padding=extra)
    shrunk = down(torch.zeros(1, 1, size, size))
    rows.append({"in": size, "shrunk": shrunk.shape[-1],
                 "output_padding": extra,
                 "grown": up(shrunk).shape[-1]})
draw.table(rows)

# %% [markdown]
# Both shrink to 4. The way back must be told which it was: 7, or with `output_padding=1` 8. The formula against torch, for every setting that torch accepts:

# %%
from itertools import product

wrong, tried = 0, 0
for size, k, stride, padding, extra in product(
        range(1, 7), range(1, 6), range(1, 5), range(3),
        range(4)):
    out = (size - 1) * stride - 2 * padding + k + extra
    if extra < stride and out > 0:
        x = torch.ones(1, 1, size, 1)
        weight = torch.ones(1, 1, k, 1)
        grown = F.conv_transpose2d(x, weight, None, (stride, 1),
                                   (padding, 0), (extra, 0))
        tried, wrong = tried + 1, wrong + (grown.shape[2] != out)
print(f"{tried} settings, {wrong} sizes wrong")

# %% tags=["author"]
assert wrong == 0 and tried > 700
assert [(row["shrunk"], row["grown"]) for row in rows] == [(4, 7), (4, 8)]

# %% [markdown]
# ### Checkerboards
#
# Stamps of 3 x 3, two cells apart, overlap unevenly: you counted 1, 2 and 4 in the widget. What does that do to a picture? Three ways to double a small cat,
# all with equal weights that sum up to the same brightness. Beside each its **spectrum** (lesson 02): slow changes in the middle, the fastest wave, one bright pixel, one dark, at the ends of
# the axes.

# %%
from cvlab.world import photos

cat = photos.load("chelsea")[20:220:2, 110:310:2].mean(axis=2)
cat = to_torch(cat).float() / 255  # (1, 1, 100, 100)

def transposed_by(weight):
    k = weight.shape[-1]  # 3 or 4: exactly twice the size
    return lambda x: F.conv_transpose2d(
        x, weight, stride=2, padding=1, output_padding=4 - k)

def resized_by(weight):
    return lambda x: F.conv2d(F.interpolate(x, scale_factor=2),
                              weight, padding=1)

three, four = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 4, 4)
ways = {"stamps of 3 x 3": transposed_by(three / 2.25),
        "stamps of 4 x 4": transposed_by(four / 4),
        "resize, then 3 x 3": resized_by(three / 9)}
doubled = {name: grow(cat)[0, 0].numpy()
           for name, grow in ways.items()}

# %% tags=["fold"]
# Draw each doubled cat above its spectrum
figure, axes = plt.subplots(2, 3, figsize=(9, 6.2),
    layout="constrained")
for (above, under), (name, big) in zip(axes.T, doubled.items(),
                                       strict=True):
    show(big[40:130, 30:120], title=name, limits=(0, 1), ax=above)
    energy = np.fft.fftshift(abs(np.fft.fft2(big)) ** 2)
    under.imshow(np.log10(energy + 1), cmap="gray", vmax=6,
                 extent=(-0.5, 0.5, 0.5, -0.5))
    under.set(xlabel="cycles a pixel", xticks=(-0.5, 0, 0.5),
              yticks=(-0.5, 0, 0.5))
    under.grid(False)
figure.suptitle("Uneven stamps draw a checkerboard; "
                "its spectrum is bright at the ends of the axes")
draw.describe(axes[0, 0], "Three doubled cats. The first is covered "
    "by a grid, and its spectrum is bright at the ends of the axes.")

# %% [markdown]
# To measure the pattern alone, grow a *flat* map. All that varies inside is the pattern; it repeats every 2 pixels, so its energy sits at half a cycle a pixel, nowhere else.
# **Ripple** is its size beside the mean brightness. Where 4 x 4 stamps with equal weights leave none, do 4 x 4 stamps with *random* weights, as every layer begins with? **Predict.**

# %%
def ripple(way):
    """Waves of 2 pixels in a grown flat map, beside its mean."""
    with torch.no_grad():
        inner = way(torch.ones(1, 1, 24, 24))[0, :, 8:40, 8:40]
    energy = torch.fft.fft2(inner).abs() ** 2  # (C, 32, 32)
    spots = energy[:, ::16, ::16]  # (C, 2, 2): 0 or 1/2 each way
    waves = spots.sum(dim=(1, 2)) - spots[:, 0, 0]
    return (waves / spots[:, 0, 0]).sqrt().median().item()

def balanced(weight):
    """Let the weights of each kind of output pixel sum to 1."""
    weight = weight.clone()
    for row, col in np.ndindex(2, 2):
        kind = weight[..., row::2, col::2]
        kind /= kind.sum(dim=(-2, -1), keepdim=True)
    return weight

# %%
torch.manual_seed(0)
random3, random4 = (torch.randn(1, 300, k, k) for k in (3, 4))
kernels = {"all ones": (three, four),
           "random, median of 300": (random3, random4),
           "balanced": (balanced(random3), balanced(random4))}
ripples = [{
    "weights": name,
    "stamps of 3 x 3": ripple(transposed_by(k3)),
    "stamps of 4 x 4": ripple(transposed_by(k4)),
    "resize, then 3 x 3": ripple(resized_by(k3.transpose(0, 1)))}
    for name, (k3, k4) in kernels.items()]
draw.table(ripples, digits=".0%")

# %% tags=["author"]
ones, by_chance, even = (list(row.values())[1:] for row in ripples)
assert 0.48 < ones[0] < 0.49 and ones[1] < 1e-5 and max(even) < 1e-3
assert min(by_chance[:2]) > 1 and by_chance[2] < 1e-3

# %% [markdown]
# So counting stamps is half of the story. Random 4 x 4 stamps are touched evenly and ripple as badly as 3 x 3; and balanced 3 x 3 stamps, unevenly counted, do not. What matters is the **sum
# of the weights** that reach each of the four kinds of output pixel. An even count makes the sums equal when the weights are; else training must balance them.
# Resizing first cannot ripple on flat ground: every output pixel meets the same kernel. It costs 9 multiply-adds an output pixel where 4 x 4 stamps cost 4.
#
# A layer can also *begin* balanced, for example as bilinear enlargement:

# %%
line = torch.tensor([1.0, 3, 3, 1]) / 4
bilinear = transposed_by(torch.outer(line, line)[None, None])
wanted = F.interpolate(cat, scale_factor=2, mode="bilinear")
gap = (bilinear(cat) - wanted)[..., 1:-1, 1:-1].abs().max().item()
print("section 4's bilinear, inside, to 1e-6:", gap < 1e-6)
print(f"ripple: {ripple(bilinear):.0%}")

# %% tags=["author"]
assert gap < 1e-6 and ripple(bilinear) < 1e-5

# %% [markdown]
# **Predict:** does training wash the pattern out? A small network learns to double pictures, once with each way to grow.

# %%
def crops(name, side=24):
    picture = photos.load(name)[::2, ::2].mean(axis=2) / 255
    tiles = torch.from_numpy(picture).float().unfold(0, side, side)
    return tiles.unfold(1, side, side).reshape(-1, 1, side, side)

names = ("chelsea", "flower", "coffee")
large = torch.cat([crops(name) for name in names])
half = F.avg_pool2d(large, 2)
grow = {
    "stamps of 3 x 3": lambda: nn.ConvTranspose2d(8, 1, 3, 2, 1, 1),
    "stamps of 4 x 4": lambda: nn.ConvTranspose2d(8, 1, 4, 2, 1),
    "resize, then 3 x 3": lambda: nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 1, 3, padding=1)),
}

# %% tags=["nbval-ignore-output"]
def learn_to_double(way, seed, steps=120):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
                        grow[way]())
    optimizer, seen = torch.optim.Adam(net.parameters(), 0.01), []
    for step in range(steps + 1):
        if step % 10 == 0:
            seen.append(ripple(net))
        some = torch.randint(len(half), (8,))
        loss = F.mse_loss(net(half[some]), large[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return seen

fading = {way: [learn_to_double(way, seed) for seed in range(3)]
          for way in grow}

# %% tags=["fold", "nbval-ignore-output"]
# Draw how the ripple fades, the median of three seeds
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
for way, color in zip(grow, draw.PALETTE, strict=False):
    middle = 100 * np.median(fading[way], axis=0)
    ax.plot(range(0, 121, 10), middle, color=color, label=way)
ax.set(yscale="symlog", ylim=(0, 400), xlabel="training step",
       yticks=(0, 1, 10, 100), yticklabels=(0, 1, 10, 100),
       ylabel="ripple (%)")
ax.set_title(
    "Training fades a checkerboard; resizing never makes one")
draw.label_lines(ax);

# %% tags=["author"]
middle = {way: np.median(runs, axis=0) for way, runs in fading.items()}
assert max(middle["resize, then 3 x 3"]) < 1e-4
for way in ("stamps of 3 x 3", "stamps of 4 x 4"):
    assert middle[way][0] > 0.2 and 0.0005 < middle[way][-1] < 0.2 * middle[way][0]

# %% [markdown]
# Here it fades, because the loss compares every pixel with the truth, and a ripple costs. It does not vanish. Where the loss is not such a strict judge, as for networks that invent
# pictures, Odena and others found the pattern in finished networks.
#
# **In one line:** a transposed convolution stamps its kernel for every pixel, the transpose of a convolution and not its inverse; let the stride divide the kernel and begin balanced, or resize and convolve.

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
