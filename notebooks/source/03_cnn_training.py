# minimum: code 100, check 7, widget 4
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

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# The imports of this lesson
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

from cvlab import check, draw, hint, progress, settings
from cvlab import show, show_many, solution
from cvlab.cnn_training import batches, loop, nets, records
from cvlab.cnn_training.augmentation import augment, spoil
from cvlab.world import stickers

draw.theme("light")

# %% [markdown]
# A network in training: the six kernels of its first layer, its loss and accuracy, and which class it takes for which. At epoch 0 all its numbers are
# random. **Move the epoch.** What changes first, and when would you say that it sees?

# %%
from cvlab.widgets import TrainingExplorer

TrainingExplorer(epoch=0)

# %% [markdown]
# Nobody told it what a wheel or an ear is. And this is what you will be able to make: a network with shortcuts, trained on one
# drawing style and asked about another, which it has never seen.

# %%
# The one switch: Stickers10, or CIFAR-10 with CVLAB_ONLINE=1
data = records.ten_classes(real=settings.is_online())
CLASSES = stickers.CIFAR10
images, labels = data["train"]
test_images, test_labels = data["test"]
ten = batches.to_tensor(test_images[:10])  # (10, 3, 32, 32)
answers = records.load_net("resnet")(ten).argmax(dim=1)

# %% tags=["fold"]
# Show the ten pictures, each with the net's answer
titles = [CLASSES[i] for i in answers]
axes = show_many(test_images[:10], titles=titles, cols=5)
wrong = np.flatnonzero(answers.numpy() != test_labels[:10])
for i in wrong:
    axes[i].set_title(f"no: {titles[i]}", fontsize=10,
                      color=draw.readable(draw.ERROR))
draw.describe(axes[0], "Ten small pictures with the answers of the "
              f"net; {len(wrong)} of them are wrong.")

# %% [markdown]
# ## 1 · From pictures to batches *(14 min)*
#
# **Data:** *stickers*, emoji pasted on photos: ten classes, 32 x 32 pixels, CIFAR-10's names in CIFAR-10's order. Train and test share neither drawing style nor
# background photo, so "right" means that something carried over. Every class comes equally often: guessing gives 10 %.
#
# With a network connection, set `CVLAB_ONLINE=1` before you start: the same cells then run on **CIFAR-10** itself. *Real* data take
# longer, and the numbers in the text are those of the stickers.

# %%
draw.table([
    {"split": split, "pictures": len(pictures),
     "size": "{} x {}, {} colours".format(*pictures[0].shape),
     "fewest of a class": np.bincount(names).min(),
     "most of a class": np.bincount(names).max()}
    for split, (pictures, names) in data.items()
])

# %%
both = np.concatenate([images[:5], test_images[:5]])
first, *others = CLASSES[:5]
titles = [f"train: {first}", *others, f"test: {first}", *others]
show_many(both, titles=titles, cols=5);

# %% [markdown]
# A **data set** for PyTorch answers two questions: how many, and what is number `i`? A **batch** is a handful of pictures stacked
# into one tensor; one pass over all of them is an **epoch**.

# %% [markdown]
# **Exercise.** Write the data set `StickerDataset`. Keep what you are given; turn one picture into a tensor when it is asked for, and
# call `transform` on the finished tensor, anew each time (it may be random).

# %% tags=["exercise"]
class StickerDataset(Dataset):
    """Pictures (N, H, W, 3) uint8 and labels (N,).

    It gives (3, H, W) floats in [0, 1], changed by `transform`,
    and an int.
    """

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
# processes that work while the network computes. The transform *augments*: each epoch sees every picture a little changed.

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
dataset = batches.StickerDataset(images, labels, change)
loader = DataLoader(dataset, batch_size=10, shuffle=True,
                    num_workers=2)
batch, names = next(iter(loader))
low, high = batch.min().item(), batch.max().item()
print(f"a batch: {tuple(batch.shape)}, {low:.1f} to {high:.1f}; "
      f"its labels: {names.dtype}")

# %% [markdown]
# **Trap: the batch size is not the number of batches.** It is how many pictures one batch holds. **Trap: `iterator.next()`**, seen in old
# tutorials, is gone; write `next(iterator)`.

# %%
print(f"{len(dataset)} pictures in batches of "
      f"{loader.batch_size}: {len(loader)} batches")
try:
    iter(loader).next()
except AttributeError as error:
    print("AttributeError:", error)

# %% [markdown]
# To look at a batch, undo the normalisation first. Then ask of each picture: is the label right, and would *you* still know it?

# %%
undone = (batch * 0.25 + 0.5).clip(0, 1)
undone = undone.permute(0, 2, 3, 1).numpy()  # (10, 32, 32, 3)
show_many(undone, titles=[CLASSES[i] for i in names], cols=5);

# %% [markdown]
# Our pictures fit into memory. Then there is a faster way: one big tensor, and index it. `Batches` is a shuffled loop over
# one tensor, with the same kind of random changes. **Predict:** how much faster?

# %% tags=["nbval-ignore-output"]
from time import perf_counter

# `batches.to_tensor` of both splits: (N, 3, 32, 32) in [-2, 2]
_, _, x, _, _, x_test = records.tensors(settings.is_online())
fast = batches.Batches(x, labels, 64, change=augment)
some = batches.StickerDataset(images[:1280], labels, change)
slow = batches.loader(some, 64)

def seconds(feed):
    start = perf_counter()
    count = sum(len(names) for _, names in feed)
    return (perf_counter() - start) / count

ratio = seconds(slow) / seconds(fast)
print(f"Batches is {ratio:.0f} times as fast per picture")

# %% [markdown]
# `DataLoader` is for data that do not fit: it reads, decodes and changes one picture at a time, and workers hide the cost. Such a data set
# keeps *paths*; the usual layout is one folder for each class. From storage to memory to batch:

# %%
import tempfile
from pathlib import Path

from PIL import Image

class FolderDataset(Dataset):
    """Pictures in folder/class/name.png, opened when asked."""

    def __init__(self, folder, transform):
        self.paths = sorted(Path(folder).glob("*/*.png"))
        names = {path.parent.name for path in self.paths}
        self.classes, self.transform = sorted(names), transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        path = self.paths[index]
        with Image.open(path) as file:
            pixels = np.array(file.convert("RGB"))  # (H, W, 3)
        image = torch.from_numpy(pixels).permute(2, 0, 1) / 255
        label = self.classes.index(path.parent.name)
        return self.transform(image), label

# %%
work = Path(tempfile.mkdtemp())  # not beside the notebook
for i in range(40):
    folder = work / "pictures" / CLASSES[labels[i]]
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(images[i]).save(folder / f"{i:05}.png")
normalize = v2.Normalize([0.5] * 3, [0.25] * 3)
on_disk = FolderDataset(work / "pictures", normalize)
batch, names = next(iter(
    DataLoader(on_disk, batch_size=8, shuffle=True)))
print(f"{len(on_disk)} files of {len(on_disk.classes)} classes; "
      f"a batch: {tuple(batch.shape)}, {names.dtype}")

# %% [markdown]
# `torchvision.datasets.ImageFolder` is this class.

# %% [markdown]
# ## 2 · The loss, and a step downhill *(20 min)*
#
# A network puts out one number a class, the **logits**. On paper: logits 2, 1, 0. Softmax turns them into shares:
# `exp` gives 7.39, 2.72, 1; divided by their sum, 0.665, 0.245, 0.090. If the right class is the second, the loss is
# `-log 0.245 = 1.41`. A sure and right net pays nearly 0; a sure and wrong one pays without limit.

# %%
logits = torch.tensor([2.0, 1.0, 0.0])
shares = logits.exp() / logits.exp().sum()
print(f"guessing among ten costs {np.log(10):.3f}")
draw.table({
    "class": [0, 1, 2],
    "logit": logits.int().tolist(),
    "exp": logits.exp().tolist(),
    "share": shares.tolist(),
    "loss, if it is right": (-shares.log()).tolist(),
}, digits={"exp": 2, "share": 3, "loss, if it is right": 3})

# %% [markdown]
# **Exercise.** Write `cross_entropy`: for a batch, the mean of those losses. Mind large logits: `exp(1000)` is
# infinite, but softmax does not change when you take the same number off a whole row.

# %% tags=["exercise"]
def cross_entropy(logits, labels):
    """Return the mean loss of (B, K) logits, a tensor.

    `labels`, (B,) int64, are the right columns. Leave `logits` as
    they are.
    """
    ### BEGIN SOLUTION
    # the largest is 0 then: exp cannot overflow
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()  # (B, K)
    return -log_p[torch.arange(len(labels)), labels].mean()
    ### END SOLUTION

# %%
check(cross_entropy)

# %%
dice = torch.Generator().manual_seed(0)
some = torch.randn(6, 10, generator=dice) * 30
right = torch.arange(6)
ours = loop.cross_entropy(some, right)
theirs = F.cross_entropy(some, right)
print(f"ours {ours:.4f}, torch {theirs:.4f}")

# %% tags=["author"]
assert torch.allclose(ours, theirs)

# %% [markdown]
# ### Downhill, with momentum
#
# Two parameters, so that you can see everything: the loss is `(x² + 20 y²) / 2`, a long valley. Its gradient is `(x, 20 y)`. Plain
# descent, `weight - lr * gradient`, must take small steps or it leaps across the valley. **Momentum** keeps a velocity: it adds up
# what the gradients agree on, and cancels what they do not.

# %% [markdown]
# **Exercise.** Write `sgd_momentum_step`. First the new velocity: a share of the old one plus the gradient. Then the step.
# It multiplies by `lr`; the arrays you are given stay as they are.

# %% tags=["exercise"]
def sgd_momentum_step(weight, grad, velocity, lr=0.1, momentum=0.9):
    """Return the new weight and velocity; arrays of one shape."""
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
        weight, velocity = loop.sgd_momentum_step(
            weight, weight * [1, 20], velocity, lr, momentum)
        path.append(weight)
    return np.array(path)

