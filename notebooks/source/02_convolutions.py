# minimum: code 58, check 8, widget 5
# %% [markdown]
# # 02 · Convolutions
#
# **How can nine numbers find an edge anywhere in a picture?**
#
# You slide a small grid of numbers over a picture, first on paper, then in code that you check against four libraries. From
# that one operation you build a layer, its sizes, its view of the picture and its gradients.
#
# *182 minutes, in four sittings: sections 1 to 3 (43 min), 4 to 6 (49 min), 7 to 9 (50 min), 10 to 12 (40 min). You need lessons 00 and 01.*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# Import what the first sitting uses
import cv2
import matplotlib.pyplot as plt
import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from scipy.ndimage import correlate
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvlab import check, draw, hint, solution
from cvlab import photo, show, show_many
from cvlab.convolutions import filters
from cvlab.widgets import KernelLab, SlidingKernel
from cvlab.world.digits import wide_digits

draw.theme()

def turned_over(values):
    """Tell whether red and blue have changed places."""
    columns = values["kernel"].sum(axis=0)
    left, right, total = columns[0], columns[-1], columns.sum()
    return left > 0 > right and abs(total) < 1e-9

# %% [markdown]
# Nine numbers slide over the cat, nothing else. Their answer is red where the photo gets brighter to the right, blue where it
# gets darker, white where nothing happens. **Try it:** click a number and type another, or drag it up and down, until red and
# blue have changed places.

# %%
nine = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
task = "Change numbers until red is blue, and blue is red."
KernelLab(photo("chelsea"), task=task, goal=turned_over)

# %% [markdown]
# ## 1 · Three ways to feed a picture to a model *(8 min)*
#
# A model needs numbers. Which? **Raw pixels**, one input each. **Hand-made features**: someone decides what to measure.
# **Learnt features**: the data decide. Take 1797 handwritten digits, each in the middle of a 16 x 16 picture, and a plain linear model.

# %%
# (1797, 16, 16), 0 to 1, and (1797,)
digits, labels = wide_digits()
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

def right_answers(model, features):
    """Return the share of right answers at each shift."""
    return [model.score(features(x), labels[test]) for x in moved]

scores = {"raw pixels": right_answers(raw, flat)}

# %% tags=["fold"]
# Show the scores so far in a table
def score_table():
    rows = [
        {"the model sees": name} | {f"{s} px": x for s, x in enumerate(found)}
        for name, found in scores.items()
    ]
    title = "Right answers, moved by"
    return draw.table(rows, digits=".0%", title=title)

score_table()

# %% tags=["author"]
assert scores["raw pixels"][0] > 0.8 and scores["raw pixels"][2] < 0.25

# %% tags=["fold"]
# Show the first digit that a shift of two loses
# (5, 300)
reads = np.stack([raw.predict(flat(x)) for x in moved])
hit = reads == labels[test]
lost = np.argmax(hit[0] & ~hit[2])
read = reads[:, lost]
titles = [f"{s} px: read as {n}" for s, n in enumerate(read)]
for ax in show_many([x[lost] for x in moved], titles=titles, cols=5):
    ax.set(xticks=[], yticks=[])

# %% [markdown]
# Two pixels break it: each weight belongs to one *place*. What would you measure instead? Perhaps "how much edge of each
# direction is there, anywhere?" Four kernels, both signs: eight numbers a picture.

# %%
diagonal = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
four = [nine, nine.T, diagonal, diagonal[:, ::-1]]

def answers_of(pictures):
    """Return eight maps (N, 16, 16): 4 kernels, both signs."""
    found = []
    for kernel in four:
        answer = correlate(pictures, kernel[None], mode="wrap")
        found += [np.maximum(answer, 0), np.maximum(-answer, 0)]
    return found

def edge_means(pictures):
    """Return (N, 8): how strongly each kernel answers."""
    means = [m.mean(axis=(1, 2)) for m in answers_of(pictures)]
    return np.stack(means, axis=1)

def linear_model(features):
    model = make_pipeline(StandardScaler(), RidgeClassifier())
    return model.fit(features(digits[train]), labels[train])

by_hand = linear_model(edge_means)
scores["8 kernels, means"] = right_answers(by_hand, edge_means)
score_table()

# %% tags=["author"]
assert np.ptp(scores["8 kernels, means"]) < 0.01

# %% [markdown]
# Moving costs nothing now. Is it the *sliding* that forgives the shift, or the *mean* over the picture? Leave the mean out: keep every answer at its place.

# %%
def edge_maps(pictures):
    """Return (N, 2048): all answers, each at its place."""
    maps = [flat(m) for m in answers_of(pictures)]
    return np.concatenate(maps, axis=1)

placed = linear_model(edge_maps)
scores["8 kernels, places kept"] = right_answers(placed, edge_maps)
score_table()

# %% tags=["author"]
assert scores["8 kernels, places kept"][0] > 0.9 and scores["8 kernels, places kept"][2] < 0.5

# %% [markdown]
# So it is the mean: the kernels slide either way, but only without places does a shift not matter. And eight means know too little. The third way lets the data choose. Here is its cheapest
# form: three layers of kernels drawn at *random*, and a linear model that learns which of their answers matter. (Lesson 03 learns the kernels
# as well. By section 10 you can read this code.)

# %%
generator = torch.Generator().manual_seed(0)
stack = [
    torch.randn(k, d, 3, 3, generator=generator) * (2 / (9 * d)) ** 0.5
    for d, k in ((1, 8), (8, 32), (32, 128))
]

def wrap(x, n):
    return F.pad(x, (n, n, n, n), mode="circular")

def random_means(pictures):
    """Return (N, 128): how strongly the last kernels answer."""
    answers = []
    everything = torch.from_numpy(pictures).float()[:, None]
    # (100, 1, 16, 16), to save memory
    for x in everything.split(100):
        for depth, weight in enumerate(stack):
            reach = 2**depth
            x = F.conv2d(wrap(x, reach), weight, dilation=reach).relu()
        answers.append(x.mean(dim=(2, 3)))
    return torch.cat(answers).numpy()

learnt = linear_model(random_means)
found = right_answers(learnt, random_means)
scores["128 random kernels, means"] = found

# %% tags=["fold"]
# Draw the four lines
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
for name, found in scores.items():
    ax.plot(shifts, found, marker="o", label=name)
ax.set(xlabel="moved by, pixels", ylabel="right answers")
ax.set(ylim=(0, 1.05), xticks=shifts)
ax.yaxis.set_major_formatter("{x:.0%}")
ax.set_title("What forgets the place survives a shift")
draw.label_lines(ax);

# %% tags=["author"]
assert min(scores["128 random kernels, means"]) > 0.9 > max(scores["8 kernels, means"])

# %% [markdown]
# The kernels of the line *128 random kernels* are random; the data chose only the linear weights on top. The digits wrap round at the border here, so that nothing is lost there.
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

# %% [markdown]
# **Exercise.** Replace each value by the mean of the `width` values around it, with zeros beyond the ends. The result is as long
# as the signal.

