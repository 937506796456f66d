# minimum: code 60, check 7, widget 3
# not yet: assert, banner, lines, live, last
# %% [markdown]
# # 03 · Training a CNN
#
# **Can a network find those nine numbers by itself, and what does it still not understand?**
#
# In lesson 02 you chose a kernel's numbers. Now a loss and its gradient choose them. You write the loss, the step and the
# loop, train three networks, and then find out what they did not learn.
#
# *193 minutes, in four sittings: sections 1 to 3 (60 min), 4 to 6 (46 min), 7 and 8 (49 min), 9 to 11 (38 min). You need lessons 00 to 02.
# At a first reading you may skip sections 10 and 11.*

# %% tags=["setup"]

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

from cvlab import check, draw, hint, settings, show, show_many, solution
from cvlab.cnn_training import batches, loop, nets, records
from cvlab.cnn_training.augmentation import augment, spoil
from cvlab.world import stickers

draw.theme("light")

# %% [markdown]
# This is what you will be able to make. The network below was trained on one drawing style and is asked about another, which it
# has never seen. It started with random numbers; nobody told it what a wheel or an ear is.

# %%
# The one switch: Stickers10, or CIFAR-10 with CVLAB_ONLINE=1
data = records.ten_classes(real=settings.is_online())
CLASSES = stickers.CIFAR10
(images, labels), (test_images, test_labels) = data["train"], data["test"]
answers = records.load_net("resnet")(batches.to_tensor(test_images[:10])).argmax(dim=1)
titles = [("" if a == b else "no: ") + CLASSES[a] for a, b in zip(answers, test_labels[:10], strict=True)]
show_many(test_images[:10], titles=titles, cols=5);

# %% [markdown]
# ## 1 · From pictures to batches *(14 min)*
#
# **Data:** ten classes, 32 x 32 pixels, CIFAR-10's names in CIFAR-10's order. Train and test share neither drawing style nor
# background photo, so "right" means that something carried over. Every class comes equally often: guessing gives 10 %.
#
# With a network connection, set `CVLAB_ONLINE=1` before you start: the same cells then run on **CIFAR-10** itself. *Real* data take
# longer, and the numbers in the text are those of the stickers.

# %%
{split: (pictures.shape, np.bincount(names).tolist()) for split, (pictures, names) in data.items()}

# %%
rows = [pictures[:5] for pictures, _ in (data["train"], data["test"])]
titles = [f"{split}: {CLASSES[i]}" for split in ("train", "test") for i in range(5)]
show_many([*rows[0], *rows[1]], titles=titles, cols=5);

# %% [markdown]
# A **data set** for PyTorch answers two questions: how many, and what is number `i`? A **batch** is a handful of pictures stacked
# into one tensor; one pass over all of them is an **epoch**.
#
# **Exercise 1 · `StickerDataset`** *(8 minutes, easy)*. Keep what you are given; turn one picture into a tensor when it is asked for, and
# call `transform` on the finished tensor, anew each time (it may be random).

# %% tags=["exercise"]
class StickerDataset(Dataset):
    """Pictures (N, H, W, 3) uint8 and labels (N,); gives (3, H, W) floats in [0, 1], changed by `transform`, and an int."""

    def __init__(self, images, labels, transform=None):
        ### BEGIN SOLUTION
        self.images, self.labels, self.transform = images, labels, transform
        ### END SOLUTION

    def __len__(self):
        ### BEGIN SOLUTION
        return len(self.images)
        ### END SOLUTION

    def __getitem__(self, index):
        ### BEGIN SOLUTION
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1) / 255  # (3, H, W) in [0, 1]
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.labels[index])
        ### END SOLUTION

# %%
check(StickerDataset)

# %% [markdown]
# The lesson goes on with the package's copy. A `DataLoader` shuffles it, stacks batches, and can prepare them in **workers**,
# processes that work while the network computes. The transform *augments*: each epoch sees every picture a little different.

# %%
from torch.utils.data import DataLoader
from torchvision.transforms import v2

change = v2.Compose([
    v2.RandomHorizontalFlip(),
    v2.RandomCrop(32, padding=4, padding_mode="reflect"),
    v2.ColorJitter(brightness=0.4, contrast=0.4),
    v2.Normalize([0.5] * 3, [0.25] * 3),  # [0, 1] -> [-2, 2]
])
torch.manual_seed(0)
dataset = batches.StickerDataset(images, labels, transform=change)
loader = DataLoader(dataset, batch_size=10, shuffle=True, num_workers=2)
batch, names = next(iter(loader))
batch.shape, round(batch.min().item(), 1), round(batch.max().item(), 1), names.dtype

# %% [markdown]
# **Trap: the batch size is not the number of batches.** It is how many pictures one batch holds. **Trap: `iterator.next()`**, seen in old
# tutorials, is gone; write `next(iterator)`.

# %%
print(f"{len(dataset)} pictures in batches of {loader.batch_size}: {len(loader)} batches")
try:
    iter(loader).next()
except AttributeError as error:
    print("AttributeError:", error)

# %% [markdown]
# To look at a batch, undo the normalisation first. Then ask of each picture: is the label right, and would *you* still know it?

# %%
undone = (batch * 0.25 + 0.5).clip(0, 1).permute(0, 2, 3, 1).numpy()  # (10, 32, 32, 3) in [0, 1]
show_many(undone, titles=[CLASSES[i] for i in names], cols=5);

# %% [markdown]
# Our pictures fit into memory. Then there is a faster way: one big tensor, and index it. `Batches` is a shuffled loop over
# one tensor, with the same kind of random changes. **Predict:** how much faster?

# %% tags=["nbval-ignore-output"]
from time import perf_counter

_, _, x, _, _, x_test = records.tensors(settings.is_online())  # `batches.to_tensor` of both: (N, 3, 32, 32) in [-2, 2]
fast = batches.Batches(x, labels, 64, change=augment)
slow = batches.loader(batches.StickerDataset(images[:1280], labels, transform=change), 64)

def seconds(feed):
    start = perf_counter()
    count = sum(len(names) for _, names in feed)
    return (perf_counter() - start) / count

per_picture = {"DataLoader": seconds(slow), "Batches": seconds(fast)}
print(f"Batches is {per_picture['DataLoader'] / per_picture['Batches']:.0f} times as fast a picture")

# %% [markdown]
# `DataLoader` is for data that do not fit: it reads, decodes and changes one picture at a time, and workers hide the cost. Such a data set
# keeps *paths*; the usual layout is a folder a class. From storage to memory to batch:

# %%
import tempfile
from pathlib import Path

from PIL import Image

class FolderDataset(Dataset):
    """Pictures in folder/class/name.png; opened when asked for."""

    def __init__(self, folder, transform):
        self.paths = sorted(Path(folder).glob("*/*.png"))
        self.classes = sorted({path.parent.name for path in self.paths})
        self.transform = transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as file:
            image = torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1) / 255
        return self.transform(image), self.classes.index(self.paths[index].parent.name)

# %%
work = Path(tempfile.mkdtemp())  # what this lesson writes goes there, and not beside the notebook
for i in range(40):
    (work / "pictures" / CLASSES[labels[i]]).mkdir(parents=True, exist_ok=True)
    Image.fromarray(images[i]).save(work / "pictures" / CLASSES[labels[i]] / f"{i:05}.png")
on_disk = FolderDataset(work / "pictures", v2.Normalize([0.5] * 3, [0.25] * 3))
batch, names = next(iter(DataLoader(on_disk, batch_size=8, shuffle=True)))
print(len(on_disk), "files,", len(on_disk.classes), "classes; a batch:", tuple(batch.shape), names.dtype)

# %% [markdown]
# `torchvision.datasets.ImageFolder` is this class.

# %% [markdown]
# ## 2 · The loss, and a step downhill *(20 min)*
#
# A network puts out one number a class, the **logits**. On paper: logits 2, 1, 0. Softmax turns them into shares:
# `exp` gives 7.39, 2.72, 1; divided by their sum, 0.665, 0.245, 0.090. If the right class is the second, the loss is
# `-log 0.245 = 1.41`. A sure and right net pays nearly 0; a sure and wrong one pays without limit.

# %%
logits = torch.tensor([[2.0, 1.0, 0.0]])
shares = logits.exp() / logits.exp().sum()
print("shares", shares.numpy().round(3), " loss of class 1:", round(-shares[0, 1].log().item(), 3))
print("guessing among ten:", round(np.log(10), 3))

# %% [markdown]
# **Exercise 2 · `cross_entropy`** *(10 minutes, medium)*. For a batch: the mean of those losses. Mind large logits: `exp(1000)` is
# infinite, but softmax does not change when you take the same number off a whole row.

# %% tags=["exercise"]
def cross_entropy(logits, labels):
    """Return the mean loss of (B, K) logits whose right columns are labels, (B,) int64; a tensor. Leave logits as they are."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max(dim=1, keepdim=True).values  # the largest is 0: exp cannot overflow
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()  # (B, K)
    return -log_p[torch.arange(len(labels)), labels].mean()
    ### END SOLUTION

# %%
check(cross_entropy)

# %%
some = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)) * 30
right = torch.arange(6)
ours, theirs = loop.cross_entropy(some, right), F.cross_entropy(some, right)
print(f"ours {ours:.4f}, torch {theirs:.4f}")
assert torch.allclose(ours, theirs)

# %% [markdown]
# ### Downhill, with momentum
#
# Two parameters, so that you can see everything: the loss is `(x² + 20 y²) / 2`, a long valley. Its gradient is `(x, 20 y)`. Plain
# descent, `weight - lr * gradient`, must take small steps or it leaps across the valley. **Momentum** keeps a velocity: it adds up
# what the gradients agree on, and cancels what they do not.
#
# **Exercise 3 · `sgd_momentum_step`** *(6 minutes, easy)*. First the new velocity: a share of the old one plus the gradient. Then the step.
# It multiplies by `lr`; the arrays you are given stay as they are.

# %% tags=["exercise"]
def sgd_momentum_step(weight, grad, velocity, lr=0.1, momentum=0.9):
    """Return the new weight and the new velocity; arrays of one shape."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity
    ### END SOLUTION