paths = {share: descend(0.06, share) for share in (0, 0.65)}

# %% tags=["fold"]
# Draw both paths on the valley
across, along = np.linspace(-2, 1, 80), np.linspace(-0.8, 0.8, 80)
height = (across**2 + 20 * along[:, None] ** 2) / 2
figure, axes = plt.subplots(
    1, 2, figsize=(9, 3), layout="constrained", sharey=True)
titles = ("Plain: 30 steps, not there yet",
          "Momentum 0.65: arrived")
for ax, path, title in zip(axes, paths.values(), titles, strict=True):
    ax.contour(across, along, height, levels=10, colors="0.82",
               linewidths=1)
    ax.plot(*path.T, marker="o", ms=4, lw=1.6)
    ax.plot(0, 0, "*", color=draw.TRUTH, ms=15)
    ax.text(-1.62, 0.6, "start")
    ax.text(0.1, 0.12, "lowest", color=draw.readable(draw.TRUTH))
    left = np.linalg.norm(path[-1])
    ax.text(0.95, -0.72, f"distance left: {left:.3f}", ha="right")
    ax.set(title=title, xlabel="x")
    ax.grid(False)
axes[0].set_ylabel("y");

# %% tags=["author"]
plain_path, with_momentum = paths.values()
assert np.linalg.norm(with_momentum[-1]) < 0.1 * np.linalg.norm(plain_path[-1])

# %% [markdown]
# Torch's optimizer takes the same steps. Then move the widget's sliders. Before its task, find the learning rate at which the long valley
# explodes: with momentum, and without.

# %%
point = torch.tensor([-1.7, 0.6], requires_grad=True)
optimizer = torch.optim.SGD([point], lr=0.06, momentum=0.65)
for _ in range(30):
    optimizer.zero_grad()
    ((point[0] ** 2 + 20 * point[1] ** 2) / 2).backward()
    optimizer.step()
ends = {"torch": point.detach().numpy(), "ours": paths[0.65][-1]}
draw.table([{"by": name, "x": end[0], "y": end[1]}
            for name, end in ends.items()], digits=4)

# %% tags=["author"]
assert np.allclose(ends["torch"], ends["ours"], atol=1e-5)

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
picture, y = rng.normal(size=(1, 3, 8, 8)), 4
kernels = rng.normal(size=(10, 3, 3, 3))
maps = layers.conv2d(picture, kernels)  # (1, 10, 6, 6)
z = np.maximum(maps, 0).mean(axis=(2, 3))  # (1, 10) logits
d_z = np.exp(z) / np.exp(z).sum() - np.eye(10)[[y]]
# the mean shares out, ReLU lets through
d_maps = d_z[:, :, None, None] / 36 * (maps > 0)
d_kernels = gradients.conv2d_grad(picture, kernels, d_maps)[1]

weight = torch.tensor(kernels, requires_grad=True)
maps = F.conv2d(torch.tensor(picture), weight).relu()
logits = maps.mean(dim=(2, 3))
F.cross_entropy(logits, torch.tensor([y])).backward()
same = np.allclose(d_kernels, weight.grad, atol=1e-12)
print("270 gradients by hand, equal to autograd's:", same)

# %% [markdown]
# ## 3 · The loop *(26 min)*
#
# Five lines train every network: **zero** the gradients, go **forward**, measure the **loss**, go **backward**, take a **step**.

# %% [markdown]
# **Exercise.** Write `train_epoch`: one pass over the batches. Return the mean loss over all *pictures*: the last batch may be smaller.

# %% tags=["exercise"]
def train_epoch(model, batches, loss_function, optimizer):
    """Learn from every (images, labels) pair once.

    Return the mean loss over all pictures, a plain number.
    """
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

# %% [markdown]
# **Exercise.** Write `accuracy`: right answers over all answers, in evaluation mode, without gradients. Leave the model in
# the mode in which it came.

# %% tags=["exercise"]
def accuracy(model, batches):
    """Return the share of pictures, 0 to 1, named right.

    The answer is the place of the largest logit.
    """
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
sizes = np.array([300, 300, 300, 100])
hits = np.array([240, 240, 240, 40])
print(f"mean of batch means {(hits / sizes).mean():.2f}, "
      f"right over all {hits.sum() / sizes.sum():.2f}")

# %% [markdown]
# ### Can it learn anything at all?
#
# Before you wait for an epoch, let the net learn **one batch by heart**. If it cannot, there is a bug or a
# useless learning rate, and you found it in a second.

# %% [markdown]
# **Exercise.** Write `overfit_one_batch`: the same batch again and again, until the loss is below `target` or `limit`
# losses are measured. A step follows every loss, the last one too; only a loss below `target` ends it at once. Return all losses.

# %% tags=["exercise"]
def overfit_one_batch(model, images, labels, optimizer, target=0.05, limit=300):
    """Return the cross-entropy before each step, floats.

    Stop at the first one below `target`.
    """
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
def learner():
    net, few = nets.make("lenet"), torch.arange(16)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.01, momentum=0.9)
    return lambda names, limit: loop.overfit_one_batch(
        net, x[few], torch.tensor(names), optimizer, limit=limit)

learn, few_labels = learner(), labels[:16]
healthy = learn(few_labels, 150)
learn = learner()
mixed = [rng.permutation(few_labels) for _ in range(150)]
buggy = [learn(names, 1)[0] for names in mixed]
print(f"lowest loss: {min(healthy):.1f} when all is well, "
      f"{min(buggy):.1f} when the labels are shuffled each step")

# %% tags=["author"]
assert healthy[-1] < 0.05 and min(buggy) > 1

# %% tags=["fold"]
# Draw the two losses
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
ax.plot(buggy, color=draw.ERROR)
ax.plot(healthy, color=draw.PREDICTION)
ax.text(0, 1.95, "labels shuffled", color=draw.readable(draw.ERROR))
ax.text(62, 0.06, "healthy", color=draw.PREDICTION)
ax.set(xlabel="step", ylabel="loss", ylim=(0, 2.5))
ax.set_title("16 pictures: a healthy net learns them by heart, "
             "one with a bug cannot");

# %% [markdown]
# ### The whole loop
#
# Here it is. Around the five lines: `.to(device)` brings model and batches to where they are computed; a schedule raises the learning rate
# and lets it fall again (*one cycle*); a guard stops at a loss of NaN and says why; a history. Two words in the optimizer: **weight
# decay** takes a tiny share off each weight at each step, so that only what is used stays; **Nesterov** measures the gradient a bit ahead, where the
# velocity is about to arrive. **Interrupt it** (the square in the toolbar): the model and the history are kept.

# %% tags=["core"]
def fit(model, batches, test, epochs, lr=0.05, watch=None, device="cpu"):
    """Train; return one dict an epoch: mean loss, accuracy on `test`."""
    optimizer = torch.optim.SGD(
        model.to(device).parameters(), lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
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
                optimizer.step(); schedule.step()
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
weight = nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([weight], 0.05, momentum=0.9)
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, 0.05, total_steps=100)
rates, momenta = [], []
for _ in range(100):
    rates.append(optimizer.param_groups[0]["lr"])
    momenta.append(optimizer.param_groups[0]["momentum"])
    optimizer.step(), schedule.step()

# %% tags=["fold"]
# Draw both
figure, axes = plt.subplots(
    1, 2, figsize=(9, 2.4), layout="constrained")
titles = "Learning rate: up, then down", "Momentum: down, then up"
pairs = zip((rates, momenta), titles, strict=True)
for ax, (values, title) in zip(axes, pairs, strict=True):
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
feed = batches.Batches(x, labels, 64)
history = fit(lenet, feed, test, epochs=6, watch=curve, device=device)
lenet.cpu()  # the rest of the lesson computes here
shown.update(curve)
print(curve)

# %% [markdown]
# Six epochs, and the loss has fallen to less than half of its start. More than half of the pictures in a drawing style that the net
# has never seen are right; guessing gives 10 %.

# %% tags=["author"]
first, last = history[0], history[-1]
assert last["loss"] < 0.7 * first["loss"] and last["accuracy"] > 0.4
assert settings.is_online() or (last["loss"] < 0.5 * first["loss"] and last["accuracy"] > 0.5)  # of an unseen style

# %% [markdown]
# And when it goes wrong? A learning rate a thousand times too large: the guard names the step and the likely cause.

# %% tags=["nbval-ignore-output"]
try:
    fit(nets.make("lenet"), batches.Batches(x, labels, 64), test, epochs=1, lr=50)
except FloatingPointError as error:
    print(error)

# %% [markdown]
# **Which rate, then?** Do not guess: raise it a little at each of 100 steps, from far too small to far too large, and watch the loss
# (Smith's *learning-rate finder*). Take a rate well before the curve's lowest point, where it has begun to fall.

# %% tags=["nbval-ignore-output"]
def find_rate(net, feed, low=1e-4, high=10, steps=100):
    """Return rates (N,) and the smoothed loss at each.

    It stops when the loss has exploded.
    """
    optimizer = torch.optim.SGD(net.parameters(), low, momentum=0.9)
    rates, losses = [], []
    pairs = (pair for _ in range(steps) for pair in feed)
    planned = np.geomspace(low, high, steps)
    for rate, (pictures, names) in zip(planned, pairs, strict=False):
        optimizer.param_groups[0]["lr"] = rate
        loss = loop.overfit_one_batch(
            net, pictures, names, optimizer, limit=1)[0]
        before = losses[-1] if losses else loss
        rates.append(rate)
        losses.append(0.8 * before + 0.2 * loss)
        if not losses[-1] < 4 * min(losses):
            break
    return np.array(rates), np.array(losses)

feed = batches.Batches(x, labels, 64)
rates, losses = find_rate(nets.make("lenet"), feed)

# %% tags=["fold", "nbval-ignore-output"]
# Draw the loss by learning rate
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.semilogx(rates, losses)
ax.axvline(0.05, color="0.4", ls=":", lw=1.4)
ax.text(0.045, 2.68, "the lesson's 0.05", color="0.3", ha="right")
ax.set(xlabel="learning rate", ylabel="loss", ylim=(2, 2.8),
       title="Nothing happens, it learns, it bursts");