# %% tags=["exercise"]
def moving_average(signal, width):
    """Return the mean of `width` values around each of (N,).

    `width` is odd and at most N; beyond the ends stand zeros.
    """
    ### BEGIN SOLUTION
    # (N + width - 1,) zeros at both ends
    padded = np.pad(signal.astype(float), width // 2)
    return np.array([padded[i : i + width].mean() for i in range(len(signal))])
    ### END SOLUTION

# %%
check(moving_average)

# %% [markdown]
# **Predict:** the true wave swings around 2. What happens to the smooth line at its two ends?

# %%
rng = np.random.default_rng(0)
time = np.linspace(0, 4 * np.pi, 200)
truth = 2 + np.sin(time)
sensor = truth + rng.normal(scale=0.4, size=200)
smooth = filters.moving_average(sensor, 15)

# %% tags=["fold"]
# Draw the sensor, the mean and the truth
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
ax.plot(time, sensor, color="0.7", linewidth=1.2, label="sensor")
ax.plot(time, truth, color=draw.TRUTH, label="truth")
ax.plot(time, smooth, color=draw.PREDICTION, label="mean of 15")
ax.set(xlabel="time", ylabel="signal", ylim=(0, 4))
ax.set_xlim(0)
ax.set_title("Smooth inside, sagging ends: zeros were averaged in")
draw.label_lines(ax);

# %%
rows = []
for name, line in ("sensor", sensor), ("mean of 15", smooth):
    off = np.abs(line - truth)
    inside, last = off[8:-8].mean(), off[-1]
    rows.append({"signal": name, "inside": inside, "last value": last})
draw.table(rows, digits=2, title="Off the truth by")

# %% tags=["author"]
assert rows[1]["inside"] < rows[0]["inside"] / 2 and rows[1]["last value"] > 0.5

# %% [markdown]
# The sag is an **edge effect**, and you chose it when you chose zeros. Repeating the last value, or reflecting, are other
# choices; none is true.
#
# Now look at what you did: three equal weights on paper, `[1/3, 1/3, 1/3]`, fifteen in the code, slide along; at each place multiply and add. Other weights do
# other things. The list of weights is called the **kernel**. On paper: signal `1 3 2 6`, kernel `-1 1`. You get
# 3 - 1 = **2**, 2 - 3 = **-1**, 6 - 2 = **4**: how much it rises.

# %% tags=["core"]
def correlate1d(signal, kernel):
    """Slide (K,) along (N,): return (N - K + 1,) sums."""
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
batches = (torch.from_numpy(v)[None, None] for v in (sensor, kernel))
theirs = {
    "np.correlate": np.correlate(sensor, kernel, mode="valid"),
    "torch's conv1d": F.conv1d(*batches)[0, 0].numpy(),
}
same = [np.allclose(ours, y, atol=1e-10) for y in theirs.values()]
draw.table({"library": list(theirs), "equal to ours, to 1e-10": same})

# %% [markdown]
# ## 3 · Now in two directions *(20 min)*
#
# A picture is slid over in two directions, so the kernel is a small grid. Take paper. This 4 x 4 picture, this 3 x 3 kernel:
# there are four places where it fits. Multiply, add, write down four numbers, **before** you look at what SciPy says.

# %%
small = np.array(
    [[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2]]
)
rises = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])

# %% tags=["fold"]
# Draw the picture and the kernel
figure, (left, right) = plt.subplots(
    1, 2, figsize=(5, 2.9), width_ratios=(4, 3), layout="constrained"
)
show(small, title="The picture", numbers=True, ax=left)
title = "Right minus left"
show(rises, title=title, numbers=True, signed=True, ax=right);

# %% [markdown]
# Top left: right column 0 + 3 + 0, left column 1 + 0 + 2, together **0**. Then (1 + 1 + 0) - (2 + 1 + 1) = **-2**. In the second row:
# (3 + 0 + 1) - (0 + 2 + 1) = **1** and (1 + 0 + 2) - (1 + 1 + 0) = **1**.

# %%
scipy.signal.correlate2d(small, rises, mode="valid")

# %% [markdown]
# Watch the window walk over the picture: at each step you see the patch, the kernel, their products and the sum. Press *play*, or
# click the picture and use the arrow keys, and do the widget's task; then change padding, stride and dilation.

# %%
SlidingKernel(small)

# %% [markdown]
# **Exercise.** Write what the widget does. The kernel stays inside the picture.

# %% tags=["core", "exercise"]
def correlate2d(image, kernel):
    """Slide `kernel` (kh, kw) over `image` (H, W).

    Return (H - kh + 1, W - kw + 1) floats.
    """
    ### BEGIN SOLUTION
    kernel_height, kernel_width = kernel.shape
    height, width = (
        image.shape[0] - kernel_height + 1,
        image.shape[1] - kernel_width + 1,
    )
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
cat = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255
window = cat[100:164, 200:280]  # (64, 80), grey, 0 to 1
ours = filters.correlate2d(window, nine)
full_size = cv2.filter2D(window, cv2.CV_64F, nine)
x, w = (torch.tensor(v)[None, None].double() for v in (window, nine))
theirs = {
    "SciPy": scipy.signal.correlate2d(window, nine, mode="valid"),
    "OpenCV's filter2D": full_size[1:-1, 1:-1],
    "torch's conv2d": F.conv2d(x, w)[0, 0].numpy(),
}
same = [np.allclose(ours, y, atol=1e-10) for y in theirs.values()]
draw.table({"library": list(theirs), "equal to ours, to 1e-10": same})

# %% [markdown]
# **Trap: `uint8` again.** Two slips, both silent. A patch of bytes times 2 stays bytes: 200 · 2 wraps around to 144. (NumPy's `sum` widens, so adding bytes is safe.)
# And `cv2.filter2D` with depth -1 answers in the picture's own type: every negative edge becomes 0. Turn to floats first.

# %%
bright = np.full((3, 3), 200, np.uint8)
grey = (cat * 255).round().astype(np.uint8)
rows = []
for kind, depth in {"bytes": -1, "floats": cv2.CV_64F}.items():
    twice = 2 * (bright if kind == "bytes" else bright.astype(float))
    answer = cv2.filter2D(grey, depth, nine)
    rows.append({
        "in": kind,
        "200 · 2": int(twice[0, 0]),
        "nine of these, added": int(twice.sum()),
        "the cat's lowest answer": int(answer.min()),
        "negative answers": np.mean(answer < 0),
    })
draw.table(rows, digits={"negative answers": ".0%"})

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from there; nothing before it is needed.

# %% tags=["again", "fold"]
# Import again, and take up the cat, her face and the nine numbers
import cv2, scipy.signal, torch, matplotlib.pyplot as plt, numpy as np, torch.nn.functional as F
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.convolutions import arithmetic, filters, layers; draw.theme()
cat, rng = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255, np.random.default_rng(0)
nine, face, conv2d = filters.KERNELS["vertical edges"], cat[40:260, 110:330], layers.conv2d

# %% [markdown]
# ## 4 · Nine numbers, many jobs *(15 min)*
#
# Eight kernels with names. Those that add up to 1 keep the brightness; those that add up to 0 answer nothing on a flat wall.

# %%
answers = {
    name: filters.correlate2d(face, kernel)
    for name, kernel in filters.KERNELS.items()
}

# %% tags=["fold"]
# Show the eight answers
figure, axes = plt.subplots(
    2, 4, figsize=(9, 4.9), layout="constrained"
)
for ax, name in zip(axes.flat, answers, strict=True):
    total = round(filters.KERNELS[name].sum())
    look = {"limits": (0, 1)}
    if total == 0:
        look = {"limits": (-0.6, 0.6), "signed": True}
    show(answers[name], title=f"{name} ({total})", ax=ax, **look)
title = "Sum 1 keeps the brightness, sum 0 leaves the changes"
figure.suptitle(title, x=0, ha="left");

# %% [markdown]
# Each answer is smaller than the picture: along each side, a kernel of side $k$ fits in $k - 1$ fewer places. Without
# padding, ten layers of 3 x 3 eat 20 rows.

# %%
rows = []
for k in (1, 3, 5, 11):
    answer = filters.correlate2d(face, np.ones((k, k)))
    shapes = {"picture": face.shape, "answer": answer.shape}
    rows.append({"kernel": f"{k} x {k}"} | shapes)
draw.table(rows)

# %% [markdown]
# Now with a task that takes some thought. The widget starts with *vertical edges*: click a number and type, or drag it up and down, and watch the picture answer. Your own photo:
# `KernelLab(photo("path/to/photo.jpg"))`.

# %%
from cvlab.widgets import KernelLab

KernelLab(photo("chelsea"))

# %% [markdown]
# ### Separable: two strips for one square
#
# Some kernels are a column times a row; their *rank* is then 1. The 3 x 3 `1 2 1 / 2 4 2 / 1 2 1` is (1, 2, 1) down times (1, 2, 1) across. Filter
# by the column, then by the row: 6 products a pixel instead of 9; for 63 x 63, 126 instead of 3969.

# %% tags=["core"]
def correlate2d_separable(image, column, row):
    """Filter (H, W) by `column` (kh,), then by `row` (kw,)."""
    height, width = (
        image.shape[0] - len(column) + 1,
        image.shape[1] - len(row) + 1,
    )
    # (height, W)
    down = sum(weight * image[i : i + height] for i, weight in enumerate(column))
    # (height, width)
    return sum(weight * down[:, i : i + width] for i, weight in enumerate(row))

