# minimum: code 8, check 0, widget 1
# draft
# %% [markdown]
# # 04 · Transfer learning
#
# **How do you train a good model with eight pictures a class?**
#
# In lesson 03 four thousand pictures taught a network ten classes. Here you begin with a network that has already seen a million photos, look into
# it, give it a new head, and find out when that is all you need, when it must learn more, and where it looks.
#
# *190 minutes, in four sittings: sections 1 to 3 (48 min), 4 to 6 (54 min), 7 and 8 (48 min), 9 to 11 (40 min). You need lessons 00 to 03.*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# The imports of this lesson
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab import check, draw, hint, progress, settings
from cvlab import show, show_many, solution
from cvlab.transfer_learning.backbone import backbone, features
from cvlab.transfer_learning.backbone import prepare, ten_classes
from cvlab.widgets import TransferLearningExample

draw.theme("light")

# %%
TransferLearningExample()

# %% [markdown]
# ## 1 · What it is made of *(10 min)*
#
# To be written.

# %% [markdown]
# ## 2 · A thousand networks *(14 min)*
#
# To be written.

# %% [markdown]
# ## 3 · A file of weights, by hand *(24 min)*
#
# To be written.

# %% [markdown]
# ## 4 · What each level sees *(18 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: the imports of this sitting
import numpy as np

# %% [markdown]
# ## 5 · Neighbours: no training at all *(16 min)*
#
# To be written.

# %% [markdown]
# ## 6 · A new head *(20 min)*
#
# To be written.

# %% tags=["again", "fold"]
# The imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, progress, settings, show, show_many, solution
from cvlab.transfer_learning.backbone import backbone, features, prepare, ten_classes
draw.theme("light")

# %% [markdown]
# ## 7 · Steps and their size *(32 min)*
#
# **How far should a number move?** Momentum multiplies every gradient by one learning rate. Lesson 03's valley is 20 times as steep across as along, and one rate
# had to suit both. *Adam* gives each number a step of its own: its mean gradient, divided by that gradient's usual size.

# %% [markdown]
# On paper: you stand at (-1.7, 0.6), the gradient of `(x² + 20 y²) / 2` is (-1.7, 12). Adam keeps two running means, both 0 at the start. **m**, of the gradient,
# keeps 0.9 of itself and takes 0.1 of what is new: (-0.17, 1.2). **v**, of its square, keeps 0.999 and takes 0.001: (0.00289, 0.144).
#
# Having begun at 0, both are too small. Divide m by `1 - 0.9` and v by `1 - 0.999`, and you have (-1.7, 12) and (2.89, 144). The step is `lr * m / √v`.

# %%
START, VALLEY = np.array([-1.7, 0.6]), np.diag([1, 20])
grad = VALLEY @ START
m, v = 0.1 * grad, 0.001 * grad**2
mean, square = m / (1 - 0.9), v / (1 - 0.999)
lr = 0.2
draw.table({
    "": ["along, x", "across, y"],
    "gradient": grad,
    "m": m, "v": v,
    "corrected m": mean,
    "root of corrected v": np.sqrt(square),
    "Adam's step": -lr * mean / np.sqrt(square),
}, digits={"gradient": 1, "m": 2, "v": 5, "corrected m": 1,
           "root of corrected v": 1, "Adam's step": 1})

# %% [markdown]
# Both directions move by 0.2, the learning rate itself: of the first gradient Adam uses only the **sign**.
#
# That was the correction's doing. **Predict:** leave it out. Is the first step too short or too long?

# %%
steps = np.arange(1, 3001)  # the same gradient every time
length = (1 - 0.9**steps) / np.sqrt(1 - 0.999**steps)
top, long = length.argmax() + 1, (length > 1.1).sum()
print(f"uncorrected, in learning rates: first {length[0]:.2f},\n"
      f"longest {length.max():.1f} at step {top}, "
      f"below 1.1 after step {long}")

# %% tags=["author"]
assert round(length[0], 2) == 3.16 and 6 < length.max() < 7 and (length > 1.1).sum() > 1500

# %% [markdown]
# Too long. m is ten times too small, but the root of v, which divides it, is 32 times too small. m recovers within tens of steps, v takes
# thousands. Corrected, each of these steps is one learning rate long.

# %% [markdown]
# **Exercise.** Write `adam_step`. Update both means, correct copies of them for `step` (it counts from 1, and the correction fades:
# `1 - betas[0] ** step`), then take the step. `eps` is added to the root, for gradients that are 0. Return the weight and the *uncorrected* means.

