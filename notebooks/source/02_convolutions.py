# minimum: code 55, check 7, widget 4
# not yet: assert, banner, lines, live, last, cover
# %% [markdown]
# # 02 · Convolutions
#
# **How can nine numbers find an edge anywhere in a picture?**
#
# You slide a small grid of numbers over a picture, first on paper, then in code that you check against four libraries. From
# that one operation you build a layer, its sizes, its view of the picture and its gradients.
#
# *182 minutes, in four sittings: sections 1 to 3 (43 min), 4 to 6 (49 min), 7 to 9 (50 min), 10 to 12 (40 min). You need lessons 00 and 01.*

# %% tags=["setup"]

# %%
import cv2
import matplotlib.pyplot as plt
import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F

from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.convolutions import arithmetic, fast_filters, filters, layers, pooling, receptive

draw.theme("light")

# %% [markdown]
# This is the picture you will be able to make. Nine numbers slid over the cat, nothing else: red where it gets brighter to
# the right, blue where it gets darker, white where nothing happens.

# %%
cat = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255  # (300, 451) grey, 0 to 1
nine = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained", dpi=80)
show(cat, title="A cat", ax=left)
edges = cv2.filter2D(cat, cv2.CV_64F, nine)
show(edges, signed=True, limits=(-1, 1), title="Nine numbers found its edges", ax=right);

# %% [markdown]
# ## 1 · Three ways to feed a picture to a model *(8 min)*
#
# A model needs numbers. Which? **Raw pixels**, one input each. **Hand-made features**: someone decides what to measure.
# **Learnt features**: the data decide. Take 1797 handwritten digits, each in the middle of a 16 x 16 picture, and a plain linear model.

# %%
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvlab.world.digits import wide_digits

digits, labels = wide_digits()  # (1797, 16, 16), 0 to 1, and (1797,)
train, test = slice(0, 1200), slice(1200, 1500)

# %% [markdown]
# The raw model sees 256 pixels. **Predict:** it is right on most digits it has never seen. How many of those does it still
# get when each is moved to the right by one pixel? By two?

# %%
def flat(pictures):
    return pictures.reshape(len(pictures), -1)  # (N, 256)

raw = RidgeClassifier().fit(flat(digits[train]), labels[train])
shifts = range(5)
moved = [np.roll(digits[test], shift, axis=2) for shift in shifts]
raw_scores = [raw.score(flat(pictures), labels[test]) for pictures in moved]
print("right answers:", [f"{score:.0%}" for score in raw_scores])

# %%
titles = [f"{raw_scores[0]:.0%} right", f"Moved by two: {raw_scores[2]:.0%} right, guessing is 10%"]
show_many([moved[0][0], moved[2][0]], titles=titles)
assert raw_scores[0] > 0.8 and raw_scores[2] < 0.25

# %% [markdown]
# Two pixels break it: each weight belongs to one *place*. What would you measure instead? Perhaps "how much edge of each
# direction is there, anywhere?" Four kernels, both signs: eight numbers a picture.

# %%
from scipy.ndimage import correlate

diagonal = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
four = [nine, nine.T, diagonal, diagonal[:, ::-1]]

def edge_features(pictures):
    """Return (N, 8): how strongly each kernel answers, positive and negative, over the whole picture."""
    answers = [correlate(pictures, kernel[None], mode="wrap") for kernel in four]
    return np.stack([np.maximum(sign * a, 0).mean(axis=(1, 2)) for a in answers for sign in (1, -1)], axis=1)

by_hand = make_pipeline(StandardScaler(), RidgeClassifier()).fit(edge_features(digits[train]), labels[train])
hand_scores = [by_hand.score(edge_features(pictures), labels[test]) for pictures in moved]
print("right answers:", [f"{score:.0%}" for score in hand_scores])
assert max(hand_scores) - min(hand_scores) < 0.01

# %% [markdown]
# Moving costs nothing now. Is it the *sliding* that forgives the shift, or the *mean* over the picture? Leave the mean out: keep every answer at its place.

# %%
def edge_maps(pictures):
    """Return (N, 2048): the same eight answers, each at its place."""
    answers = [correlate(pictures, kernel[None], mode="wrap") for kernel in four]
    return np.concatenate([flat(np.maximum(sign * a, 0)) for a in answers for sign in (1, -1)], axis=1)

placed = make_pipeline(StandardScaler(), RidgeClassifier()).fit(edge_maps(digits[train]), labels[train])
placed_scores = [placed.score(edge_maps(pictures), labels[test]) for pictures in moved]
print("right answers, place kept:", [f"{score:.0%}" for score in placed_scores])
assert placed_scores[0] > 0.9 and placed_scores[2] < 0.5

# %% [markdown]
# So it is the mean: the kernels slide either way, but only without places does a shift not matter. And eight means know too little. The third way lets the data choose. Here is its cheapest
# form: three layers of kernels drawn at *random*, and a linear model that learns which of their answers matter. (Lesson 03 learns the kernels
# as well. By section 10 you can read this code.)

# %%
generator = torch.Generator().manual_seed(0)
stack = [torch.randn(k, d, 3, 3, generator=generator) * (2 / (9 * d)) ** 0.5 for d, k in ((1, 8), (8, 32), (32, 128))]

def wrap(x, n):
    return F.pad(x, (n, n, n, n), mode="circular")

def features(pictures):
    """Return (N, 128): how strongly each of the last layer's kernels answers, over the whole picture."""
    answers = []
    for x in torch.from_numpy(pictures).float()[:, None].split(100):  # (100, 1, 16, 16), to save memory
        for depth, weight in enumerate(stack):
            reach = 2**depth
            x = F.conv2d(wrap(x, reach), weight, dilation=reach).relu()
        answers.append(x.mean(dim=(2, 3)))
    return torch.cat(answers).numpy()

# %%
learnt = make_pipeline(StandardScaler(), RidgeClassifier()).fit(features(digits[train]), labels[train])
learnt_scores = [learnt.score(features(pictures), labels[test]) for pictures in moved]
figure, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
lines = {"raw pixels": raw_scores, "8 kernels, places kept": placed_scores, "8 kernels, means": hand_scores}
lines["128 random kernels, means"] = learnt_scores
for name, scores in lines.items():
    ax.plot(shifts, scores, marker="o", label=name)
ax.set(xlabel="moved to the right by, pixels", ylabel="right answers", ylim=(0, 1.05), xticks=shifts)
ax.set_title("What forgets the place survives a shift")
ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
assert min(learnt_scores) > 0.9 > max(hand_scores)

# %% [markdown]
# The kernels of the last line are random; the data chose only the linear weights on top. The digits wrap round at the border here, so that nothing is lost there.
#
# *In one line:* slide the same small kernel everywhere, then forget where it answered, and it does not matter where the thing is.

# %% [markdown]
# ## 2 · A noisy signal *(15 min)*
#
# One dimension first. A sensor gives a wave and noise. How would you clean it? Replace each value by the mean of its
# neighbourhood. On paper: the signal `3 6 9 6 3`, windows of three. The middle becomes (6 + 9 + 6) / 3 = 7, its neighbours
# (3 + 6 + 9) / 3 = 6.
#
# And the first value? It has no left neighbour. Put a zero there: (0 + 3 + 6) / 3 = 3. That is **padding**.
#
# **Exercise 1 · `moving_average`** *(6 minutes, easy)*. The result is as long as the signal.