# %%
check(sgd_momentum_step)

# %%
def descend(lr, momentum, steps=30):
    weight, velocity = np.array([-1.7, 0.6]), np.zeros(2)
    path = [weight]
    for _ in range(steps):
        weight, velocity = loop.sgd_momentum_step(weight, weight * [1, 20], velocity, lr, momentum)
        path.append(weight)
    return np.array(path)

x_axis, y_axis = np.meshgrid(np.linspace(-2, 2, 80), np.linspace(-1, 1, 80))
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained", sharey=True)
titles = ("Plain: 30 steps, not there yet", "Momentum 0.65: arrived")
for ax, momentum, title in zip(axes, (0, 0.65), titles, strict=True):
    path = descend(0.06, momentum)
    ax.contour(x_axis, y_axis, (x_axis**2 + 20 * y_axis**2) / 2, levels=10, cmap="Greys", vmin=-5, vmax=8)
    ax.plot(*path.T, marker=".", color=draw.PALETTE[5])
    ax.set(title=title, xlabel=f"distance left: {np.linalg.norm(path[-1]):.3f}")
assert np.linalg.norm(descend(0.06, 0.65)[-1]) < 0.1 * np.linalg.norm(descend(0.06, 0)[-1])

# %% [markdown]
# Torch's optimizer takes the same steps. Then move the widget. Before its task, find the learning rate at which the long valley
# explodes: with momentum, and without.

# %%
point = torch.tensor([-1.7, 0.6], requires_grad=True)
optimizer = torch.optim.SGD([point], lr=0.06, momentum=0.65)
for _ in range(30):
    optimizer.zero_grad()
    ((point[0] ** 2 + 20 * point[1] ** 2) / 2).backward()
    optimizer.step()
print("torch", point.detach().numpy().round(4) + 0.0, " ours", descend(0.06, 0.65)[-1].round(4) + 0.0)
assert np.allclose(point.detach(), descend(0.06, 0.65)[-1], atol=1e-5)

# %%
from cvlab.widgets import LossSurface

LossSurface()

# %% [markdown]
# ### Where do gradients come from?
#
# From lesson 02: a convolution's backward pass is made of convolutions. Here is one full pass by hand through a convolution, a
# ReLU, global average pooling and the loss. The gradient of the loss by the logits is *softmax minus one-hot*. Then autograd's answer.

# %%
from cvlab.convolutions import gradients, layers

rng = np.random.default_rng(0)
picture, kernels, y = rng.normal(size=(1, 3, 8, 8)), rng.normal(size=(10, 3, 3, 3)), 4
maps = layers.conv2d(picture, kernels)  # (1, 10, 6, 6)
z = np.maximum(maps, 0).mean(axis=(2, 3))  # (1, 10) logits
d_z = np.exp(z) / np.exp(z).sum() - np.eye(10)[[y]]  # softmax - one-hot
d_maps = d_z[:, :, None, None] / 36 * (maps > 0)  # the mean shares out, ReLU lets through
d_kernels = gradients.conv2d_grad(picture, kernels, d_maps)[1]

weight = torch.tensor(kernels, requires_grad=True)
F.cross_entropy(F.conv2d(torch.tensor(picture), weight).relu().mean(dim=(2, 3)), torch.tensor([y])).backward()
print("270 gradients by hand, equal to autograd's:", np.allclose(d_kernels, weight.grad, atol=1e-12))

# %% [markdown]
# ## 3 · The loop *(26 min)*
#
# Five lines train every network: **zero** the gradients, go **forward**, measure the **loss**, go **backward**, take a **step**.
#
# **Exercise 4 · `train_epoch`** *(8 minutes, medium)*. One pass over the batches. Return the mean loss over all *pictures*: the last batch may be smaller.

# %% tags=["exercise"]
def train_epoch(model, batches, loss_function, optimizer):
    """Learn from every (images, labels) pair once; return the mean loss over all pictures, a plain number."""
    ### BEGIN SOLUTION
    model.train()
    total = count = 0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count
    ### END SOLUTION

# %%
check(train_epoch)

# %% [markdown]
# A model has two **modes**. In `model.train()` some layers behave differently from `model.eval()`: dropout silences units only in
# training, and BatchNorm uses the batch in training and what it remembers in evaluation (section 7 shows what goes wrong otherwise).
#
# **Exercise 5 · `accuracy`** *(6 minutes, easy)*. Right answers over all answers, in evaluation mode, without gradients. Leave the model in
# the mode in which it came.

# %% tags=["exercise"]
def accuracy(model, batches):
    """Return the share of pictures, 0 to 1, whose largest logit is at their label."""
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            count += len(labels)
    model.train(was_training)
    return right / count
    ### END SOLUTION

# %%
check(accuracy)

# %% [markdown]
# **Trap: the mean of batch means.** 1000 pictures in batches of 300 leave 100 for the last one. If that one is hard, its pictures
# weigh three times as much.

# %%
sizes, hits = np.array([300, 300, 300, 100]), np.array([240, 240, 240, 40])
print(f"mean of batch means {(hits / sizes).mean():.2f}, right over all {hits.sum() / sizes.sum():.2f}")

# %% [markdown]
# ### Can it learn anything at all?
#
# Before you wait for an epoch, let the net learn **one batch by heart**. If it cannot, there is a bug or a
# useless learning rate, and you found it in a second.
#
# **Exercise 6 · `overfit_one_batch`** *(8 minutes, medium)*. The same batch again and again, until the loss is below `target` or `limit`
# losses are measured. A step follows every loss, the last one too; only a loss below `target` ends it at once. Return all losses.

# %% tags=["exercise"]
def overfit_one_batch(model, images, labels, optimizer, target=0.05, limit=300):
    """Return the cross-entropy before each step, a list of floats; stop at the first one below `target`."""
    ### BEGIN SOLUTION
    model.train()
    losses = []
    while len(losses) < limit:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        if losses[-1] < target:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
    ### END SOLUTION

# %%
check(overfit_one_batch)

# %%
few = torch.arange(16)
runs = {}
for name, shift in [("right", 0), ("bug: labels shuffled each step", 1)]:
    net = nets.make("lenet")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    if shift:
        targets = [torch.tensor(rng.permutation(labels[:16])) for _ in range(150)]
        runs[name] = [loop.overfit_one_batch(net, x[few], t, optimizer, limit=1)[0] for t in targets]
    else:
        runs[name] = loop.overfit_one_batch(net, x[few], torch.tensor(labels[:16]), optimizer, limit=150)
assert runs["right"][-1] < 0.05 and min(runs["bug: labels shuffled each step"]) > 1

# %%
figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
for name, losses in runs.items():
    ax.plot(losses, label=name)
ax.set(xlabel="step", ylabel="loss", title="16 pictures: a healthy net learns them by heart")
ax.legend();

# %% [markdown]
# ### The whole loop
#
# Here it is. Around the five lines: `.to(device)` brings model and batches to where they are computed; a schedule raises the learning rate
# and lets it fall again (*one cycle*); a guard stops at a loss of NaN and says why; a history. Two words in the optimizer: **weight
# decay** takes a ten-thousandth or so off each weight a step, so that only what is used stays; **Nesterov** measures the gradient a bit ahead, where the
# velocity is about to arrive. **Interrupt it** (the square in the toolbar): the model and the history are kept.

# %% tags=["core"]
def fit(model, batches, test, epochs, lr=0.05, watch=None, device="cpu"):
    """Train `model` on `batches`; return one dict an epoch: mean loss, and accuracy on `test`."""
    optimizer = torch.optim.SGD(model.to(device).parameters(), lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(batches))
    history = []
    try:
        for _ in range(epochs):
            model.train()
            total = count = 0
            for images, labels in batches:
                images, labels = images.to(device), labels.to(device)
                optimizer.zero_grad()
                loss = loop.cross_entropy(model(images), labels)
                loop.stop_if_not_finite(loss.item(), images, schedule.last_epoch, lr)
                loss.backward()
                optimizer.step()
                schedule.step()
                total, count = total + loss.item() * len(labels), count + len(labels)
            there = ((images.to(device), labels.to(device)) for images, labels in test)
            history.append({"loss": total / count, "accuracy": loop.accuracy(model, there)})
            if watch is not None:
                watch(history)
    except KeyboardInterrupt:
        print(f"Stopped by you after {len(history)} epochs: the model and the history are kept.")
    return history

# %% [markdown]
# What does one cycle do to the two numbers that steer a step? (While the rate is high, momentum is low, and the other way round.)

# %%
optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.05, momentum=0.9)
schedule, rates, momenta = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=100), [], []
for _ in range(100):
    rates.append(optimizer.param_groups[0]["lr"])
    momenta.append(optimizer.param_groups[0]["momentum"])
    optimizer.step(), schedule.step()
figure, axes = plt.subplots(1, 2, figsize=(8, 2), layout="constrained")
for ax, values, title in zip(axes, (rates, momenta), ("learning rate: up, then down", "momentum: down, then up"), strict=True):
    ax.plot(values)
    ax.set(title=title, xlabel="step of 100")