# %% tags=["exercise"]
def adam_step(weight, grad, m, v, step, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    """Return the new weight, m and v; arrays of one shape."""
    ### BEGIN SOLUTION
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    mean, square = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    return weight - lr * mean / (np.sqrt(square) + eps), m, v
    ### END SOLUTION

# %%
check(adam_step)

# %% [markdown]
# The lesson goes on with the package's copy. Here it walks beside lesson 03's momentum, each at a rate that suits it in this valley.

# %%
from cvlab.cnn_training import loop
from cvlab.transfer_learning import optimizers

def by_momentum(valley, start, lr=0.06, steps=60):
    weight, velocity, path = start, np.zeros(2), [start]
    for _ in range(steps):
        weight, velocity = loop.sgd_momentum_step(
            weight, valley @ weight, velocity, lr, 0.65)
        path.append(weight)
        if np.abs(weight).max() > 1e6:
            break  # far away is far enough
    return np.array(path)

def by_adam(valley, start, lr=0.2, steps=60):
    weight, m, v, path = start, np.zeros(2), np.zeros(2), [start]
    for step in range(1, steps + 1):
        weight, m, v = optimizers.adam_step(
            weight, valley @ weight, m, v, step, lr)
        path.append(weight)
    return np.array(path)

# %%
paths = {"Momentum": by_momentum(VALLEY, START, steps=30),
         "Adam": by_adam(VALLEY, START, steps=30)}

# %% tags=["fold"]
# Draw both paths on the valley
across, along = np.linspace(-2, 1, 80), np.linspace(-0.8, 0.8, 80)
height = (across**2 + 20 * along[:, None] ** 2) / 2
figure, axes = plt.subplots(
    1, 2, figsize=(9, 3), layout="constrained", sharey=True)
left = {name: np.linalg.norm(paths[name][-1]) for name in paths}
for ax, (name, path) in zip(axes, paths.items(), strict=True):
    ax.contour(across, along, height, levels=10, colors="0.82",
               linewidths=1)
    ax.plot(*path.T, marker="o", ms=4, lw=1.6)
    ax.plot(0, 0, "*", color=draw.TRUTH, ms=15)
    ax.text(-1.62, 0.6, "start")
    ax.text(0.95, -0.72, f"distance left: {left[name]:.3f}",
            ha="right")
    ax.set(title=name, xlabel="x")
    ax.grid(False)
axes[0].set_title("Momentum leaps, and arrives")
axes[1].set_title("Adam swings past, and returns")
axes[0].set_ylabel("y");

# %% tags=["author"]
assert left["Momentum"] < 0.01 < left["Adam"] < 0.5

# %% [markdown]
# Torch's optimizer takes Adam's steps, too:

# %%
point = torch.tensor(START, requires_grad=True)
optimizer = torch.optim.Adam([point], lr=0.2)
for _ in range(30):
    optimizer.zero_grad()
    ((point[0] ** 2 + 20 * point[1] ** 2) / 2).backward()
    optimizer.step()
ends = {"torch": point.detach().numpy(),
        "ours": paths["Adam"][-1]}
draw.table([{"by": name, "x": end[0], "y": end[1]}
            for name, end in ends.items()], digits=4)

# %% tags=["author"]
assert np.allclose(ends["torch"], ends["ours"], atol=1e-6)

# %% [markdown]
# So Adam lost: momentum's rate was made for this valley. Now measure the same loss in other **units**: 100 times as large, a hundredth. Make the
# valley steeper. Turn it by 45°. Nobody touches the two rates. **Predict** who arrives where.

# %%
turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)  # by 45 degrees
steep = np.diag([1, 2000])
valleys = {
    "lesson 03's": (VALLEY, START),
    "its loss × 100": (100 * VALLEY, START),
    "its loss / 100": (VALLEY / 100, START),
    "1 : 2000": (steep, START),
    "1 : 2000, turned": (turn @ steep @ turn.T, turn @ START),
}

def left_over(walk, valley, start, **rate):
    first, last = walk(valley, start, **rate)[[0, -1]]
    return (last @ valley @ last) / (first @ valley @ first)

def best(walk, valley, start):
    return min(left_over(walk, valley, start, lr=rate)
               for rate in np.geomspace(1e-5, 2, 24))