# %% tags=["exercise"]
def moving_average(signal, width):
    """Return an array: the mean of the `width` (odd, at most N) values around each of `signal` (N,), zeros beyond its ends."""
    ### BEGIN SOLUTION
    padded = np.pad(signal.astype(float), width // 2)  # (N + width - 1,) zeros at both ends
    return np.array([padded[i : i + width].mean() for i in range(len(signal))])
    ### END SOLUTION

# %%
check(moving_average)

# %% [markdown]
# **Predict:** the true wave below floats at 2. What happens to the smooth line at the two ends?

# %%
rng = np.random.default_rng(0)
time = np.linspace(0, 4 * np.pi, 200)
sensor = 2 + np.sin(time) + rng.normal(scale=0.4, size=200)
smooth = filters.moving_average(sensor, 15)
figure, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
ax.plot(time, sensor, color="0.75", label="sensor")
ax.plot(time, smooth, color="C0", label="mean of 15")
ax.plot(time, 2 + np.sin(time), color="C1", linewidth=1, label="truth")
ax.set(title="Smooth inside, and sagging ends: zeros were averaged in", ylim=(0, 4))
ax.legend(fontsize=8, ncols=3);

# %%
error = {name: np.abs(signal - 2 - np.sin(time)) for name, signal in {"sensor": sensor, "smooth": smooth}.items()}
print({name: f"inside {e[8:-8].mean():.2f}, last value {e[-1]:.2f}" for name, e in error.items()})
assert error["smooth"][8:-8].mean() < error["sensor"][8:-8].mean() / 2 and error["smooth"][-1] > 0.5

# %% [markdown]
# The sag is an **edge effect**, and you chose it when you chose zeros. Repeating the last value, or reflecting, are other
# choices; none is true.
#
# Now look at what you did: three equal weights on paper, `[1/3, 1/3, 1/3]`, fifteen in the code, slide along; at each place multiply and add. Other weights do
# other things. The list of weights is called the **kernel**. On paper: signal `1 3 2 6`, kernel `-1 1`. You get
# 3 - 1 = **2**, 2 - 3 = **-1**, 6 - 2 = **4**: how much it rises.

# %% tags=["core"]
def correlate1d(signal, kernel):
    """Slide `kernel` (K,) along `signal` (N,): return (N - K + 1,) sums of products."""
    steps = len(signal) - len(kernel) + 1
    signal = signal.astype(float)
    return np.array([signal[i : i + len(kernel)] @ kernel for i in range(steps)])

# %%
correlate1d(np.array([1, 3, 2, 6]), np.array([-1, 1]))

# %% [markdown]
# In a formula, for a kernel of $K$ numbers: $y_i = \sum_{k=0}^{K-1} x_{i+k}\, w_k$. NumPy and torch have the same thing.

# %%
kernel = rng.normal(size=7)
ours = correlate1d(sensor, kernel)
by_numpy = np.correlate(sensor, kernel, mode="valid")
by_torch = F.conv1d(torch.from_numpy(sensor)[None, None], torch.from_numpy(kernel)[None, None])[0, 0].numpy()
print("equal to 1e-10:", np.allclose(ours, by_numpy, atol=1e-10), np.allclose(ours, by_torch, atol=1e-10))

# %% [markdown]
# ## 3 · Now in two directions *(20 min)*
#
# A picture is slid over in two directions, so the kernel is a small grid. Take paper. This 4 x 4 picture, this 3 x 3 kernel:
# there are four places where it fits. Multiply, add, write down four numbers, **before** you run the next cell.

# %%
small = np.array([[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2]])
rises = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
figure, (left, right) = plt.subplots(1, 2, figsize=(5.5, 2.6), layout="constrained", dpi=90)
show(small, title="The picture", numbers=True, ax=left)
show(rises, title="The kernel: right minus left", numbers=True, signed=True, ax=right);

# %% [markdown]
# Top left: right column 0 + 3 + 0, left column 1 + 0 + 2, together **0**. Then (1 + 1 + 0) - (2 + 1 + 1) = **-2**. Below:
# (3 + 0 + 1) - (0 + 2 + 1) = **1** and (1 + 0 + 2) - (1 + 1 + 0) = **1**.

# %%
by_scipy = scipy.signal.correlate2d(small, rises, mode="valid")
by_scipy

# %% [markdown]
# Watch the window walk over the picture: at each step you see the patch, the kernel, their products and the sum. Press *play*, or
# click the picture and use the arrow keys; then change padding, stride and dilation.

# %%
from cvlab.widgets import SlidingKernel

SlidingKernel(small)

# %% [markdown]
# **Exercise 2 · `correlate2d`** *(10 minutes, medium)*. Write what the widget does. The kernel stays inside the picture.

# %% tags=["core", "exercise"]
def correlate2d(image, kernel):
    """Slide `kernel` (kh, kw) over `image` (H, W): return (H - kh + 1, W - kw + 1) floats."""
    ### BEGIN SOLUTION
    kernel_height, kernel_width = kernel.shape
    height, width = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    result = np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            patch = image[row : row + kernel_height, col : col + kernel_width].astype(float)
            result[row, col] = (patch * kernel).sum()
    return result
    ### END SOLUTION

# %%
check(correlate2d)

# %% [markdown]
# From here on the lesson uses the package's copy, `filters.correlate2d`. It agrees with three libraries. OpenCV keeps the picture's
# size, so we compare the inside.

# %%
window = cat[100:164, 200:280]
ours = filters.correlate2d(window, nine)
libraries = {
    "scipy.signal.correlate2d": scipy.signal.correlate2d(window, nine, mode="valid"),
    "cv2.filter2D": cv2.filter2D(window, cv2.CV_64F, nine)[1:-1, 1:-1],
    "torch conv2d": F.conv2d(*(torch.from_numpy(v).double()[None, None] for v in (window, nine)))[0, 0].numpy(),
}
print("ours", ours.shape)
for name, theirs in libraries.items():
    print(f"{name:25} equal to 1e-10: {np.allclose(ours, theirs, atol=1e-10)}")

# %% [markdown]
# **Trap: `uint8` again.** Two slips, both silent. A patch of bytes times 2 stays bytes: 200 · 2 wraps around to 144. (NumPy's `sum` widens, so adding bytes is safe.)
# And `cv2.filter2D` with depth -1 answers in the picture's own type: every negative edge becomes 0. Turn to floats first.

# %%
bright = np.full((3, 3), 200, np.uint8)
print("200 * 2 in bytes:", (bright * 2)[0, 0], "| nine of them added:", (bright * 2).sum(), "for", 9 * 200 * 2)
in_bytes = cv2.filter2D((cat * 255).astype(np.uint8), -1, nine)
print(f"negative edges: {np.mean(edges < 0):.0%} of the picture, in bytes {np.mean(in_bytes < 0):.0%}")

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import cv2, scipy.signal, torch, matplotlib.pyplot as plt, numpy as np, torch.nn.functional as F
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.convolutions import arithmetic, fast_filters, filters, layers, pooling, receptive
draw.theme("light")
cat, rng = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255, np.random.default_rng(0)
nine, face, conv2d = filters.KERNELS["vertical edges"], cat[40:260, 110:330], layers.conv2d

# %% [markdown]
# ## 4 · Nine numbers, many jobs *(15 min)*
#
# Eight kernels with names. Those that add up to 1 keep the brightness; those that add up to 0 answer nothing on a flat wall.

# %%
face = cat[40:260, 110:330]
answers = {name: filters.correlate2d(face, kernel) for name, kernel in filters.KERNELS.items()}
figure, axes = plt.subplots(2, 4, figsize=(8, 4.3), layout="constrained", dpi=80)
for ax, (name, answer) in zip(axes.flat, answers.items(), strict=True):
    edges = "edges" in name
    title = f"{name}, sum {filters.KERNELS[name].sum():.0f}"
    show(answer, title=title, signed=edges, limits=(-0.6, 0.6) if edges else (0, 1), ax=ax)

# %% [markdown]
# Each answer is smaller than the picture: a kernel of side $k$ fits $k - 1$ times less. Without padding, ten layers of 3 x 3 eat 20
# rows.

# %%
for k in (1, 3, 5, 11):
    print(f"kernel {k:2}: {face.shape} -> {filters.correlate2d(face, np.ones((k, k))).shape}")

# %% [markdown]
# It starts with *vertical edges*. Click a number and type, or drag it up and down, and watch the picture answer. Your own photo:
# `KernelLab(photo("path/to/photo.jpg"))`.

# %%
from cvlab.widgets import KernelLab

KernelLab(photo("chelsea"))

# %% [markdown]
# ### Separable: two strips for one square
#
# Some kernels are a column times a row. The 3 x 3 `1 2 1 / 2 4 2 / 1 2 1` is (1, 2, 1) down times (1, 2, 1) across. Filter
# by the column, then by the row: 6 products a pixel instead of 9; for 63 x 63, 126 instead of 3969.

# %% tags=["core"]
def correlate2d_separable(image, column, row):
    """Filter `image` (H, W) by `column` (kh,) and then by `row` (kw,)."""
    height, width = image.shape[0] - len(column) + 1, image.shape[1] - len(row) + 1
    down = sum(weight * image[i : i + height] for i, weight in enumerate(column))  # (height, W)
    return sum(weight * down[:, i : i + width] for i, weight in enumerate(row))  # (height, width)

# %%
for name, kernel in filters.KERNELS.items():
    rank, said = np.linalg.matrix_rank(kernel), "not separable"
    if rank == 1:
        strips = correlate2d_separable(face, *filters.separate(kernel))
        said = f"a column times a row, same answer: {np.allclose(strips, answers[name], atol=1e-10)}"
    print(f"{name:16} rank {rank}: {said}")

# %% [markdown]
# ### Blur again and again
#
# **Predict** the shape of a box (five times 1/5) averaged with itself, and again, and again.

# %%
box, curve = np.full(5, 1 / 5), np.ones(1)
figure, ax = plt.subplots(figsize=(8, 2.4), layout="constrained")
for times in range(1, 5):
    curve = np.convolve(curve, box)
    x = np.arange(len(curve)) - len(curve) // 2
    ax.plot(x, curve, marker=".", label=f"{times} x")
spread = 4 * (5**2 - 1) / 12  # the variances of four boxes add up
gauss = np.exp(-(x**2) / (2 * spread)) / np.sqrt(2 * np.pi * spread)
ax.plot(x, gauss, "k--", linewidth=1, label="Gaussian")
ax.set(title=f"Four boxes make a Gaussian: largest gap {np.abs(curve - gauss).max():.3f}")
ax.legend(fontsize=8)
assert np.abs(curve - gauss).max() < 0.01

# %% [markdown]
# *In one line:* a kernel is a tiny picture of what you look for; its answer says where it was found, and with which sign.

# %% [markdown]
# ## 5 · Correlation or convolution? *(10 min)*
#
# **Trap.** Many lecture notes write down what we did, $\sum x_{i+k} w_k$, call it convolution, and then list convolution's properties. What we did is
# **cross-correlation**. Convolution turns the kernel by 180 degrees first: $\sum x_{i-k} w_k$. Feed a single 1 and see.

# %%
dot = np.zeros((5, 5))
dot[2, 2] = 1
numbers = np.arange(1, 10).reshape(3, 3)
show_many(
    [numbers, filters.correlate2d(dot, numbers), filters.convolve2d(dot, numbers)],
    titles=["Kernel", "Correlation draws it turned", "Convolution draws it as it is"],
    numbers=True,
);

# %% [markdown]
# Which properties hold? Do not recite: measure. Each row is one law, each column one operation with one way to pad; the number is
# the largest violation on random pictures and kernels. **Predict** which column is all zeros.

# %%
rng = np.random.default_rng(0)
x, y, a, b = (rng.normal(size=(n, n)) for n in (16, 16, 5, 3))  # two kernels of different size
inner = np.pad(x[6:10, 6:10], 6)  # something in an empty picture

def middle(u):
    """Return the 3 x 3 cells in the middle, where the two orders overlap."""
    start = (len(u) - 3) // 2
    return u[start : start + 3, start : start + 3]

def violations(operation, mode, boundary):
    """Return the largest violation of each law for one operation and one padding."""
    def op(u, v):
        return operation(u, v, mode=mode, boundary=boundary)
    def moved(u):
        return np.roll(u, (2, 1), axis=(0, 1))
    first, second = (np.pad(a, 1), np.pad(b, 2)) if boundary == "wrap" else (a, b)  # a ring needs equal sides
    gaps = {
        "linear": op(2 * x + 3 * y, a) - 2 * op(x, a) - 3 * op(y, a),
        "shift, away from the border": op(moved(inner), a) - moved(op(inner, a)),
        "shift, at the border": op(moved(x), a) - moved(op(x, a)),
        "commutative: a b = b a": middle(op(first, second)) - middle(op(second, first)),
        "associative: (x a) b = x (a b)": op(op(x, a), b) - op(x, operation(a, b, mode="full")),
    }
    return {law: np.abs(gap).max() for law, gap in gaps.items()}

# %%
OPERATIONS = {"conv": scipy.signal.convolve2d, "corr": scipy.signal.correlate2d}
PADDING = {"valid": ("valid", "fill"), "same": ("same", "fill"), "full": ("full", "fill"), "wrap": ("same", "wrap")}
table = {(o, p): violations(OPERATIONS[o], *PADDING[p]) for o in OPERATIONS for p in PADDING}
print(f"{'':31}" + "".join(f"{o + ' ' + p:>11}" for o, p in table))
for law in table["conv", "full"]:
    gaps = [column[law] for column in table.values()]
    print(f"{law:31}" + "".join(f"{gap:11.2f}" if gap > 1e-10 else f"{'0':>11}" for gap in gaps))
assert max(table["conv", "wrap"].values()) < 1e-10 and table["corr", "valid"]["commutative: a b = b a"] > 0.1
assert all(table["corr", p]["associative: (x a) b = x (a b)"] > 0.1 for p in PADDING)

# %% [markdown]
# Both are linear, and both follow a shift as long as no border interferes. Only convolution may be reordered, and even that breaks at a zero-padded
# border (*same*). Two correlations in a row are one correlation with the kernels' *convolution*.
#
# Why then does deep learning say "convolution"? Because the kernel is learnt: a network that wants it turned learns it turned, so the name does not matter there.
# It matters when you bring a kernel from a book.

# %%
twice = filters.correlate2d(filters.correlate2d(x, a), b)
once = filters.correlate2d(x, scipy.signal.convolve2d(a, b))
print("two correlations = one, with the convolved kernels:", np.allclose(twice, once, atol=1e-10))

# %% [markdown]
# ## 6 · From the operation to a layer *(24 min)*
#
# Let the numbers of the kernel be learnt, and you have a **convolutional layer**. Three things are new. The input has $D$ channels, and each kernel
# is as deep as they are: it looks at all of them and gives **one** number. There are $K$ kernels, so the output has $K$ channels. Each kernel adds one number of
# its own, the **bias**.
#
# On paper: two channels of a single pixel, 3 and 5. A 1 x 1 kernel with weights 2 and -1 and bias 4 gives 2 · 3 - 1 · 5 + 4 = 5.
#
# **Exercise 3 · `conv_layer`** *(8 minutes, medium)*. One picture, no padding, step 1. You may use `filters.correlate2d` for each channel.

# %% tags=["core", "exercise"]
def conv_layer(picture, weight, bias):
    """Apply K kernels `weight` (K, C, kh, kw) and `bias` (K,) to `picture` (C, H, W): return (K, out_h, out_w)."""
    ### BEGIN SOLUTION
    maps = []
    for kernel, start in zip(weight, bias, strict=True):
        answers = [filters.correlate2d(channel, plane) for channel, plane in zip(picture, kernel, strict=True)]
        maps.append(sum(answers) + start)  # one map a kernel: its channels added up
    return np.stack(maps)
    ### END SOLUTION

# %%
check(conv_layer)

# %% [markdown]
# The same for a whole batch, with the settings of section 7. It takes every kernel and every channel at once:

# %% tags=["core"]
def conv2d(images, weight, bias=None, stride=1, padding=0, dilation=1):
    """Apply K kernels (K, C, kh, kw) to pictures (B, C, H, W): return (B, K, out_h, out_w)."""
    (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(value, 2) for value in (stride, padding, dilation))
    B, _, H, W = images.shape
    K, _, kh, kw = weight.shape
    out_h, out_w = arithmetic.output_size(H, kh, sh, ph, dh), arithmetic.output_size(W, kw, sw, pw, dw)
    padded = np.pad(images, ((0, 0), (0, 0), (ph, ph), (pw, pw)))  # (B, C, H + 2 ph, W + 2 pw)
    result = np.zeros((B, K, out_h, out_w))
    for row in range(out_h):
        for col in range(out_w):
            rows, cols = row * sh + dh * np.arange(kh), col * sw + dw * np.arange(kw)
            patch = padded[:, :, rows[:, None], cols]  # (B, C, kh, kw)
            result[:, :, row, col] = np.einsum("bcij,kcij->bk", patch, weight)
    return result if bias is None else result + np.reshape(bias, (K, 1, 1))

# %%
pixel, weights_2 = np.array([3.0, 5]).reshape(1, 2, 1, 1), np.array([2.0, -1]).reshape(1, 2, 1, 1)
print("on paper:", conv2d(pixel, weights_2, bias=[4]).item())
images, weight, bias = rng.normal(size=(2, 3, 12, 15)), rng.normal(size=(4, 3, 3, 5)), rng.normal(size=4)
settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
ours = conv2d(images, weight, bias, **settings)
theirs = F.conv2d(*(torch.from_numpy(v) for v in (images, weight, bias)), **settings).numpy()
print(images.shape, "->", ours.shape, "| equal to torch's, to 1e-10:", np.allclose(ours, theirs, atol=1e-10))

# %% [markdown]
# Padding, stride and dilation are section 7's. As a layer object it is `torch.nn.Conv2d(3, 4, kernel_size=(3, 5))`: it holds the
# weights and biases, and starts them at random.
#
# **Exercise 4 · `conv_parameters`** *(3 minutes, easy)*. How many numbers does such a layer learn, with square kernels?

# %% tags=["exercise"]
def conv_parameters(in_channels, out_channels, kernel, bias=True):
    """Return how many numbers a layer of `out_channels` kernels of `kernel` x `kernel` learns, an int."""
    ### BEGIN SOLUTION
    per_kernel = kernel * kernel * in_channels + (1 if bias else 0)
    return out_channels * per_kernel
    ### END SOLUTION

# %%
check(conv_parameters)

# %% [markdown]
# $K\,(k \cdot k \cdot D + 1)$. Where does the thrift come from? Take a 32 x 32 colour picture and 16 maps of 30 x 30. Connect all with all; then only
# neighbours (**locality**); then the same weights everywhere (**sharing**).

# %%
places = 30 * 30
counts = {
    "dense: all with all": arithmetic.dense_parameters(3 * 32 * 32, 16 * places),
    "local: 3 x 3 neighbours": places * arithmetic.conv_parameters(3, 16, 3),
    "convolution: local and shared": arithmetic.conv_parameters(3, 16, 3),
}
for name, count in counts.items():
    print(f"{name:30} {count:12,} parameters")
layer = torch.nn.Conv2d(3, 16, 3)
print("torch.nn.Conv2d(3, 16, 3) has", sum(p.numel() for p in layer.parameters()))

# %% [markdown]
# Must every kernel look at every channel? With `groups=2` the first half of the kernels sees the first half of the channels, the second half the rest: half
# the weights. With as many groups as channels each kernel sees one: **depthwise**. A 1 x 1 layer behind it mixes the channels again. Lesson 04 builds on that pair.

# %%
halves = torch.nn.Conv2d(4, 6, 3, groups=2)
picture = torch.from_numpy(rng.normal(size=(4, 8, 8))).float()
parts = [F.conv2d(picture[c : c + 2], halves.weight[k : k + 3], halves.bias[k : k + 3]) for c, k in ((0, 0), (2, 3))]
print("two groups = two small layers side by side:", torch.allclose(torch.cat(parts), halves(picture), atol=1e-6))
plans = {
    "3 x 3, all channels": [torch.nn.Conv2d(32, 64, 3, bias=False)],
    "3 x 3 in 4 groups": [torch.nn.Conv2d(32, 64, 3, groups=4, bias=False)],
    "3 x 3 depthwise, then 1 x 1": [torch.nn.Conv2d(32, 32, 3, groups=32, bias=False), torch.nn.Conv2d(32, 64, 1, bias=False)],
}
for name, plan in plans.items():
    print(f"32 -> 64 channels, {name:28} {sum(p.numel() for part in plan for p in part.parameters()):6,} weights")

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import cv2, scipy.signal, torch, matplotlib.pyplot as plt, numpy as np, torch.nn.functional as F
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.convolutions import arithmetic, fast_filters, filters, layers, pooling, receptive
draw.theme("light")
cat, rng = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255, np.random.default_rng(0)
nine, face, conv2d = filters.KERNELS["vertical edges"], cat[40:260, 110:330], layers.conv2d

# %% [markdown]
# ## 7 · Padding, stride, dilation *(15 min)*
#
# Three settings change *where* the kernel looks. **Padding** puts zeros round the picture. **Stride** is the step. **Dilation** spreads the kernel's
# numbers apart, so that it reaches further with no more weights.
#
# On paper: the picture 1 to 9 in three rows, a 2 x 2 kernel of twos. Dilation 1: 2 (1 + 2 + 4 + 5) = 24, and 32, 48, 56. Dilation 2 takes the four
# *corners*: 2 (1 + 3 + 7 + 9) = 40, a single number.

# %%
grid, twos = np.arange(1.0, 10).reshape(1, 1, 3, 3), np.full((1, 1, 2, 2), 2.0)
for dilation in (1, 2):
    theirs = F.conv2d(torch.from_numpy(grid), torch.from_numpy(twos), dilation=dilation)
    print("dilation", dilation, conv2d(grid, twos, dilation=dilation)[0, 0].tolist(), "torch", theirs[0, 0].tolist())

# %% [markdown]
# **Trap:** spreading a kernel opens holes. Here is a plus. **Predict** what the four twos answer at dilation 1 and at dilation 2.

# %%
plus = np.array([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]).reshape(1, 1, 3, 3)
for dilation in (1, 2):
    print("dilation", dilation, conv2d(plus, twos, dilation=dilation)[0, 0].tolist())

# %% [markdown]
# Zero, though the plus fills most of the picture: the four spread numbers lie on its four empty corners. What falls between the holes is never seen.

# %% [markdown]
# How large is the output? **Trap:** notes often give $(H - k + 2p) / s + 1$. Two things are missing. A dilated kernel reaches over $d (k - 1) + 1$ cells. And
# when the steps do not come out even, the rest is dropped: a **floor**.
#
# **Exercise 5 · `output_size`** *(5 minutes, easy)*. Along one axis. Check it on paper: size 6, kernel 3, stride 2 gives 2, and one cell is never read.

# %% tags=["core", "exercise"]
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    """Return the number of places where the kernel fits, an int; `padding` is added at each end."""
    ### BEGIN SOLUTION
    reach = dilation * (kernel - 1) + 1
    return (size + 2 * padding - reach) // stride + 1
    ### END SOLUTION

# %%
check(output_size)

# %% [markdown]
# Every case of Dumoulin and Visin's well-known guide, ours against torch. (Transposed convolutions come in lesson 05.)

# %%
GUIDE = {  # size, kernel, stride, padding, dilation
    "no padding, unit strides": (4, 3, 1, 0, 1),
    "arbitrary padding, unit strides": (5, 4, 1, 2, 1),
    "half (same) padding, unit strides": (5, 3, 1, 1, 1),
    "full padding, unit strides": (5, 3, 1, 2, 1),
    "no padding, strides": (5, 3, 2, 0, 1),
    "padding, strides": (5, 3, 2, 1, 1),
    "padding, strides, a cell left over": (6, 3, 2, 1, 1),
    "dilation": (7, 3, 1, 0, 2),
}
print(f"{'':36}in  kernel  stride  padding  dilation  ours  torch")
for case, (size, kernel, stride, padding, dilation) in GUIDE.items():
    theirs = F.conv1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), None, stride, padding, dilation).shape[2]
    ours = arithmetic.output_size(size, kernel, stride, padding, dilation)
    print(f"{case:36}{size:2}  {kernel:6}  {stride:6}  {padding:7}  {dilation:8}  {ours:4}  {theirs:5}")
    assert ours == theirs