# %% [markdown]
# Watch a LeNet learn, on the GPU where there is one.

# %% tags=["nbval-ignore-output"]
from IPython.display import display

from cvlab.widgets.live import LiveCurve

device = "cuda" if torch.cuda.is_available() else "cpu"
print("device:", device)
test = batches.Batches(x_test, test_labels, 500, every=True)
curve = LiveCurve(6, "LeNet")
shown = display(curve, display_id=True)
lenet = nets.make("lenet")
history = fit(lenet, batches.Batches(x, labels, 64), test, epochs=6, watch=curve, device=device)
lenet.cpu()  # the rest of the lesson computes here
shown.update(curve)
print(curve)

# %%
first, last = history[0], history[-1]
assert last["loss"] < 0.7 * first["loss"] and last["accuracy"] > 0.4  # of a style it has never seen
print("the loss fell below 70 % of its start, and more than 40 % of the unseen style are right:", True)

# %% [markdown]
# And when it goes wrong? A learning rate a thousand times too large: the guard names the step and the likely cause.

# %% tags=["nbval-ignore-output"]
try:
    fit(nets.make("lenet"), batches.Batches(x, labels, 64), test, epochs=1, lr=50)
except FloatingPointError as error:
    print(error)

# %% [markdown]
# **Which rate, then?** Do not guess: raise it a little at each of 100 steps, from far too small to far too large, and watch the loss
# (Smith's *learning-rate finder*). Take a rate well before the curve's lowest point, where it still falls steeply.

# %% tags=["nbval-ignore-output"]
def find_rate(net, feed, low=1e-4, high=10, steps=100):
    """Return rates (N,) and the smoothed loss at each; stops when the loss has exploded."""
    optimizer, rates, losses = torch.optim.SGD(net.parameters(), low, momentum=0.9), [], []
    pairs = (pair for _ in range(steps) for pair in feed)
    for rate, (pictures, names) in zip(np.geomspace(low, high, steps), pairs, strict=False):
        optimizer.param_groups[0]["lr"] = rate
        loss = loop.overfit_one_batch(net, pictures, names, optimizer, limit=1)[0]
        rates, losses = [*rates, rate], [*losses, loss if not losses else 0.8 * losses[-1] + 0.2 * loss]
        if not losses[-1] < 4 * min(losses):
            break
    return np.array(rates), np.array(losses)


rates, losses = find_rate(nets.make("lenet"), batches.Batches(x, labels, 64))
figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
ax.semilogx(rates, losses)
ax.axvline(0.05, color="grey", ls=":")
ax.set(xlabel="learning rate (dotted: 0.05)", ylabel="loss", ylim=(2, 2.8), title="Nothing happens, it learns, it bursts");

# %% [markdown]
# **Training loss and validation loss.** 200 pictures, no augmentation, sixty epochs. **Predict** what the loss of pictures the
# net has not seen does meanwhile.

# %% tags=["nbval-ignore-output"]
def mean_loss(net, feed):
    net.eval()
    with torch.no_grad():
        return sum(F.cross_entropy(net(a), b).item() * len(b) for a, b in feed) / sum(len(b) for _, b in feed)


net, some = nets.make("lenet"), batches.Batches(x[:200], labels[:200], 50)
kept = batches.Batches(x[-500:], labels[-500:], 500, every=True)  # the same style, not trained on
optimizer, training, validation = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9), [], []
for _ in range(60):
    training.append(loop.train_epoch(net, some, F.cross_entropy, optimizer))
    validation.append(mean_loss(net, kept))

# %%
best = int(np.argmin(validation))
figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
for values, name in ((training, "training"), (validation, "validation")):
    ax.plot(values)
    ax.text(60, values[-1], name, va="center")
ax.set(xlabel="epoch", ylabel="loss", ylim=(-0.3, 5), xlim=(0, 71), title="Learnt by heart: only one of the two keeps falling")
assert training[-1] < 0.1 and validation[-1] > 1.3 * validation[best] and best < 45

# %% [markdown]
# Where the validation loss turns, learning ends and learning by heart begins: **overfitting**. Stop there (*early stopping*), show more
# pictures, or change them at random each time.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from cvlab import check, draw, hint, settings, show_many, solution
from cvlab.cnn_training import batches, loop, nets, records
from cvlab.cnn_training.augmentation import augment, spoil; from cvlab.world.stickers import CIFAR10 as CLASSES
draw.theme("light"); fit, record = loop.fit, records.record()
images, labels, x, test_images, test_labels, x_test = records.tensors(settings.is_online())

# %% [markdown]
# ## 4 · Three networks at one budget *(16 min)*
#
# A network is a class with two methods: `__init__` makes the layers, `forward` says how a batch flows through them. **Dense**: every one of
# 3072 numbers is wired to 128 units. **LeNet-style**: 6 and 16 kernels of 5 x 5, then 120, 84 and 10. `flatten` turns maps into a row.

# %%
class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(3072, 128), nn.Linear(128, 32), nn.Linear(32, 10)

    def forward(self, x):  # (B, 3, 32, 32)
        x = self.first(x.flatten(1)).relu()  # (B, 3072) -> (B, 128)
        return self.last(self.second(x).relu())  # (B, 10) logits


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.dense1, self.dense2, self.dense3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):  # (B, 3, 32, 32)
        x = F.max_pool2d(self.conv1(x).relu(), 2)  # (B, 6, 14, 14)
        x = F.max_pool2d(self.conv2(x).relu(), 2).flatten(1)  # (B, 16 * 5 * 5)
        return self.dense3(self.dense2(self.dense1(x).relu()).relu())  # (B, 10) logits

# %%
for mine, name in ((Dense(), "dense"), (LeNet(), "lenet")):
    theirs = nets.make(name)  # the package's: the same layers, as one `nn.Sequential`
    with torch.no_grad():
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            a.copy_(b)
    print(f"{name}: {nets.count_parameters(mine):,} weights; same weights, same answers:", torch.equal(mine(x[:8]), theirs(x[:8])))
print(mine)

# %% [markdown]
# **Residual**: five convolutions of 3 x 3, which section 7 takes apart. All three see 4000 pictures 12 times, augmented; each has the learning
# rate that did best on the *val* split. **Predict** the order, and what the dense net's 400,000 weights buy it.
#
# Three seeds of each take minutes, so they were recorded by `data/make_training.py`. The spread is the point: one run is an anecdote.

# %%
final = {
    name: np.array([[run["train"], run["test"]] for run in runs]) for name, runs in record["nets"].items()
}
print(f"{'':8}{'weights':>8}{'seconds':>9}{'train style, %':>21}{'unseen style, %':>21}")
for name, scores in final.items():
    mean, low, high = 100 * scores.mean(0), 100 * scores.min(0), 100 * scores.max(0)
    parts = [f"{mean[i]:.1f} ({low[i]:.1f} to {high[i]:.1f})" for i in (0, 1)]
    weights, seconds = nets.count_parameters(nets.make(name)), [run["seconds"] for run in record["nets"][name]]
    print(f"{name:8}{weights:8}{np.mean(seconds):9.0f}{parts[0]:>21}{parts[1]:>21}")
print("on one thread of", record["machine"])

# %%
dense_mean, lenet_mean, resnet_mean = (100 * final[name][:, 1].mean() for name in final)
assert 10 < lenet_mean - dense_mean < 25 and final["lenet"][:, 1].min() > final["dense"][:, 1].max()
assert 8 < resnet_mean - lenet_mean < 20 and final["resnet"][:, 1].min() > final["lenet"][:, 1].max()
weights_share = nets.count_parameters(nets.make("lenet")) / nets.count_parameters(nets.make("dense"))
print(f"LeNet beats dense by {lenet_mean - dense_mean:.0f} points with {weights_share:.0%} of the weights;")
print(f"the residual net adds {resnet_mean - lenet_mean:.0f} more; LeNet's seeds differ by {100 * np.ptp(final['lenet'][:, 1]):.0f}")

# %%
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for color, (name, runs) in zip((0, 2, 4), record["nets"].items(), strict=True):
    for run in runs:
        label = name if run["seed"] == 0 else None
        ax.plot(range(1, 13), run["accuracies"], color=draw.PALETTE[color], label=label)
ax.set(xlabel="epoch", ylabel="accuracy, unseen style", title="Convolution beats dense for every seed")
ax.legend();

# %% [markdown]
# LeNet's first version had **Tanh** behind its layers. Does ReLU matter in a net this small? Same net, same budget, its own best rate:

# %%
relu, curved = (np.array([run["test"] for run in runs]) for runs in (record["nets"]["lenet"], record["tanh"]["runs"]))
for name, scores in {"ReLU": relu, "Tanh": curved}.items():
    print(f"{name}: {scores.mean():.1%} of the unseen style ({scores.min():.1%} to {scores.max():.1%})")
assert settings.is_online() or curved.min() > relu.max()

# %% [markdown]
# A surprise: in a net of five layers Tanh does *better*, for every seed. AlexNet's authors saw their deep net learn six times sooner with ReLU;
# that is no law for yours. Measure.

# %% [markdown]
# Is the record honest? Train the cheapest one again, here and now, and time an epoch of each.

# %% tags=["nbval-ignore-output"]
from time import perf_counter

test = batches.Batches(x_test, test_labels, 500, every=True)

def epoch_of(name, lr=0.05):
    feed = batches.Batches(x, labels, 64, change=augment)
    start = perf_counter()
    fit(nets.make(name), feed, test, 1, lr)
    return perf_counter() - start