def told(share):
    if share > 1:
        return "grows without end"
    if share < 1e-6:
        return "next to nothing"
    return f"{100 * share:.4f} %"

# %%
walks = {"momentum": by_momentum, "Adam": by_adam}
found = {name: {"loss left: " + by: left_over(walk, *valley)
                for by, walk in walks.items()}
         | {f"{by}, best of 24 rates": best(walk, *valley)
            for by, walk in walks.items()}
         for name, valley in valleys.items()}
draw.table([{"valley": name}
            | {key: told(share) for key, share in row.items()}
            for name, row in found.items()])

# %% tags=["author"]
fixed, tuned = ([[row[key] for key in keys] for row in found.values()] for keys in (
    ("loss left: momentum", "loss left: Adam"), ("momentum, best of 24 rates", "Adam, best of 24 rates")))
assert np.allclose([row[1] for row in fixed[:3]], fixed[0][1], rtol=1e-3)
assert fixed[0][0] < fixed[0][1] and fixed[1][0] > 1 and fixed[2][0] > 0.1 and fixed[3][0] > 1 and fixed[4][0] > 1
assert max(row[1] for row in fixed) < 0.01
assert tuned[0][0] < tuned[0][1] and tuned[3][1] < tuned[3][0] / 10 and tuned[4][1] > tuned[4][0]

# %% [markdown]
# Three things to see. **Units do not matter to Adam:** the gradient is divided by its own size, so its scale drops out. One rate serves all three; momentum's
# explodes in one and creeps in another. **In the steep valley** Adam wins even against momentum's best rate. **Turned**, it no longer does: Adam
# rescales x and y, and now the valley runs along neither.
#
# In its own valley, tuned momentum is hard to beat: torchvision trains its ResNets with it to this day.

# %% [markdown]
# ### Decay, and where to put it
#
# **Weight decay** pulls every weight a little towards 0 at each step. The old way adds `decay * weight` to the gradient, as if the loss held a penalty. With
# plain descent that is the same as shrinking the weight. With Adam it is not: what is added to a large gradient is divided by that gradient's size.
#
# *AdamW* shrinks the weight itself, apart from Adam's step:

# %%
def adamw_step(weight, grad, m, v, step, lr, decay):
    weight = weight * (1 - lr * decay)
    return optimizers.adam_step(weight, grad, m, v, step, lr)

# %% [markdown]
# Two weights of 1. Their gradients only swing, ±100 and ±0.01, so decay alone can move them for good. **Predict:** 500 steps later, how much is left of each?

# %%
def swing(step):
    return np.array([100, 0.01]) * (-1) ** step

def by_torch(kind):
    weight = torch.ones(2, requires_grad=True)
    optimizer = kind([weight], lr=0.01, weight_decay=0.1)
    for step in range(1, 501):
        weight.grad = torch.tensor(swing(step)).float()
        optimizer.step()
    return weight.detach().numpy()

weight, m, v = np.ones(2), np.zeros(2), np.zeros(2)
for step in range(1, 501):
    weight, m, v = adamw_step(
        weight, swing(step), m, v, step, lr=0.01, decay=0.1)
decayed = {"Adam with weight_decay": by_torch(torch.optim.Adam),
           "AdamW": by_torch(torch.optim.AdamW),
           "AdamW, ours": weight}
draw.table([{"by": name, "gradient ±100: left": large,
             "gradient ±0.01: left": abs(small)}
            for name, (large, small) in decayed.items()],
           digits=1)

# %% tags=["author"]
assert np.allclose(decayed["AdamW"], decayed["AdamW, ours"], atol=1e-4)
large, small = decayed["Adam with weight_decay"]
assert large > 0.95 and small < 0.1 and np.allclose(decayed["AdamW"], 0.999**500, atol=0.02)

# %% [markdown]
# **Trap:** `torch.optim.Adam(weight_decay=...)` decays the weights of small gradients fast and those of large gradients hardly at all. `AdamW` shrinks both alike,
# to `1 - 0.01 * 0.1` of what they were, 500 times. Take AdamW.

# %% [markdown]
# ### A rate that changes
#
# Is one rate right for the first step *and* for the last? Here is a small problem, steep far away from its lowest point and noisy throughout, and seven knots of
# a learning rate. A constant rate fails: at twice the one you see, the loss grows without end. **Predict** which shape would do better, then find it.

# %%
from cvlab.widgets import ScheduleDesigner

ScheduleDesigner()