# %% [markdown]
# Before the widget's own task: keep 12 cells as 12 with a kernel of 5. Which padding does that take, and why?

# %%
from cvlab.widgets import ConvArithmetic

ConvArithmetic()

# %% [markdown]
# *Same* padding needs an odd kernel: `k // 2` zeros on either side. With an even one the extra cells cannot be shared equally, and our function says so.

# %%
try:
    filters.filter2d(face, np.ones((4, 4)))
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## 8 · Pooling, and other shapes *(15 min)*
#
# Networks get *wider* with depth: ResNet-18 has 64, 128, 256, 512 channels. Each map costs memory, so they must shrink as they multiply. (ResNet-18 itself
# shrinks them mostly by strides, VGG by pooling; the sums are the same.)

# %%
widths, sides = (64, 128, 256, 512), (56, 28, 14, 7)
print("channels     ", *(f"{w:6}" for w in widths))
print("56 x 56 kept ", *(f"{w * 56 * 56 * 4 / 2**20:6.2f}" for w in widths), "MiB a picture")
print("halved       ", *(f"{w * s * s * 4 / 2**20:6.2f}" for w, s in zip(widths, sides, strict=True)), "MiB a picture")

# %% [markdown]
# **Pooling** shrinks: cut the map into windows and keep one number of each, the largest (*max*) or the mean (*average*). Nothing is learnt.
#
# **Exercise 6 · `max_pool2d`** *(7 minutes, medium)*. `size` and `stride` are (rows, columns) and may differ.