# %% [markdown]
# **Training loss and validation loss.** 200 pictures, no augmentation, sixty epochs. **Predict** what the loss of pictures the
# net has not seen does meanwhile.

# %% tags=["nbval-ignore-output"]
def mean_loss(net, feed):
    net.eval()
    total = count = 0
    with torch.no_grad():
        for pictures, names in feed:
            loss = F.cross_entropy(net(pictures), names)
            total += loss.item() * len(names)
            count += len(names)
    return total / count

net = nets.make("lenet")
some = batches.Batches(x[:200], labels[:200], 50)
# of the same style, not trained on
kept = batches.Batches(x[-500:], labels[-500:], 500, every=True)
optimizer = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)
training, validation = [], []
for _ in range(60):
    training.append(
        loop.train_epoch(net, some, F.cross_entropy, optimizer))
    validation.append(mean_loss(net, kept))

# %% tags=["fold"]
# Draw both losses
best, red = int(np.argmin(validation)), draw.ERROR
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.plot(training, label="training")
ax.plot(validation, color=red, label="validation")
ax.plot(best, validation[best], "o", color=red)
ax.annotate("stop here", (best, validation[best]), (0, 12),
            textcoords="offset points", ha="center",
            color=draw.readable(red))
ax.set(xlabel="epoch", ylabel="loss", xlim=(0, 60), ylim=(-0.1, 5),
       title="Learnt by heart: only one of the two keeps falling")
draw.label_lines(ax);

# %% tags=["author"]
assert training[-1] < 0.1 and validation[-1] > 1.3 * validation[best] and best < 45

# %% [markdown]
# Where the validation loss turns, learning ends and learning by heart begins: **overfitting**. Stop there (*early stopping*), show more
# pictures, or change them at random each time.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from there; nothing before it is needed.

# %% tags=["again", "fold"]
# The imports and names of this sitting
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from cvlab import draw, settings, show, show_many; from cvlab.world import stickers
from cvlab.cnn_training import augmentation, batches, loop, nets, records; draw.theme("light")
fit, augment, CLASSES, record = loop.fit, augmentation.augment, stickers.CIFAR10, records.record()
images, labels, x, test_images, test_labels, x_test = records.tensors(settings.is_online())

# %% [markdown]
# ## 4 · Three networks at one budget *(16 min)*
#
# A network is a class with two methods: `__init__` makes the layers, `forward` says how a batch flows through them. **Dense**: every one of
# 3072 numbers is wired to 128 units, then 32 and 10. **LeNet-style**: 6 and 16 kernels of 5 x 5, then 120, 84 and 10. `flatten` turns maps into a row.

# %%
class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3072, 128)
        self.second = nn.Linear(128, 32)
        self.last = nn.Linear(32, 10)

    def forward(self, x):  # (B, 3, 32, 32)
        x = self.first(x.flatten(1)).relu()  # (B, 128)
        return self.last(self.second(x).relu())  # (B, 10) logits

# %%
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.dense1 = nn.Linear(400, 120)
        self.dense2 = nn.Linear(120, 84)
        self.dense3 = nn.Linear(84, 10)

    def forward(self, x):  # (B, 3, 32, 32)
        x = F.max_pool2d(self.conv1(x).relu(), 2)  # (B, 6, 14, 14)
        x = F.max_pool2d(self.conv2(x).relu(), 2)  # (B, 16, 5, 5)
        x = self.dense1(x.flatten(1)).relu()  # (B, 120)
        return self.dense3(self.dense2(x).relu())  # (B, 10)

# %%
rows = []
for mine, name in ((Dense(), "dense"), (LeNet(), "lenet")):
    theirs = nets.make(name)  # the same, as an `nn.Sequential`
    pairs = zip(mine.parameters(), theirs.parameters(), strict=True)
    with torch.no_grad():
        for a, b in pairs:
            a.copy_(b)
    same = torch.equal(mine(x[:8]), theirs(x[:8]))
    rows.append({"net": name,
                 "weights": nets.count_parameters(mine),
                 "same weights, same answers": same})
print(mine)
draw.table(rows)

# %% [markdown]
# **Residual**: five convolutions of 3 x 3, which section 7 takes apart. All three see 4000 pictures 12 times, augmented; each has the learning
# rate that did best on the *val* split. **Predict** the order, and what the dense net's 400,000 weights buy it.
#
# Three seeds of each, and the search for their rates, take a while, so they were recorded by `data/make_training.py`. The spread is the point: one run is an anecdote.

# %%
final, rows = {}, []
for name, runs in record["nets"].items():
    final[name] = np.array([(r["train"], r["test"]) for r in runs])
    train, test = 100 * final[name].T  # (seeds,) each
    rows.append({
        "net": name,
        "weights": nets.count_parameters(nets.make(name)),
        "time": np.mean([run["seconds"] for run in runs]),
        "train style": train.mean(),
        "train seeds": f"{train.min():.1f} to {train.max():.1f}",
        "unseen style": test.mean(),
        "unseen seeds": f"{test.min():.1f} to {test.max():.1f}",
    })
print("on one thread of", record["machine"])
percent = ("train style", "unseen style")
draw.table(rows, digits={"time": 0} | dict.fromkeys(percent, 1),
           units={"time": "s"} | dict.fromkeys(percent, "%"))

# %%
unseen = {name: 100 * both[:, 1] for name, both in final.items()}
dense_mean, lenet_mean, resnet_mean = (
    scores.mean() for scores in unseen.values())
share = rows[1]["weights"] / rows[0]["weights"]
print(f"LeNet: {lenet_mean - dense_mean:.0f} points more than dense, "
      f"with {share:.0%} of the weights;")
print(f"the residual net: {resnet_mean - lenet_mean:.0f} more again; "
      f"LeNet's seeds differ by {np.ptp(unseen['lenet']):.0f}")

# %% tags=["author"]
assert 10 < lenet_mean - dense_mean < 25 and unseen["lenet"].min() > unseen["dense"].max()
assert 8 < resnet_mean - lenet_mean < 20 and unseen["resnet"].min() > unseen["lenet"].max()

# %% tags=["fold"]
# Draw each net's mean and the spread of its seeds
import seaborn as sns

BLUE, _, _, PINK, ORANGE, _ = draw.PALETTE
figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
for name, color in zip(final, (PINK, ORANGE, BLUE), strict=True):
    runs = record["nets"][name]
    values = np.array([run["accuracies"] for run in runs])
    epoch = np.tile(range(1, 13), len(runs))
    sns.lineplot(x=epoch, y=100 * values.ravel(), ax=ax,
                 errorbar=("pi", 100), err_kws={"lw": 0},
                 color=color, label=name)
ax.set(xlabel="epoch", ylabel="right, unseen style (%)",
       xticks=range(1, 13), xlim=(1, 12),
       title="In the end convolution beats dense for every seed")
draw.label_lines(ax);

# %% [markdown]
# LeNet's first version had **Tanh** behind its layers. Does ReLU matter in a net this small? Same net, same budget, its own best rate:

# %%
runs = {"ReLU": record["nets"]["lenet"],
        "Tanh": record["tanh"]["runs"]}
scores = {name: np.array([run["test"] for run in three])
          for name, three in runs.items()}
draw.table([
    {"LeNet with": name, "unseen style": values.mean(),
     "worst seed": values.min(), "best seed": values.max()}
    for name, values in scores.items()
], digits=".1%")

# %% tags=["author"]
assert settings.is_online() or scores["Tanh"].min() > scores["ReLU"].max()

# %% [markdown]
# A surprise: in a net of five layers Tanh does *better*, for every seed. AlexNet's authors saw their deep net learn six times sooner with ReLU;
# that is no law for yours. Measure.

# %% [markdown]
# Is the record honest? Train the cheapest one again, here and now, and time an epoch of each.

# %% tags=["nbval-ignore-output"]
from time import perf_counter

test = batches.Batches(x_test, test_labels, 500, every=True)

def train(name, epochs, lr=0.05):
    feed = batches.Batches(x, labels, 64, change=augment)
    start = perf_counter()
    history = fit(nets.make(name), feed, test, epochs, lr)
    return perf_counter() - start, history[-1]["accuracy"]

times = {name: train(name, 1)[0] for name in final}
chosen = record["rates"]["dense"]["chosen"]
_, live = train("dense", 12, chosen)
recorded = final["dense"][0, 1]
print(f"dense, seed 0: recorded {recorded:.3f}, now {live:.3f}")
draw.table([
    {"net": name, "epoch, dense = 1": spent / times["dense"]}
    for name, spent in times.items()], digits=1)

# %%
agree = bool(abs(live - recorded) < 0.05)
print("the record and this machine agree within 5 points:", agree)

# %% tags=["author"]
assert agree or settings.is_online()  # the record is of stickers

# %% [markdown]
# ## 5 · What did it learn? *(18 min)*
#
# Back to the LeNet of the first page. Which of its kernels turn into edges, and which into colours? And its mistakes are not
# the same all the time: the table of true and said classes has something to find.

# %%
from cvlab.widgets import TrainingExplorer

TrainingExplorer(
    epoch=12,
    task="Find the epoch at which horses are mostly called trucks.",
    goal=lambda now: now["worst"][:2] == ("horse", "truck"))

# %% [markdown]
# **Did it find the nine numbers?** The residual net's first layer has sixteen kernels of 3 x 3. Compare each (the mean over its colours) with the four
# edge kernels of lesson 02, known as Sobel's, by the *cosine*: 1 is the same pattern, 0 has nothing in common. Chance also looks like an edge at times, so 200
# random starts of the same layer are counted too.

# %%
across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
slanted = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
SOBEL = np.stack([across, across.T, slanted, slanted[::-1]])
DIRECTIONS = SOBEL.reshape(4, 9) / np.sqrt(12)