times = {name: epoch_of(name) for name in final}
print({name: f"{times[name] / times['dense']:.1f} times dense" for name in times})
again = nets.make("dense")
feed = batches.Batches(x, labels, 64, change=augment)
live = fit(again, feed, test, 12, record["rates"]["dense"]["chosen"])[-1]["accuracy"]
print(f"dense, seed 0: recorded {final['dense'][0, 1]:.3f}, now {live:.3f}")

# %%
agree = bool(abs(live - final["dense"][0, 1]) < 0.05)
print("the record and this machine agree within 5 points:", agree)
assert agree or settings.is_online()  # the record is of stickers

# %% [markdown]
# ## 5 · What did it learn? *(18 min)*
#
# Scrub through a LeNet's epochs, from its random start. Which kernels turn into edges, and which into colours?

# %%
from cvlab.widgets import TrainingExplorer

TrainingExplorer()

# %% [markdown]
# **Did it find the nine numbers?** The residual net's first layer has sixteen kernels of 3 x 3. Compare each (the mean over its colours) with the four
# Sobel kernels of lesson 02 by the *cosine*: 1 is the same pattern, 0 has nothing in common. Chance also looks like an edge at times, so 200
# random starts of the same layer stand beside it.

# %%
across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
slanted = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
SOBEL = np.stack([across, across.T, slanted, slanted[::-1]]).reshape(4, 9) / np.sqrt(12)

def likeness(kernels):
    """Return, for (K, 3, 3, 3) kernels, the cosine with the nearest of the Sobel kernels, up to the sign."""
    grey = kernels.mean(1).reshape(len(kernels), 9)
    grey = grey - grey.mean(1, keepdims=True)
    return np.abs(grey @ SOBEL.T / np.linalg.norm(grey, axis=1, keepdims=True)).max(1)

first = records.load_net("resnet")[0].weight.numpy()
learnt = likeness(first)
chance = np.array([likeness(nets.make("resnet", seed)[0].weight.detach().numpy()) for seed in range(200)])
order = learnt.argsort()[::-1]
print("learnt, best four:", learnt[order[:4]].round(2), "| above 0.85:", (learnt > 0.85).sum())
above = (chance > 0.85).sum(1)
print(f"200 random starts: above 0.85 on average {above.mean():.1f}, at most {above.max()}")
assert settings.is_online() or (learnt > 0.85).sum() > above.max()

# %%
best = first[order[0]].mean(0)
print("the best kernel, scaled:", *(best * 2 / np.abs(best).max()).round(1), sep="\n")
span = np.abs(first[order[:8]]).max(axis=(1, 2, 3), keepdims=True)
tiles = (first[order[:8]] / span / 2 + 0.5).transpose(0, 2, 3, 1).repeat(12, 1).repeat(12, 2)
show_many(tiles, titles=[f"{value:.2f}" for value in learnt[order[:8]]], cols=8);

# %% [markdown]
# Yes: nobody told it what an edge is, only the names of the pictures.
#
# Deeper layers see larger pieces, and smaller maps. At which depth do *you* no longer see what it is? The net decides after that.

# %%
from cvlab.widgets import FeatureMaps

FeatureMaps()

# %% [markdown]
# Now look at the **worst mistakes**: wrong, and sure of it. This is the cheapest debugging there is: wrong labels, bad crops and
# confusing classes show at once.

# %%
net = records.load_net("resnet")
with torch.no_grad():
    logits = torch.cat([net(part) for part in x_test.split(100)])  # in parts: it needs less memory
probabilities = logits.softmax(dim=1).numpy()  # (N, 10)
said = probabilities.argmax(axis=1)
wrong = np.flatnonzero(said != test_labels)
worst = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")][:10]
titles = [f"{CLASSES[test_labels[i]]}: {CLASSES[said[i]]}?" for i in worst]
show_many(test_images[worst], titles=titles, cols=5)
surest = probabilities[worst].max(axis=1)
print(f"{len(wrong) / len(said):.0%} wrong; of these ten it was {surest.min():.0%} sure or more")

# %% [markdown]
# A softmax of 95 % is not a promise: the net has never seen this style, and nothing in it says "I do not know".

# %% [markdown]
# ## 6 · Three famous networks, counted *(12 min)*
#
# Three networks that made history, counted layer by layer as torchvision defines them. (Its `alexnet` is the author's own slimmer version
# of 2014; the one of 2012 had 96 kernels in its first layer, cut 227 x 227 pixels and ran in two halves on two GPUs.) On the "meta" device a tensor has a shape
# and no numbers, so this costs no memory.

# %%
import torchvision

FAMOUS = ("alexnet", "vgg16", "resnet18")
tables = {}
for name in FAMOUS:
    with torch.device("meta"):
        tables[name] = nets.layer_table(getattr(torchvision.models, name)())
print(f"{'':10}{'layers':>7}{'weights':>12}{'in dense':>10}{'MB':>7}{'activations':>13}{'multiply-adds':>15}")
for name, table in tables.items():
    total = {key: sum(row[key] for row in table) for key in ("parameters", "activations", "multiplies")}
    dense = sum(row["parameters"] for row in table if row["kind"] == "Linear") / total["parameters"]
    print(f"{name:10}{len(table):7}{total['parameters']:12,}{dense:10.0%}{total['parameters'] * 4 / 1e6:7.0f}"
          f"{total['activations']:13,}{total['multiplies'] / 1e9:13.2f} G")

# %%
figure, axes = plt.subplots(2, 3, figsize=(8, 3.6), layout="constrained", sharex="col")
for column, (name, table) in zip(axes.T, tables.items(), strict=True):
    for ax, key, unit in zip(column, ("parameters", "multiplies"), (1e6, 1e9), strict=True):
        colors = [draw.PALETTE[5] if row["kind"] == "Linear" else draw.PALETTE[4] for row in table]
        ax.bar(range(1, len(table) + 1), [row[key] / unit for row in table], color=colors)
    column[0].set_title(name)
    column[1].set_xlabel("layer")
axes[0, 0].set_ylabel("million weights")
axes[1, 0].set_ylabel("billion mult-adds")
title = "AlexNet, VGG: dense layers (orange) hold the weights, convolutions (blue) do the work"
figure.suptitle(title, fontsize=10);

# %% [markdown]
# ResNet-18 has 18 layers on its main path; the table's 21 count three 1 x 1 convolutions on shortcuts, and leave out BatchNorm's 9,600 numbers.
#
# **AlexNet** (2012) made ReLU popular, and *dropout* (half of the dense units silenced at random while training), *overlapping pooling* (windows of 3,
# stride 2) and *local response normalisation* (channels compete with their neighbours). The last has gone: torchvision's AlexNet leaves it
# out. All run in one line each:

# %%
small = torch.arange(1.0, 8).reshape(1, 1, 1, 7)
torch.manual_seed(0)
print("overlapping pooling", F.max_pool2d(small, (1, 3), stride=2).flatten().tolist())
print("dropout            ", F.dropout(torch.ones(8), 0.5).tolist(), "kept ones are doubled")
channels = torch.tensor([1.0, 10, 1, 1, 1]).reshape(1, 5, 1, 1)
print("LRN                ", [f"{v:.2f}" for v in F.local_response_norm(channels, 3, alpha=1.0).flatten()])

# %% [markdown]
# ### VGG: two 3 x 3 for one 5 x 5
#
# Both see 5 x 5 pixels. With C channels in and out: 2 · 9 C² against 25 C² weights, and one more ReLU. Does it help? Three seeds
# each of a small net, recorded.

# %%
from cvlab.convolutions.receptive import receptive_field

for label, stack in {"one 5x5": (5,), "two 3x3": (3, 3)}.items():
    scores = np.array([run["test"] for run in record["stacks"][label]])
    weights = sum(16 * 16 * k * k for k in stack)
    field = receptive_field([(k, 1, 1) for k in stack])
    spread = f"{scores.mean():.3f} ({scores.min():.3f} to {scores.max():.3f})"
    print(f"{label}: {weights} weights, field {field} x {field}, accuracy {spread}")

# %%
five, three = (np.array([run["test"] for run in record["stacks"][label]]) for label in ("one 5x5", "two 3x3"))
assert abs(five.mean() - three.mean()) < 0.03  # no difference that three seeds could show
print("same accuracy within the spread, with", f"{18 / 25:.0%} of the weights")

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from cvlab import check, draw, hint, settings, show_many, solution
from cvlab.cnn_training import batches, loop, nets, records
from cvlab.cnn_training.augmentation import augment, spoil; from cvlab.world.stickers import CIFAR10 as CLASSES
draw.theme("light"); fit, record = loop.fit, records.record()
images, labels, x, test_images, test_labels, x_test = records.tensors(settings.is_online())

# %% [markdown]
# ## 7 · Why were deep nets hard? *(35 min)*
#
# Twenty layers of 3 x 3, no tricks. For years such nets did not train. Is it the depth? First the net itself; `AddInput` is for later.