# %% tags=["core", "exercise"]
def max_pool2d(image, size, stride):
    """Return the largest number of each window of `image` (H, W), in the picture's dtype."""
    ### BEGIN SOLUTION
    height = (image.shape[0] - size[0]) // stride[0] + 1
    width = (image.shape[1] - size[1]) // stride[1] + 1
    result = np.zeros((height, width), image.dtype)
    for row in range(height):
        for col in range(width):
            top, left = row * stride[0], col * stride[1]
            result[row, col] = image[top : top + size[0], left : left + size[1]].max()
    return result
    ### END SOLUTION

# %%
check(max_pool2d)

# %% [markdown]
# The mean needs no loop: ask NumPy for all windows at once. **Global** pooling takes one window as large as the map: a picture of any size becomes one
# number a channel, ready for a linear layer.

# %% tags=["core"]
def average_pool2d(images, size, stride):
    """Return the mean of each window of `images` (B, C, H, W)."""
    (kh, kw), (sh, sw) = np.broadcast_to(size, 2), np.broadcast_to(stride, 2)
    windows = np.lib.stride_tricks.sliding_window_view(images, (kh, kw), axis=(2, 3))
    return windows[:, :, ::sh, ::sw].mean(axis=(4, 5))  # (B, C, rows, cols, kh, kw) -> (B, C, out_h, out_w)