# %%
rows = []
for name, kernel in filters.KERNELS.items():
    rank, said = np.linalg.matrix_rank(kernel), "no"
    if rank == 1:
        strips = correlate2d_separable(face, *filters.separate(kernel))
        same = np.allclose(strips, answers[name], atol=1e-10)
        said = "yes, with the same answer" if same else "yes, but"
    row = {"kernel": name, "rank": rank}
    rows.append(row | {"a column times a row": said})
draw.table(rows, sort="rank")

# %% tags=["author"]
assert {row["a column times a row"] for row in rows} == {"no", "yes, with the same answer"}

# %% [markdown]
# ### Blur again and again
#
# **Predict** the shape of a box (five times 1/5) averaged with itself, and again, and again.

# %%
box, blurred = np.full(5, 1 / 5), [np.ones(1)]
for _ in range(4):
    blurred.append(np.convolve(blurred[-1], box))

def gauss(x, boxes):
    """Return the Gaussian of the same spread: variances add up."""
    variance = boxes * (5**2 - 1) / 12
    area = np.sqrt(2 * np.pi * variance)
    return np.exp(-(x**2) / (2 * variance)) / area

# %% tags=["fold"]
# Draw one to four boxes, and the Gaussian of the same spread
figure, axes = plt.subplots(
    1, 4, figsize=(9, 2.6), layout="constrained", sharey=True
)
fine = np.linspace(-9, 9, 181)
for boxes, ax in enumerate(axes, 1):
    curve = blurred[boxes]
    x = np.arange(len(curve)) - len(curve) // 2
    gap = np.abs(curve - gauss(x, boxes)).max()
    ax.bar(x, curve, width=0.85, color=draw.PALETTE[0])
    ax.plot(fine, gauss(fine, boxes), color=draw.PALETTE[1])
    title = f"{boxes} x box: gap {gap:.3f}"
    ax.set_title(title, fontsize=11, fontweight="normal")
    ax.set(xlim=(-9, 9), xticks=(-8, -4, 0, 4, 8))
title = "Four boxes are nearly a Gaussian (the line)"
figure.suptitle(title, x=0, ha="left")
said = "Bars of one to four boxes averaged: from a block to a bell."
draw.describe(figure, f"{said} After four the gap is {gap:.3f}.")

# %% tags=["author"]
assert gap < 0.01

# %% [markdown]
# *In one line:* a kernel is a tiny picture of what you look for; its answer says where it was found, and with which sign.

# %% [markdown]
# ## 5 · Correlation or convolution? *(10 min)*
#
# **Trap.** Many lecture notes write down what we did, $\sum x_{i+k} w_k$, call it convolution, and then list convolution's properties. What we did is
# **cross-correlation**. Convolution turns the kernel by 180 degrees first: $\sum x_{i-k} w_k$. Feed a single 1 and see.

# %%
dot = np.zeros((5, 5), int)
dot[2, 2] = 1
numbers = np.arange(1, 10).reshape(3, 3)
turned = filters.correlate2d(dot, numbers)
kept = filters.convolve2d(dot, numbers)
titles = ["A single 1", "The kernel"]
titles += ["Correlation turns it", "Convolution does not"]
pictures = [dot, numbers, turned, kept]
show_many(pictures, titles=titles, numbers=True);

# %% [markdown]
# Which properties hold? Do not recite: measure. Each column is one law, each row one operation with one way to pad; the number is
# the largest violation on random pictures and kernels. **Predict** which row is all zeros.

# %%
rng = np.random.default_rng(0)
# two kernels of different size
x, y, a, b = (rng.normal(size=(n, n)) for n in (16, 16, 5, 3))
inner = np.pad(x[6:10, 6:10], 6)  # something in an empty picture

def middle(u):
    """Return the middle 3 x 3, where the two orders overlap."""
    start = (len(u) - 3) // 2
    return u[start : start + 3, start : start + 3]

# %%
def violations(operation, mode, boundary):
    """Return the largest violation of each law."""
    def op(u, v):
        return operation(u, v, mode=mode, boundary=boundary)
    def moved(u):
        return np.roll(u, (2, 1), axis=(0, 1))
    pads = (1, 2) if boundary == "wrap" else (0, 0)  # a ring: equal sides
    p, q = np.pad(a, pads[0]), np.pad(b, pads[1])
    both = operation(a, b, mode="full")
    gaps = {
        "linear": op(2 * x + 3 * y, a) - 2 * op(x, a) - 3 * op(y, a),
        "shift, inside": op(moved(inner), a) - moved(op(inner, a)),
        "shift, at the border": op(moved(x), a) - moved(op(x, a)),
        "a b = b a": middle(op(p, q)) - middle(op(q, p)),
        "(x a) b = x (a b)": op(op(x, a), b) - op(x, both),
    }
    return {law: abs(gap).max().round(10) for law, gap in gaps.items()}

# %%
OPERATIONS = {
    "convolution": scipy.signal.convolve2d,
    "correlation": scipy.signal.correlate2d,
}
PADDING = {p: (p, "fill") for p in ("valid", "same", "full")}
PADDING["wrap"] = "same", "wrap"
laws = [
    {"operation": f"{o}, {p}"} | violations(OPERATIONS[o], *PADDING[p])
    for o in OPERATIONS
    for p in PADDING
]
title = "Largest violation of each law"
best = "convolution, wrap"
draw.table(laws, digits=2, title=title, highlight=best)

# %% tags=["author"]
table = {row["operation"]: row for row in laws}
numbers_of = [v for row in laws for v in row.values() if not isinstance(v, str)]
assert all(v == 0 or v > 0.05 for v in numbers_of), "0.00 in the table is exactly 0"
assert max(list(table["convolution, wrap"].values())[1:]) == 0
assert table["correlation, valid"]["a b = b a"] > 0.1
assert all(table[f"correlation, {p}"]["(x a) b = x (a b)"] > 0.1 for p in PADDING)

# %% [markdown]
# Both are linear, and both follow a shift as long as no border interferes. Only convolution may be reordered (commutative, `a b = b a`, and associative), and even that breaks at a zero-padded
# border (*same*). Two correlations in a row are one correlation with the kernels' *convolution*: the next cell checks it.
#
# Why then does deep learning say "convolution"? Because the kernel is learnt: a network that wants it turned learns it turned, so the name does not matter there.
# It matters when you bring a kernel from a book.

# %%
twice = filters.correlate2d(filters.correlate2d(x, a), b)
once = filters.correlate2d(x, scipy.signal.convolve2d(a, b))
same = np.allclose(twice, once, atol=1e-10)
print("two correlations are one, to 1e-10:", same)

# %% [markdown]
# ## 6 · From the operation to a layer *(24 min)*
#
# Let the numbers of the kernel be learnt, and you have a **convolutional layer**. Three things are new. The input has $D$ channels, and each kernel
# is as deep as they are: it looks at all of them and gives **one** number. There are $K$ kernels, so the output has $K$ channels. Each kernel adds one number of
# its own, the **bias**.
#
# On paper: two channels of a single pixel, 3 and 5. A 1 x 1 kernel with weights 2 and -1 and bias 4 gives 2 · 3 - 1 · 5 + 4 = 5.

# %% [markdown]
# **Exercise.** Apply a layer to one picture, without padding, in steps of 1. You may use `filters.correlate2d` for each channel.

# %% tags=["core", "exercise"]
def conv_layer(picture, weight, bias):
    """Apply K kernels to `picture` (C, H, W), each with its bias.

    `weight` is (K, C, kh, kw), `bias` (K,); return (K, out_h, out_w).
    """
    ### BEGIN SOLUTION
    maps = []
    for kernel, start in zip(weight, bias, strict=True):
        answers = [
            filters.correlate2d(channel, plane)
            for channel, plane in zip(picture, kernel, strict=True)
        ]
        # one map a kernel: its channels added up
        maps.append(sum(answers) + start)
    return np.stack(maps)
    ### END SOLUTION

# %%
check(conv_layer)

# %% [markdown]
# The same for a whole batch, every kernel and every channel at once. Padding, stride and dilation are section 7's:

# %% tags=["core"]
def conv2d(images, weight, bias=None, stride=1, padding=0, dilation=1):
    """Apply (K, C, kh, kw) to (B, C, H, W): (B, K, out_h, out_w)."""
    (sh, sw), (ph, pw), (dh, dw) = (
        np.broadcast_to(value, 2) for value in (stride, padding, dilation)
    )
    B, _, H, W = images.shape
    K, _, kh, kw = weight.shape
    out_h, out_w = (
        arithmetic.output_size(H, kh, sh, ph, dh),
        arithmetic.output_size(W, kw, sw, pw, dw),
    )
    # (B, C, H + 2 ph, W + 2 pw)
    padded = np.pad(images, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    result = np.zeros((B, K, out_h, out_w))
    for row in range(out_h):
        for col in range(out_w):
            rows, cols = (
                row * sh + dh * np.arange(kh),
                col * sw + dw * np.arange(kw),
            )
            # (B, C, kh, kw)
            patch = padded[:, :, rows[:, None], cols]
            result[:, :, row, col] = np.einsum("bcij,kcij->bk", patch, weight)
    return result if bias is None else result + np.reshape(bias, (K, 1, 1))

# %%
pixel = np.array([3.0, 5]).reshape(1, 2, 1, 1)
two_weights = np.array([2.0, -1]).reshape(1, 2, 1, 1)
print("on paper:", conv2d(pixel, two_weights, bias=[4]).item())

# %%
images = rng.normal(size=(2, 3, 12, 15))
weight, bias = rng.normal(size=(4, 3, 3, 5)), rng.normal(size=4)
settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
ours = conv2d(images, weight, bias, **settings)
tensors = (torch.from_numpy(v) for v in (images, weight, bias))
theirs = F.conv2d(*tensors, **settings).numpy()
print(images.shape, "->", ours.shape)
same = np.allclose(ours, theirs, atol=1e-10)
print("equal to torch's, to 1e-10:", same)

# %% [markdown]
# As a layer object it is `torch.nn.Conv2d(3, 4, kernel_size=(3, 5))`: it holds the
# weights and biases, and starts them at random.

# %% [markdown]
# **Exercise.** How many numbers does such a layer learn, with square kernels?

# %% tags=["exercise"]
def conv_parameters(in_channels, out_channels, kernel, bias=True):
    """Count the numbers in `out_channels` kernels, an int.

    Each kernel is `kernel` x `kernel`, as deep as `in_channels`.
    """
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
learnt_by = arithmetic.conv_parameters(3, 16, 3)
layer = torch.nn.Conv2d(3, 16, 3)
counts = {
    "all with all": arithmetic.dense_parameters(3 * 32**2, 16 * places),
    "3 x 3 neighbours": places * learnt_by,
    "3 x 3 neighbours, shared weights": learnt_by,
    "torch's layer": sum(p.numel() for p in layer.parameters()),
}
draw.table({
    "connections": list(counts), "parameters": list(counts.values())
})

# %% [markdown]
# Must every kernel look at every channel? With `groups=2` the first half of the kernels sees the first half of the channels, the second half the rest: half
# the weights. With as many groups as channels each kernel sees one: **depthwise**. A 1 x 1 layer behind it mixes the channels again. Lesson 04 builds on that pair.

# %%
halves = torch.nn.Conv2d(4, 6, 3, groups=2)
picture = torch.from_numpy(rng.normal(size=(4, 8, 8))).float()
parts = []
for half in (0, 1):
    made = slice(3 * half, 3 * half + 3)  # three of the six kernels
    w, b = halves.weight[made], halves.bias[made]
    parts.append(F.conv2d(picture[2 * half : 2 * half + 2], w, b))
both = torch.cat(parts)
same = torch.allclose(both, halves(picture), atol=1e-6)
print("two groups are two small layers side by side:", same)

# %%
def conv(*sizes, groups=1):
    return torch.nn.Conv2d(*sizes, groups=groups, bias=False)

plans = {
    "3 x 3, all channels": [conv(32, 64, 3)],
    "3 x 3 in 4 groups": [conv(32, 64, 3, groups=4)],
    "3 x 3 depthwise, then 1 x 1": [
        conv(32, 32, 3, groups=32), conv(32, 64, 1),
    ],
}
rows = []
for name, plan in plans.items():
    count = sum(layer.weight.numel() for layer in plan)
    rows.append({"from 32 to 64 channels": name, "weights": count})
draw.table(rows)

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from there; nothing before it is needed.

# %% tags=["again", "fold"]
# Import again, and take up the cat, her face and the layer
import cv2, torch, matplotlib.pyplot as plt, numpy as np, torch.nn.functional as F
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.convolutions import arithmetic, filters, layers, pooling, receptive; draw.theme()
cat, rng = cv2.cvtColor(photo("chelsea"), cv2.COLOR_RGB2GRAY) / 255, np.random.default_rng(0)
face, conv2d = cat[40:260, 110:330], layers.conv2d

# %% [markdown]
# ## 7 · Padding, stride, dilation *(15 min)*
#
# Three settings change *where* the kernel looks. **Padding** puts zeros round the picture. **Stride** is the step. **Dilation** spreads the kernel's
# numbers apart, so that it reaches further with no more weights.
#
# On paper: the picture 1 to 9 in three rows, a 2 x 2 kernel of twos. Dilation 1: 2 (1 + 2 + 4 + 5) = 24, and 32, 48, 56. Dilation 2 takes the four
# *corners*: 2 (1 + 3 + 7 + 9) = 40, a single number.

# %%
grid = np.arange(1.0, 10).reshape(1, 1, 3, 3)
twos = np.full((1, 1, 2, 2), 2.0)
rows = []
for d in (1, 2):
    tensors = torch.from_numpy(grid), torch.from_numpy(twos)
    theirs = F.conv2d(*tensors, dilation=d).int().flatten().tolist()
    ours = conv2d(grid, twos, dilation=d).astype(int).ravel().tolist()
    rows.append({"dilation": d, "ours": ours, "torch": theirs})
draw.table(rows)

# %% [markdown]
# **Trap:** spreading a kernel opens holes. Here is a plus. **Predict** what the four twos answer at dilation 1 and at dilation 2.

# %%
plus = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
found = {
    d: conv2d(plus[None, None], twos, dilation=d)[0, 0] for d in (1, 2)
}

# %% tags=["fold"]
# Draw the plus, and the four cells that are read at one place
figure, axes = plt.subplots(
    1, 2, figsize=(5.4, 2.2), layout="constrained"
)
frame = {"fill": False, "edgecolor": draw.PALETTE[1], "linewidth": 3}
for ax, (d, answer) in zip(axes, found.items(), strict=True):
    numbers = ", ".join(f"{number:.0f}" for number in answer.flat)
    title = f"Dilation {d}: {numbers}"
    show(plus, title=title, numbers=True, ax=ax)
    for row, col in np.ndindex(2, 2):
        corner = (d * col - 0.46, d * row - 0.46)
        ax.add_patch(plt.Rectangle(corner, 0.92, 0.92, **frame))
draw.describe(
    figure,
    "A plus of ones in a 3 x 3 grid, twice. Framed are the cells that the four twos read: "
    "at dilation 1 the four at the top left, at dilation 2 the four empty corners.",
)

# %% [markdown]
# Zero, though the plus fills most of the picture: the four spread numbers lie on its four empty corners. What falls into the holes is never seen.

# %% [markdown]
# How large is the output? **Trap:** notes often give $(H - k + 2p) / s + 1$. Two things are missing. A dilated kernel reaches over $d (k - 1) + 1$ cells. And
# when the steps do not come out even, the rest is dropped: a **floor**.

# %% [markdown]
# **Exercise.** Count the places of the kernel along one axis. Check it on paper: size 6, kernel 3, stride 2 gives 2, and one cell is never read.

# %% tags=["core", "exercise"]
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    """Return the number of places where the kernel fits, an int.

    `padding` is added at each end.
    """
    ### BEGIN SOLUTION
    reach = dilation * (kernel - 1) + 1
    return (size + 2 * padding - reach) // stride + 1
    ### END SOLUTION

# %%
check(output_size)

# %% [markdown]
# Every case of Dumoulin and Visin's well-known guide, ours against torch: the last two columns agree. (Transposed convolutions come in lesson 05.)

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
rows = []
for case, (size, kernel, *how) in GUIDE.items():
    ones = torch.ones(1, 1, size), torch.ones(1, 1, kernel)
    theirs = F.conv1d(*ones, None, *how)
    ours = arithmetic.output_size(size, kernel, *how)
    rows.append((case, size, kernel, *how, ours, theirs.shape[2]))
heads = ("case", "in", "kernel", "stride", "padding", "dilation")
heads += ("ours", "torch")
rows = [dict(zip(heads, row, strict=True)) for row in rows]
draw.table(rows)

# %% tags=["author"]
assert all(row["ours"] == row["torch"] for row in rows)

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
def mebibytes(channels, side):
    return channels * side**2 * 4 / 2**20  # four bytes a number

rows = []
for channels, side in ((64, 56), (128, 28), (256, 14), (512, 7)):
    rows.append({
        "channels": channels,
        "kept at 56 x 56": mebibytes(channels, 56),
        "halved to": f"{side} x {side}",
        "that is": mebibytes(channels, side),
    })
MiB = {"kept at 56 x 56": "MiB", "that is": "MiB"}
draw.table(rows, units=MiB, digits=dict.fromkeys(MiB, 2))

# %% [markdown]
# **Pooling** shrinks: cut the map into windows and keep one number of each, the largest (*max*) or the mean (*average*). Nothing is learnt.

# %% [markdown]
# **Exercise.** Keep the largest number of each window. `size` and `stride` are (rows, columns) and may differ.

# %% tags=["core", "exercise"]
def max_pool2d(image, size, stride):
    """Return the largest of each window of (H, W), same dtype."""
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
    windows = np.lib.stride_tricks.sliding_window_view(
        images, (kh, kw), axis=(2, 3)
    )
    # (B, C, rows, cols, kh, kw) -> (B, C, out_h, out_w)
    return windows[:, :, ::sh, ::sw].mean(axis=(4, 5))


def global_average_pool(images):
    """Return the mean of each channel of (B, C, H, W): (B, C)."""
    return images.mean(axis=(2, 3))

# %%
images = rng.normal(size=(2, 3, 12, 15))
tensor = torch.from_numpy(images)
ours = {
    "max": pooling.max_pool2d(images[0, 0], (3, 2), (2, 2)),
    "average": average_pool2d(images, (3, 2), 2),
    "global average": global_average_pool(images),
}
theirs = (
    F.max_pool2d(tensor, (3, 2), 2)[0, 0],
    F.avg_pool2d(tensor, (3, 2), 2),
    F.adaptive_avg_pool2d(tensor, 1)[..., 0, 0],
)
pairs = zip(ours.values(), theirs, strict=True)
same = [np.allclose(a, b, atol=1e-10) for a, b in pairs]
draw.table({"pooling": list(ours), "equal to torch's, to 1e-10": same})

# %%
pooled = pooling.max_pool2d(face, (10, 10), (10, 10))
averaged = average_pool2d(face[None, None], 10, 10)[0, 0]
titles = ["220 x 220", "Max: only the bright"]
titles += ["Average: bright and dark"]
show_many([face, pooled, averaged], titles=titles, limits=(0, 1));

# %% [markdown]
# **One, two, three dimensions** count the directions in which the kernel moves: sound, pictures, scans or video. All are the same sum.

# %%
rows = []
for n, conv_nd in enumerate((F.conv1d, F.conv2d, F.conv3d), 1):
    x, w = torch.ones(1, 4, *[9] * n), torch.ones(8, 4, *[3] * n)
    out = conv_nd(x, w)
    shapes = {"in": tuple(x.shape), "out": tuple(out.shape)}
    sums = {"products": 4 * 3**n, "their sum": int(out.max())}
    rows.append({"dimensions": n} | shapes | sums)
draw.table(rows)

# %% [markdown]
# **NCHW or NHWC?** torch counts channels first, TensorFlow by default channels last. In memory torch can have either, under the same
# shape: the answer is the same, the strides are not. (A tensor's *strides* say how far apart in memory its neighbours lie; a layer's stride is its step.)

# %%
last = tensor.to(memory_format=torch.channels_last)
draw.table({
    "in memory": ["channels first", "channels last"],
    "shape": [tuple(x.shape) for x in (tensor, last)],
    "strides": [x.stride() for x in (tensor, last)],
})

# %%
kernels = torch.from_numpy(rng.normal(size=(4, 3, 3, 5)))
same = torch.allclose(F.conv2d(tensor, kernels), F.conv2d(last, kernels))
print("same answer:", same)

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
x, rows = torch.zeros(1, 3, 32, 32), []
for part in network:
    x = part(x)
    row = {"layer": type(part).__name__, "out": tuple(x.shape)}
    learns = sum(p.numel() for p in part.parameters())
    rows.append(row | {"parameters": learns})
draw.table(rows)

# %% [markdown]
# ## 9 · Receptive field: how far does a cell see? *(20 min)*
#
# A cell after one 3 x 3 layer sees 3 x 3 pixels. After two, 5 x 5: each layer adds one on either side. After a **stride** of 2, neighbours are two pixels
# apart, so the next layer's step counts double. **Dilation** stretches a layer's own reach. On paper: 3 x 3 with stride 2, then 3 x 3: 1 + 2 + 2 · 2 = 7.

# %% [markdown]
# **Exercise.** Compute the side of the field of a stack of layers.

# %% tags=["core", "exercise"]
def receptive_field(layers):
    """Return the side of the field of a stack of layers, an int.

    `layers` are (kernel, stride, dilation), first layer first.
    """
    ### BEGIN SOLUTION
    field, step = 1, 1
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * step
        # a cell of this layer's output is so far from the next
        step *= stride
    return field
    ### END SOLUTION

# %%
check(receptive_field)

# %% [markdown]
# Click any cell to see what it sees, and do the widget's task. Then switch the padding on and off: does the field grow?

# %%
from cvlab.widgets import ReceptiveField

ReceptiveField()

# %% [markdown]
# Kernel, stride of the layers before, dilation: they grow the field. Padding moves it over the border but does not grow it. Now five famous networks, from
# their layer lists, against the values published by Araujo, Norris and Sim. (A 1 x 1 layer with stride 1 sees no further, and is not counted.)

# %%
rows = []
for name, published in receptive.PUBLISHED_FIELDS.items():
    stack = receptive.PUBLISHED[name]  # (kernel, stride, dilation)s
    row = {"network": name, "layers counted": len(stack)}
    field = receptive.receptive_field(stack)
    rows.append(row | {"field": field, "published": published})
pixels = {"field": "px", "published": "px"}
draw.table(rows, units=pixels, sort="field")

# %% tags=["author"]
assert all(row["field"] == row["published"] for row in rows)

# %% [markdown]
# **Trap:** "the" ResNet-50 does not exist. The paper strides in the first 1 x 1 of a stage; Google's version, the one in the table, in the 3 x 3 of a stage's *last* block;
# torchvision in the 3 x 3 of its *first* block. **Predict:** whose field is smaller, and why?

# %%
import torchvision

# the layers without their 25 million numbers
with torch.device("meta"):
    resnet = torchvision.models.resnet50()
for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
    # the side path: 1 x 1 kernels see no further
    stage[0].downsample = None
versions = {
    "paper": receptive.RESNET50_CAFFE,
    "Google": receptive.PUBLISHED["ResNet-50"],
    "torchvision": receptive.spatial_layers(resnet),
}
sides = [receptive.receptive_field(s) for s in versions.values()]
fields = {"ResNet-50": list(versions), "field": sides}
draw.table(fields, units={"field": "px"})

# %% [markdown]
# In torchvision's, one 3 x 3 in each of three stages still sees the finer grid: it adds 2 · 4, 2 · 8, 2 · 16 instead of twice that. 56 pixels less.
#
# ### What does a cell *really* see?
#
# The field says what *can* matter. What does? Ask the gradient: how much does each pixel move the middle cell? We take a network with real ImageNet
# weights, at two depths, on five photos.

# %%
from cvlab.store import weights

names = ("astronaut", "china", "coffee", "flower", "rocket")
crops = np.stack([photo(name)[60:252, 110:302] for name in names])
# (5, 3, 192, 192)
batch = torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1

def side_of_share(gradient, share=0.95):
    """Return the side of the square that holds `share` of it."""
    rows, cols = np.indices(gradient.shape)
    total = gradient.sum()
    # its centre
    y, x = ((grid * gradient).sum() / total for grid in (rows, cols))
    distance = np.maximum(np.abs(rows - y), np.abs(cols - x)).ravel()
    order = distance.argsort()
    inside = gradient.ravel()[order].cumsum() / total
    return int(2 * distance[order][np.searchsorted(inside, share)] + 1)

# %%
model = weights.efficientnet_lite0()
model.requires_grad_(False)  # we move pixels, not weights
fields, gradients = [], {}
for depth in (3, 4):
    blocks = model.blocks[:depth]
    stack = receptive.spatial_layers([model.conv_stem, *blocks])
    theory = receptive.receptive_field(stack)
    net = torch.nn.Sequential(model.conv_stem, model.bn1, *blocks)
    gradients[depth] = receptive.gradient_field(net, batch)
    # with any gradient
    rows = np.flatnonzero(gradients[depth].sum(axis=1))
    effective = side_of_share(gradients[depth])
    fields.append({
        "stages": depth,
        "theory": theory,
        "any gradient": np.ptp(rows) + 1,
        "95% of it": effective,
        "share of theory": effective / theory,
    })
del model, net  # the memory of a class is shared
pixels = dict.fromkeys(("theory", "any gradient", "95% of it"), "px")
percent = {"share of theory": ".0%"}
draw.table(fields, units=pixels, digits=percent)

# %% tags=["author"]
for row in fields:
    assert row["any gradient"] == row["theory"] and row["share of theory"] < 0.8
assert fields[1]["share of theory"] < fields[0]["share of theory"]

# %% tags=["fold"]
# Draw what can be seen, and where 95% of the gradient lies
figure, axes = plt.subplots(
    1, 3, figsize=(9, 3.3), layout="constrained"
)
show(crops[2], title="One of the photos", ax=axes[0])

def square(ax, middle, side, color, words="", below=False):
    left, top = middle - side / 2
    frame = {"fill": False, "edgecolor": color, "linewidth": 2.5}
    ax.add_patch(plt.Rectangle((left, top), side, side, **frame))
    y, va = (top + side + 3, "top") if below else (top - 3, "bottom")
    ax.text(left, y, words, color=color, size=11, va=va)

orange, sky = draw.PALETTE[4:]
for ax, row in zip(axes[1:], fields, strict=True):
    gradient = gradients[row["stages"]]
    theory, effective = row["theory"], row["95% of it"]
    title = f"{row['stages']} stages: {effective} of {theory} px"
    show((gradient / gradient.max()) ** 0.4, title=title, ax=ax)
    middle = np.argwhere(gradient > 0).mean(axis=0)[::-1]  # x, y
    square(ax, middle, theory, orange, "can matter")
    square(ax, middle, effective, sky, "95%", below=True)
square(axes[0], middle, theory, orange)
square(axes[0], middle, effective, sky)

# %% [markdown]
# The orange square is the theory, and no gradient leaves it. 95% lies in the blue one: the **effective** field is much smaller, and its share
# shrinks with depth, because the centre is reached on many paths and the corner on one. It is section 4's repeated box once more.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from there; nothing before it is needed.

# %% tags=["again", "fold"]
# Import again, and take up the cat, the nine numbers, the layer
import cv2, torch, matplotlib.pyplot as plt, numpy as np, torch.nn.functional as F
from cvlab import check, draw, hint, photo, progress, show, show_many, solution
from cvlab.convolutions import arithmetic, fast_filters, filters, layers; draw.theme()
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
lines = [line, np.roll(line, 1, axis=1)]
maps = [filters.filter2d(x, nine, "wrap") for x in lines]
strided = [m[::2, ::2] for m in maps]
along = np.array_equal(np.roll(maps[0], 1, axis=1), maps[1])
print("stride 1, the map has shifted along:", along)

# %% tags=["fold"]
# Draw the line at two places, and its maps with stride 1 and 2
titles = ("A line", "Its map, stride 1", "Stride 2: two sides")
titles += ("Moved by 1", "Moved by 1, too", "Stride 2: gone")
panels = [x[n] for n in (0, 1) for x in (lines, maps, strided)]
figure, axes = plt.subplots(
    2, 3, figsize=(6.4, 4.3), layout="constrained"
)
for n, ax in enumerate(axes.flat):
    look = {"signed": True, "limits": (-4, 4)} if n % 3 else {}
    show(panels[n], title=titles[n], ax=ax, **look)
    ax.set(xticks=[], yticks=[])

# %% tags=["author"]
assert along and strided[0].any() and not strided[1].any()

# %% [markdown]
# With stride 2 every second number is thrown away. Whether the line survives depends on where it stood. Now a whole small network: section
# 1's random kernels, three ways. *No stride* (dilation instead, so it sees as far), *stride 2* twice, and a *blur before each stride*. Each gets its own linear model.

# %% tags=["fold"]
# Take up section 1's digits, random kernels and linear model
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvlab.world.digits import wide_digits

# (1797, 16, 16), 0 to 1, and (1797,)
digits, labels = wide_digits()
train, test = slice(0, 1200), slice(1200, 1500)
generator = torch.Generator().manual_seed(0)
stack = [
    torch.randn(k, d, 3, 3, generator=generator) * (2 / (9 * d)) ** 0.5
    for d, k in ((1, 8), (8, 32), (32, 128))
]

# %%
blur = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16

def around(x, weight, **options):
    reach = options.get("dilation", 1)
    x = F.pad(x, (reach,) * 4, mode="circular")
    return F.conv2d(x, weight, **options)

def network(pictures, stride, blurred=False):
    """Return (N, 128): the means of three random layers.

    Two strides follow the first two; without, more dilation.
    """
    answers = []
    everything = torch.from_numpy(pictures).float()[:, None]
    for x in everything.split(100):  # (100, 1, 16, 16)
        for depth, weight in enumerate(stack):
            reach = 2**depth if stride == 1 else 1
            x = around(x, weight, dilation=reach).relu()
            if depth < 2 and blurred:
                n = len(weight)
                x = around(x, blur.expand(n, 1, 3, 3), groups=n)
            x = x[:, :, ::stride, ::stride] if depth < 2 else x
        answers.append(x.mean(dim=(2, 3)))
    return torch.cat(answers).numpy()

# %%
networks = {
    "no stride": (1, False),
    "stride 2": (2, False),
    "blur, stride 2": (2, True),
}
change, right = {}, {}
for name, how in networks.items():
    reader = make_pipeline(StandardScaler(), RidgeClassifier())
    reader.fit(network(digits[train], *how), labels[train])
    moved = [np.roll(digits[test], s, axis=2) for s in range(7)]
    found = np.stack([network(x, *how) for x in moved])  # (7, 300, 128)
    size = np.linalg.norm(found[0], axis=1)
    off = np.linalg.norm(found - found[0], axis=2)  # (7, 300)
    change[name] = (off / size).mean(axis=1)
    right[name] = [reader.score(f, labels[test]) for f in found]

# %% tags=["fold"]
# Draw how the features change, and how many answers stay right
figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.4), layout="constrained"
)
for ax, measured in zip(axes, (change, right), strict=True):
    for name, values in measured.items():
        ax.plot(values, marker="o", label=name)
    ax.set(xlabel="shift, pixels", xticks=range(7))
    ax.yaxis.set_major_formatter("{x:.0%}")
    draw.label_lines(ax)