def likeness(kernels):
    """Return the cosines of (K, 3, 3, 3) kernels with Sobel's.

    It is (K, 4), up to the sign.
    """
    grey = kernels.mean(1).reshape(len(kernels), 9)
    grey = grey - grey.mean(1, keepdims=True)
    size = np.linalg.norm(grey, axis=1, keepdims=True)
    return np.abs(grey @ DIRECTIONS.T / size)

first = records.load_net("resnet")[0].weight.numpy()
learnt = likeness(first).max(1)  # the nearest of the four
starts = (nets.make("resnet", seed)[0] for seed in range(200))
chance = np.array([likeness(conv.weight.detach().numpy()).max(1)
                   for conv in starts])
order = learnt.argsort()[::-1]
edges, by_chance = (learnt > 0.85).sum(), (chance > 0.85).sum(1)
print(f"the best four: {learnt[order[:4]].round(2)}; above 0.85: "
      f"{edges} learnt, {by_chance.mean():.1f} by chance")

# %% tags=["author"]
assert settings.is_online() or edges > by_chance.max()

# %% tags=["fold"]
# Draw how many kernels look like an edge
import seaborn as sns

figure, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
sns.countplot(x=by_chance, order=range(17), color="0.75", ax=ax)
heights = [int(bar.get_height()) for bar in ax.patches]
ax.bar_label(ax.containers[0], [count or "" for count in heights])
ax.axvline(edges, color=draw.PREDICTION, lw=3)
ax.text(edges + 0.12, 120, f"the trained net: {edges}",
        color=draw.PREDICTION)
ax.set(xlabel="kernels of sixteen with a cosine above 0.85",
       ylabel="starts of 200", xlim=(-0.6, 9.5), ylim=(0, 185))
ax.set_title(f"Kernels like an edge: {edges} in the trained net, at "
             f"most {by_chance.max()} in a random start");

# %%
span = np.abs(first[order[:8]]).max(axis=(1, 2, 3), keepdims=True)
tiles = (first[order[:8]] / span / 2 + 0.5).transpose(0, 2, 3, 1)
titles = [f"cos {value:.2f}" for value in learnt[order[:8]]]
show_many(tiles.repeat(12, 1).repeat(12, 2), titles=titles, cols=8)

best = first[order[0]].mean(0)  # over its colours
near = SOBEL[likeness(first[order[:1]])[0].argmax()]
near = near * np.sign((near * best).sum()) + 0.0
scaled = 2 * best / np.abs(best).max()
show_many([scaled, near], titles=["learnt, scaled", "Sobel"],
          numbers=True, signed=True);

# %% [markdown]
# Yes: nobody told it what an edge is, only the names of the pictures.
#
# Deeper layers see larger pieces of the picture, and their maps are smaller. At which depth do *you* no longer see what it is? The net decides after that.

# %%
from cvlab.widgets import FeatureMaps

FeatureMaps()

# %% [markdown]
# Now look at the **worst mistakes**: wrong, and sure of it. This is the cheapest debugging there is: wrong labels, bad crops and
# confusing classes show at once. Each title says what it is, then what the net took it for.

# %%
net = records.load_net("resnet")
with torch.no_grad():  # in parts: it needs less memory
    logits = torch.cat([net(part) for part in x_test.split(100)])
probabilities = logits.softmax(dim=1).numpy()  # (N, 10)
said, sure = probabilities.argmax(1), probabilities.max(1)
wrong = np.flatnonzero(said != test_labels)
worst = wrong[np.argsort(-sure[wrong], kind="stable")][:10]
titles = [f"{CLASSES[test_labels[i]]}: {CLASSES[said[i]]}?"
          for i in worst]
show_many(test_images[worst], titles=titles, cols=5)
print(f"{len(wrong) / len(said):.0%} wrong; "
      f"of these ten it was {sure[worst].min():.0%} sure or more")

# %% [markdown]
# A softmax of 95 % is not a promise: the net has never seen this style, and nothing in it says "I do not know".
#
# And all mistakes at once, counted: a **confusion matrix**. Which of them would you make as well?

# %% tags=["fold"]
# Draw the confusion matrix: right is green, mistakes are orange
import seaborn as sns

counts = np.zeros((10, 10), int)
np.add.at(counts, (test_labels, said), 1)
right = np.eye(10, dtype=bool)
wrong = np.where(right, 0, counts)
true, called = np.unravel_index(wrong.argmax(), wrong.shape)
figure, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
for color, hidden, most in ((draw.TRUTH, ~right, 100),
                            (draw.ERROR, right, 25)):
    sns.heatmap(counts, mask=hidden | (counts == 0), ax=ax,
                cmap=sns.light_palette(color, as_cmap=True),
                vmin=0, vmax=most, annot=True, fmt="d",
                cbar=False, linewidths=1, xticklabels=CLASSES,
                yticklabels=CLASSES)
ax.set(xlabel="the net says", ylabel="it is")
ax.grid(False)
ax.tick_params(length=0)
ax.set_title(
    f"The commonest mistake: {CLASSES[called]} for {CLASSES[true]}, "
    f"{wrong.max()} of {counts[true].sum()} times");

# %% [markdown]
# ## 6 · Three famous networks, counted *(12 min)*
#
# Three networks that made history, counted layer by layer as torchvision defines them. (Its `alexnet` is the author's own slimmer version
# of 2014; the one of 2012 had 96 kernels in its first layer, took 227 x 227 pixels and ran in two halves on two GPUs.) On the "meta" device a tensor has a shape
# and no numbers, so this costs no memory.

# %%
import torchvision

FAMOUS = ("alexnet", "vgg16", "resnet18")
tables, rows = {}, []
for name in FAMOUS:
    with torch.device("meta"):
        net = getattr(torchvision.models, name)()
    tables[name] = layers = nets.layer_table(net)
    weights, activations, multiplies = (
        sum(layer[key] for layer in layers)
        for key in ("parameters", "activations", "multiplies"))
    dense = sum(layer["parameters"] for layer in layers
                if layer["kind"] == "Linear")
    rows.append({
        "net": name, "layers": len(layers), "weights": weights,
        "in dense layers": dense / weights,
        "size": weights * 4 / 1e6,
        "activations": activations,
        "multiply-adds": multiplies / 1e9})
draw.table(
    rows, units={"size": "MB", "multiply-adds": "billion"},
    digits={"in dense layers": ".0%", "size": 0,
            "multiply-adds": 2})

# %% tags=["fold"]
# Draw weights and work, layer by layer
figure, axes = plt.subplots(
    2, 3, figsize=(9, 4.4), layout="constrained", sharex="col")
colors = {"Conv2d": draw.PALETTE[0], "Linear": draw.PALETTE[4]}
for i, (name, layers) in enumerate(tables.items()):
    numbers = range(1, len(layers) + 1)
    kinds = [colors[layer["kind"]] for layer in layers]
    weights = [layer["parameters"] / 1e6 for layer in layers]
    work = [layer["multiplies"] / 1e9 for layer in layers]
    axes[0, i].bar(numbers, weights, color=kinds)
    axes[1, i].bar(numbers, work, color=kinds)
    axes[0, i].set_title(name)
    axes[1, i].set(xlabel="layer", xticks=numbers[::2])
axes[0, 0].set_ylabel("million weights")
axes[1, 0].set_ylabel("billion mult-adds")
words = {"convolution": "Conv2d", "dense": "Linear"}
for y, (word, kind) in zip((33, 26), words.items(), strict=True):
    axes[0, 0].text(1, y, word, weight="bold",
                    color=draw.readable(colors[kind]))
figure.suptitle("AlexNet, VGG: dense layers hold the weights, "
                "convolutions do the work", x=0, ha="left");

# %% [markdown]
# ResNet-18 has 18 layers on its main path; the table's 21 count three 1 x 1 convolutions on shortcuts, and leave out BatchNorm's 9,600 numbers.
#
# **AlexNet** (2012) made ReLU popular, and *dropout* (half of the dense units silenced at random while training), *overlapping pooling* (windows of 3,
# stride 2) and *local response normalisation* (channels compete with their neighbours). The last has gone: torchvision's AlexNet leaves it
# out. All run in one line each:

# %%
small = torch.arange(1.0, 8)
torch.manual_seed(0)
channels = torch.tensor([1.0, 10, 1, 1, 1])
pooled = F.max_pool1d(small[None], 3, stride=2)[0]
dropped = F.dropout(torch.ones(7), 0.5)
competed = F.local_response_norm(
    channels.reshape(1, 5, 1, 1), 3, alpha=1.0).flatten()

def row(values, form="{:.0f}"):
    return "  ".join(form.format(value) for value in values)

draw.table([
    {"layer": "overlapping pooling", "in": row(small),
     "out": row(pooled)},
    {"layer": "dropout, kept ones doubled",
     "in": row(torch.ones(7)), "out": row(dropped)},
    {"layer": "local response norm", "in": row(channels),
     "out": row(competed, "{:.2f}")},
])

# %% [markdown]
# ### VGG: two 3 x 3 for one 5 x 5
#
# Both see 5 x 5 pixels. With C channels in and out: 2 · 9 C² against 25 C² weights, and one more ReLU. Does it help? Three seeds
# each of a small net, recorded.

# %%
from cvlab.convolutions.receptive import receptive_field

rows = []
for label, sides in {"one 5x5": (5,), "two 3x3": (3, 3)}.items():
    scores = [run["test"] for run in record["stacks"][label]]
    field = receptive_field([(k, 1, 1) for k in sides])
    rows.append({"stack": label,
                 "weights": sum(16 * 16 * k * k for k in sides),
                 "it sees": f"{field} x {field}",
                 "accuracy": np.mean(scores),
                 "worst seed": min(scores),
                 "best seed": max(scores)})
draw.table(rows, digits=dict.fromkeys(
    ("accuracy", "worst seed", "best seed"), ".1%"))

# %%
five, three = rows
share = three["weights"] / five["weights"]
print("the same accuracy, within the spread of the seeds, with "
      f"{share:.0%} of the weights")

# %% tags=["author"]
assert abs(five["accuracy"] - three["accuracy"]) < 0.03  # no difference that three seeds could show

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from there; nothing before it is needed.