def global_average_pool(images):
    """Return the mean of each channel of `images` (B, C, H, W): (B, C)."""
    return images.mean(axis=(2, 3))

# %%
images = rng.normal(size=(2, 3, 12, 15))
tensor = torch.from_numpy(images)
largest = pooling.max_pool2d(images[0, 0], (3, 2), (2, 2))
print("max    ", np.array_equal(largest, F.max_pool2d(tensor, (3, 2), (2, 2))[0, 0]))
print("average", np.allclose(average_pool2d(images, (3, 2), 2), F.avg_pool2d(tensor, (3, 2), 2), atol=1e-10))
print("global ", np.allclose(global_average_pool(images), F.adaptive_avg_pool2d(tensor, 1)[..., 0, 0], atol=1e-10))
show_many(
    [face, pooling.max_pool2d(face, (10, 10), (10, 10)), average_pool2d(face[None, None], 10, 10)[0, 0]],
    titles=["220 x 220", "Max of 10 x 10: only the bright", "Average: bright and dark mixed"], limits=(0, 1),
);

# %% [markdown]
# **One, two, three dimensions** count the directions in which the kernel moves: sound, pictures, scans or video. All are the same sum.

# %%
for n, conv_nd in ((1, F.conv1d), (2, F.conv2d), (3, F.conv3d)):
    out = conv_nd(torch.ones(1, 4, *[9] * n), torch.ones(8, 4, *[3] * n))
    print(f"{n}-D: (1, 4{', 9' * n}) -> {tuple(out.shape)}, each a sum of {4 * 3**n} products: {out.flatten()[0]:.0f}")

# %% [markdown]
# **NCHW or NHWC?** torch counts channels first, TensorFlow by default channels last. In memory torch can have either, under the same
# shape: the answer is the same, the strides are not.

# %%
last = tensor.to(memory_format=torch.channels_last)
print("shape", tuple(last.shape), "| strides", tensor.stride(), "->", last.stride())
kernels = torch.from_numpy(rng.normal(size=(4, 3, 3, 5)))
print("same answer:", torch.allclose(F.conv2d(tensor, kernels), F.conv2d(last, kernels)))

# %% [markdown]
# **From layers to a network.** The usual plan: ((convolution, activation) a few times, pooling) a few times, then a linear layer. The activation, here ReLU, sets
# negative answers to 0; without it, two convolutions in a row would be one (section 5). Maps get smaller, and more.

# %%
from torch import nn

network = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
x = torch.zeros(1, 3, 32, 32)
for part in network:
    x = part(x)
    print(f"{type(part).__name__:18} {tuple(x.shape)}")

# %% [markdown]
# ## 9 · Receptive field: how far does a cell see? *(20 min)*
#
# A cell after one 3 x 3 layer sees 3 x 3 pixels. After two, 5 x 5: each layer adds one on either side. After a **stride** of 2, neighbours are two pixels
# apart, so the next layer's step counts double. **Dilation** stretches a layer's own reach. On paper: 3 x 3 with stride 2, then 3 x 3: 1 + 2 + 2 · 2 = 7.
#
# **Exercise 7 · `receptive_field`** *(8 minutes, medium)*.

# %% tags=["core", "exercise"]
def receptive_field(layers):
    """Return the side of the field of a stack of (kernel, stride, dilation), first layer first; an int."""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * step
        step *= stride  # one cell of this layer's output is so many input cells away from the next
    return field
    ### END SOLUTION

# %%
check(receptive_field)

# %% [markdown]
# Click any cell to see what it sees. Then switch the padding on and off: does the field grow?

# %%
from cvlab.widgets import ReceptiveField

ReceptiveField()

# %% [markdown]
# Kernel, stride below, dilation: they grow the field. Padding moves it over the border but does not grow it. Now five famous networks, from
# their layer lists, against the values published by Araujo, Norris and Sim.

# %%
for name, published in receptive.PUBLISHED_FIELDS.items():
    ours = receptive.receptive_field(receptive.PUBLISHED[name])
    print(f"{name:13} {len(receptive.PUBLISHED[name]):2} layers that see, field {ours}, published {published}")
    assert ours == published

# %% [markdown]
# **Trap:** "the" ResNet-50 does not exist. The paper strides in the first 1 x 1 of a stage; Google's version, measured above, in the 3 x 3 of a stage's *last* block;
# torchvision in the 3 x 3 of its *first* block. **Predict:** whose field is smaller, and why?

# %%
import torchvision

with torch.device("meta"):  # the layers without their 25 million numbers
    resnet = torchvision.models.resnet50()
for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
    stage[0].downsample = None  # the side path: 1 x 1 kernels see no further
versions = {"paper": receptive.RESNET50_CAFFE, "Google": receptive.PUBLISHED["ResNet-50"]}
versions["torchvision"] = receptive.spatial_layers(resnet)
{name: receptive.receptive_field(stack) for name, stack in versions.items()}

# %% [markdown]
# In torchvision's, one 3 x 3 in each of three stages still sees the finer grid: it adds 2 · 4, 2 · 8, 2 · 16 instead of twice that. 56 pixels less.
#
# ### What does a cell *really* see?
#
# The field says what *can* matter. What does? Ask the gradient: how much does each pixel move the middle cell? We take a network with real ImageNet
# weights, at two depths, on five photos.

# %%
from cvlab.store import weights

model = weights.efficientnet_lite0().requires_grad_(False)  # we move pixels, not weights
crops = np.stack([photo(name)[60:252, 110:302] for name in ("astronaut", "china", "coffee", "flower", "rocket")])
batch = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1  # (5, 3, 192, 192)

def up_to(depth):
    return torch.nn.Sequential(model.conv_stem, model.bn1, *model.blocks[:depth])