# %% tags=["core"]
class AddInput(nn.Module):
    """Adds its input to what the layers inside make of it."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return (x + self.layers(x)).relu()


def deep_net(depth=20, *, shortcuts=False, norm=False, width=8, classes=10):
    """Layers without end: plain, or with a shortcut round each pair; with BatchNorm or without."""
    def conv(channels, stride=1):
        layer = nn.Conv2d(channels, width, 3, stride, padding=1, bias=not norm)
        return [layer, nn.BatchNorm2d(width)] if norm else [layer]

    layers = [*conv(3, stride=4), nn.ReLU()]  # (B, width, 8, 8)
    for _ in range((depth - 2) // 2):
        pair = [*conv(width), nn.ReLU(), *conv(width)]
        layers += [AddInput(*pair)] if shortcuts else [*pair, nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))

# %% [markdown]
# ### The start
#
# Before the first step, weights are random. How large? torch draws a layer's weights with variance 1 / (3 fan_in), where fan_in counts the numbers
# that meet in one output. He and others (2015) asked that a layer with ReLU hand its signals on *in the size in which they came*: 2 / fan_in.

# %% tags=["core"]
def he_init(net):
    """Draw the weights of every convolution with variance 2 / fan_in; biases are 0."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()  # numbers that meet in one output
            nn.init.normal_(layer.weight, 0, (2 / fan_in) ** 0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net

# %% [markdown]
# One batch through three twenty-layer nets, none with shortcuts. **Predict** how much of the gradient reaches layer 1 of each.

# %%
def by_layer(net):
    """Return the spread of each convolution's output and the size of its gradient, for one batch."""
    layers, spreads = [m for m in net.modules() if isinstance(m, nn.Conv2d)], []
    hooks = [m.register_forward_hook(lambda m, inputs, output: spreads.append(output.std().item())) for m in layers]
    F.cross_entropy(net(x[:64]), torch.as_tensor(labels[:64])).backward()
    for hook in hooks:
        hook.remove()
    return spreads, [layer.weight.grad.norm().item() for layer in layers]

def seeded(build):
    torch.manual_seed(0)
    return build()

starts = {
    "torch's start": by_layer(seeded(lambda: deep_net(20))),
    "He's start": by_layer(seeded(lambda: he_init(deep_net(20)))),
    "He's start, BatchNorm": by_layer(seeded(lambda: he_init(deep_net(20, norm=True)))),
}
for name, (_, sizes) in starts.items():
    print(f"{name:22} gradient at layer 1: {sizes[0]:.0e}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for name, color in zip(starts, draw.PALETTE[4:7:1], strict=False):
    for ax, values in zip(axes, starts[name], strict=True):
        ax.semilogy(range(1, 20), values, color=color, marker=".", label=name)
axes[0].set(title="Spread of the signals", xlabel="layer")
axes[1].set(title="Size of the gradients", xlabel="layer")
axes[1].legend()
gradients = {name: values[1][0] for name, values in starts.items()}
assert gradients["torch's start"] < 1e-6 and min(gradients["He's start"], gradients["He's start, BatchNorm"]) > 1e-3

# %% [markdown]
# So it is not the depth: nineteen layers hand a healthy gradient on, if they start at the right scale. **First cause: a badly scaled start.** Is it the
# whole story? Train each for 200 steps at three rates, three seeds (recorded). Guessing costs 2.30.

# %%
for name, rates in record["depth"]["start"].items():
    ends = "   ".join(f"{rate}: {min(losses):.2f} to {max(losses):.2f}" for rate, losses in rates.items())
    print(f"{name:6} loss at rate  {ends}")
moved = {name: sum(loss < 2.28 for losses in rates.values() for loss in losses) for name, rates in record["depth"]["start"].items()}
print("runs of nine that got anywhere (below 2.28):", moved)
assert moved["torch"] == 0 and moved["he"] < 5 and moved["norm"] == 9

# %% [markdown]
# With torch's start no run gets anywhere. He's start alone moves three of nine, with BatchNorm all nine move. Why is a good start not enough? Look at the
# signals again, after 20 steps:

# %%
net = seeded(lambda: he_init(deep_net(20)))
before = by_layer(net)[0]
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
loop.train_epoch(net, batches.Batches(x[:1280], labels[:1280], 64), F.cross_entropy, optimizer)
after = by_layer(net)[0]
print("spread at layers 1, 7, 13, 19, He's start: ", *(f"{v:.2f}" for v in before[::6]))
print("                 after 20 steps at 0.05:   ", *(f"{v:.2f}" for v in after[::6]))
assert after[-1] < 0.3 * before[-1]

# %% [markdown]
# The steps themselves have moved the scale: at the end of the net little signal is left.
#
# ### BatchNorm by hand
#
# **BatchNorm** keeps the scale right *during* training, layer by layer. In training each channel's mean over the batch goes off, and the rest is divided by its spread; then two
# learnt numbers a channel scale and shift it again. And it keeps **running averages** of mean and variance, for the day when there is no batch: evaluation uses those.

# %%
def batch_norm(x, running, scale, shift, training, share=0.1):
    """Return (B, C, H, W) normalised by channel; `running` is a dict of mean and var, (C,), brought up to date in training."""
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)  # (C,) of this batch
        running["mean"] = (1 - share) * running["mean"] + share * mean
        running["var"] = (1 - share) * running["var"] + share * x.var((0, 2, 3))
    else:
        mean, var = running["mean"], running["var"]
    mean, var, scale, shift = (v[None, :, None, None] for v in (mean, var, scale, shift))
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


library, running = nn.BatchNorm2d(3), {"mean": torch.zeros(3), "var": torch.ones(3)}
for training in (True, True, False):
    batch, library.training = x[:32].contiguous() * 3 + 1 if training else x[32:40], training
    ours = batch_norm(batch, running, library.weight, library.bias, training)
    print("training" if training else "evaluation", "equal to torch's:", same := torch.allclose(ours, library(batch), atol=1e-5))
    assert same

# %% [markdown]
# ### Trap: the forgotten `eval()`
#
# In training mode an answer depends on *who else is in the batch*. Our residual net has 78 % of the unseen style right. **Predict** what it has when the
# mode is wrong, with mixed batches, and with batches of one class each, as they come when files are sorted by folder.

# %%
import copy

by_class = np.argsort(test_labels, kind="stable")
for name, rows in {"mixed": np.arange(len(x_test)), "sorted by class": by_class}.items():
    for training in (False, True):
        net = copy.deepcopy(records.load_net("resnet")).train(training)  # a copy: training mode changes what it remembers
        with torch.no_grad():
            said = torch.cat([net(x_test[part]).argmax(1) for part in torch.from_numpy(rows).split(20)])
        right = (said.numpy() == test_labels[rows]).mean()
        print(f"batches of 20, {name:15} {'train' if training else 'eval'} mode: {right:.0%}")
        assert settings.is_online() or (right > 0.7 if not training else name == "mixed" or right < 0.5)

# %% [markdown]
# No error, no warning; nothing but wrong answers. `model.eval()` before you measure, `model.train()` before you go on: that is why exercise 5 asked for it.
#
# ### What does BatchNorm buy?
#
# Four convolutions, He's start, 150 steps, three rates, three seeds, with and without (recorded):

# %%
for name, rates in record["depth"]["rates"].items():
    ends = "   ".join(f"{rate}: {min(losses):.2f} to {max(losses):.2f}" for rate, losses in rates.items())
    print(f"{name:7} BatchNorm, loss at rate  {ends}")
low, high = (record["depth"]["rates"][name] for name in ("without", "with"))
assert min(low["0.5"]) > 2.28 > max(high["0.5"]) and max(high["0.1"]) < min(sum(low.values(), []))

# %% [markdown]
# At 0.01 the two hardly differ. BatchNorm's gift is the **high rates**: at 0.5 only its net learns, and at 0.1 it gets lower than the other does anywhere.
#
# ### The degradation
#
# Now every net has both cures. Deeper should be better, or at least as good: 12 of its 20 layers could simply change nothing. **Predict** the *training*
# loss at 8, 20 and 32 layers, plain and with shortcuts.

# %%
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for color, (name, by_depth) in zip((5, 4), record["depth"]["degradation"].items(), strict=True):
    depths, ends = [int(n) for n in by_depth], np.array(list(by_depth.values()))  # (3,), (3, seeds)
    ax.plot(depths, ends.mean(1), color=draw.PALETTE[color])
    ax.plot(depths, ends, "o", color=draw.PALETTE[color], ms=4)
    ax.text(33, ends[-1].mean(), name, color=draw.PALETTE[color], va="center")
    print(f"{name:10}", {n: f"{e.mean():.2f} ({e.min():.2f} to {e.max():.2f})" for n, e in zip(depths, ends, strict=True)})
ax.set(xlabel="layers", ylabel="training loss after 400 steps", xticks=depths, xlim=(7, 38))
ax.set_title("Deeper is worse when plain, better with shortcuts");

# %%
plain, short = (np.array(list(record["depth"]["degradation"][name].values())) for name in ("plain", "shortcuts"))
assert plain[2].min() > plain[0].max() and short[1:].max() < short[0].min() and short[2].max() < plain[2].min()
reach = [by_layer(seeded(lambda s=s: he_init(deep_net(32, shortcuts=s, norm=True))))[1][0] for s in (False, True)]
print(f"gradient at layer 1 of 32: plain {reach[0]:.1f}, shortcuts {reach[1]:.1f}")
assert min(reach) > 0.1

# %% [markdown]
# The plain net's gradient is healthy, so vanishing gradients are not what hurts it; He and others say the same of theirs. Their own guess: *to change nothing* is
# hard to learn for a stack of layers, and easy for a block that **adds**: its layers only have to be 0. That the second half is true you will see below;
# the first half stayed a guess.
#
# **Exercise 7 · `ResidualBlock`** *(10 minutes, medium)*. Conv, norm, ReLU, conv, norm; add the shortcut; ReLU. Convolutions of 3 x 3 without bias;
# the first has the stride. The shortcut is the input itself, or a bare 1 x 1 convolution without bias where channels or stride change the shape.
# `x` stays as it is.

# %% tags=["exercise"]
class ResidualBlock(nn.Module):
    """From (B, channels_in, H, W) to (B, channels_out, H / stride, W / stride)."""

    def __init__(self, channels_in, channels_out, stride=1):
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        y = self.norm1(self.conv1(x)).relu()  # (B, channels_out, H / stride, W / stride)
        y = self.norm2(self.conv2(y))
        return (y + self.shortcut(x)).relu()
        ### END SOLUTION

# %%
check(ResidualBlock)

# %% [markdown]
# With its last norm at 0, a block hands its input on. And with equal weights it is torchvision's `BasicBlock` (whose 1 x 1 shortcut also has a
# BatchNorm, where ours has none):

# %%
idle = nets.ResidualBlock(8, 8)
nn.init.zeros_(idle.norm2.weight)
maps = torch.rand(2, 8, 5, 5)  # after a ReLU, maps are never negative
print("an idle block changes nothing:", torch.equal(idle(maps), maps))

from torchvision.models.resnet import BasicBlock, Bottleneck

ours, theirs = nets.ResidualBlock(8, 8), BasicBlock(8, 8)
with torch.no_grad():
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        b.copy_(a)
print("equal to BasicBlock:", torch.equal(ours(maps), theirs(maps)))

# %% [markdown]
# ResNet-50 uses a **bottleneck** instead: 1 x 1 down to a quarter of the channels, 3 x 3 there, 1 x 1 up again. What does that save, at 256 channels?

# %%
for name, block in {"two 3 x 3": BasicBlock(256, 256), "bottleneck": Bottleneck(256, 64)}.items():
    weights = [m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d)]
    print(f"{name:11} {' + '.join(f'{n:,}' for n in weights)} = {sum(weights):,} weights")