# %% [markdown]
# Three shapes in common use, for steps 0 to `total - 1`. The last of them is held back at first: **warm-up**.

# %% tags=["core"]
def step_down(step, total, peak):
    """Return `peak`; after a third a tenth, then a hundredth."""
    return peak * 0.1 ** (3 * step // total)


def cosine(step, total, peak):
    """Return a rate that falls from `peak` to almost 0."""
    return float(peak * (1 + np.cos(np.pi * step / total)) / 2)


def warmed_cosine(step, total, peak, warmup=0.1):
    """Return that rate, held back for a share of all steps."""
    held_back = min(1, (step + 1) / (warmup * total))
    return held_back * cosine(step, total, peak)

# %% [markdown]
# **Exercise.** The fourth is **one cycle**. Write `one_cycle`: the rate at `step`. It rises from `peak / div` to peak, which it would reach at step
# `top = warmup * total - 1`, and falls to `peak / div / final_div` at the last step, `total - 1`. Both ways follow half a cosine,
# `last + (first - last) * (1 + np.cos(np.pi * share)) / 2`: share 0 gives `first`, share 1 gives `last`. Return a plain number.

# %% tags=["exercise"]
def one_cycle(step, total, peak, warmup=0.3, div=25, final_div=1e4):
    """Return the learning rate at `step`, 0 to `total - 1`."""
    ### BEGIN SOLUTION
    top, low = warmup * total - 1, peak / div
    if step < top:
        first, last, share = low, peak, step / top
    else:
        first, last = peak, low / final_div
        share = (step - top) / (total - 1 - top)
    return float(last + (first - last) * (1 + np.cos(np.pi * share)) / 2)
    ### END SOLUTION

# %%
check(one_cycle)

# %% [markdown]
# Torch's scheduler changes the optimizer's rate by the same rule, once for each call of `schedule.step()`. In lesson 03 the loop called it for you.

# %%
from cvlab.transfer_learning import schedules

def rates(make, steps, calls_every=1):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1)
    schedule, seen = make(optimizer), []
    for step in range(1, steps + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % calls_every == 0 and step < steps:
            schedule.step()
    return np.array(seen)

def torchs(optimizer):
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1, total_steps=100)

ours = [schedules.one_cycle(step, 100, 1) for step in range(100)]
gap = np.abs(ours - rates(torchs, 100)).max()
print("ours and torch's, 100 rates, equal to 1e-12:", gap < 1e-12)

# %% tags=["author"]
assert gap < 1e-12

# %% tags=["fold"]
# Draw the four shapes
names = {"step": step_down, "cosine": cosine,
         "warm-up, cosine": warmed_cosine,
         "one cycle": schedules.one_cycle}
figure, axes = plt.subplots(
    1, 4, figsize=(9, 2.4), layout="constrained", sharey=True)
for ax, (name, shape), hue in zip(
        axes, names.items(), draw.PALETTE, strict=False):
    ax.plot([shape(step, 100, 1) for step in range(100)],
            color=hue)
    ax.set(title=name, xlabel="step", xticks=(0, 50, 100))
axes[0].set(ylabel="rate / peak", ylim=(0, 1.05))
draw.describe(
    axes[0], "Four schedules over 100 steps. Step falls in two "
    "stairs; cosine falls smoothly; the third rises for ten steps "
    "first; one cycle rises for thirty.")

# %% [markdown]
# **Trap: a schedule made for steps, called once an epoch.** 100 steps are 5 epochs of 20 batches. With `schedule.step()` after each *epoch* nothing complains:

# %%
per_step, per_epoch = rates(torchs, 100), rates(torchs, 100, 20)
draw.table({
    "last step of epoch": range(1, 6),
    "called every step": per_step[19::20],
    "called every epoch": per_epoch[19::20],
}, digits={"called every step": 3, "called every epoch": 3})

# %% tags=["author"]
assert per_epoch.max() < 0.1 and per_step.max() > 0.99 and per_epoch[-1] == per_epoch.max()

# %% [markdown]
# Called once an epoch, the cycle never gets going, let alone comes down: the highest rate of all 100 steps is a tenth of the peak at best. Print the rate once in a while,
# or draw it.

# %% [markdown]
# ### Tried
#
# Does it matter in a real training? A small head with one hidden layer learns the ten classes from the frozen net's features: 320 pictures, 60 steps of AdamW, 200
# other pictures of the same styles to judge it. Five schedules, three peaks, three seeds.