def side_of_share(gradient, share=0.95):
    """Return the side of the smallest centred square that holds `share` of the gradient."""
    rows, cols = np.indices(gradient.shape)
    y, x = ((grid * gradient).sum() / gradient.sum() for grid in (rows, cols))  # its centre
    distance = np.maximum(np.abs(rows - y), np.abs(cols - x)).ravel()
    order = distance.argsort()
    inside = gradient.ravel()[order].cumsum() / gradient.sum()
    return int(2 * distance[order][np.searchsorted(inside, share)] + 1)

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained", dpi=80)
show(crops[2], title="What the middle cell can see, and sees", ax=axes[0])
fields = {}

def square(ax, middle, side, color):
    ax.add_patch(plt.Rectangle(middle - side / 2, side, side, fill=False, edgecolor=color, linewidth=2))

for ax, depth in zip(axes[1:], (3, 4), strict=True):
    theory = receptive.receptive_field(receptive.spatial_layers([model.conv_stem, *model.blocks[:depth]]))
    measured = receptive.gradient_field(up_to(depth), batch)
    fields[depth] = theory, side_of_share(measured), np.ptp(np.flatnonzero(measured.sum(axis=1))) + 1
    show((measured / measured.max()) ** 0.4, title=f"{depth} stages: 95% in {fields[depth][1]} of {theory} px", ax=ax)
    middle = np.argwhere(measured > 0).mean(axis=0)[::-1]  # x, y
    square(ax, middle, theory, "C1")
    square(ax, middle, fields[depth][1], "C0")
square(axes[0], middle, theory, "C1")
square(axes[0], middle, fields[depth][1], "C0")

# %%
for depth, (theory, effective, reached) in fields.items():
    print(f"{depth} stages: theory {theory}, pixels with any gradient {reached}, 95% of the gradient in {effective}")
    assert reached == theory and effective < 0.8 * theory
assert fields[4][1] / fields[4][0] < fields[3][1] / fields[3][0]

# %% [markdown]
# The orange square is the theory, and no gradient leaves it. 95% lies in the blue one: the **effective** field is much smaller, and its share
# shrinks with depth, because the centre
# is reached on many paths and the corner on one. It is section 4's repeated box once more.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import cv2, scipy.signal, torch, matplotlib.pyplot as plt, numpy as np, torch.nn.functional as F
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.convolutions import arithmetic, fast_filters, filters, layers, pooling, receptive
draw.theme("light")
cat, rng = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255, np.random.default_rng(0)
nine, face, conv2d = filters.KERNELS["vertical edges"], cat[40:260, 110:330], layers.conv2d

# %% [markdown]
# ## 10 · Equivariance is not invariance *(10 min)*
#
# **Trap:** "networks do not care about shifts". A *layer* does care: shift the picture, and its map shifts along. That is **equivariance**. **Invariance** means that
# the *answer* stays; it needs the place to be forgotten, as global pooling does. And a **stride** breaks even the first: look.

# %%
line = np.zeros((8, 8))
line[:, 3] = 1
maps = [filters.filter2d(np.roll(line, shift, axis=1), nine, "wrap") for shift in (0, 1)]
print("stride 1: map shifted along:", np.array_equal(np.roll(maps[0], 1, axis=1), maps[1]))
show_many(
    [maps[0], maps[1], maps[0][::2, ::2], maps[1][::2, ::2]], signed=True, cols=4,
    titles=["A line, stride 1", "moved by 1: same map", "Stride 2: the line's two sides", "moved by 1: gone"],
)
assert not maps[1][::2, ::2].any()

# %% [markdown]
# With stride 2 every second number is thrown away. Whether the line survives depends on where it stood. Now a whole small network: section
# 1's random kernels, three ways. *No stride* (dilation instead, so it sees as far), *stride 2* twice, and a *blur before each stride*. Each gets its own linear model.

# %%
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvlab.world.digits import wide_digits

digits, labels = wide_digits()  # (1797, 16, 16), 0 to 1, and (1797,)
train, test = slice(0, 1200), slice(1200, 1500)
generator = torch.Generator().manual_seed(0)
stack = [torch.randn(k, d, 3, 3, generator=generator) * (2 / (9 * d)) ** 0.5 for d, k in ((1, 8), (8, 32), (32, 128))]
blur = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16

# %%
def around(x, weight, **options):
    reach = options.get("dilation", 1)
    return F.conv2d(F.pad(x, (reach,) * 4, mode="circular"), weight, **options)

def network(pictures, stride, blurred=False):
    """Return (N, 128): the means of three random layers, the first two followed by a stride or, without one, by more dilation."""
    answers = []
    for x in torch.from_numpy(pictures).float()[:, None].split(100):  # (100, 1, 16, 16)
        for depth, weight in enumerate(stack):
            x = around(x, weight, dilation=2**depth if stride == 1 else 1).relu()
            if depth < 2 and blurred:
                x = around(x, blur.expand(len(weight), 1, 3, 3), groups=len(weight))
            x = x[:, :, ::stride, ::stride] if depth < 2 else x
        answers.append(x.mean(dim=(2, 3)))
    return torch.cat(answers).numpy()

networks = {"no stride": (1, False), "stride": (2, False), "blur, then stride": (2, True)}

# %%
change, right = {}, {}
for name, how in networks.items():
    reader = make_pipeline(StandardScaler(), RidgeClassifier()).fit(network(digits[train], *how), labels[train])
    found = [network(np.roll(digits[test], shift, axis=2), *how) for shift in range(9)]  # 9 x (300, 128)
    size = np.linalg.norm(found[0], axis=1)
    change[name] = [np.mean(np.linalg.norm(f - found[0], axis=1) / size) for f in found]
    right[name] = [reader.score(f, labels[test]) for f in found]

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for name in networks:
    axes[0].plot(change[name], marker=".", label=name)
    axes[1].plot(right[name], marker=".", label=name)
axes[0].set(xlabel="shift, pixels", ylabel="change of the features", title="With a stride, a shift changes features")
axes[1].set(xlabel="shift, pixels", ylabel="right answers", ylim=(0, 1.05), title="and answers; a blur mends some")
axes[0].legend(fontsize=8);

# %%
assert max(change["no stride"]) < 1e-4 and np.ptp(right["no stride"]) == 0
assert change["stride"][4] < 1e-4 < 0.1 < change["stride"][2]  # two strides of 2: the same again after 4 pixels
assert change["blur, then stride"][2] < change["stride"][2] / 2
assert right["blur, then stride"][2] > right["stride"][2] + 0.1
print({name: f"unmoved {values[0]:.0%}, moved by 2 {values[2]:.0%}" for name, values in right.items()})

# %% [markdown]
# The picture wraps round here, so borders play no part: what you see is the stride alone, and it comes back every 2 · 2 = 4 pixels. It is lesson 01's
# aliasing, inside a network. Blurring before striding is antialiasing; it helps, and does not cure.
#
# Do not carry these sizes home: random kernels, pictures of 16 pixels, and a reader that saw every digit at one place only. Trained networks lose a few points in a hundred
# to a shift (Zhang 2019), because training has shown them many places. The direction is the same.

# %% [markdown]
# ## 11 · One matrix product *(10 min)*
#
# How do libraries make it fast? One way: write every patch as a column of a table, every kernel as a row. Then a layer is **one matrix product**. The trick is
# called *im2col*; it trades memory for speed, since each pixel is written up to $k \cdot k$ times.

# %% tags=["core"]
def im2col(images, size, stride=1, padding=0, dilation=1):
    """Return the patches of `images` (B, C, H, W) as columns: (B, C * kh * kw, out_h * out_w)."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(v, 2) for v in (size, stride, padding, dilation))
    B, C, H, W = images.shape
    out_h, out_w = arithmetic.output_size(H, kh, sh, ph, dh), arithmetic.output_size(W, kw, sw, pw, dw)
    padded = np.pad(images, ((0, 0), (0, 0), (ph, ph), (pw, pw)))  # (B, C, H + 2 ph, W + 2 pw)
    rows = dh * np.arange(kh)[:, None] + sh * np.arange(out_h)  # (kh, out_h)
    cols = dw * np.arange(kw)[:, None] + sw * np.arange(out_w)  # (kw, out_w)
    patches = padded[:, :, rows[:, None, :, None], cols[None, :, None, :]]  # (B, C, kh, kw, out_h, out_w)
    return patches.reshape(B, C * kh * kw, out_h * out_w)

# %%
images, weight, bias = rng.normal(size=(2, 3, 12, 15)), rng.normal(size=(4, 3, 3, 5)), rng.normal(size=4)
settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
tensor = torch.from_numpy(images)
columns = im2col(images, (3, 5), **settings)
print(images.shape, "->", columns.shape)
print("equal to torch's unfold:", np.array_equal(columns, F.unfold(tensor, (3, 5), **settings)))
loop = conv2d(images, weight, bias, **settings)
product = (weight.reshape(4, -1) @ columns).reshape(loop.shape) + bias[:, None, None]
print("one product, equal to the loop:", np.allclose(product, loop, atol=1e-10))

# %% [markdown]
# ### How fast?
#
# **Predict:** a layer of 16 to 32 channels on a picture of 60 x 90. Shifted copies, kernel by kernel, or the one product?

# %% tags=["nbval-ignore-output"]
from time import perf_counter

def milliseconds(run, repeats=3):
    """Return the least of a few times."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        run()
        times.append(1000 * (perf_counter() - start))
    return min(times)