assert 2 * 9 * 256**2 == 1_179_648 and 2 * 256 * 64 + 9 * 64**2 == 69_632

# %% [markdown]
# ## 8 · What does it not understand? *(14 min)*
#
# You would still name most of these copies. (What enters at an edge is mirrored.) **Predict** which change hurts most, and which one the
# net would be the last to notice.

# %%
levels = {"shift": 6, "rotate": 45, "scale": 0.6, "hue": 90, "shuffle": 4}
spoilt = [spoil(x_test[[3]], **{kind: amount})[0] for kind, amount in levels.items()]
pictures = [((t + 2) / 4).clip(0, 1).permute(1, 2, 0).numpy() for t in (x_test[3], *spoilt)]
show_many(pictures, titles=["a cat", *(f"{kind} {amount}" for kind, amount in levels.items())], cols=6);

# %%
figure, axes = plt.subplots(1, 5, figsize=(8, 2.5), layout="constrained", sharey=True)
for ax, (kind, amounts) in zip(axes, record["spoilt"].items(), strict=True):
    for color, name in zip((draw.PALETTE[5], draw.PALETTE[4]), ("plain", "augmented"), strict=True):
        seeds = np.array([curves[kind] for curves in record["curves"][name]])
        ax.plot(amounts, seeds.mean(0), marker=".", color=color, label=name)
        ax.fill_between(amounts, seeds.min(0), seeds.max(0), color=color, alpha=0.2, lw=0)
    ax.axhline(0.1, color="grey", lw=0.8, ls=":")
    ax.set(title=kind, ylim=(0, 0.8))
    if kind == "scale":
        ax.invert_xaxis()
axes[0].set_ylabel("accuracy, 3 seeds")
axes[0].legend(fontsize=8)
figure.suptitle("Recolouring and mixing hurt most; augmentation helps most against recolouring", fontsize=10);

# %% [markdown]
# Read the curves with what the pictures *already* contain: every sticker is drawn turned by up to 20 degrees, mirrored or not, moved by up to 3 pixels,
# at 19 to 30 pixels, brighter or darker. So shift 2, rotate 15 and scale 0.8 are nothing new to either net, and cost 0 to 5 points. What no
# training picture shows is a far turn, a far shift, another hue, or parts in disorder.
#
# The blue net was trained with more: mirrored, moved by up to 4 pixels, its colour channels made stronger or weaker. What did that buy, at
# equal epochs? Positive is a gain.

# %%
gain = {}
for kind, amounts in record["spoilt"].items():
    plain, augmented = (
        np.mean([curves[kind] for curves in record["curves"][name]], axis=0) for name in ("plain", "augmented")
    )
    gain[kind] = 100 * (augmented - plain)
    print(f"{kind:8}", "  ".join(f"{a}: {g:+.0f}" for a, g in zip(amounts, gain[kind], strict=True)))
assert gain["hue"][1:4].min() > 8 and gain["shift"][3] > 0
assert gain["rotate"][1:4].max() < 0 and gain["shift"][0] < 0 and gain["scale"][0] < 0

# %% [markdown]
# It bought most against a turned **hue**, up to 19 points, though no hue was ever turned: channels were made stronger and weaker. It bought 5 to 7 points against
# shifts of 6 and 8, farther than any shown. And it **cost**: 2 points on clean pictures (12 epochs are short for harder ones), up to 8 on turned and 5 on
# enlarged ones. What a change buys can reach beyond what was shown, and is paid for elsewhere. Nobody guesses this well; measuring it is one cell.
#
# One net, live, to be sure that the record is true:

# %%
plain, augmented = records.load_net("lenet", augmented=False), records.load_net("lenet")
turned = batches.Batches(spoil(x_test, hue=60), test_labels, 500, every=True)
scores = [loop.accuracy(net, turned) for net in (plain, augmented)]
print("hue 60, seed 0: plain", round(scores[0], 2), "augmented", round(scores[1], 2))
assert settings.is_online() or scores[1] > scores[0] + 0.05

# %% [markdown]
# ### The Picasso problem
#
# Max pooling keeps *that* something was found and drops *where*. A face with its eyes below its mouth has all the parts of a face. Cut into
# 2 x 2 parts and mixed, do our pictures still count as what they were?

# %%
shuffled = np.array([curves["shuffle"] for curves in record["curves"]["augmented"]]).mean(axis=0)
for parts, value in zip(record["spoilt"]["shuffle"], shuffled, strict=True):
    print(f"{parts} x {parts} parts: {value:.0%} right")
net = records.load_net("resnet")
halves = batches.Batches(spoil(x_test, shuffle=2), test_labels, 500, every=True)
print(f"the residual net, which ends in global pooling, 2 x 2 parts: {loop.accuracy(net, halves):.0%} right")
assert 0.12 < shuffled[1] < 0.35

# %% [markdown]
# Half a truth, then. LeNet falls to about 23 %: its dense layers know *where* in the picture a map fired. What is left, here as in the
# residual net, is above the 10 % of guessing: some of a class is in its parts and colours, wherever they lie.
#
# **Pose** is position, angle and size together. A CNN has no number for it: it needs examples of each. *Capsule networks* (Sabour,
# Frosst, Hinton, 2017) wanted to carry a small vector per part, with its pose, and let parts vote for a whole only when their poses agree.
# They stayed slow and small; augmentation and more data won. The question stayed good.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from cvlab import check, draw, hint, settings, show_many, solution
from cvlab.cnn_training import batches, loop, nets, records
from cvlab.cnn_training.augmentation import augment, spoil; from cvlab.world.stickers import CIFAR10 as CLASSES
draw.theme("light"); fit, record = loop.fit, records.record()
images, labels, x, test_images, test_labels, x_test = records.tensors(settings.is_online())

# %% [markdown]
# ## 9 · Tools *(18 min)*
#
# **Save and load.** A state dict is names and numbers. `safetensors` holds nothing else; a pickle can run code, so `torch.load` gets
# `weights_only=True` (its default since 2.6). Another architecture is refused, and the layers are named.

# %%
import tempfile
from pathlib import Path

from cvlab.store import checkpoint

work, lenet = Path(tempfile.mkdtemp()), records.load_net("lenet")
checkpoint.save_weights(work / "lenet.safetensors", lenet)
twin = nets.make("lenet", seed=9)
checkpoint.load_weights(work / "lenet.safetensors", twin)
print("equal answers:", torch.equal(lenet.eval()(x[:8]), twin.eval()(x[:8])))
torch.save(lenet.state_dict(), work / "lenet.pt")
print(list(torch.load(work / "lenet.pt", weights_only=True))[:2])
try:
    checkpoint.load_weights(work / "lenet.safetensors", nets.make("lenet", classes=4))
except ValueError as error:
    print(error)

# %% [markdown]
# **Resume.** Weights are not enough: momentum has a memory, and so have the schedule and the dice. With all of them, two halves are one whole.

# %%
def begin():
    net = nets.make("lenet")
    return net, torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)

def epochs(net, optimizer, seeds):
    for seed in seeds:
        loop.train_epoch(net, batches.Batches(x[:640], labels[:640], 64, seed=seed), F.cross_entropy, optimizer)
    return net

whole = epochs(*begin(), seeds=(1, 2))
net, optimizer = begin()
checkpoint.save_checkpoint(work / "half.pt", epochs(net, optimizer, seeds=(1,)), optimizer, epoch=1)
net, optimizer = begin()
print("progress:", checkpoint.load_checkpoint(work / "half.pt", net, optimizer))
resumed = epochs(net, optimizer, seeds=(2,))
net, optimizer = begin()
checkpoint.load_checkpoint(work / "half.pt", net)  # weights only: the velocity is forgotten
forgetful = epochs(net, optimizer, seeds=(2,))
print("resumed equals whole:", *(torch.equal(n[0].weight, whole[0].weight) for n in (resumed, forgetful)))