# %% tags=["again", "fold"]
# The imports and names of this sitting
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from cvlab import check, draw, hint, settings, show, show_many, solution; draw.theme("light")
from cvlab.cnn_training import batches, loop, nets, records
from cvlab.cnn_training.augmentation import augment, spoil; record = records.record()
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
    """Many layers, plain or with a shortcut round each pair."""
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
    """Draw each convolution's weights with variance 2 / fan_in."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            # the numbers that meet in one output
            fan_in = layer.weight[0].numel()
            nn.init.normal_(layer.weight, 0, (2 / fan_in) ** 0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net

# %% [markdown]
# One batch through three twenty-layer nets, none with shortcuts. **Predict** how much of the gradient reaches layer 1 of each.

# %%
def by_layer(net):
    """Return each convolution's spread and gradient's size.

    The spread is its output's, for one batch.
    """
    spreads, layers = [], []
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layers.append(layer)
    hooks = [layer.register_forward_hook(
        lambda m, given, out: spreads.append(out.std().item()))
        for layer in layers]
    some = torch.as_tensor(labels[:64])
    F.cross_entropy(net(x[:64]), some).backward()
    for hook in hooks:
        hook.remove()
    return spreads, [m.weight.grad.norm().item() for m in layers]

def seeded(build):
    torch.manual_seed(0)
    return build()

# %%
starts = {
    "torch's start": seeded(lambda: deep_net(20)),
    "He's start": seeded(lambda: he_init(deep_net(20))),
    "He's, BatchNorm": seeded(
        lambda: he_init(deep_net(20, norm=True))),
}
starts = {name: by_layer(net) for name, net in starts.items()}
draw.table([{"net": name, "gradient at layer 1": sizes[0]}
            for name, (_, sizes) in starts.items()], digits=".0e")

# %% tags=["fold"]
# Draw signals and gradients, layer by layer
BLUE, RED, _, _, ORANGE, _ = draw.PALETTE
figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained")
for name, color in zip(starts, (RED, ORANGE, BLUE), strict=True):
    for ax, values in zip(axes, starts[name], strict=True):
        ax.semilogy(range(1, 20), values, color=color, marker=".",
                    label=name)
axes[0].set_ylabel("spread of the signals")
axes[1].set_ylabel("size of the gradients")
for ax in axes:
    ax.set(xlabel="layer", xticks=range(1, 20, 3))
draw.label_lines(axes[1])
figure.suptitle("With a well-scaled start, signals and gradients "
                "reach all nineteen layers", x=0, ha="left");

# %% tags=["author"]
at_layer_1 = {name: values[1][0] for name, values in starts.items()}
assert at_layer_1["torch's start"] < 1e-6
assert min(at_layer_1["He's start"], at_layer_1["He's, BatchNorm"]) > 1e-3

# %% [markdown]
# So it is not the depth: nineteen layers hand a healthy gradient on, if they start at the right scale. **First cause: a badly scaled start.** Is it the
# whole story? Train each for 200 steps at three rates, three seeds (recorded). Guessing costs 2.30.

# %%
moved = {
    name: (np.array(list(rates.values())) < 2.28).sum()
    for name, rates in record["depth"]["start"].items()
}
print("of nine runs each get below 2.28:", moved["torch"], "with "
      f"torch's start, {moved['he']} with He's, "
      f"{moved['norm']} with He's and BatchNorm")

# %% tags=["author"]
assert moved["torch"] == 0 and moved["he"] < 5 and moved["norm"] == 9

# %% tags=["fold"]
# Draw every run's loss
import seaborn as sns

figure, axes = plt.subplots(
    1, 3, figsize=(9, 3), layout="constrained", sharey=True)
names = ("torch's start", "He's start", "He's, BatchNorm")
recorded = record["depth"]["start"].items()
for ax, name, (key, rates) in zip(axes, names, recorded, strict=True):
    aside = np.tile([-0.12, 0, 0.12], len(rates))
    places = np.repeat(np.arange(len(rates)), 3) + aside
    losses = np.concatenate(list(rates.values()))
    ax.axhline(np.log(10), color="0.5", lw=1.2, ls=":")
    sns.scatterplot(x=places, y=losses, color=BLUE, s=60,
                    alpha=0.8, ax=ax)
    ax.set_xticks(range(len(rates)), list(rates))
    ax.set(xlabel="learning rate", ylim=(1.7, 2.4))
    ax.set_title(f"{name}: {moved[key]} of 9 move", size=12)
axes[0].set_ylabel("loss after 200 steps")
axes[0].text(-0.15, 2.33, "guessing: 2.30", size=10, color="0.35");

# %% [markdown]
# With torch's start no run gets anywhere. He's start alone moves three of nine, with BatchNorm all nine move. Why is a good start not enough? Look at the
# signals again, after 20 steps:

# %%
net = seeded(lambda: he_init(deep_net(20)))
before = by_layer(net)[0]
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
few = batches.Batches(x[:1280], labels[:1280], 64)  # 20 steps
loop.train_epoch(net, few, F.cross_entropy, optimizer)
after = by_layer(net)[0]
draw.table([
    {"spread of the signals": name}
    | {f"layer {n}": spreads[n - 1] for n in (1, 7, 13, 19)}
    for name, spreads in {"He's start": before,
                          "after 20 steps": after}.items()
], digits=2)

# %% tags=["author"]
assert after[-1] < 0.3 * before[-1]

# %% [markdown]
# The steps themselves have moved the scale: at the end of the net little signal is left.
#
# ### BatchNorm by hand
#
# **BatchNorm** keeps the scale right *during* training, layer by layer. In training each channel's mean over the batch is subtracted, and what is left divided by its spread; then two
# learnt numbers a channel scale and shift it again. And it keeps **running averages** of mean and variance, for the day when there is no batch: evaluation uses those.

# %%
def batch_norm(x, running, scale, shift, training, share=0.1):
    """Return (B, C, H, W) normalised by channel.

    `running`, a dict of mean and var, (C,), is brought up to date
    in training.
    """
    if training:
        mean = x.mean((0, 2, 3))  # (C,) of this batch
        var = x.var((0, 2, 3), correction=0)
        now, kept = {"mean": mean, "var": x.var((0, 2, 3))}, 1 - share
        for name in running:
            running[name] = kept * running[name] + share * now[name]
    else:
        mean, var = running["mean"], running["var"]
    mean, var, scale, shift = (
        v[None, :, None, None] for v in (mean, var, scale, shift))
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift

# %%
library, rows = nn.BatchNorm2d(3), []
running = {"mean": torch.zeros(3), "var": torch.ones(3)}
for training in (True, True, False):
    batch = x[32:40]
    if training:
        batch = x[:32].contiguous() * 3 + 1
    library.training = training
    ours = batch_norm(
        batch, running, library.weight, library.bias, training)
    same = torch.allclose(ours, library(batch), atol=1e-5)
    rows.append({"mode": "training" if training else "evaluation",
                 "equal to torch's": same})
draw.table(rows)

# %% tags=["author"]
assert all(row["equal to torch's"] for row in rows)

# %% [markdown]
# ### Trap: the forgotten `eval()`
#
# In training mode an answer depends on *who else is in the batch*. Our residual net has 78 % of the unseen style right. **Predict** what it has when the
# mode is wrong, with mixed batches, and with batches of one class each, as they come when files are sorted by folder.

# %%
import copy

by_class = np.argsort(test_labels, kind="stable")
orders = {"mixed": np.arange(len(x_test)),
          "of one class each": by_class}
rows = []
for name, order in orders.items():
    rows.append({"batches of 20": name})
    for mode in ("eval", "train"):
        # a copy: training mode changes what it remembers
        net = copy.deepcopy(records.load_net("resnet"))
        net.train(mode == "train")
        with torch.no_grad():
            said = torch.cat([
                net(x_test[part]).argmax(1)
                for part in torch.from_numpy(order).split(20)])
        right = (said.numpy() == test_labels[order]).mean()
        rows[-1][f"in {mode} mode"] = right
draw.table(rows, digits=".0%")

# %% tags=["author"]
mixed, sorted_by_class = rows
assert settings.is_online() or min(row["in eval mode"] for row in rows) > 0.7
assert settings.is_online() or sorted_by_class["in train mode"] < 0.5

# %% [markdown]
# No error, no warning; nothing but wrong answers. `model.eval()` before you measure, `model.train()` before you go on: that is why `accuracy`
# had to set the mode.
#
# ### What does BatchNorm buy?
#
# Four convolutions, He's start, 150 steps, three rates, three seeds, with and without (recorded):

# %% tags=["fold"]
# Draw the loss by learning rate, with the spread of the seeds
import seaborn as sns

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
recorded = record["depth"]["rates"].items()
colors = {"without": ORANGE, "with": BLUE}
for name, rates in recorded:
    places = np.repeat([float(rate) for rate in rates], 3)
    losses = np.concatenate(list(rates.values()))
    sns.lineplot(x=places, y=losses, ax=ax,
                 errorbar=("pi", 100), err_kws={"lw": 0},
                 color=colors[name], label=f"{name} BatchNorm")
    ax.plot(places, losses, "o", ms=5, color=colors[name])
ax.hlines(np.log(10), 0.01, 0.5, color="0.5", lw=1.2, ls=":")
ax.text(0.0095, 2.34, "guessing", size=10, color="0.35")
ax.set(xscale="log", xlabel="learning rate",
       ylabel="loss after 150 steps")
ax.set_title("High rates are BatchNorm's gift: at 0.5 only its "
             "net learns")
ax.set_xticks([0.01, 0.1, 0.5], ["0.01", "0.1", "0.5"])
ax.minorticks_off()
draw.label_lines(ax);

# %% tags=["author"]
low, high = (record["depth"]["rates"][name] for name in ("without", "with"))
assert min(low["0.5"]) > 2.28 > max(high["0.5"]) and max(high["0.1"]) < min(sum(low.values(), []))

# %% [markdown]
# At 0.01 the two hardly differ. BatchNorm's gift is the **high rates**: at 0.5 only its net learns, and at 0.1 it gets lower than the other does anywhere.
#
# ### The degradation
#
# Now every net has both cures. Deeper should be better, or at least as good: in a net of 20 layers, 12 could simply change nothing, and it would be the net of 8. **Predict** the *training*
# loss at 8, 20 and 32 layers, plain and with shortcuts.

# %% tags=["fold"]
# Draw the training loss by depth, and every seed
import seaborn as sns

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
recorded = record["depth"]["degradation"].items()
colors = {"plain": ORANGE, "shortcuts": BLUE}
for name, by_depth in recorded:
    depths = np.repeat([int(n) for n in by_depth], 3)
    losses = np.concatenate(list(by_depth.values()))
    sns.lineplot(x=depths, y=losses, ax=ax,
                 errorbar=("pi", 100), err_kws={"lw": 0},
                 color=colors[name], label=name)
    ax.plot(depths, losses, "o", ms=5, color=colors[name])
ax.set(xlabel="layers", ylabel="training loss after 400 steps",
       xticks=[8, 20, 32], ylim=0,
       title="Deeper is worse when plain, better with shortcuts")
draw.label_lines(ax);

# %%
deep = record["depth"]["degradation"]

def reach(name):
    net = deep_net(32, shortcuts=name == "shortcuts", norm=True)
    return by_layer(he_init(net))[1][0]

rows = [
    {"net": name}
    | {f"loss, {n} layers": np.mean(deep[name][n]) for n in deep[name]}
    | {"gradient at layer 1 of 32": seeded(lambda n=name: reach(n))}
    for name in deep
]
draw.table(rows, digits={"gradient at layer 1 of 32": 1})

# %% tags=["author"]
plain, short = deep["plain"], deep["shortcuts"]
assert min(plain["32"]) > max(plain["8"]) and max(short["32"]) < min(plain["32"])
assert max(short["20"] + short["32"]) < min(short["8"])
assert min(row["gradient at layer 1 of 32"] for row in rows) > 0.1

# %% [markdown]
# The plain net's gradient is healthy, so vanishing gradients are not what hurts it; He and others say the same of theirs. Their own guess: *to change nothing* is
# hard to learn for a stack of layers, and easy for a block that **adds**: its layers only have to be 0. That the second half is true you will see after the exercise;
# the first half stayed a guess.

# %% [markdown]
# **Exercise.** Write `ResidualBlock`: conv, norm, ReLU, conv, norm; add the shortcut; ReLU. Convolutions of 3 x 3 without bias;
# the first has the stride. The shortcut is the input itself, or a bare 1 x 1 convolution without bias where channels or stride change the shape.
# `x` stays as it is.

# %% tags=["exercise"]
class ResidualBlock(nn.Module):
    """From (B, channels_in, H, W) to (B, channels_out, ...).

    The output has H / stride rows and W / stride columns.
    """

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
        y = self.norm1(self.conv1(x)).relu()
        y = self.norm2(self.conv2(y))  # (B, channels_out, H / stride, W / stride)
        return (y + self.shortcut(x)).relu()
        ### END SOLUTION

# %%
check(ResidualBlock)

# %% [markdown]
# With its last norm at 0, a block hands its input on. And with equal weights it is torchvision's `BasicBlock` (whose 1 x 1 shortcut also has a
# BatchNorm, where ours has none):

# %%
from torchvision.models.resnet import BasicBlock, Bottleneck

idle = nets.ResidualBlock(8, 8)
nn.init.zeros_(idle.norm2.weight)
maps = torch.rand(2, 8, 5, 5)  # after a ReLU, never negative
print("an idle block changes nothing:", torch.equal(idle(maps), maps))

ours, theirs = nets.ResidualBlock(8, 8), BasicBlock(8, 8)
pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
with torch.no_grad():
    for a, b in pairs:
        b.copy_(a)
print("equal to BasicBlock:", torch.equal(ours(maps), theirs(maps)))

# %% [markdown]
# ResNet-50 uses a **bottleneck** instead: 1 x 1 down to a quarter of the channels, 3 x 3 there, 1 x 1 up again. What does that save, at 256 channels?

# %%
def weights_of(block):
    return [m.weight.numel() for m in block.modules()
            if isinstance(m, nn.Conv2d)]

blocks = {"two 3 x 3": weights_of(BasicBlock(256, 256)),
          "bottleneck": weights_of(Bottleneck(256, 64))}
draw.table([
    {"block": name,
     "by layer": " + ".join(f"{n:,}" for n in weights),
     "weights": sum(weights)} for name, weights in blocks.items()
])

# %% tags=["author"]
assert [sum(weights) for weights in blocks.values()] == [2 * 9 * 256**2, 2 * 256 * 64 + 9 * 64**2]

# %% [markdown]
# ## 8 · What does it not understand? *(14 min)*
#
# You would still name most of these copies. (Where a change leaves a gap at an edge, the picture is mirrored into it.) Two LeNets name
# them too, one trained *plain*, one *augmented*, on changed pictures. **Predict** which change hurts most, and which one the
# nets would be the last to notice.

# %%
levels = {"shift": 6, "rotate": 45, "scale": 0.6,
          "hue": 90, "shuffle": 4}
spoilt = [spoil(x_test[[3]], **{kind: amount})[0]
          for kind, amount in levels.items()]
pictures = [((t + 2) / 4).clip(0, 1).permute(1, 2, 0).numpy()
            for t in (x_test[3], *spoilt)]
titles = [f"{kind} {amount}" for kind, amount in levels.items()]
show_many(pictures, titles=["a cat", *titles], cols=6);

# %% tags=["fold"]
# Draw accuracy by the strength of each change, three seeds
import seaborn as sns

COLORS = {"plain": ORANGE, "augmented": BLUE}
UNITS = {"shift": "pixels", "rotate": "degrees", "scale": "times",
         "hue": "degrees", "shuffle": "parts a side"}
figure, axes = plt.subplots(
    1, 5, figsize=(9, 3.2), layout="constrained", sharey=True)
changes = record["spoilt"].items()
for ax, (kind, amounts) in zip(axes, changes, strict=True):
    for name, color in COLORS.items():
        seeds = [curves[kind] for curves in record["curves"][name]]
        sns.lineplot(x=amounts * 3, y=100 * np.concatenate(seeds),
                     errorbar=("pi", 100), err_kws={"lw": 0},
                     color=color, ax=ax)
    ax.axhline(10, color="0.5", lw=1.2, ls=":")
    ax.set(title=kind, xlabel=UNITS[kind], ylim=(0, 80), xticks=amounts[::2])
axes[2].invert_xaxis()
axes[0].set_ylabel("right (%), three seeds")
axes[0].text(0, 11.5, "guessing", size=10, color="0.35")
for y, (name, color) in zip((72, 65), COLORS.items(), strict=True):
    axes[1].text(180, y, name, ha="right", weight="bold",
                 color=draw.readable(color))
figure.suptitle("Far shifts, turned hues and mixing hurt most; "
                "augmentation helps most with hue", x=0, ha="left");

# %% [markdown]
# Read the curves with what the pictures *already* contain: every sticker is drawn turned by up to 20 degrees, mirrored or not, moved by up to 3 pixels,
# 19 to 30 pixels large, brighter or darker. So shift 2, rotate 15 and scale 0.8 are nothing new to either net, and cost 3 to 5 points. What no
# training picture shows is a far turn, a far shift, another hue, or parts in disorder.
#
# The augmented net was trained with more: mirrored, moved by up to 4 pixels, its colour channels made stronger or weaker. What did that buy, at
# equal epochs?

# %%
gain = {}
for kind in record["spoilt"]:
    plain, augmented = (
        np.mean([run[kind] for run in record["curves"][name]], axis=0)
        for name in ("plain", "augmented"))
    gain[kind] = 100 * (augmented - plain)
points = np.concatenate(list(gain.values()))
print(f"points of accuracy: from {points.min():+.0f} "
      f"to {points.max():+.0f}")

# %% tags=["fold"]
# Draw what augmentation won and lost
widths = [max(9, len(amounts) * max(len(str(a)) for a in amounts))
          for amounts in record["spoilt"].values()]
figure, axes = plt.subplots(
    1, 5, figsize=(9, 3.2), layout="constrained", sharey=True,
    width_ratios=widths)
for ax, (kind, points) in zip(axes, gain.items(), strict=True):
    amounts = [str(amount) for amount in record["spoilt"][kind]]
    colors = np.where(points > 0, draw.TRUTH, draw.ERROR)
    bars = ax.bar(amounts, points, color=colors)
    words = [f"{value:+.0f}".replace("-", "−") for value in points]
    ax.bar_label(bars, words, size=10, padding=1)
    ax.axhline(0, color="0.3", lw=1)
    ax.set(title=kind, xlabel=UNITS[kind], ylim=(-11, 22))
axes[0].set_ylabel("points of accuracy")
figure.suptitle("Augmentation bought most against a turned hue, "
                "and cost on turned pictures", x=0, ha="left");

# %% tags=["author"]
assert gain["hue"][1:4].min() > 8 and gain["shift"][3] > 0
assert gain["rotate"][1:4].max() < 0 and gain["shift"][0] < 0 and gain["scale"][0] < 0

# %% [markdown]
# It bought most against a turned **hue**, up to 19 points, though no hue was ever turned: channels were made stronger and weaker. It bought 5 to 7 points against
# shifts of 6 and 8, farther than any shown. And it **cost**: 2 points on clean pictures (12 epochs are short for harder ones), up to 8 on turned and 5 on
# enlarged ones. What a change buys can reach beyond what was shown, and is paid for elsewhere. Nobody guesses this well; measuring it is one cell.
#
# One net, live, to be sure that the record is true:

# %%
pair = {"plain": records.load_net("lenet", augmented=False),
        "augmented": records.load_net("lenet")}
turned = batches.Batches(
    spoil(x_test, hue=60), test_labels, 500, every=True)
scores = {name: loop.accuracy(net, turned)
          for name, net in pair.items()}
del turned  # 12 MB
print(f"hue 60, seed 0: plain {scores['plain']:.2f}, "
      f"augmented {scores['augmented']:.2f}")

# %% tags=["author"]
assert settings.is_online() or scores["augmented"] > scores["plain"] + 0.05

# %% [markdown]
# ### The Picasso problem
#
# Max pooling keeps *that* something was found and drops *where*. A face with its eyes below its mouth has all the parts of a face. Cut into
# 2 x 2 parts and mixed, do our pictures still count as what they were?

# %%
shuffled = np.mean(
    [curves["shuffle"] for curves in record["curves"]["augmented"]],
    axis=0)
halves = batches.Batches(
    spoil(x_test, shuffle=2), test_labels, 500, every=True)
residual = {2: loop.accuracy(records.load_net("resnet"), halves)}
del halves  # 12 MB
draw.table([
    {"cut into": f"{n} x {n} parts", "LeNet": value,
     "residual, global pooling": residual.get(n)}
    for n, value in zip((1, 2, 4, 8), shuffled, strict=True)
], digits=".0%")

# %% tags=["author"]
assert 0.12 < shuffled[1] < 0.35

# %% [markdown]
# Half a truth, then. LeNet falls to about 23 %: its dense layers know *where* in the picture a map fired. What is left, here as in the
# residual net, is above the 10 % of guessing: some of a class is in its parts and colours, wherever they lie.
#
# **Pose** is position, angle and size together. A CNN has no number for it: it needs examples of each. *Capsule networks* (Sabour,
# Frosst, Hinton, 2017) wanted to carry a small vector per part, with its pose, and let parts vote for a whole only when their poses agree.
# They stayed slow and small; augmentation and more data won. The question stayed good.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from there; nothing before it is needed.

# %% tags=["again", "fold"]
# The imports and names of this sitting
import matplotlib.pyplot as plt, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from cvlab import draw, progress, settings, show, show_many; draw.theme("light")
from cvlab.cnn_training import batches, loop, nets, records
record = records.record()
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

work = Path(tempfile.mkdtemp())  # not beside the notebook
lenet = records.load_net("lenet")
twin = nets.make("lenet", seed=9)
checkpoint.save_weights(work / "lenet.safetensors", lenet)
checkpoint.load_weights(work / "lenet.safetensors", twin)
same = torch.equal(lenet.eval()(x[:8]), twin.eval()(x[:8]))
print("equal answers:", same)
torch.save(lenet.state_dict(), work / "lenet.pt")
print(list(torch.load(work / "lenet.pt", weights_only=True))[:2])
try:
    four = nets.make("lenet", classes=4)
    checkpoint.load_weights(work / "lenet.safetensors", four)
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
        feed = batches.Batches(x[:640], labels[:640], 64, seed=seed)
        loop.train_epoch(net, feed, F.cross_entropy, optimizer)
    return net

whole = epochs(*begin(), seeds=(1, 2))
net, optimizer = begin()
half = epochs(net, optimizer, seeds=(1,))
checkpoint.save_checkpoint(work / "half.pt", half, optimizer, epoch=1);

# %%
net, optimizer = begin()
done = checkpoint.load_checkpoint(work / "half.pt", net, optimizer)
print("progress:", done)
resumed = epochs(net, optimizer, seeds=(2,))
net, optimizer = begin()
# weights only: the velocity is forgotten
checkpoint.load_checkpoint(work / "half.pt", net)
forgetful = epochs(net, optimizer, seeds=(2,))
for how, net in (("with", resumed), ("without", forgetful)):
    same = torch.equal(net[0].weight, whole[0].weight)
    print("resumed", how, "its momentum, equal to the whole:", same)

# %% [markdown]
# **Logging.** `print` cannot be switched off; a logger has levels: here nothing below `INFO` appears.

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
run = record["nets"]["lenet"][0]
history = [{"loss": loss, "accuracy": right} for loss, right in
           zip(run["losses"], run["accuracies"], strict=True)]
try:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(work / "tensorboard") as writer:
        for step, epoch in enumerate(history):
            writer.add_scalars("lenet", epoch, step)
    files = [path for path in (work / "tensorboard").rglob("*")
             if path.is_file()]
    print(f"{len(files)} files written; look at them with: "
          "tensorboard --logdir FOLDER")
except ImportError:
    print("TensorBoard is not installed: pip install tensorboard")

# %% tags=["nbval-ignore-output"]
import os

# not even its own errors are sent
os.environ |= {"WANDB_ERROR_REPORTING": "false",
               "WANDB_SILENT": "true"}
try:
    import wandb

    with wandb.init(project="cvlab", mode="offline", dir=work,
                    config={"net": "lenet", "lr": 0.05}) as run:
        for epoch in history:
            run.log(epoch)
    (file,) = (work / "wandb").rglob("*.wandb")
    print(f"written: {file.name}; nothing was sent. "
          "Later, with an account: wandb sync FOLDER")
except ImportError:
    print("Weights & Biases is not installed: pip install wandb")

# %% [markdown]
# **Sweeps.** Two numbers to choose, nine short runs to spend. A *grid* tries three rates; a *random* search tries nine. Which is the better
# use, when one number matters and the other hardly?

# %%
def try_out(lr, momentum):
    """Return the dense net's loss on 300 kept pictures.

    It was trained for three epochs of 640.
    """
    net = nets.make("dense")
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=momentum)
    epochs(net, optimizer, seeds=(0, 1, 2))
    kept = torch.as_tensor(labels[-300:])
    with torch.no_grad():
        return F.cross_entropy(net(x[-300:]), kept).item()

rng = np.random.default_rng(0)
plans = {
    "grid": [(lr, momentum) for lr in (0.001, 0.01, 0.1)
             for momentum in (0.5, 0.8, 0.95)],
    "random": list(zip(10 ** rng.uniform(-3, -1, 9),
                       rng.uniform(0.5, 0.95, 9), strict=True)),
}
tried = {name: np.array([(*pair, try_out(*pair)) for pair in plan])
         for name, plan in plans.items()}  # (9, 3) each

# %% tags=["fold"]
# Draw what was tried, coloured by its loss
figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for ax, (name, runs) in zip(axes, tried.items(), strict=True):
    lr, momentum, losses = runs.T
    dots = ax.scatter(lr, momentum, c=losses, s=130, vmin=1.65,
                      vmax=2.31, cmap="cividis_r")
    best = losses.argmin()
    ax.scatter(lr[best], momentum[best], s=280, facecolor="none",
               edgecolor=draw.ERROR, lw=2)
    ax.set(xscale="log", xlabel="learning rate",
           title=f"{name.title()}: best loss {losses[best]:.2f}")
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
dice = torch.Generator().manual_seed(0)
parts = torch.rand(10_000, generator=dice)
print("same seed, same bits:", torch.equal(*twins))
backwards = sum(parts.flip(0))
print("one sum in two orders, equal:",
      (parts.sum() == backwards).item())

# %% [markdown]
# ## 10 · How fast can it go? Optional *(12 min)*
#
# Many first courses train this way: LeNet, batches of 4, one small learning rate, 5 epochs. Waiting is the price of every experiment,
# so people race: 94 % on CIFAR-10 once took hours, and takes 2.6 seconds of one GPU with Muon. Here is a small net in their manner.
# The pooling comes early, so that little is left to compute. **Predict:** how long will it need for the plain recipe's accuracy?

# %% tags=["core"]
def fast_net(widths=(32, 64, 128), classes=10):
    """A first convolution of 2 x 2, then a stage for each width.

    A stage convolves, halves, normalises, convolves, normalises.
    """
    layers, channels = [nn.Conv2d(3, 24, 2), nn.ReLU()], 24  # (B, 24, H - 1, W - 1)
    for width in widths:
        layers += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.MaxPool2d(2)]  # half of H and W
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        layers += [
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(channels, classes))

# %% [markdown]
# **Trick 1: do not learn what you can compute.** Neighbouring pixels are alike, so most of a patch's numbers say the same thing. *Whitening*
# finds the directions in which patches differ and scales each to the same spread. One eigenvalue problem, no training.

# %% tags=["core"]
def whiten(conv, images):
    """Set a first convolution to how patches of `images` vary.

    It gets those directions, and their negatives.
    """
    out, C, k, _ = conv.weight.shape
    patches = F.unfold(images, k, stride=2).transpose(1, 2).reshape(-1, C * k * k)
    # the smallest spread first
    spread, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    keep = min(out // 2, C * k * k)
    kernels = (directions / (spread + 5e-4).sqrt()).T[-keep:].reshape(keep, C, k, k)
    with torch.no_grad():
        conv.weight[: 2 * keep] = torch.cat([kernels, -kernels])
        conv.bias.zero_()

# %%
demo = nn.Conv2d(3, 2 * 75, 5)  # 5 x 5, to see more: 75 directions
whiten(demo, x[:200])
# those of the largest spread first
kernels = demo.weight.detach()[:75].flip(0)[:12]
span = kernels.abs().amax(dim=(1, 2, 3), keepdim=True)
tiles = (kernels / span / 2 + 0.5).permute(0, 2, 3, 1).numpy()
axes = show_many(tiles.repeat(12, 1).repeat(12, 2), cols=6)
draw.describe(axes[0], "Twelve kernels of 5 x 5: colours, edges, "
              "corners and stripes.")
print("Not one step of training, and there are colours, "
      "edges, corners and stripes.")

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
before = torch.linalg.svdvals(gradient / gradient.norm())
after = torch.linalg.svdvals(orthogonal(gradient))
print("directions of 32 with a singular value above 0.3:",
      f"{(before > 0.3).sum()} before, {(after > 0.3).sum()} after")

# %% tags=["author"]
assert (after > 0.3).sum() > 3 * (before > 0.3).sum()

# %% tags=["fold"]
# Draw the singular values
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
order = range(1, 33)
ax.plot(order, before, ".-", color=draw.PALETTE[4], label="gradient")
ax.plot(order, after, ".-", label="after 3 rounds")
ax.set(xlabel="direction", ylabel="singular value", ylim=0,
       xlim=(0.5, 32.5),
       title="Muon: the weak directions count as well")
draw.label_lines(ax);

# %% [markdown]
# The others in a line each. **One cycle** and **mirrored and moved copies** you know. **Label smoothing** asks for 82 % and not for
# 100 %, so the net need not shout. **Small pictures first**: 24 x 24 costs about half, and coarse shapes come first anyway.
# **Channels last** lays a pixel's channels side by side in memory, and **bfloat16** keeps 8 significant bits of each number: new CPUs
# multiply those much faster, old ones do not, so the package leaves it out unless you ask; the race was run with it. At the end,
# each picture and its **mirror image** are judged together.
#
# The loop is section 3's; `cvlab.cnn_training.speed.fit_fast` adds these. Measured on 25,000 photos of CIFAR-10 by `bench/cifar10.py`:

# %%
race = records.speed_record()
base = np.mean([run["seconds"] for run in race["plain"]])

def row(name, runs):
    accuracy, time = (np.array([run[key] for run in runs])
                      for key in ("accuracy", "seconds"))
    return {"recipe": name, "accuracy": accuracy.mean(),
            "worst seed": accuracy.min(),
            "best seed": accuracy.max(), "time": time.mean(),
            "time, plain = 1": time.mean() / base,
            "seeds": len(runs)}

rows = [row("plain", race["plain"])]
for stage in race["stages"]:
    sizes = "-".join(map(str, stage["widths"]))
    name = f"fast, {sizes}, epochs: {stage['epochs']}"
    rows.append(row(name, stage["runs"]))
won = 100 * (rows[1]["accuracy"] - rows[0]["accuracy"])
print(race["machine"])
print(f"the first racer: {won:.0f} points more than plain")
draw.table(rows, units={"time": "s"}, digits={
    "time": 0, "time, plain = 1": 2,
    "accuracy": ".1%", "worst seed": ".1%", "best seed": ".1%"})

# %% tags=["author"]
assert won > 0

# %% [markdown]
# What did each trick buy? Take one away at a time and train again: 4 epochs, three seeds each, SGD at the rate that suits it best.

# %%
def measured(runs, score="accuracy"):
    return np.array([[run[score], run["seconds"]] for run in runs])

without = {name: measured(runs)
           for name, runs in race["without"].items()}
without["mirror images at the end"] = measured(
    race["without"]["nothing"], "single")
whole = without.pop("nothing")
best, time = whole.mean(0)
rows = [
    {"left out": name, "accuracy": runs[:, 0].mean(),
     "points lost": round(100 * (best - runs.mean(0)[0]), 1) + 0.0,
     "time, whole = 1": runs[:, 1].mean() / time}
    for name, runs in without.items()
]
draw.table(rows, sort="accuracy", digits={
    "accuracy": ".1%", "points lost": 1, "time, whole = 1": 2})

# %% tags=["fold"]
# Draw points lost and time
import seaborn as sns

lost = {name: 100 * (best - runs[:, 0])
        for name, runs in without.items()}
order = sorted(lost, key=lambda name: -lost[name].mean())
seeds = np.repeat(order, 3)
lost = np.concatenate([lost[name] for name in order])
times = [without[name][:, 1].mean() / time for name in order]
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4), layout="constrained", sharey=True)
sns.barplot(x=lost, y=seeds, errorbar=None, color=draw.ERROR,
            alpha=0.55, ax=left)
sns.stripplot(x=lost, y=seeds, color="0.2", size=4, jitter=False,
              ax=left)
left.set(xlabel="points of accuracy lost (dots: seeds)")
sns.barplot(x=times, y=order, ax=right)
right.bar_label(right.containers[0], fmt="%.2f", padding=3)
right.set(xlabel="time, against the whole recipe", xlim=(0, 2.3))
for ax in (left, right):
    ax.grid(False)
figure.suptitle("One cycle buys most accuracy, bfloat16 and "
                "channels last most time", x=0, ha="left");

# %% tags=["author"]
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
recipe = speed.Recipe(size=64, colour=0.5)
speed.fit_fast(racer, x, labels, 2, recipe)
spent = perf_counter() - start
unseen = batches.Batches(x_test, test_labels, 100, every=True)
right = speed.accuracy_mirrored(racer, unseen)
print(f"racer, 2 epochs, {spent:.1f} s: {right:.0%} right")
before = record["nets"]["lenet"][0]["test"]
print(f"LeNet, 12 epochs: {before:.0%} right")

# %% [markdown]
# ## 11 · Outgrowing the machine, optional *(8 min)*
#
# With several processes, each takes a share of every batch, and the **mean of their gradients** is the whole batch's gradient. Two halves by hand:

# %%
def gradient(net, rows):
    net.zero_grad()
    some = torch.tensor(labels)[rows]
    F.cross_entropy(net(x[rows]), some).backward()
    return torch.cat([p.grad.flatten() for p in net.parameters()])

for name in ("lenet", "resnet"):
    net, rows = nets.make(name), torch.arange(64)
    whole = gradient(net, rows)
    halves = [gradient(net, rows[k::2]) for k in (0, 1)]
    gap = (whole - sum(halves) / 2).norm() / whole.norm()
    print(f"{name}: the mean of two halves is the whole:",
          bool(gap < 1e-4))

# %% [markdown]
# **Trap:** BatchNorm. Each half is normalised by its own mean, so the residual net's halves do not add up; on GPUs `SyncBatchNorm` mends it.
#
# (`nn.DataParallel` is the old way: one process copies the model to every GPU *at every step* and gathers all answers on one of them. It is slower than
# what follows even on one machine, and PyTorch advises against it. You will meet what it leaves behind: weight names that begin with `module.`)
#
# The package has this lesson's loop as a program, `python -m cvlab.cnn_training`. `torchrun` starts it several times and tells each copy its
# number; DistributedDataParallel takes the mean of the gradients. Here are one process and two, on this machine, now:

# %%
import json
import subprocess
import sys

TORCHRUN = ("torch.distributed.run --rdzv-backend c10d "
            "--rdzv-endpoint 127.0.0.1:0 --nproc-per-node {} -m")
PROGRAM = ("cvlab.cnn_training --net dense --pictures 640 "
           "--epochs 3 --out {}")

def start(processes):
    torchrun = TORCHRUN.format(processes) if processes > 1 else ""
    program = PROGRAM.format(work / str(processes))
    command = f"{sys.executable} -m {torchrun} {program}".split()
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)

# %%
runs = {count: start(count) for count in (1, 2)}  # both run now
losses = []
for processes, run in runs.items():
    said = run.communicate()[0]
    if run.returncode:
        raise RuntimeError(said)
    file = work / str(processes) / "losses.json"
    losses.append(np.array(json.loads(file.read_text())["losses"]))
one, two = losses
print(f"{len(one)} steps, loss from {one[0]:.2f} to {one[-1]:.2f}; "
      "one process and two agree to 1e-5: "
      f"{np.abs(one - two).max() < 1e-5}")

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
# - Accuracy is right answers over all answers. Then look at the worst mistakes.
# - Change what no training picture varied (hue, far turns, the order of parts), and the net is lost. Augmentation helps, sometimes elsewhere than shown.
#
# **In the library.** `cross_entropy` is `F.cross_entropy`, the step is `torch.optim.SGD`, the block is torchvision's `BasicBlock`; the loop is yours to
# write, or Lightning's and Keras's to hide.

# %% [markdown]
# **Where it breaks.** An emoji is not a photo: 77 % on an unseen style here says nothing about your data. Learning rates were chosen on
# one seed, and the racer's on its own test pictures, as records mostly are. A test set that you look at after each epoch, as our curves
# do, is slowly becoming a training set: keep one that you open once.

# %% [markdown]
# **Sources: networks.** LeCun, Bottou, Bengio, Haffner,
# [Gradient-Based Learning Applied to Document Recognition](https://doi.org/10.1109/5.726791), 1998 · Krizhevsky, Sutskever, Hinton,
# [ImageNet Classification with Deep Convolutional Neural Networks](https://doi.org/10.1145/3065386), 2012, and Krizhevsky,
# [One Weird Trick for Parallelizing Convolutional Neural Networks](https://arxiv.org/abs/1404.5997), 2014 · Simonyan, Zisserman,
# [Very Deep Convolutional Networks for Large-Scale Image Recognition](https://arxiv.org/abs/1409.1556), 2014 (VGG) · He, Zhang, Ren, Sun,
# [Deep Residual Learning for Image Recognition](https://arxiv.org/abs/1512.03385), 2015 · Sabour, Frosst, Hinton,
# [Dynamic Routing Between Capsules](https://arxiv.org/abs/1710.09829), 2017 ·
# Krizhevsky, [CIFAR-10](https://www.cs.toronto.edu/~kriz/cifar.html), 2009.

# %% [markdown]
# **Sources: training.** He, Zhang, Ren, Sun,
# [Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification](https://arxiv.org/abs/1502.01852), 2015 · Ioffe, Szegedy,
# [Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift](https://arxiv.org/abs/1502.03167), 2015 · Smith,
# [Cyclical Learning Rates for Training Neural Networks](https://arxiv.org/abs/1506.01186), 2017 · Smith, Topin,
# [Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates](https://arxiv.org/abs/1708.07120), 2017 · Jordan,
# [94% on CIFAR-10 in 3.29 Seconds on a Single GPU](https://arxiv.org/abs/2404.00498), 2024 · Jordan and others,
# [Muon: An Optimizer for Hidden Layers in Neural Networks](https://kellerjordan.github.io/posts/muon/) (the record of 2.6 seconds), 2024 · Bergstra, Bengio,
# [Random Search for Hyper-Parameter Optimization](https://www.jmlr.org/papers/v13/bergstra12a.html), 2012 ·
# [PyTorch: DistributedDataParallel](https://docs.pytorch.org/docs/stable/notes/ddp.html).
#
# **In one line:** yes, it finds the nine numbers (section 5), and little of what its training pictures never varied.

# %%
progress("03")