maps_in, many = rng.normal(size=(1, 16, 60, 90)).astype(np.float32), rng.normal(size=(32, 16, 3, 3)).astype(np.float32)
layer_ways = {
    "each kernel, each channel, shifted copies": lambda: [sum(map(fast_filters.correlate2d_shifted, maps_in[0], k)) for k in many],
    "im2col, table and product": lambda: layers.conv2d_matrix(maps_in, many),
    "im2col, the table alone": lambda: im2col(maps_in, (3, 3)),
    "torch": lambda: F.conv2d(torch.from_numpy(maps_in), torch.from_numpy(many)),
}
for name, run in layer_ways.items():
    print(f"{name:42} {milliseconds(run):6.1f} ms")

# %% [markdown]
# For a layer the product pays: the table is built once and used by all 32 kernels; building it is most of the cost. For a *single* kernel nothing is shared, and the table is
# a waste: watch its line below. One picture and one kernel now, with three more ways. Loop over the *kernel* and add shifted pictures. One matrix product. And the **Fourier transform**, where sliding and adding
# turns into a single product for each frequency.

# %% tags=["core"]
def correlate2d_shifted(image, kernel):
    """Add up shifted copies of `image`, each times one number of `kernel`."""
    height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    result = np.zeros((height, width), image.dtype)
    for (row, col), weight in np.ndenumerate(kernel):
        result += weight * image[row : row + height, col : col + width]
    return result


def correlate2d_fft(image, kernel):
    """Multiply the spectra of `image` and `kernel`."""
    height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernel, s=image.shape))  # (H, W // 2 + 1)
    around = np.fft.irfft2(spectrum, s=image.shape)  # (H, W), wrapped at the border
    return around[:height, :width]

# %% tags=["core"]
def correlate2d_matrix(image, kernel):
    """Write each patch of `image` as a row of a table and multiply it by `kernel`."""
    kernel_height, kernel_width = kernel.shape
    height, width = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    rows = np.arange(height)[:, None] + np.arange(kernel_height)  # (height, kh)
    cols = np.arange(width)[:, None] + np.arange(kernel_width)  # (width, kw)
    patches = image[rows[:, None, :, None], cols[None, :, None, :]]  # (height, width, kh, kw)
    table = patches.reshape(height * width, kernel.size)  # a row a patch
    return (table @ kernel.ravel()).reshape(height, width)

# %% [markdown]
# **Predict** the order for a 3 x 3 kernel and for 63 x 63. Who hardly notices the kernel's size? The kernel is a box, so that the separable way can race too.

# %%
photo_small = cv2.resize(cat, (180, 120), interpolation=cv2.INTER_AREA).astype(np.float32)
photo_tensor = torch.from_numpy(photo_small)[None, None]

def racers(k):
    """Return the ways to filter the small photo by a k x k box, all with the same answer."""
    line = np.full(k, 1 / k, np.float32)
    kernel, h = np.outer(line, line), k // 2
    inside = slice(h, -h)
    return {
        "loop over pixels": lambda: filters.correlate2d(photo_small, kernel),
        "shifted copies": lambda: correlate2d_shifted(photo_small, kernel),
        "one matrix product": lambda: correlate2d_matrix(photo_small, kernel),
        "Fourier": lambda: correlate2d_fft(photo_small, kernel),
        "separable": lambda: fast_filters.correlate2d_separable(photo_small, line, line),
        "torch": lambda: F.conv2d(photo_tensor, torch.from_numpy(kernel)[None, None])[0, 0].numpy(),
        "OpenCV": lambda: cv2.filter2D(photo_small, cv2.CV_32F, kernel)[inside, inside],
    }

for k in (3, 15):
    loop = filters.correlate2d(photo_small, np.full((k, k), 1 / k**2))
    agree = [bool(np.abs(run() - loop).max() < 1e-4) for run in racers(k).values()]
    print(f"{k} x {k}: {sum(agree)} of {len(agree)} give the loop's numbers")

# %% tags=["nbval-ignore-output"]
sizes, seconds = (3, 5, 7, 11, 15, 23, 31, 47, 63), {}
for k in sizes:
    for name, run in racers(k).items():
        seconds.setdefault(name, []).append(milliseconds(run, 1 if name == "loop over pixels" else 3))

# %% tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for name, times in seconds.items():
    ax.loglog(sizes, times, marker=".", label=name)
ax.set(xlabel="side of the kernel", ylabel="milliseconds", xticks=sizes, xticklabels=sizes)
ax.set_title("Fourier is flat, separable climbs slowly, k x k methods fast")
ax.minorticks_off()
ax.legend(fontsize=8, ncols=2);

# %% tags=["nbval-ignore-output"]
def crossing(slow, fast):
    """Return the first kernel side from which `fast` stays faster than `slow`."""
    faster = np.less(seconds[fast], seconds[slow])
    from_here = [k for i, k in enumerate(sizes) if faster[i:].all()]
    return f"from {from_here[0]} x {from_here[0]} on" if from_here else "never here"

for slow in ("shifted copies", "one matrix product", "torch", "OpenCV"):
    print(f"Fourier beats {slow}: {crossing(slow, 'Fourier')}")
print(f"separable beats shifted copies: {crossing('shifted copies', 'separable')}")

# %%
grown = {name: times[-1] / times[0] for name, times in seconds.items()}
assert grown["one matrix product"] > 5 * grown["Fourier"] and grown["shifted copies"] > 5 * grown["separable"]
print("from 3 x 3 to 63 x 63, shifted copies and the matrix product slow down far more than Fourier and separable")

# %% [markdown]
# Why do the lines cross? Shifted copies and the matrix product do $k \cdot k$ products a pixel; separable does $2k$; Fourier none that depends on $k$. The loop's time is
# Python's, whatever it computes. OpenCV's manual says that it turns to Fourier itself at about 11 x 11: look where its line bends here. The matrix product writes $k \cdot k$ copies
# of the picture for a single kernel: of the quick ways it is the slowest. Networks use 3 x 3 and many kernels, where it shines.

# %% [markdown]
# ## 12 · Backward: who is to blame? *(20 min)*
#
# To learn, a layer must know how the loss $L$ changes with each of its numbers. It is told how $L$ changes with each output: $g_i = dL/dy_i$. On paper, with signal
# $x$ = `1 2 0 3`, kernel `1 2 4` and $g$ = `1 -1`:
#
# - $y_0 = x_0 w_0 + x_1 w_1 + x_2 w_2$ and $y_1 = x_1 w_0 + x_2 w_1 + x_3 w_2$.
# - $w_0$ touched $x_0$ in $y_0$ and $x_1$ in $y_1$: $dL/dw_0 = 1 \cdot 1 - 1 \cdot 2 = -1$. In all: `-1 2 -3`.
# - $x_1$ was read by $y_0$ with $w_1$ and by $y_1$ with $w_0$: $2 - 1 = 1$. In all: `1 1 2 -4`.
# - The bias is in every output: $1 - 1 = 0$.

# %% [markdown]
# The rule: **each output sends its blame back along the lines it came by.**
#
# **Exercise 8 · `conv1d_grad`** *(12 minutes, hard)*. Kernel and bias are used at *every* place, so their blame adds up.