# %% [markdown]
# **Logging.** `print` cannot be switched off; a logger has levels. Below `INFO` nothing appears.

# %%
import logging
import sys

log = logging.getLogger("lesson03")
log.handlers = [logging.StreamHandler(sys.stdout)]
log.setLevel(logging.INFO)
log.debug("weights of layer 1: %s", lenet[0].weight.mean().item())
log.info("epoch 1: loss 2.30")
log.warning("epoch 2: the loss has not moved")

# %% [markdown]
# **TensorBoard** and **Weights & Biases** draw such histories for you. Weights & Biases runs offline here: it writes a folder and sends nothing.

# %% tags=["nbval-ignore-output"]
history = [{"loss": a, "accuracy": b} for a, b in zip(*(record["nets"]["lenet"][0][k] for k in ("losses", "accuracies")), strict=True)]
try:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(work / "tensorboard") as writer:
        for step, epoch in enumerate(history):
            writer.add_scalars("lenet", epoch, step)
    files = [path for path in (work / "tensorboard").rglob("*") if path.is_file()]
    print(f"{len(files)} files written; look at them with: tensorboard --logdir FOLDER")
except ImportError:
    print("TensorBoard is not installed: pip install tensorboard")

# %% tags=["nbval-ignore-output"]
import os

os.environ |= {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}  # not even its own errors are sent
try:
    import wandb

    with wandb.init(project="cvlab", mode="offline", dir=work, config={"net": "lenet", "lr": 0.05}) as run:
        for epoch in history:
            run.log(epoch)
    written = sum(path.stat().st_size for path in (work / "wandb").rglob("*.wandb"))
    print(f"{len(history)} epochs in a file of {written:,} bytes; nothing was sent. Later, with an account: wandb sync FOLDER")
except ImportError:
    print("Weights & Biases is not installed: pip install wandb")

# %% [markdown]
# **Sweeps.** Two numbers to choose, nine short runs to spend. A *grid* tries three rates; a *random* search tries nine. Which is the better
# use, when one number matters and the other hardly?

# %%
def try_out(lr, momentum):
    """Return the dense net's loss on 300 kept pictures after three epochs of 640."""
    net = nets.make("dense")
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=momentum)
    for seed in (0, 1, 2):
        loop.train_epoch(net, batches.Batches(x[:640], labels[:640], 64, seed=seed), F.cross_entropy, optimizer)
    with torch.no_grad():
        return F.cross_entropy(net(x[-300:]), torch.as_tensor(labels[-300:])).item()

rng = np.random.default_rng(0)
plans = {
    "grid": [(lr, momentum) for lr in (0.001, 0.01, 0.1) for momentum in (0.5, 0.8, 0.95)],
    "random": list(zip(10 ** rng.uniform(-3, -1, 9), rng.uniform(0.5, 0.95, 9), strict=True)),
}
tried = {name: np.array([(*pair, try_out(*pair)) for pair in plan]) for name, plan in plans.items()}  # (9, 3) each

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
for ax, (name, runs) in zip(axes, tried.items(), strict=True):
    dots = ax.scatter(runs[:, 0], runs[:, 1], c=runs[:, 2], s=90, cmap="cividis_r", vmin=1.65, vmax=2.31)
    ax.set(xscale="log", xlabel="learning rate", title=f"{name}: best loss {runs[:, 2].min():.2f}")
axes[0].set_ylabel("momentum")
figure.colorbar(dots, ax=axes, label="loss");

# %% [markdown]
# Which of the two finds the lower loss is luck, at nine runs. But the grid has seen three rates and the random search nine, for the same money.
#
# *Bayesian* search fits a curve with error bars through the runs so far, and tries next where the loss may still be lower. Weights & Biases
# runs all three from a file; every name under `parameters` becomes an option of the program (not run here: a sweep needs their server):

# %%
sweep = """program: cvlab.cnn_training
command: [python, -m, "${program}", --out, runs/sweep, "${args}"]
method: bayes            # or grid, or random
metric: {name: accuracy, goal: maximize}
parameters:
  lr: {distribution: log_uniform_values, min: 0.001, max: 0.1}
  net: {values: [lenet, resnet]}
"""
(work / "sweep.yaml").write_text(sweep)
print("wandb sweep sweep.yaml; wandb agent SWEEP_ID")

# %% [markdown]
# **hydra** does the same for settings in files: `python train.py lr=0.01 net=resnet` overrides two lines of a YAML file, and `--multirun lr=0.01,0.1` runs each.

# %% [markdown]
# **Seeds, and what they do not fix.** The same seed gives the same weights, order and dice: the same result to the last bit, on the same
# machine with the same number of threads. Sums in another order (another thread count, library, GPU) round differently, and training
# makes small differences large. So report several seeds, and compare with the spread.

# %%
twins = [epochs(*begin(), seeds=(1,))[0].weight for _ in range(2)]
parts = torch.rand(10_000, generator=torch.Generator().manual_seed(0))
print("same seed, same bits:", torch.equal(*twins))
print("one sum in two orders, equal:", (parts.sum() == sum(parts.flip(0))).item())

# %% [markdown]
# ## 10 · How fast can it go? Optional *(12 min)*
#
# Many first courses train this way: LeNet, batches of 4, one small learning rate, 5 epochs. Waiting is the price of every experiment,
# so people race: 94 % on CIFAR-10 once took hours, and takes 2.6 seconds of one GPU with Muon. Here is a small net in their manner.
# The pooling comes early, so that little is left to compute. **Predict:** how long will it need for the plain recipe's accuracy?

# %% tags=["core"]
def fast_net(widths=(32, 64, 128), classes=10):
    """A first convolution of 2 x 2; then for each width: convolve, halve, normalise, convolve, normalise."""
    layers, channels = [nn.Conv2d(3, 24, 2), nn.ReLU()], 24  # (B, 24, H - 1, W - 1)
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.MaxPool2d(2)]  # half of H and W
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

# %% [markdown]
# **Trick 1: do not learn what you can compute.** Neighbouring pixels are alike, so most of a patch's numbers say the same thing. *Whitening*
# finds the directions in which patches differ and scales each to the same spread. One eigenvalue problem, no training.