axes[0].set_title("Stride: the features change")
axes[0].set_ylabel("change of the features")
axes[1].set_title("Stride: right answers are lost")
axes[1].set(ylabel="right answers", ylim=(0, 1.05));

# %%
rows = []
for name in networks:
    row = {"network": name}
    row["features change at 2 px"] = change[name][2]
    row |= {f"right at {s} px": right[name][s] for s in (0, 2, 4)}
    rows.append(row)
draw.table(rows, digits=".0%")

# %% tags=["author"]
assert max(change["no stride"]) < 1e-4 and np.ptp(right["no stride"]) == 0
assert change["stride 2"][4] < 1e-4 < 0.1 < change["stride 2"][2]  # two strides of 2: the same again after 4 pixels
assert change["blur, stride 2"][2] < change["stride 2"][2] / 2
assert right["blur, stride 2"][2] > right["stride 2"][2] + 0.1

# %% [markdown]
# The picture wraps round here, so borders play no part: what you see is the stride alone. Every 2 · 2 = 4 pixels all is as before. It is lesson 01's
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
    """Write the patches of `images` (B, C, H, W) as columns.

    Return (B, C * kh * kw, out_h * out_w).
    """
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = (
        np.broadcast_to(v, 2) for v in (size, stride, padding, dilation)
    )
    B, C, H, W = images.shape
    out_h, out_w = (
        arithmetic.output_size(H, kh, sh, ph, dh),
        arithmetic.output_size(W, kw, sw, pw, dw),
    )
    # (B, C, H + 2 ph, W + 2 pw)
    padded = np.pad(images, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    # (kh, out_h)
    rows = dh * np.arange(kh)[:, None] + sh * np.arange(out_h)
    # (kw, out_w)
    cols = dw * np.arange(kw)[:, None] + sw * np.arange(out_w)
    # (B, C, kh, kw, out_h, out_w)
    patches = padded[:, :, rows[:, None, :, None], cols[None, :, None, :]]
    return patches.reshape(B, C * kh * kw, out_h * out_w)

# %%
images = rng.normal(size=(2, 3, 12, 15))
weight, bias = rng.normal(size=(4, 3, 3, 5)), rng.normal(size=4)
settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
columns = im2col(images, (3, 5), **settings)
unfolded = F.unfold(torch.from_numpy(images), (3, 5), **settings)
print(images.shape, "->", columns.shape)
same = np.array_equal(columns, unfolded)
print("equal to torch's unfold:", same)

# %%
loop = conv2d(images, weight, bias, **settings)
product = weight.reshape(4, -1) @ columns  # (2, 4, out_h * out_w)
product = product.reshape(loop.shape) + bias[:, None, None]
same = np.allclose(product, loop, atol=1e-10)
print("one product, equal to the loop:", same)

# %% [markdown]
# ### How fast?
#
# **Predict:** a layer from 16 to 32 channels on a picture of 60 x 90. Which is faster: for each kernel, adding up
# shifted copies of the picture, or the one product?

# %%
from time import perf_counter

def milliseconds(run, repeats=3):
    """Return the least of a few times."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        run()
        times.append(1000 * (perf_counter() - start))
    return min(times)

maps_in = rng.normal(size=(1, 16, 60, 90)).astype(np.float32)
many = rng.normal(size=(32, 16, 3, 3)).astype(np.float32)
tensors = torch.from_numpy(maps_in), torch.from_numpy(many)

def kernel_by_kernel():
    shifted = fast_filters.correlate2d_shifted
    return [sum(map(shifted, maps_in[0], kernel)) for kernel in many]

# %% tags=["nbval-ignore-output"]
ways = {
    "shifted copies, kernel by kernel": kernel_by_kernel,
    "table and product": lambda: layers.conv2d_matrix(maps_in, many),
    "the table alone": lambda: im2col(maps_in, (3, 3)),
    "torch": lambda: F.conv2d(*tensors),
}
times = [milliseconds(run) for run in ways.values()]
draw.table(
    {"way": list(ways), "time": times},
    units={"time": "ms"}, digits=1, sort="time",
)

# %% [markdown]
# For a layer the product pays: the table is built once and used by all 32 kernels; building it is most of the cost. For a *single* kernel nothing is shared, and the table is
# a waste: watch its line in the race. One picture and one kernel now, with three more ways. Loop over the *kernel* and add shifted pictures. One matrix product. And the **Fourier transform**, where sliding and adding
# turns into a single product for each frequency.

# %% tags=["core"]
def correlate2d_shifted(image, kernel):
    """Add shifted copies of `image`, each times one weight."""
    height, width = (
        image.shape[0] - kernel.shape[0] + 1,
        image.shape[1] - kernel.shape[1] + 1,
    )
    result = np.zeros((height, width), image.dtype)
    for (row, col), weight in np.ndenumerate(kernel):
        result += weight * image[row : row + height, col : col + width]
    return result


def correlate2d_fft(image, kernel):
    """Multiply the spectra of `image` and `kernel`."""
    height, width = (
        image.shape[0] - kernel.shape[0] + 1,
        image.shape[1] - kernel.shape[1] + 1,
    )
    # (H, W // 2 + 1)
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernel, s=image.shape))
    # (H, W), wrapped at the border
    around = np.fft.irfft2(spectrum, s=image.shape)
    return around[:height, :width]

# %% tags=["core"]
def correlate2d_matrix(image, kernel):
    """Write each patch as a row of a table, times `kernel`."""
    kernel_height, kernel_width = kernel.shape
    height, width = (
        image.shape[0] - kernel_height + 1,
        image.shape[1] - kernel_width + 1,
    )
    # (height, kh)
    rows = np.arange(height)[:, None] + np.arange(kernel_height)
    # (width, kw)
    cols = np.arange(width)[:, None] + np.arange(kernel_width)
    # (height, width, kh, kw)
    patches = image[rows[:, None, :, None], cols[None, :, None, :]]
    # a row a patch
    table = patches.reshape(height * width, kernel.size)
    return (table @ kernel.ravel()).reshape(height, width)

# %% [markdown]
# **Predict** the order for a 3 x 3 kernel and for 63 x 63. Who hardly notices the kernel's size? The kernel is a box, so that the separable way can race too.

# %%
small = cv2.resize(cat, (180, 120), interpolation=cv2.INTER_AREA)
small = small.astype(np.float32)
tensor = torch.from_numpy(small)[None, None]
separable = fast_filters.correlate2d_separable

def racers(k):
    """Return ways to filter the small photo by a k x k box."""
    strip = np.full(k, 1 / k, np.float32)
    box, half = np.outer(strip, strip), k // 2
    weight, inside = torch.from_numpy(box)[None, None], slice(half, -half)
    return {
        "loop over pixels": lambda: filters.correlate2d(small, box),
        "shifted copies": lambda: correlate2d_shifted(small, box),
        "one matrix product": lambda: correlate2d_matrix(small, box),
        "Fourier": lambda: correlate2d_fft(small, box),
        "separable": lambda: separable(small, strip, strip),
        "torch": lambda: F.conv2d(tensor, weight)[0, 0].numpy(),
        "OpenCV": lambda: cv2.filter2D(small, -1, box)[inside, inside],
    }

# %%
rows = []
for k in (3, 15):
    loop = filters.correlate2d(small, np.full((k, k), 1 / k**2))
    gaps = [np.abs(run() - loop).max() for run in racers(k).values()]
    agree = sum(gap < 1e-4 for gap in gaps)
    row = {"kernel": f"{k} x {k}", "ways": len(gaps)}
    rows.append(row | {"give the loop's numbers": agree})
draw.table(rows)

# %% tags=["nbval-ignore-output"]
sizes, seconds = (3, 5, 7, 11, 15, 23, 31, 47, 63), {}
for k in sizes:
    for name, run in racers(k).items():
        repeats = 1 if name == "loop over pixels" else 3
        times = seconds.setdefault(name, [])
        times.append(milliseconds(run, repeats))

# %% tags=["fold", "nbval-ignore-output"]
# Draw the race; the loop in grey, since its time is Python's
figure, ax = plt.subplots(figsize=(9, 4.6), layout="constrained")
for name, times in seconds.items():
    loop = name == "loop over pixels"
    python = {"color": "0.6", "linestyle": "--"} if loop else {}
    ax.loglog(sizes, times, marker="o", label=name, **python)
ax.set(xlabel="side of the kernel", ylabel="milliseconds")
ax.set(xticks=sizes, xticklabels=sizes)
ax.set_title("Fourier stays flat, separable climbs, k x k climbs fast")
ax.minorticks_off()
draw.label_lines(ax);

# %% tags=["nbval-ignore-output"]
rows = []
for name, (first, *_, last) in seconds.items():
    ends = {"3 x 3": first, "63 x 63": last}
    rows.append({"way": name} | ends | {"slower": last / first})
draw.table(
    rows,
    units={"3 x 3": "ms", "63 x 63": "ms", "slower": "times"},
    digits={"3 x 3": 2, "63 x 63": 1, "slower": 1},
    sort="slower",
)

# %% tags=["nbval-ignore-output"]
def crossing(slow, fast):
    """Return the side from which `fast` stays faster."""
    faster = np.less(seconds[fast], seconds[slow])
    for i, k in enumerate(sizes):
        if faster[i:].all():
            return f"{k} x {k}"
    return "never here"

pairs = [("separable", "shifted copies")]
for slow in ("shifted copies", "one matrix product", "torch", "OpenCV"):
    pairs.append(("Fourier", slow))
draw.table([
    {"way": fast, "beats": slow, "from": crossing(slow, fast)}
    for fast, slow in pairs
])

# %% tags=["author"]
grown = {row["way"]: row["slower"] for row in rows}
assert grown["one matrix product"] > 5 * grown["Fourier"] and grown["shifted copies"] > 5 * grown["separable"]

# %% [markdown]
# Why do the lines cross? Shifted copies and the matrix product do $k \cdot k$ products a pixel; separable does $2k$; Fourier none that depends on $k$. The loop's time is
# Python's, whatever it computes. OpenCV's manual says that it turns to Fourier itself at about 11 x 11: look where its line bends here. The matrix product writes $k \cdot k$ copies
# of the picture for a single kernel: of all the ways but the loop it is the slowest here. Networks use 3 x 3 and many kernels, where it shines.

# %% [markdown]
# ## 12 · Backward: who is to blame? *(20 min)*
#
# To learn, a layer must know how the loss $L$ changes with each of its numbers. It is told how $L$ changes with each output: $g_i = dL/dy_i$. On paper, with signal
# $x$ = `1 2 0 3`, kernel `1 2 4` and $g$ = `1 -1`:
#
# - $y_0=x_0w_0+x_1w_1+x_2w_2$ and $y_1=x_1w_0+x_2w_1+x_3w_2$.
# - $w_0$ touched $x_0$ in $y_0$ and $x_1$ in $y_1$: $dL/dw_0 = 1 \cdot 1 - 1 \cdot 2 = -1$. In all: `-1 2 -3`.
# - $x_1$ was read by $y_0$ with $w_1$ and by $y_1$ with $w_0$: $2 - 1 = 1$. In all: `1 1 2 -4`.
# - The bias is in every output: $1 - 1 = 0$.
#
# The rule: **each output sends its blame back along the lines it came by.**

# %% [markdown]
# **Exercise.** Send the blame back to the signal, the kernel and the bias. Kernel and bias are used at *every* place, so their blame adds up.

# %% tags=["core", "exercise"]
def conv1d_grad(signal, kernel, grad):
    """Return dL/dsignal, dL/dkernel (arrays) and dL/dbias (float).

    For y = correlate1d(signal, kernel) + bias, grad = dL/dy.
    """
    ### BEGIN SOLUTION
    d_signal, d_kernel = np.zeros(len(signal)), np.zeros(len(kernel))
    for i, g in enumerate(grad):
        # the cells that output i has read
        window = slice(i, i + len(kernel))
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

signal, kernel = np.array([1.0, 2, 0, 3]), np.array([1.0, 2, 4])
grad = np.array([1.0, -1])
ours = package_grad(signal, kernel, grad)
leaves = [
    torch.tensor(v, requires_grad=True, dtype=torch.float64)
    for v in (signal, kernel, [0.0])
]
x, w, b = leaves
out = F.conv1d(x[None, None], w[None, None], b)[0, 0]
theirs = torch.autograd.grad(out, leaves, torch.tensor(grad))
slides = [np.convolve(grad, kernel)]
slides += [np.correlate(signal, grad, "valid"), grad.sum()]
draw.table({
    "dL by": ["signal", "kernel", "bias"],
    "ours": [str(v) for v in ours],
    "autograd": [str(v.numpy()) for v in theirs],
    "by sliding": [str(v) for v in slides],
})

# %% [markdown]
# A whole layer is a matrix product (section 11), and its backward pass is two more. The only new step: a pixel that stands in many columns collects from all of them.

# %% tags=["core"]
def conv2d_grad(images, weight, grad, stride=1, padding=0, dilation=1):
    """Return dL/dimages, dL/dweight, dL/dbias of `conv2d`.

    `grad` is dL/dy, (B, K, out_h, out_w).
    """
    (B, C, H, W), K = images.shape, len(weight)
    how = (weight.shape[2:], stride, padding, dilation)
    grad = grad.reshape(B, K, -1)  # (B, K, places)
    # (B, C * kh * kw, places)
    columns = layers.im2col(images, *how)
    d_weight = np.einsum("bkp,bcp->kc", grad, columns).reshape(weight.shape)
    # (B, C * kh * kw, places)
    d_columns = weight.reshape(K, -1).T @ grad
    # which cell; 0 is padding
    where = layers.im2col(
        np.arange(1, C * H * W + 1).reshape(1, C, H, W), *how
    )
    d_images = np.zeros((B, C * H * W + 1))
    for b in range(B):
        # a cell that was read often collects often
        np.add.at(d_images[b], where[0], d_columns[b])
    return d_images[:, 1:].reshape(images.shape), d_weight, grad.sum(axis=(0, 2))

# %% [markdown]
# Two judges: autograd, to 1e-10, for all numbers; and for one number of each kind **finite differences**, to 1e-6, which know nothing of calculus: *nudge* it a little up and down, and see how far $L$ moves.

# %%
numbers = {"images": images, "weight": weight, "bias": bias}
leaves = [torch.from_numpy(v).requires_grad_() for v in numbers.values()]
out = F.conv2d(*leaves, **settings)
upstream = rng.normal(size=tuple(out.shape))
told = torch.from_numpy(upstream)
theirs = torch.autograd.grad(out, leaves, told)
ours = conv2d_grad(images, weight, upstream, **settings)

def by_nudging(values, index, step=1e-5):
    """Return dL/d(one number) of L = sum(upstream * conv2d)."""
    kept, losses = values[index], []
    for move in (step, -step):
        values[index] = kept + move
        out = conv2d(images, weight, bias, **settings)
        losses.append((upstream * out).sum())
    values[index] = kept
    return (losses[0] - losses[1]) / (2 * step)

# %%
rows = []
for name, mine, autograd in zip(numbers, ours, theirs, strict=True):
    index = tuple(n // 2 for n in mine.shape)  # one in the middle
    nudged = by_nudging(numbers[name], index)
    rows.append({
        "dL by": name,
        "all as autograd's": np.allclose(mine, autograd, atol=1e-10),
        "one as nudged": bool(abs(mine[index] - nudged) < 1e-6),
    })
draw.table(rows)

# %% tags=["author"]
assert all(all(row.values()) for row in rows)

# %% [markdown]
# That is enough to learn with. Show the machine random pictures and their vertical edges; let it start from nine zeros and follow $dL/dw$. **Predict:** what will the
# nine numbers be?

# %%
from cvlab.convolutions.gradients import conv2d_grad as layer_grad

noise = rng.normal(size=(8, 1, 24, 24))
wanted = layers.conv2d_matrix(noise, nine[None, None])
learnt_kernel, losses = np.zeros((1, 1, 3, 3)), []
for _ in range(40):
    error = layers.conv2d_matrix(noise, learnt_kernel) - wanted
    losses.append((error**2).mean())
    blame = 2 * error / error.size  # dL/dy: L is the mean square
    learnt_kernel -= 0.2 * layer_grad(noise, learnt_kernel, blame)[1]
found = learnt_kernel[0, 0].round(1) + 0.0
print(f"error: first {losses[0]:.1f}, last {losses[-1]:.4f}")

# %% tags=["fold"]
# Draw the nine numbers, the learnt ones, and the cat by these
figure, axes = plt.subplots(
    1, 3, figsize=(9, 2.5), width_ratios=(1, 1, 1.6), layout="constrained"
)
learnt = f"Learnt in {len(losses)} steps"
show(nine, title="The nine numbers", numbers=True, signed=True, ax=axes[0])
show(found, title=learnt, numbers=True, signed=True, ax=axes[1])
edges = filters.correlate2d(cat, learnt_kernel[0, 0])
title = "The cat by the learnt numbers"
show(edges, signed=True, limits=(-1, 1), title=title, ax=axes[2]);

# %% tags=["author"]
assert losses[-1] < losses[0] / 1000 and np.array_equal(found, nine)

# %% [markdown]
# We told it the *answers*, one for every place, and never the nine numbers: those it found. Lesson 03 tells a network even less: one word a picture.

# %% [markdown]
# ## Recap
#
# - A kernel slides, multiplies, adds. The same weights everywhere: few parameters, and a shift of the picture shifts the map. Only the mean forgets the place.
# - Deep learning's convolution is cross-correlation. It is linear and equivariant, but not commutative or associative.
# - Output: `(size + 2 padding - dilation (kernel - 1) - 1) // stride + 1`. Mind the dilation and the floor.
# - The field grows with kernel, dilation and the strides before; what really counts is its middle.
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
answer = filters.correlate2d(face, nine)
same = np.allclose(np.rot90(answer), filters.correlate2d(turned, nine))
print("edges of the turned face are the turned edges:", same)

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

# %%
progress("02")