# %% tags=["core", "exercise"]
def conv1d_grad(signal, kernel, grad):
    """For y = correlate1d(signal, kernel) + bias and grad = dL/dy: return dL/dsignal, dL/dkernel and dL/dbias, a tuple of two arrays and a float."""
    ### BEGIN SOLUTION
    d_signal, d_kernel = np.zeros(len(signal)), np.zeros(len(kernel))
    for i, g in enumerate(grad):
        window = slice(i, i + len(kernel))  # the cells that output i has read
        d_signal[window] += g * kernel
        d_kernel += g * signal[window]
    return d_signal, d_kernel, float(np.sum(grad))
    ### END SOLUTION

# %%
check(conv1d_grad)

# %% [markdown]
# Look at what comes out: $dL/dw$ slides $g$ over the input, a correlation. $dL/dx$ slides the *turned* kernel over $g$, with $K - 1$ zeros on either side: there is
# (full) convolution proper. Now
# against torch's autograd.

# %%
from cvlab.convolutions.gradients import conv1d_grad as package_grad

signal, kernel, grad = np.array([1.0, 2, 0, 3]), np.array([1.0, 2, 4]), np.array([1.0, -1])
ours = package_grad(signal, kernel, grad)
leaves = [torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in (signal, kernel, [0.0])]
out = F.conv1d(leaves[0][None, None], leaves[1][None, None], leaves[2])[0, 0]
by_torch = torch.autograd.grad(out, leaves, torch.tensor(grad))
for name, mine, theirs in zip(("signal", "kernel", "bias"), ours, by_torch, strict=True):
    print(f"dL/d{name:7}", mine, "autograd", theirs.numpy())
print("slides:", np.correlate(signal, grad, "valid"), np.convolve(grad, kernel))

# %% [markdown]
# A whole layer is a matrix product (section 11), and its backward pass is two more. The only new step: a pixel that stands in many columns collects from all of them.

# %% tags=["core"]
def conv2d_grad(images, weight, grad, stride=1, padding=0, dilation=1):
    """Return dL/dimages, dL/dweight, dL/dbias of `conv2d`, for grad = dL/dy (B, K, out_h, out_w)."""
    (B, C, H, W), K = images.shape, len(weight)
    how = (weight.shape[2:], stride, padding, dilation)
    grad = grad.reshape(B, K, -1)  # (B, K, places)
    columns = layers.im2col(images, *how)  # (B, C * kh * kw, places)
    d_weight = np.einsum("bkp,bcp->kc", grad, columns).reshape(weight.shape)
    d_columns = weight.reshape(K, -1).T @ grad  # (B, C * kh * kw, places)
    where = layers.im2col(np.arange(1, C * H * W + 1).reshape(1, C, H, W), *how)  # which cell; 0 is padding
    d_images = np.zeros((B, C * H * W + 1))
    for b in range(B):
        np.add.at(d_images[b], where[0], d_columns[b])  # a cell that was read often collects often
    return d_images[:, 1:].reshape(images.shape), d_weight, grad.sum(axis=(0, 2))

# %% [markdown]
# Two judges: autograd, and **finite differences**, which know nothing of calculus: move one number a little up and down, and see how far $L$ moves.

# %%
leaves = [torch.from_numpy(v).requires_grad_() for v in (images, weight, bias)]
out = F.conv2d(*leaves, **settings)
upstream = rng.normal(size=tuple(out.shape))
theirs = torch.autograd.grad(out, leaves, torch.from_numpy(upstream))
ours = conv2d_grad(images, weight, upstream, **settings)

def by_nudging(values, index, step=1e-5):
    """Return dL/d(one number) of L = sum(upstream * conv2d): up minus down, over twice the step."""
    kept, losses = values[index], []
    for move in (step, -step):
        values[index] = kept + move
        losses.append((upstream * conv2d(images, weight, bias, **settings)).sum())
    values[index] = kept
    return (losses[0] - losses[1]) / (2 * step)

for name, mine, autograd, values in zip(("images", "weight", "bias"), ours, theirs, (images, weight, bias), strict=True):
    index = tuple(n // 2 for n in values.shape)
    nudged = abs(mine[index] - by_nudging(values, index)) < 1e-6
    print(f"{name:7} as autograd, to 1e-10: {np.allclose(mine, autograd, atol=1e-10)} | as nudged: {nudged}")

# %% [markdown]
# Enough to learn. Show the machine random pictures and their vertical edges; let it start from nine zeros and follow $dL/dw$. **Predict:** what will the
# nine numbers be?

# %%
from cvlab.convolutions.gradients import conv2d_grad as layer_grad

noise = rng.normal(size=(8, 1, 24, 24))
wanted = layers.conv2d_matrix(noise, nine[None, None])
learnt_kernel, losses = np.zeros((1, 1, 3, 3)), []
for _ in range(40):
    error = layers.conv2d_matrix(noise, learnt_kernel) - wanted
    losses.append((error**2).mean())
    learnt_kernel -= 0.2 * layer_grad(noise, learnt_kernel, 2 * error / error.size)[1]
found = learnt_kernel[0, 0].round(1) + 0.0
titles = ["The nine numbers", f"Learnt: error {losses[0]:.1f} to {losses[-1]:.4f}"]
show_many([nine, found], titles=titles, numbers=True, signed=True)
assert losses[-1] < losses[0] / 1000 and np.array_equal(found, nine)

# %% [markdown]
# We told it the *answers*, one for every place, and never the nine numbers: those it found. Lesson 03 tells a network even less: one word a picture.

# %% [markdown]
# ## Recap
#
# - A kernel slides, multiplies, adds. The same weights everywhere: few parameters, and a shift of the picture shifts the map. Only the mean forgets the place.
# - Deep learning's convolution is cross-correlation. It is linear and equivariant, but not commutative or associative.
# - Output: `(size + 2 padding - dilation (kernel - 1) - 1) // stride + 1`. Mind the dilation and the floor.
# - The field grows with kernel, dilation and the strides below; what really counts is its middle.
# - A stride breaks equivariance; a blur before it mends part. The backward pass is made of convolutions too.
#
# **In the library.** `torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)`, `torch.nn.MaxPool2d(2)`, `cv2.filter2D(image, cv2.CV_64F, kernel)`,
# `scipy.signal.fftconvolve` for large kernels.

# %% [markdown]
# **Where it breaks.** A kernel knows one size and one direction: turn or enlarge the picture and it is another picture. Zeros at the border are
# a signal too: networks learn from them *where* a thing is (Kayhan and van Gemert). Nothing outside the receptive field can matter, however obvious it is to you. And a sliding
# window answers everywhere: on noise, it answers noise.

# %%
turned = np.rot90(face)
answer, answer_turned = filters.correlate2d(face, nine), filters.correlate2d(turned, nine)
print(f"edge found in the turned face = turned edges: {np.allclose(np.rot90(answer), answer_turned)}")

# %% [markdown]
# **Sources.** Dumoulin, Visin, [A guide to convolution arithmetic for deep learning](https://arxiv.org/abs/1603.07285), 2016 · Araujo, Norris, Sim,
# [Computing Receptive Fields of Convolutional Neural Networks](https://distill.pub/2019/computing-receptive-fields/), Distill 2019 · Luo et al.,
# [Understanding the Effective Receptive Field in Deep Convolutional Neural Networks](https://arxiv.org/abs/1701.04128), 2016 · Zhang,
# [Making Convolutional Networks Shift-Invariant Again](https://arxiv.org/abs/1904.11486), 2019 · Chellapilla, Puri, Simard,
# [High Performance Convolutional Neural Networks for Document Processing](https://inria.hal.science/inria-00112631), 2006 (im2col) ·
# Kayhan, van Gemert, [On Translation Invariance in CNNs: Convolutional Layers Can Exploit Absolute Spatial Location](https://arxiv.org/abs/2003.07064), CVPR 2020 ·
# [OpenCV: filter2D](https://docs.opencv.org/5.x/d4/d86/group__imgproc__filter.html) · [torch.nn.Conv2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html) · the digits: Alpaydin and Kaynak, UCI, in scikit-learn.
#
# **In one line:** nine numbers find an edge anywhere because they are asked the same question everywhere.