# %% tags=["core"]
def whiten(conv, images):
    """Set a first convolution to the directions in which patches of `images` vary, and their negatives."""
    out, C, k, _ = conv.weight.shape
    patches = F.unfold(images, k, stride=2).transpose(1, 2).reshape(-1, C * k * k)  # (patches, C k k)
    spread, directions = torch.linalg.eigh(patches.T @ patches / len(patches))  # the smallest spread first
    keep = min(out // 2, C * k * k)
    kernels = (directions / (spread + 5e-4).sqrt()).T[-keep:].reshape(keep, C, k, k)
    with torch.no_grad():
        conv.weight[: 2 * keep] = torch.cat([kernels, -kernels])
        conv.bias.zero_()

# %%
demo = nn.Conv2d(3, 2 * 75, 5)  # 5 x 5, to see more: 75 directions
whiten(demo, x[:200])
kernels = demo.weight.detach()[:75].flip(0)[:12]  # those of the largest spread first
span = kernels.abs().amax(dim=(1, 2, 3), keepdim=True)
show_many((kernels / span / 2 + 0.5).permute(0, 2, 3, 1).numpy().repeat(12, 1).repeat(12, 2), cols=6)
print("Not one step of training, and there are colours, edges, corners and stripes.")

# %% [markdown]
# **Trick 2: a step in all directions.** Take a layer's gradient as a matrix. Its singular values say how far it goes in each
# direction: far in a few, hardly at all in the rest. *Muon* (2024) keeps a velocity, as you did in section 2, and then steps by
# `orthogonal(velocity)`: all directions equally far. A polynomial does it, in place of an SVD.

# %% tags=["core"]
def orthogonal(matrix):
    """Bring the singular values of a matrix near 1 and keep its directions."""
    x = matrix / (matrix.norm() + 1e-7)  # no singular value is above 1 now
    for _ in range(3):
        square = x @ x.T if len(x) <= x.shape[1] else x.T @ x  # the smaller of the two
        change = -4.7750 * square + 2.0315 * square @ square
        x = 3.4445 * x + (change @ x if len(x) <= x.shape[1] else x @ change)
    return x

# %%
torch.manual_seed(0)
net = fast_net()
F.cross_entropy(net(x[:40]), torch.tensor(labels[:40])).backward()
gradient = net[6].weight.grad.flatten(1)  # (32, 32 * 3 * 3)
sizes = [torch.linalg.svdvals(m) for m in (gradient / gradient.norm(), orthogonal(gradient))]
figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
for values, name in zip(sizes, ("gradient", "after 3 rounds"), strict=True):
    ax.plot(range(1, 33), values, marker=".", label=name)
ax.set(xlabel="direction", ylabel="singular value", ylim=0, title="Muon: the weak directions count as well")
ax.legend()
assert (sizes[1] > 0.3).sum() > 3 * (sizes[0] > 0.3).sum()

# %% [markdown]
# The others in a line each. **One cycle** and **mirrored and moved copies** you know. **Label smoothing** asks for 82 % and not for
# 100 %, so the net need not shout. **Small pictures first**: 24 x 24 costs about half, and coarse shapes come first anyway.
# **Channels last** lays a pixel's channels side by side in memory, and **bfloat16** keeps 8 significant bits of each number: new CPUs
# multiply those much faster, old ones do not, so `Recipe` leaves it out unless you ask; the race below was run with it. At the end,
# each picture and its **mirror image** are judged together.
#
# The loop is section 3's; `cvlab.cnn_training.speed.fit_fast` adds these. Measured on 25,000 photos of CIFAR-10 by `bench/cifar10.py`:

# %%
race = records.speed_record()
print(race["machine"])

def row(name, runs, base):
    accuracy, time = (np.array([run[key] for run in runs]) for key in ("accuracy", "seconds"))
    spread = f" ({accuracy.min():.3f} to {accuracy.max():.3f})" if len(runs) > 1 else ""
    print(f"{name:36}{accuracy.mean():.3f}{spread:19}{time.mean():5.0f} s{time.mean() / base:8.2f}{len(runs):6}")

base = np.mean([run["seconds"] for run in race["plain"]])
print(f"{'':36}{'accuracy':24}{'time':>7}{'ratio':>8}{'seeds':>6}")
row("plain recipe", race["plain"], base)
for stage in race["stages"]:
    row(f"fast, {stage['epochs']} epochs, {'-'.join(map(str, stage['widths']))}", stage["runs"], base)
quick, plain = (np.mean([run["accuracy"] for run in runs]) for runs in (race["stages"][0]["runs"], race["plain"]))
print(f"\nThe first racer: {100 * (quick - plain):.0f} points more than the plain recipe")
assert quick > plain

# %% [markdown]
# What did each trick buy? Take one away at a time and train again: 4 epochs, three seeds each, SGD at the rate that suits it best.

# %%
def measured(runs, score="accuracy"):
    return np.array([[run[score], run["seconds"]] for run in runs])

without = {name: measured(runs) for name, runs in race["without"].items()}
without["mirror images at the end"] = measured(race["without"]["nothing"], "single")
whole = without.pop("nothing")
order = sorted(without, key=lambda name: without[name][:, 0].mean())
print(f"{'left out':28}{'accuracy':>9}{'points lost':>13}{'time':>8}")
for name in order:
    accuracy, time = without[name].mean(0)
    print(f"{name:28}{accuracy:9.3f}{100 * (whole[:, 0].mean() - accuracy):13.1f}{time / whole[:, 1].mean():7.2f}x")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
for place, name in enumerate(order):
    lost = 100 * (whole[:, 0].mean() - without[name][:, 0])
    left.barh(place, lost.mean(), color=draw.PALETTE[4])
    left.plot(lost, [place] * len(lost), ".", color="0.3", ms=4)
    right.barh(place, without[name][:, 1].mean() / whole[:, 1].mean(), color=draw.PALETTE[0])
left.set(title="Left out: points of accuracy lost", yticks=range(len(order)), yticklabels=order)
left.invert_yaxis()
right.axvline(1, color="0.3", lw=0.8)
right.set(title="and time, against the whole recipe")
assert order[:3] == ["one cycle", "Muon (SGD instead)", "mirror images at the end"]

# %% [markdown]
# Six of the nine are worth less than a point each at this length. One cycle, Muon and the mirror images buy accuracy; bfloat16,
# channels last and small pictures buy time. Blog posts list tricks; only leaving them out one by one tells which ones work *for you*.
#
# They were tuned on photos. On our stickers, asked about an unseen style, how does the racer do against section 4's LeNet,
# which saw the pictures six times as often?

# %% tags=["nbval-ignore-output"]
from time import perf_counter

from cvlab.cnn_training import speed

torch.manual_seed(0)
racer = fast_net((16, 32, 64))
start = perf_counter()
speed.fit_fast(racer, x, labels, 2, speed.Recipe(size=64, colour=0.5))
spent = perf_counter() - start
unseen = batches.Batches(x_test, test_labels, 100, every=True)
print(f"racer, 2 epochs, {spent:.1f} s: {speed.accuracy_mirrored(racer, unseen):.0%} right")
print(f"LeNet, 12 epochs: {record['nets']['lenet'][0]['test']:.0%} right")

# %% [markdown]
# ## 11 · Outgrowing the machine, optional *(8 min)*
#
# With several processes, each takes a share of every batch, and the **mean of their gradients** is the whole batch's gradient. Two halves by hand:

# %%
def gradient(net, rows):
    net.zero_grad()
    F.cross_entropy(net(x[rows]), torch.tensor(labels)[rows]).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters()])

for name in ("lenet", "resnet"):
    net, rows = nets.make(name), torch.arange(64)
    whole, halves = gradient(net, rows), [gradient(net, rows[k::2]) for k in (0, 1)]
    gap = (whole - sum(halves) / 2).norm() / whole.norm()
    print(f"{name}: the mean of two halves is the whole:", bool(gap < 1e-4))

# %% [markdown]
# (`nn.DataParallel` is the old way: one process copies the model to every GPU *at every step* and gathers all answers on one of them. It is slower than
# what follows even on one machine, and PyTorch advises against it. You will meet what it leaves behind: weight names that begin with `module.`)
#
# **Trap:** BatchNorm. Each half is normalised by its own mean, so the residual net's halves do not add up; on GPUs `SyncBatchNorm` mends it.
#
# The package has this lesson's loop as a program, `python -m cvlab.cnn_training`. `torchrun` starts it several times and tells each copy its
# number; DistributedDataParallel takes the mean of the gradients. Here are one process and two, on this machine, now:

# %%
import json
import subprocess
import sys

def start(processes):
    torchrun = f"torch.distributed.run --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:0 --nproc-per-node {processes} -m"
    program = f"cvlab.cnn_training --net dense --pictures 640 --epochs 3 --out {work / str(processes)}"
    command = [sys.executable, "-m", *(torchrun.split() if processes > 1 else []), *program.split()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

losses = {}
for processes, run in {processes: start(processes) for processes in (1, 2)}.items():  # both run now
    said = run.communicate()[0]
    assert run.returncode == 0, said
    losses[processes] = np.array(json.loads((work / str(processes) / "losses.json").read_text())["losses"])
one, two = losses.values()
print(f"{len(one)} steps, loss from {one[0]:.2f} to {one[-1]:.2f}; equal to 1e-5: {np.abs(one - two).max() < 1e-5}")

# %% [markdown]
# In a terminal, and after a crash:
#
#     torchrun --nproc-per-node 2 -m cvlab.cnn_training --out runs/two --epochs 3
#     torchrun --nproc-per-node 2 -m cvlab.cnn_training --out runs/two --epochs 3 --resume
#
# When a process dies, the others stop, say so, and leave the last checkpoint. `gloo` carries gradients between CPUs, `nccl` between
# GPUs. For several machines, each starts the same line:
#
#     torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m cvlab.cnn_training --out /shared/run

# %% [markdown]
# ## Recap
#
# - Loss, gradient, step: five lines find the numbers. Let them learn one batch by heart first.
# - Convolution beats dense by far, with a fraction of the weights. Compare over seeds, never one run.
# - A deep net needs a well-scaled start, norms (mind the mode!), and shortcuts: to add nothing is easy.
# - Accuracy is right over all. Then look at the worst mistakes.
# - Change what no training picture varied (hue, far turns, the order of parts), and the net is lost. Augmentation helps, sometimes elsewhere than shown.
#
# **In the library.** `cross_entropy` is `F.cross_entropy`, the step is `torch.optim.SGD`, the block is torchvision's `BasicBlock`; the loop is yours to
# write, or Lightning's and Keras's to hide.

# %% [markdown]
# **Where it breaks.** An emoji is not a photo: 77 % on an unseen style here says nothing about your data. Learning rates were chosen on
# one seed, and the racer's on its own test pictures, as records mostly are. A test set that you look at after each epoch, as our curves
# do, is slowly becoming a training set: keep one that you open once.

# %% [markdown]
# **Sources.** LeCun, Bottou, Bengio, Haffner,
# [Gradient-Based Learning Applied to Document Recognition](https://doi.org/10.1109/5.726791), 1998 · Krizhevsky, Sutskever, Hinton,
# [ImageNet Classification with Deep Convolutional Neural Networks](https://doi.org/10.1145/3065386), 2012, and Krizhevsky,
# [One Weird Trick for Parallelizing Convolutional Neural Networks](https://arxiv.org/abs/1404.5997), 2014 · He, Zhang, Ren, Sun,
# [Delving Deep into Rectifiers](https://arxiv.org/abs/1502.01852), 2015 · Simonyan, Zisserman,
# [VGG](https://arxiv.org/abs/1409.1556), 2014 · He, Zhang, Ren, Sun, [Deep Residual Learning](https://arxiv.org/abs/1512.03385), 2015 · Ioffe, Szegedy,
# [Batch Normalization](https://arxiv.org/abs/1502.03167), 2015 · Sabour, Frosst, Hinton,
# [Dynamic Routing Between Capsules](https://arxiv.org/abs/1710.09829), 2017 · Smith, Topin,
# [Super-Convergence](https://arxiv.org/abs/1708.07120), 2017 · Jordan,
# [94% on CIFAR-10 in 3.29 Seconds on a Single GPU](https://arxiv.org/abs/2404.00498), 2024 · Jordan and others,
# [Muon](https://kellerjordan.github.io/posts/muon/) (the record of 2.6 seconds), 2024 · Smith,
# [Cyclical Learning Rates](https://arxiv.org/abs/1506.01186), 2017 · Bergstra, Bengio, Random Search for Hyper-Parameter Optimization, 2012 · [PyTorch: DistributedDataParallel](https://docs.pytorch.org/docs/stable/notes/ddp.html) ·
# Krizhevsky, [CIFAR-10](https://www.cs.toronto.edu/~kriz/cifar.html), 2009.
#
# **In one line:** yes, it finds the nine numbers (section 5), and little of what its training pictures never varied.
