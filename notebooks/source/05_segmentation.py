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