# %%
net, pictures = backbone(), ten_classes()

def seen_by_net(split):
    """Return (N, 320) features and (N,) labels."""
    def pooled(x):
        maps = net.blocks(net.bn1(net.conv_stem(x)))
        return maps.mean(dim=(2, 3))

    small = pictures[split].images[:, ::2, ::2]  # 64 x 64
    names = torch.tensor(pictures[split].labels)
    return features(pooled, small), names

x, y = seen_by_net("train")
x_seen, y_seen = seen_by_net("seen")

# %%
def learn(schedule, peak, seed, total=60):
    """Return accuracy, worst loss, hidden units still answering."""
    torch.manual_seed(seed)
    head = nn.Sequential(
        nn.Linear(320, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(head.parameters())
    worst = 0.0
    for step in range(total):
        # a scheduler does no more than this
        optimizer.param_groups[0]["lr"] = schedule(step, total, peak)
        some = torch.randint(len(x), (32,))
        loss = F.cross_entropy(head(x[some]), y[some])
        worst = max(worst, loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = (head(x_seen).argmax(dim=1) == y_seen).float().mean()
        alive = (head[:2](x) > 0).any(dim=0).sum()  # for any picture
    return right.item(), worst, alive.item()

# %% tags=["nbval-ignore-output"]
shapes = {"constant": lambda step, total, peak: peak} | names
peaks = (0.001, 0.005, 0.03)
runs = np.array([[[learn(shape, peak, seed) for seed in range(3)]
                  for peak in peaks] for shape in shapes.values()])
right = 100 * runs[..., 0]  # (shape, peak, seed)

def told(of):
    return f"{of.mean():.0f} %, {of.min():.0f} to {of.max():.0f}"

draw.table([{"right, mean and range": name}
            | {f"peak {peak}": told(of)
               for peak, of in zip(peaks, row, strict=True)}
            for name, row in zip(shapes, right, strict=True)])

# %% tags=["author"]
low, middle, high = right.mean(axis=2).T  # each: constant, step, cosine, warmed, one cycle
assert low[0] > low[1:].max() and low[0] > low[1:].mean() + 3
assert np.ptp(middle) < 9 and middle.min() > 54
assert high[3:].min() > high[:3].max() + 4 and middle.max() - high[3:].max() < 12

# %% [markdown]
# - **At a rate that is too small**, every schedule only makes it smaller: the constant one is ahead.
# - **At a good rate**, the five differ by little more than their seeds do. No schedule beats a well-chosen rate here, in 60 steps.
# - **At a rate that is too large**, the two with warm-up hold; the other three collapse.
#
# What warm-up buys here is not a better best, but more rates that work. The two cosines differ in nothing but the first six steps. What happens in those?

# %% tags=["nbval-ignore-output"]
draw.table([{"schedule, peak 0.03": name,
             "worst loss on the way": run[2, :, 1].mean(),
             "of 64 hidden units still answer": run[2, :, 2].mean()}
            for name, run in zip(shapes, runs, strict=True)],
           digits={"worst loss on the way": 1,
                   "of 64 hidden units still answer": 0})

# %% tags=["author"]
worst, alive = runs[:, 2, :, 1].mean(axis=1), runs[:, 2, :, 2].mean(axis=1)
assert worst[:3].min() > 6 and worst[3:].max() < 4
assert alive[:3].max() < 35 < alive[3:].min()

# %% [markdown]
# Guessing costs 2.3. Without warm-up the first steps throw the loss far above that, and more than half of the hidden units end up at 0 for *every* picture. A ReLU
# that never answers passes no gradient on, and the rate that falls later does not wake it. (Warm-up came up with very large batches and their large rates: Goyal and others, 2017.)

# %% [markdown]
# ## 8 · Frozen, tuned or from scratch? *(16 min)*
#
# To be written.

# %% [markdown]
# ## 9 · Changed pictures *(16 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: the imports of this sitting
import numpy as np

# %% [markdown]
# ## 10 · Where did it look? *(16 min)*
#
# To be written.

# %% [markdown]
# ## 11 · Real *(8 min)*
#
# To be written.

# %% [markdown]
# ## Recap
#
# - One line for each thing that stays.
#
# **In the library.** To be written.
#
# **Where it breaks.** To be written.
#
# **Sources.** [PyTorch](https://docs.pytorch.org/docs/stable/index.html)
#
# **In one line:** to be written.

# %%
progress("04")
