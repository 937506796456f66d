# minimum: code 85, check 5, widget 2
# %% [markdown]
# # 08b · DINO: what it sees
#
# **Can a network learn to see objects when nobody tells it what is in the picture?**
#
# In 08a you built a student that learns from its own past. Now you find out what it learns: things, or backgrounds? That depends on one choice, and you
# make the experiment. Then you look where it looks, cut things out of a film without one label but the first, and sort pictures into groups that nobody named.
#
# *196 minutes, in four sittings: sections 1 and 2 (56 min), 3 and 4 (60 min), 5 and 6 (58 min), 7 (22 min). You need lesson 08a.*

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
# A network learnt from pictures that nobody labelled. Where does it look? Click a patch of the picture, or go to it with the arrow keys: four grey copies show
# where the four **heads** look from there. You will know what a head is if you did 08a. Can you find a patch that one head sends to the thing, and another
# one to the background?

# %%
from cvlab.widgets import ClickPatch

ClickPatch()

# %% [markdown]
# ## 1 · What two views share *(26 min)*
#
# In 08a a student learns to say of one view what its teacher says of another. Nobody tells it what to look for. What, then, will it look for?
#
# For whatever lets it foretell the other view, so for what the two views *share*. Then the choice of views is the choice of what is learnt. A film has
# views for free: two moments of a moving thing. The thing is still there, but it has moved, and with it, or with the camera, what lies behind.
#
# Our moments are painted. One honest word: the painter knows the thing's outline, and puts the same thing before another photo. A film would have to
# wait for that.

# %%
thing = drawings_to_learn()[150:151]
kinds = [(moved, elsewhere) for elsewhere in (False, True)
         for moved in (False, True)]
seconds = [make_moments(thing, moments=2, seed=6, moved=moved,
                        elsewhere=elsewhere).images[:, 0]
           for moved, elsewhere in kinds]  # (2, 192, 192, 3) each

# %% tags=["fold"]
# Draw the first moment and four second ones
words = [f"{place},\n{behind} behind" for behind in ("same", "another")
         for place in ("not moved", "moved")]
show_many([seconds[0][0], *(pair[1] for pair in seconds)], cols=5,
          titles=["One moment,\nand another:", *words]);

# %% [markdown]
# Four kinds of pairs, two questions: has the thing moved, has the background changed?
#
# **Predict:** four students learn, each from one kind of pair only. Which ones will look at the thing?
#
# All four look through the same frozen eyes: the maps of EfficientNet-Lite0's block 4, 12 x 12 places of 112 numbers. Those eyes learnt from
# ImageNet's *labels*. So nothing in this lesson is free of labels from the ground up, but for the *Real* DINO at its end. What you see here is what the
# views and the loss add, without a label of their own. Why not from pixels? The paper's small network learnt for three days on two machines of
# 8 GPUs.

# %% tags=["fold"]
# The judged pictures with their maps, and second moments of 200
# things: a quarter of a minute
from cvlab.dino.judging import judged, labelled_drawings
from cvlab.distillation.maps import maps_of

sets, few = judged(), labelled_drawings()[:200]
first = sets.bank[:200]  # the first moments, already there
other = make_moments(few, moments=2, seed=1).images[1]
same = make_moments(few, moments=2, seed=1, elsewhere=False)
other, same = maps_of(other), maps_of(same.images[1])  # (200, 112, 12, 12)
print(first.shape, other.shape, same.shape)

# %% [markdown]
# Two of the four right now, small: 200 things, 100 steps of 16 pairs. In both the thing moves; only the background differs. `teach` is the
# training of 08a: a student, a teacher that follows slowly, two crops, the loss. How well does the class token look at the thing? Take as many places as
# the thing covers, those with the most attention, and compare them with the true ones by IoU: *ranked IoU*, which needs no threshold.

# %% tags=["nbval-ignore-output"]
from cvlab.dino.judging import measure
from cvlab.distillation.teaching import Projector, small_vit, teach

def learn(second, seed=0, steps=100):
    """Return what a student learnt from `first` and `second`."""
    torch.manual_seed(seed)
    return teach(Projector(small_vit()), first, second, steps).net

torch.manual_seed(0)
nets = {"untrained": small_vit(), "same background": learn(same),
        "another background": learn(other)}
found = {name: measure(net, sets) for name, net in nets.items()}
draw.table([{"second moment": name, **row}
            for name, row in found.items()], digits=2)

# %% tags=["author"]
assert found["another background"]["IoU"] > found["same background"]["IoU"] + 0.1, found
assert found["another background"]["k-NN"] > found["same background"]["k-NN"], found

# %% tags=["fold", "nbval-ignore-output"]
# Draw where each class token looks, the mean of its heads
def looks(net, rows):
    """Return (N, 12, 12) attention of the class token."""
    with torch.no_grad():
        a = net.attention(sets.queries[rows].float())
    return a[:, :, 0, 1:].mean(dim=1).reshape(-1, 12, 12).numpy()

rows = [3, 41, 66, 90, 100, 110]
seen = {name: looks(net, rows) for name, net in nets.items()}
fig, axes = plt.subplots(4, 6, figsize=(9, 6.2),
                         layout="constrained")
for ax, image in zip(axes[0], sets.images[rows], strict=True):
    show(image, ax=ax)
for line, name in zip(axes[1:], nets, strict=True):
    for ax, one in zip(line, seen[name], strict=True):
        ax.imshow(one, cmap="magma")
        ax.axis("off")
    iou = found[name]["IoU"]
    line[0].set_title(f"{name}: IoU {iou:.2f}", loc="left")
axes[0, 0].set_title("Things that nobody learnt from", loc="left")
draw.describe(fig, "Six pictures, and where three networks look")

# %% [markdown]
# The same network, the same loss, the same things. Only what lies behind the second moment differs, and one student looks at things while the other does
# not. The control makes it a cause, and a recipe has made it with all four kinds, 2,018 drawings and three seeds each.

# %% tags=["fold"]
# Table the recorded four kinds of pairs
from cvlab.dino.records import record

def mean_and_spread(way):
    """Return the last numbers of a way's three trainings."""
    last = [curve[-1] for curve in record()["pair"][way]]
    values = {k: [run[k] for run in last]
              for k in ("loss", "k-NN", "IoU")}
    return {k: f"{np.mean(v):.2f} ± {np.std(v):.2f}"
            for k, v in values.items()}

draw.table([{"second moment": way, **mean_and_spread(way)}
            for way in record()["pair"]])

# %% [markdown]
# The background decides. Where it stays, it is what the two views share: the students answer by it, and look at the thing no more than an untrained one
# does. Where it changes, the thing is all that is left. Whether the thing moves besides matters little.
#
# **Trap:** look at the losses. On average, those who learnt nothing about things have the *lower* ones: a background that stays is easily foretold.
# A low loss says that the task was easy, not that anything useful was learnt.
#
# So two moments of a moving thing are worth a lot, if the surroundings change. DINO's own training has single photos only, no film. It makes its two
# views by cropping, recolouring and blurring one photo, and a million different photos must do the rest.

# %% tags=["author"]
last = {way: [run[-1] for run in runs] for way, runs in record()["pair"].items()}
untrained = np.mean([run[-1]["IoU"] for run in record()["untrained"]["untrained"]])
same_iou = [run["IoU"] for way in last if way.startswith("same") for run in last[way]]
other_iou = [run["IoU"] for way in last if way.startswith("another") for run in last[way]]
assert min(other_iou) > max(same_iou) + 0.2 and np.mean(same_iou) < untrained
for moved in ("moved", "not moved"):
    low, high = (np.mean([run["loss"] for run in last[f"{b} background, {moved}"]]) for b in ("same", "another"))
    assert low < 0.7 * high

# %% [markdown]
# ### And without the frozen eyes?
#
# All that looks through a network which learnt for days. Can a transformer of our size learn from *pixels*? `data/make_pixels.py` tried, with the same
# pairs of moments before different backgrounds, 48 x 48 pixels, patches of 6, for 2,000 steps.
#
# **Predict:** what comes of it, groups, outlines, or neither?

# %% tags=["fold"]
# Draw the recorded trainings from pixels
from cvlab.store.records import training_record

pixels = training_record("pixels.json")
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2),
                         layout="constrained")
for ax, name, color in zip(axes, ("k-NN", "IoU"), draw.PALETTE,
                           strict=False):
    for run in pixels["runs"]:
        ax.plot([row["seconds"] for row in run],
                [row[name] for row in run], color=color)
    first_to_last = [np.mean([run[i][name] for run in pixels["runs"]])
                     for i in (0, -1)]
    ax.set(xlabel="seconds of one core", ylabel=name, ylim=(0, 0.75),
           title="{}: {:.2f} to {:.2f}".format(name, *first_to_last))
level = pixels["k-NN of"]["pixels"]
axes[0].axhline(level, color="0.5", ls="--")
axes[0].text(75, level - 0.075, "the pixels themselves", color="0.35")
draw.describe(fig, "Three trainings from pixels: k-NN and IoU");

# %% [markdown]
# *Where* comes, *what* does not. Attention finds a good part of the outline, from pixels alone: what stands out before any background has a colour of its own,
# and that a small network can see. But k-NN ends where the pixels themselves were at the start, and five minutes instead of three would not help: the
# curves are flat. The paper's authors trained their small transformer for three days on two machines of eight GPUs, with a million photos.
#
# So this lesson borrows its eyes, and says so.

# %% tags=["author"]
gains = {name: [run[-1][name] - run[0][name] for run in pixels["runs"]] for name in ("k-NN", "IoU")}
assert min(gains["IoU"]) > 0.2 and max(run[-1]["k-NN"] for run in pixels["runs"]) < level + 0.05, gains

# %% [markdown]
# ## 2 · A minute of training *(30 min)*
#
# A loss that falls says only that the student agrees with its teacher, perhaps about the background. What is to be watched, then?
#
# Two numbers that the loss knows nothing of. Ranked IoU you have met. The other one asks whether things of one group lie close together: a *bank* of
# pictures whose group is known, and for each judged picture a vote of its nearest neighbours in the bank. Nothing is trained for it, and that is why
# self-supervised networks are judged so. The bank shows things that the students may learn from. The judged ones are others, drawn by a company that
# nobody learns from, before other photos.
#
# Lesson 04's vote gave each neighbour one voice. DINO's paper weighs them, a vote by `exp(cosine / 0.07)`. On paper: a neighbour at cosine 0.9 against
# two at 0.8.

# %%
print("one at 0.9:", round(np.exp(0.9 / 0.07)),
      "  two at 0.8:", round(2 * np.exp(0.8 / 0.07)))

# %% tags=["author"]
assert round(np.exp(0.9 / 0.07)) == 383518 and round(2 * np.exp(0.8 / 0.07)) == 183821

# %% [markdown]
# One near neighbour outvotes two that are a little farther.

# %% [markdown]
# **Exercise.** Write `knn_accuracy(bank, bank_labels, queries, labels, k=20)`: the share of queries that the vote names right. `bank` (N, D) and
# `queries` (M, D) are features; bring each row to length 1, so that a product is a cosine. For each query take the `k` pictures of the bank with the
# largest cosine. Each votes for its label, with weight `exp(cosine / 0.07)`; the label with the largest sum is the answer.

# %% tags=["exercise"]
def knn_accuracy(bank, bank_labels, queries, labels, k=20):
    """Return the share of queries that the vote names right."""
    ### BEGIN SOLUTION
    bank, queries = F.normalize(bank, dim=1), F.normalize(queries, dim=1)
    cosines, nearest = (queries @ bank.T).topk(k)  # (M, k) each
    votes = torch.zeros(len(queries), int(bank_labels.max()) + 1)
    votes.scatter_add_(1, bank_labels[nearest], (cosines / 0.07).exp())
    return (votes.argmax(dim=1) == labels).float().mean().item()
    ### END SOLUTION

# %%
check(knn_accuracy)

# %% [markdown]
# The lesson goes on with the package's copy. Before anything learns, know what is to be beaten. For the groups: the largest value of each of the 112
# channels of the frozen maps. (Section 3 brings the whole frozen network, whose end was told ImageNet's names.) For the outline: a blob in the middle,
# where a thing mostly is; the best of three principal components of the frozen maps; and a rule that knows no network at all: a place is the thing's if
# its colour is far from every colour at the picture's border.
#
# **Predict:** which one finds the outline best?

# %%
from cvlab.dino.baselines import measure_baselines

rules = measure_baselines(sets)
draw.table([{"rule": name, **row} for name, row in rules.items()],
           digits=2)

# %% tags=["author"]
assert rules["border colour"]["IoU"] == max(row.get("IoU", 0) for row in rules.values()) > 0.75
assert 0.45 < rules["best of 3 principal components"]["IoU"] < 0.62 and rules["frozen maps, largest values"]["k-NN"] < 0.28

# %% [markdown]
# The colour rule, by far. Keep that in mind: in a painted world, with bright things before photos, an outline can be had by a rule of three lines. No
# number of ours shows that attention is the best way to an outline here. What it shows is that a network *found* things which nobody pointed out. And the
# rule has nothing to vote with: it cannot tell a bird from a bus.
#
# Now the minute. The bank's 929 pictures are one moment of each drawing, without their groups. The other moment is painted anew: another place, size and
# angle, another photo behind.

# %% tags=["fold"]
# Another moment of each drawing of the bank, as maps; those of 200
# are there already
rest = make_moments(labelled_drawings()[200:], seed=5).images[0]
second = torch.cat([other, maps_of(rest)])
print(sets.bank.shape, second.shape)

# %% [markdown]
# **Predict:** which will rise first, IoU or k-NN accuracy? And will the loss fall all the time?

# %% tags=["nbval-ignore-output"]
import time
from IPython.display import display
from cvlab.widgets.live import LiveCurve

EPOCH, EPOCHS = 58, 4  # 58 steps of 16: every picture once
torch.manual_seed(0)
student, history, losses = Projector(small_vit()), [], []

def watch(step, now):
    """Keep the loss; once an epoch, judge the teacher."""
    losses.append(now["loss"])
    if step % EPOCH == 0:
        numbers = measure(now["teacher"].net, sets)
        history.append({"loss": np.mean(losses[-EPOCH:]),
                        "accuracy": numbers["k-NN"], **numbers})
        curve(history)

curve = LiveCurve(EPOCHS, "DINO, k-NN accuracy")
shown = display(curve, display_id=True)
begin = time.perf_counter()
minute = teach(student, sets.bank, second, EPOCH * EPOCHS,
               watch=watch)
shown.update(curve)
print(f"{time.perf_counter() - begin:.0f} s")

# %% tags=["fold", "nbval-ignore-output"]
# Draw k-NN and IoU by epoch, with three seeds and what is to be beaten
start = found["untrained"]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2),
                         layout="constrained")
levels = {"k-NN": ("frozen maps", "frozen maps, largest values"),
          "IoU": ("component", "best of 3 principal components")}
for ax, (name, (word, level)), color in zip(
        axes, levels.items(), draw.PALETTE[:2], strict=True):
    values = [start[name], *(row[name] for row in history)]
    three = np.array([[row[name] for row in run] for run in
                      record()["minute"]["232 steps"]])
    ax.fill_between(range(1, EPOCHS + 1), three.min(0),
                    three.max(0), color=color, alpha=0.2, lw=0)
    ax.plot(values, color=color, label="teacher")
    ax.axhline(rules[level][name], color="0.5", ls="--", label=word)
    ax.set(xlabel="epoch", ylabel=name, ylim=(0, 0.85),
           title=f"{name}: {values[0]:.2f} to {values[-1]:.2f}")
    draw.label_lines(ax)
draw.describe(fig, "The teacher's k-NN accuracy and IoU of attention by "
              "epoch, in a band of three seeds, over what is to be beaten");

# %% [markdown]
# With no label it has left the maps that it stands on behind in k-NN. Its attention, which began worse than a blob in the middle, has found the things:
# about as well as the best component, and that one was picked with the true masks in hand. Most is learnt in the first two epochs. How well it ends is
# luck, too: the band is three seeds that the recipe recorded, 0.52 to 0.65 in IoU and 0.28 to 0.40 in k-NN.
#
# All together, with what the recipe recorded: the same training for longer, on all 2,018 drawings at six moments, and the same network told the 18 groups.

# %% tags=["author"]
ends = np.array([[run[-1][name] for name in ("IoU", "k-NN")] for run in record()["minute"]["232 steps"]])
assert np.abs(ends.min(0) - (0.52, 0.28)).max() < 0.006 > np.abs(ends.max(0) - (0.65, 0.40)).max(), ends

# %% tags=["fold", "nbval-ignore-output"]
# Table rules, untrained, this minute, and the recipe's networks
def recorded(part, way):
    """Return the mean of a way's three recorded trainings."""
    last = [runs[-1] for runs in record()[part][way]]
    return {k: np.mean([run[k] for run in last])
            for k in ("k-NN", "IoU")}

now = {k: history[-1][k] for k in ("k-NN", "IoU")}
table = {**rules, "DINO, this minute": now,
         "three seeds of it (recipe)": recorded("minute", "232 steps"),
         "untrained (recipe)": recorded("untrained", "untrained"),
         "DINO, the recipe": recorded("long", "dino"),
         "told the groups (recipe)":
         recorded("supervised", "told the groups")}
draw.table([{"what": name, **row} for name, row in table.items()],
           digits=2)

# %% [markdown]
# Read it column by column. In k-NN, names win: the same network, told the groups, names half of the things, the recipe's DINO two fifths. In IoU it is
# the other way round: DINO's attention covers the things better than that of the network which was told their names. To name a thing, a part of it may
# do; to know it again before any background, one had better see all of it. That is a guess, not a measurement. And both stay behind the colour rule.

# %% tags=["author"]
recipe, told = recorded("long", "dino"), recorded("supervised", "told the groups")
assert told["k-NN"] > recipe["k-NN"] + 0.05 and recipe["IoU"] > told["IoU"] + 0.08
assert 0.45 < told["k-NN"] < 0.55 and 0.35 < recipe["k-NN"] < 0.45 and recipe["IoU"] < rules["border colour"]["IoU"]
assert now["k-NN"] > rules["frozen maps, largest values"]["k-NN"] + 0.05, now
assert start["IoU"] < 0.4 and now["IoU"] > rules["best of 3 principal components"]["IoU"] - 0.1, now

# %% [markdown]
# One thing is missing that the paper needs: **small crops**. There the student also sees eight or ten of them, the teacher never does, so that a part must
# foretell the whole. The recipe gave the student small crops of 6 to 40 % of the map, for 300 steps, three seeds.
#
# **Predict:** what do they bring, and what do they cost?

# %% tags=["fold"]
# Table the recorded trainings with small crops
def crops(way):
    """Return mean and spread of three trainings, and their time."""
    last = [runs[-1] for runs in record()["crops"][way]]
    values = {k: [run[k] for run in last] for k in ("k-NN", "IoU")}
    row = {k: f"{np.mean(v):.2f} ± {np.std(v):.2f}"
           for k, v in values.items()}
    return row | {"time": np.mean([run["seconds"] for run in last])}

ways = record()["crops"]
alone = crops("0 small crops")["time"]
draw.table([{"the student also sees": way, **crops(way),
             "time": f"{crops(way)['time'] / alone:.1f} x"}
            for way in ways])

# %% tags=["author"]
numbers = {way: np.mean([[r[-1]["k-NN"], r[-1]["IoU"]] for r in runs], 0) for way, runs in ways.items()}
assert abs(numbers["2 small crops"] - numbers["0 small crops"])[0] < 0.05
assert numbers["4 small crops"][1] < numbers["0 small crops"][1] - 0.05, numbers
assert crops("4 small crops")["time"] > 1.3 * alone  # as recorded

# %% [markdown]
# They cost time and bring nothing: k-NN stays, or falls a little, and attention is worse. The paper's small network gained by them: 72.5 % after 46 hours
# with two large views, 74.6 % after 24 hours with ten small ones besides (its Table 8). Why not here? Not measured, so only a guess: the network learns for minutes where the
# paper's learnt for days, and the two moments already differ in what is to be ignored. A crop of one photo has nothing else to differ by.

# %% [markdown]
# Last, what happened to the distances? In 08a you compared two views of one thing with views of different things, before anything was learnt. Again, with
# moments that no student has seen: held-out things in the unseen style.

# %% tags=["fold", "nbval-ignore-output"]
# Draw distances within and between things, before and after
from cvlab.distillation.views import auc, view_distances

again = maps_of(make_moments(drawings_to_judge(), split="test",
                             seed=3).images[0])
fig, axes = plt.subplots(1, 2, figsize=(9, 3),
                         layout="constrained")
ways = {"untrained": nets["untrained"],
        "after the minute": minute.net}
for ax, (name, net) in zip(axes, ways.items(), strict=True):
    with torch.no_grad():
        pair = [net(m.float()) for m in (sets.queries, again)]
    within, between = view_distances(*pair)
    bins = np.linspace(0, between.quantile(0.99).item(), 40)
    for d, color, word in (
            (between, draw.PALETTE[0], "different things"),
            (within, draw.PALETTE[1], "one thing")):
        ax.hist(d.clamp(max=bins[-1]), bins, density=True,
                color=color, alpha=0.6, label=word)
    apart = auc(within, between)
    ax.set(xlabel="1 - cosine", yticks=[],
           title=f"{name}: one thing nearer, {apart:.0%}")
    ax.legend(frameon=False)
draw.describe(fig, "Distances before and after training");

# %% tags=["fold"]
# Give the memory back
second = rest = other = same = first = again = None

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 3 · Judged without a head *(30 min)*
#
# The teacher has no classifier. It gives 96 numbers a picture, and no number has a name. How do you find out whether they are good for anything?
#
# Ask their neighbours. Take 929 pictures whose group somebody wrote down, 18 groups in all, and 127 pictures of things that no training ever saw, by
# a company that no training ever saw. **k-NN**: the 20 nearest of the 929 vote. Nothing is trained on a label; labels only keep the score.

# %% tags=["fold"]
# What this section needs
from cvlab.dino.components import to_rgb
from cvlab.dino.features import features_of
from cvlab.dino.judging import judged, knn_accuracy, places
from cvlab.dino.records import checkpoint, record
from cvlab.distillation.maps import maps_of
from cvlab.distillation.teaching import small_vit
from cvlab.store.records import training_record
from cvlab.transfer_learning.neighbours import probe
from cvlab.world import pool

# %% [markdown]
# First the recipe's training: the one that you saw begin, run on for longer, three times from three seeds.
#
# **Predict:** does k-NN climb all the way, or is it done after the first fifth?

# %% tags=["fold"]
# Draw the recorded k-NN of three long trainings
told = record()
runs = told["long"]["dino"]  # of three seeds
steps = [row["step"] for row in runs[0]]
knn = np.array([[row["k-NN"] for row in run] for run in runs])
flat = {"untrained": told["untrained"]["untrained"],
        "background stays": told["pair"]["same background, moved"]}
gained = knn[:, -1].mean() - knn[:, len(steps) // 5 - 1].mean()
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
ax.fill_between(steps, knn.min(0), knn.max(0), alpha=0.2)
ax.plot(steps, knn.mean(0), label="DINO, three seeds")
for (name, rows), color in zip(flat.items(), draw.PALETTE[1:3],
                               strict=True):
    level = np.mean([row[-1]["k-NN"] for row in rows])
    ax.plot(steps, [level] * len(steps), color=color, label=name)
ax.set(xlabel="steps", ylabel="k-NN accuracy", ylim=(0.1, None),
       title=f"After a fifth of the steps, {gained:+.2f} is to come")
draw.label_lines(ax)
draw.describe(ax, "k-NN accuracy by training step, three seeds.")

# %% tags=["author"]
assert knn[:, -1].min() > max(np.mean([row[-1]["k-NN"] for row in rows]) for rows in flat.values()) + 0.03
assert abs(gained) < 0.08

# %% [markdown]
# Most of it comes early. Where the background stays, nothing comes at all. The band is what three seeds differ by: remember it when you compare two
# numbers of one seed.
#
# Now take the first seed's teacher, and beside it five others: the same transformer untrained; the same one *told* the 18 groups; the frozen maps
# that all of these read, simply averaged; and what **ImageNet's** network itself makes of those maps at its end, the 1,280 numbers that lesson 04
# stood on.

# %% tags=["nbval-ignore-output"]
sets = judged()
torch.manual_seed(0)
ways = {"untrained": small_vit().eval(),
        "the frozen maps' mean": lambda maps: maps.mean((2, 3)),
        "DINO": checkpoint("dino"),
        "told the groups": checkpoint("supervised")}
bank = {way: features_of(net, sets.bank)
        for way, net in ways.items()}
asked = {way: features_of(net, sets.queries)
         for way, net in ways.items()}
for way in bank:
    right = knn_accuracy(bank[way], sets.bank_labels,
                         asked[way], sets.labels)
    print(f"{way:22}{bank[way].shape[1]:5} numbers, k-NN {right:.2f}")
few = training_record("neighbours.json")  # data/make_neighbours.py
theirs = few["ImageNet's end"]
print(f"recorded: ImageNet's end  k-NN {theirs['k-NN']:.2f}")

# %% [markdown]
# Say it plainly once more: even "DINO" reads maps that were learnt with ImageNet's labels. What is shown here is what the *objective* adds to them,
# from pictures that nobody labelled.
#
# ### Look at neighbours
#
# A share of right votes says little about *what* is alike. Look.

# %% tags=["core"]
def nearest(stored, query, k=10):
    """Return the places of the k most alike, and cosines."""
    cosines = F.normalize(stored, dim=1) @ F.normalize(query, dim=0)
    found = cosines.topk(k)
    return found.indices, found.values

# %% tags=["fold", "nbval-ignore-output"]
# Draw some judged pictures and their six nearest
def draw_neighbours(way, rows, k=6):
    pictures, titles, right = [], [], 0
    for row in rows:
        found, _ = nearest(bank[way], asked[way][row], k)
        same = sets.bank_labels[found] == sets.labels[row]
        pictures += [sets.images[row][1::3, 1::3]]
        pictures += [*sets.bank_images[found]]
        titles += ["asked"]
        titles += ["same" if s else "other" for s in same]
        right += int(same.sum())
    axes = show_many(pictures, cols=k + 1, titles=titles)
    axes[0].figure.suptitle(f"{way}: {right} of {k * len(rows)} "
                            "neighbours are of the same group")
    draw.describe(axes[0], "Pictures and their nearest ones.")

draw_neighbours("DINO", [3, 40, 75, 110])

# %% [markdown]
# The photos behind differ within each row: what two views did not share is not looked for. Where the group is missed, say what is alike all the same.
# Mostly it is a colour, or a form. Try `"the frozen maps' mean"` in the last line, and other rows.
#
# ### The same thing, drawn by another company
#
# A harder question, with one right answer in 127. Paint each of the 127 things once more, as *another* company draws it, before another photo. Is the
# nearest picture the same thing? By chance it is in 1 of 127, 0.01.
#
# **Predict:** who wins: DINO, the one told the groups, or ImageNet's end?

# %% tags=["nbval-ignore-output"]
other = drawings_to_judge("noto")
other = make_moments(other, split="test", seed=5)
maps = maps_of(other.images[0])
again = {way: features_of(net, maps) for way, net in ways.items()}
order = [list(sets.things).index(thing) for thing in other.things]

def found_again(way):
    stored = F.normalize(asked[way][order], dim=1)  # Twemoji's
    cosines = F.normalize(again[way], dim=1) @ stored.T
    right = cosines.argmax(1) == torch.arange(127)
    return right.float().mean().item()

same_thing = {way: found_again(way) for way in bank}
same_thing["ImageNet's end"] = theirs["same thing"]
draw.table([{"features": way, "the same thing is nearest": share}
            for way, share in same_thing.items()], digits=2)

# %% tags=["author"]
assert same_thing["DINO"] > max(same_thing[way] for way in ("untrained", "the frozen maps' mean")) + 0.1
assert all(abs(same_thing["DINO"] - same_thing[way]) < 0.08 for way in ("told the groups", "ImageNet's end"))

# %% [markdown]
# One in five, where chance gives one in a hundred, and as often as the one that was told the groups, or ImageNet's end. The frozen maps' mean hardly
# ever finds it.
#
# ### What patches say, as colour
#
# So far each picture was its class token. Its 144 patches have 96 numbers each, too. **PCA** finds the three directions in which the patches of all
# pictures differ most, and calls them red, green and blue. One PCA serves all pictures, so equal colours mean alike patches, in whichever picture. Do
# the same with the frozen maps themselves: what was there before?

# %%
rows = [1, 12, 40, 64, 90, 120]
tokens = features_of(ways["DINO"].tokens, sets.queries)[:, 1:]
frozen = sets.queries.float().flatten(2).transpose(1, 2)
colours = {"frozen maps": to_rgb(frozen), "DINO": to_rgb(tokens)}
print({way: tuple(c.shape) for way, c in colours.items()})

# %% tags=["fold", "nbval-ignore-output"]
# Draw the patches' colours
thing = places(sets.masks)  # (127, 144)

def told_apart(colour):
    """IoU of what is nearer to the things' mean colour."""
    near, far = ((colour - colour[part].mean(0)).norm(dim=2)
                 for part in (thing, ~thing))
    said = near < far
    return ((said & thing).sum() / (said | thing).sum()).item()

iou = {way: told_apart(c) for way, c in colours.items()}
pictures = [*sets.images[rows][:, ::2, ::2]]
for colour in colours.values():
    pictures += [*colour[rows].reshape(-1, 12, 12, 3).numpy()]
axes = show_many(pictures, cols=6)
for ax in axes:
    ax.set(xticks=[], yticks=[])
for ax, name in zip(axes[::6], ["picture", *colours], strict=True):
    ax.set_ylabel(name)
axes[0].figure.suptitle("Colour tells thing from photo: IoU "
    f"{iou['frozen maps']:.2f} in frozen maps, {iou['DINO']:.2f} in DINO's")
draw.describe(axes[0], "Six pictures, then the components of the "
                       "frozen maps and of DINO as colours.")

# %% tags=["author"]
assert min(iou.values()) > 0.6 and abs(iou["DINO"] - iou["frozen maps"]) < 0.12

# %% [markdown]
# Things have one colour in all pictures, photos another: which of the two a patch's colour is nearer to, cuts things out well. But look at the row in
# the middle. The *frozen* maps do that just as well! Nobody had to learn it.
#
# ### Then what was learnt?
#
# The class token gathers from patches, as attention says. Perhaps it learnt *where to look*, and little else. That can be tried: throw away all that
# DINO's tokens say. Keep its attention alone, as weights for the mean of the *frozen* maps.
#
# **Predict:** the plain mean of the frozen maps gives a k-NN of 0.17, DINO 0.44. And their mean weighted by DINO's attention?

# %% tags=["nbval-ignore-output"]
def gathered(maps):
    """Return the frozen maps' mean, weighted by attention."""
    weights = ways["DINO"].attention(maps)[:, :, 0, 1:].mean(1)
    weights = weights / weights.sum(1, keepdim=True)  # (B, 144)
    return (weights[:, None] * maps.flatten(2)).sum(2)  # (B, 112)

bank["frozen, where DINO looks"] = features_of(gathered, sets.bank)
asked["frozen, where DINO looks"] = features_of(gathered, sets.queries)
right = knn_accuracy(bank["frozen, where DINO looks"], sets.bank_labels,
                     asked["frozen, where DINO looks"], sets.labels)
print(f"k-NN of the frozen maps where DINO looks: {right:.2f}")

# %% tags=["author"]
plain, dino = (knn_accuracy(bank[way], sets.bank_labels, asked[way], sets.labels)
               for way in ("the frozen maps' mean", "DINO"))
assert right > plain + 0.12 and right > dino - 0.05

# %% [markdown]
# As good as DINO itself: looking is all of its gain here. On these maps the objective taught the network to look at the thing; what the thing *is*
# stood there already, drowned by the photo. A DINO from pixels has to learn both.

# %% [markdown]
# ### t-SNE: a page of pictures
#
# 96 numbers do not fit on a page. **t-SNE** tries to lay pictures on a plane so that neighbours stay neighbours. First, each row gives shares to the
# others: much to near ones, nothing to far ones. How fast the shares fall off is chosen row by row, so that each one heeds about `perplexity` others.

# %% tags=["core"]
def neighbourhood(x, perplexity=30):
    """Return (N, N): how much each pair belongs together."""
    apart = torch.cdist(x, x).square().fill_diagonal_(torch.inf)
    low = torch.full((len(x), 1), -20.0)
    high = -low
    for _ in range(40):  # halve the range
        middle = (low + high) / 2
        p = (-apart * middle.exp()).softmax(1)  # (N, N)
        wide = -torch.xlogy(p, p).sum(1, True) > np.log(perplexity)
        low = torch.where(wide, middle, low)
        high = torch.where(wide, high, middle)
    return (p + p.T) / (2 * len(x))

# %% [markdown]
# On the page nearness is turned into shares, too. Then the places are moved, by plain gradient descent, until the shares agree.

# %% tags=["core"]
def tsne(x, perplexity=30, steps=500, seed=0):
    """Return (N, 2) places: neighbours in x stay neighbours."""
    p = neighbourhood(x, perplexity)
    dice = torch.Generator().manual_seed(seed)
    place = 1e-4 * torch.randn(len(x), 2, generator=dice)
    speed, gain = torch.zeros_like(place), torch.ones_like(place)
    for step in range(steps):
        early = step < steps / 4
        near = 1 / (1 + torch.cdist(place, place).square())
        near.fill_diagonal_(0)
        pull = ((12 if early else 1) * p - near / near.sum()) * near
        slope = 4 * (pull.sum(1, True) * place - pull @ place)
        turned = slope * speed < 0
        gain = torch.where(turned, gain + 0.2, gain * 0.8)
        gain = gain.clamp(min=0.01)
        speed = (0.5 if early else 0.8) * speed - 50 * gain * slope
        place = place + speed
    return place

# %% [markdown]
# `near` falls off slowly, as 1 / (1 + distance²): the t in the name. So what is only fairly near may move far away, and there is room on the page.
# During the first quarter neighbours attract twelve times as much, so that groups gather before they spread. `gain` speeds up a coordinate that keeps
# its direction.
#
# Take 300 pictures of six groups. The colours are added *afterwards*: t-SNE never sees a group.

# %%
six = ["face", "meal", "sport", "vehicle", "mammal", "hand"]
numbers = [pool.groups().index(name) for name in six]
rows = torch.cat([(sets.bank_labels == n).nonzero()[:50, 0]
                  for n in numbers])
x = F.normalize(bank["DINO"][rows], dim=1)
pages = {"perplexity 30": tsne(x),
         "again, another seed": tsne(x, seed=1),
         "perplexity 5": tsne(x, perplexity=5)}
print(len(x), "pictures,", tuple(pages["perplexity 30"].shape))

# %% tags=["fold", "nbval-ignore-output"]
# Draw three pages of the same pictures
wide = {"figsize": (9, 3.6), "layout": "constrained"}
plate = {"fc": "white", "alpha": 0.8, "ec": "none", "pad": 1}
figure, axes = plt.subplots(1, 3, **wide)
labels = sets.bank_labels[rows]
for ax, (name, page) in zip(axes, pages.items(), strict=True):
    for group, n, color in zip(six, numbers, draw.PALETTE,
                               strict=True):
        here = page[labels == n]
        ax.scatter(*here.T, s=9, color=color)
        ax.text(*here.median(0).values, group, ha="center",
                color=draw.readable(color), weight="bold", bbox=plate)
    ax.set_title(name)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_axis_off()
figure.suptitle("The same 300 pictures, three pages")
draw.describe(axes[0], "Three t-SNE pages of the same pictures.")

# %% [markdown]
# Hands and faces stand apart, whatever the seed. Are faces *far* from hands, then, and vehicles a *wide* group?
#
# **Trap: reading distances and sizes off the page.** Ask three clouds of which you know the answer, 100 points each. A and B are 5 apart. C is ten
# times as far away, and four times as wide. **Predict** what t-SNE makes of them.

# %% tags=["nbval-ignore-output"]
dice = torch.Generator().manual_seed(0)
clouds = torch.randn(3, 100, 96, generator=dice) / 96**0.5
clouds[2] *= 4
clouds[1:, :, 0] += torch.tensor([[5], [50]])
rows = [{"where": "96 numbers", "cloud": clouds}]
for seed in (0, 1):
    page = tsne(clouds.flatten(0, 1), seed=seed)
    rows.append({"where": f"the page, seed {seed}",
                 "cloud": page.reshape(3, 100, 2)})
for row in rows:
    points = row.pop("cloud")
    middle = points.mean(1)
    width = (points - middle[:, None]).norm(dim=2).mean(1)
    far = (middle - middle[0]).norm(dim=1)
    row |= {"A to B": far[1].item(), "A to C": far[2].item()}
    row |= {"width of A": width[0].item(), "of C": width[2].item()}
draw.table(rows, digits=1)

# %% tags=["author"]
assert rows[0]["A to C"] > 9 * rows[0]["A to B"] and rows[0]["of C"] > 3.5 * rows[0]["width of A"]
for row in rows[1:]:
    assert 0.7 < row["A to C"] / row["A to B"] < 1.4 and 0.8 < row["of C"] / row["width of A"] < 1.25

# %% [markdown]
# On the page all clouds are equally far and equally wide. Neighbours can be trusted; distances between groups and their sizes cannot. Look at a t-SNE
# page to find out *what to ask*, and answer with the numbers themselves.
#
# ### How many labels does it save?
#
# Good features need few labels. A **linear probe** is one linear layer on features that stand still. Give it four labels of each group, 72 in all.

# %% tags=["nbval-ignore-output"]
dice = np.random.default_rng(0)
rows = np.concatenate([
    dice.permutation(np.flatnonzero(sets.bank_labels == n))[:4]
    for n in range(18)])
for way in ("untrained", "the frozen maps' mean", "DINO"):
    labels = sets.bank_labels[rows]
    said = probe(bank[way][rows], labels, asked[way])
    right = (said == sets.labels).float().mean().item()
    print(f"{way:22}{len(rows)} labels: {right:.2f}")

# %% [markdown]
# One draw of labels is luck. `data/make_neighbours.py` drew three times, with 1 to 32 labels a group (all there are, where a group is smaller), and
# asked about each of the 127 things three times. It also trained the same transformer **from scratch** on those labels alone, on the same frozen
# maps.
#
# **Predict:** where does training from scratch catch up?

# %% tags=["fold"]
# Draw the recorded accuracy by number of labels
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
shown = ["ImageNet's end", "DINO", "from scratch",
         "frozen maps' mean", "untrained"]
for way, color in zip(shown, draw.PALETTE[:5], strict=True):
    scores = np.array([*few["accuracy"][way].values()])  # (6, 3)
    ax.fill_between(few["labels"], scores.min(1), scores.max(1),
                    color=color, alpha=0.2, lw=0)
    ax.plot(few["labels"], scores.mean(1), color=color, label=way)
mean = {way: np.mean(list(few["accuracy"][way].values()), 1)
        for way in shown}
ax.set(xscale="log", ylim=(0, None), xlabel="labels a group",
       xticks=few["labels"], xticklabels=few["labels"],
       ylabel="accuracy",
       title=f"With one label a group: DINO {mean['DINO'][0]:.2f}, "
             f"ImageNet {mean[shown[0]][0]:.2f}, "
             f"from scratch {mean['from scratch'][0]:.2f}")
ax.minorticks_off()
draw.label_lines(ax)
draw.describe(ax, "Accuracy by the number of labels a group.")

# %% tags=["author"]
assert mean["DINO"][0] > mean["from scratch"][0] + 0.06 and abs(mean["from scratch"][-1] - mean["DINO"][-1]) < 0.06
assert all(0 < a - b < 0.12 for a, b in zip(mean["DINO"], mean["ImageNet's end"], strict=True))

# %% [markdown]
# With one label a group, training from scratch is hardly better than a guess among 18. It comes near DINO only at 32 labels a group. ImageNet's end,
# 1,280 numbers learnt from labelled photos, stays below DINO's 96 by a little all the way.
#
# ### One table
#
# Everything side by side, with the spread over three seeds where there are three. The k-NN of ImageNet's network has no spread: there is one such
# network.

# %% tags=["fold", "nbval-ignore-output"]
# Put all ways of looking into one table
told = record()
seeds = {"untrained": told["untrained"]["untrained"],
         "DINO, short": told["pair"]["another background, moved"],
         "DINO": told["long"]["dino"],
         "told the groups": told["supervised"]["told the groups"]}

def three(way, number):
    values = [run[-1][number] for run in seeds.get(way, [])]
    return (f"{np.mean(values):.2f} ± {np.std(values):.2f}"
            if values else None)

rows = []
for way in dict.fromkeys([*seeds, *bank, "ImageNet's end"]):
    voted = three(way, "k-NN") or "{:.2f}".format(
        theirs["k-NN"] if way not in bank else knn_accuracy(
            bank[way], sets.bank_labels, asked[way], sets.labels))
    rows.append({"features": way, "k-NN": voted,
                 "same thing": same_thing.get(way),
                 "attention's IoU": three(way, "IoU")})
draw.table(rows, digits=2)

# %% [markdown]
# Without one label of ours, 96 numbers of DINO are level with ImageNet's 1,280, in groups and in things. They are learnt on the middle of ImageNet's
# own network, mind you. Told the groups, the same transformer is better still at groups, and no better at things: it learnt what it was asked. "DINO,
# short" is a fifth of the steps.

# %% tags=["fold"]
# Let the large tensors go
sets = bank = asked = again = maps = None
tokens = frozen = colours = None

# %% [markdown]
# ## 4 · What each head looks at *(30 min)*
#
# The class token has no place of its own. What it says of a picture it gathers from the 144 places, and each head weighs them in its own way. Nobody told
# it where the thing is. Does it look there?
#
# Here are the judged pictures: things, a style and photos that no training saw. The network is the recipe's.

# %% tags=["fold"]
# The judged pictures, their maps, and the recipe's network
from cvlab.dino.judging import judged, places, ranked_iou
from cvlab.dino.records import checkpoint
from cvlab.distillation.maps import maps_of

seen, exact = judged().images, judged().masks
truth = places(exact)  # (127, 144) more than half of a place
seen_maps = judged().queries.float()
net = checkpoint("dino")

# %%
@torch.no_grad()
def looks(net, layer=-1, maps=seen_maps):
    """Where the class token looks, (N, heads, places)."""
    weights = torch.cat([net.attention(some, layer)[:, :, 0, 1:]
                         for some in maps.split(32)])
    return weights / weights.sum(dim=-1, keepdim=True)

attention = looks(net)
print(tuple(attention.shape), "each row sums to 1")

# %% [markdown]
# The class token also looks at itself. That share is left out, so that the weights of the places sum to 1 again.

# %% tags=["fold"]
# One picture: four heads in each of the two layers
ONE = 41
rows = [("first", 0), ("last", -1)]
heads = [np.kron((head / head.max()).reshape(12, 12), np.ones((16, 16)))
         for _, layer in rows
         for head in looks(net, layer, seen_maps[ONE:ONE + 1])[0].numpy()]
panels = [seen[ONE], *heads[:4], seen[ONE], *heads[4:]]
names = [name for layer, _ in rows for name in
         (f"{layer} layer", *(f"head {h}" for h in range(1, 5)))]
axes = show_many(panels, cols=5, titles=names)
draw.describe(axes[0], "A picture, and where each of four heads looks, "
    "in the first layer and in the last: mostly at the thing.")

# %% [markdown]
# Bright places get much; each map is as bright as its strongest place allows. As in section 3, attention is scored by **ranked IoU**: take as many places as the thing has, those that attention ranks first.
#
# **Predict:** which layer finds the thing better, the first or the last? And does the mean of the four heads beat the best of them?

# %%
def scores(net):
    """Ranked IoU of each head and of their mean, by layer."""
    rows = []
    for name, layer in [("first", 0), ("last", -1)]:
        a = looks(net, layer)
        row = {f"head {h + 1}": ranked_iou(a[:, h], truth).mean()
               for h in range(4)} | {
               "mean": ranked_iou(a.mean(1), truth).mean()}
        rows.append({"layer": name} | {k: v.item()
                                       for k, v in row.items()})
    return rows

table = scores(net)
draw.table(table, digits=".2f")

# %% tags=["author"]
first, last = table
assert first["mean"] > 0.72 and first["mean"] > last["mean"] + 0.05
assert all(row["mean"] > max(row[f"head {h}"] for h in range(1, 5)) + 0.01 for row in table)

# %% [markdown]
# The mean is better than any head: they err at different places. And the *first* layer beats the last. The class token of the last layer has already read
# the places once, through the first, so it need not look at all of the thing again. That is a reading, and no experiment here tests it.
#
# ### Compared with whom?
#
# Is it DINO that made the class token look at things? Ask the same architecture untrained, and trained with the labels of the 18 groups. And ask rules
# that need no network of ours at all.

# %%
from cvlab.dino.baselines import (border_color, center_blob,
                                  principal_component)
from cvlab.distillation.teaching import small_vit

torch.manual_seed(0)
rows = []
for name, other in {"untrained": small_vit().eval(),
        "supervised": checkpoint("supervised"), "DINO": net}.items():
    one, two = scores(other)
    rows.append({"who": name, "first layer": one["mean"],
                 "last layer": two["mean"]})
rules = {"blob in the centre": center_blob(len(seen)),
         "first principal component":
             principal_component(seen_maps, seen_maps),
         "far from the border's colours": border_color(seen)}
rows += [{"who": name, "rule": ranked_iou(rank, truth).mean().item()}
         for name, rank in rules.items()]
draw.table(rows, digits=".2f")

# %% tags=["author"]
untrained, told, ours, *others = rows
assert untrained["first layer"] < 0.35 and untrained["last layer"] < 0.35
assert ours["first layer"] > told["first layer"] + 0.04
assert ours["last layer"] > told["last layer"] + 0.08
blob, component, border = (row["rule"] for row in others)
assert blob < 0.55 and component < 0.66 and ours["last layer"] > blob + 0.08
assert border > ours["first layer"] + 0.02

# %% [markdown]
# DINO beats its supervised twin in both layers, the blob, and the first principal component of the very maps it stands on. Labels ask which of 18 groups it is;
# a part of the thing can answer that.
#
# **Trap: a score without a rule beside it.** The last row knows nothing of things. It asks how far a place's colour is from all colours at the border, and
# it wins: these drawings are flat and colourful, and they stand before photos. It is a property of *this world*. In a world whose things have the ground's
# colours it would be blind. Without that row, you would call DINO's number the best possible.

# %% [markdown]
# ### Attention as a mask
#
# Ranked IoU is told how many places the thing has. A mask has to find that out. DINO's authors keep the places that together hold a share of the
# **mass**: 60 % of the attention. A head that looks at one spot gets few places, one that looks everywhere gets many.
#
# By hand: weights 0.125, 0.5, 0.25, 0.125 and a share of 0.7. The largest holds 0.5, that is not enough. With the next it is 0.75. Two places.

# %% [markdown]
# **Exercise.** Write `mass_mask(attention, share)`: the fewest places that together hold at least `share` of the attention, as bool of the same shape `(..., P)`.
# Each row along the last axis sums to 1 and is judged alone. Of equally strong places the first are kept.

# %% tags=["exercise"]
def mass_mask(attention, share):
    """Return (..., P) bool: the fewest places that hold share."""
    ### BEGIN SOLUTION
    ranked = attention.sort(dim=-1, descending=True, stable=True)
    before = ranked.values.cumsum(dim=-1) - ranked.values  # (..., P) held by the places ahead
    kept = before < share
    return torch.zeros_like(kept).scatter(-1, ranked.indices, kept)
    ### END SOLUTION

# %%
check(mass_mask)

# %% [markdown]
# The lesson goes on with the package's copy. How much mass is right? Try all shares, on the mean of the heads.

# %%
from cvlab.dino.masks import mass_mask

def iou(mask):
    both, either = (mask & truth).sum(1), (mask | truth).sum(1)
    return (both / either).mean().item()

shares = np.linspace(0.05, 0.95, 19)
means = {"DINO, first layer": looks(net, 0).mean(1),
         "DINO, last layer": attention.mean(1),
         "supervised, first layer":
             looks(checkpoint("supervised"), 0).mean(1)}
curves = {name: [iou(mass_mask(a, share)) for share in shares]
          for name, a in means.items()}

# %% tags=["fold"]
# Draw IoU against the share of the mass
best = {name: (shares[np.argmax(c)], max(c)) for name, c in curves.items()}
top = best["DINO, first layer"]
_, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
for color, (name, curve) in zip(draw.PALETTE, curves.items(), strict=False):
    ax.plot(shares, curve, color=color, label=name)
ax.axvline(0.6, color="gray", lw=1, ls=":")
ax.set(xlabel="share of the attention kept", ylabel="IoU with the exact mask",
       xlim=(0, 1.3), ylim=(0, 1), xticks=np.arange(0, 1.1, 0.2))
ax.set_title(f"The best mask keeps {top[0]:.0%} of the mass: IoU {top[1]:.2f}")
draw.label_lines(ax)
draw.describe(ax, "IoU rises with the share that is kept, and falls "
    "steeply at the end; DINO's first layer is highest.")

# %% tags=["author"]
assert 0.75 <= top[0] <= 0.95 and top[1] > 0.65
assert best["DINO, last layer"][1] < top[1] - 0.03
at = int(np.abs(shares - 0.6).argmin())
assert curves["DINO, first layer"][at] < top[1] - 0.1
assert best["supervised, first layer"][1] < top[1]

# %% [markdown]
# With the paper's 60 % much of the thing is missing: our heads spend most of their attention on a part of it. About 90 % suits them best. The share is a
# number that somebody chose by looking at exact masks, so a little label has come in through the back door. Beyond it the curve falls fast: the last few
# percent are spread over the whole ground.
#
# ### All heads in one picture
#
# Four maps side by side are hard to compare. Give each head a colour, and lay all over the grey picture: where two agree, their colours mix.

# %% [markdown]
# **Exercise.** Write `attention_overlay(image, attention, colors, veil=0.8)` with NumPy: floats from 0 to 1, `(H, H, 3)`. `attention` is `(heads, P)`, places row by
# row, `colors` is `(heads, 3)`.
#
# - A head's *strength* at a place is its weight there, divided by its largest.
# - A place becomes a square of pixels, all alike.
# - A pixel's hue is the mean of the colours, weighted by strength.
# - It lies over the grey picture (mean of the channels, from 0 to 1) with opacity `veil` times the largest strength.

# %% tags=["exercise"]
def attention_overlay(image, attention, colors, veil=0.8):
    """Return (H, H, 3) floats: colours over the grey picture."""
    ### BEGIN SOLUTION
    heads, places = attention.shape
    side = round(places**0.5)
    maps = attention.reshape(heads, side, side)
    maps = maps / maps.max(axis=(1, 2), keepdims=True)  # a head's strongest is 1
    step = len(image) // side
    maps = maps.repeat(step, axis=1).repeat(step, axis=2)  # (heads, H, W)
    total = np.maximum(maps.sum(axis=0), 1e-9)[..., None]  # (H, W, 1)
    hue = np.einsum("khw,kc->hwc", maps, colors) / total
    alpha = veil * maps.max(axis=0)[..., None]
    gray = image.mean(axis=2, keepdims=True) / 255
    return (1 - alpha) * gray + alpha * hue
    ### END SOLUTION

# %%
check(attention_overlay)

# %%
from matplotlib.colors import to_rgb
from cvlab.dino.overlay import attention_overlay

COLORS = np.array([to_rgb(draw.PALETTE[i]) for i in (4, 5, 3, 2)])
early = looks(net, 0)
some = [5, 41, 77, 100]
over = [attention_overlay(seen[i], early[i].numpy(), COLORS)
        for i in some]

# %% tags=["fold"]
# Draw four pictures, and the four heads over each
axes = show_many([*seen[some], *over], cols=4, titles=[
    "The picture", "", "", "", "Four heads", "", "", ""])
draw.describe(axes[0], "Four pictures, and the same in grey with the "
    "four heads' colours over them, nearly all of it on the thing.")

# %% [markdown]
# Orange is head 1, blue head 2, pink head 3, green head 4. Do they share the work? With exact masks it can be measured: how much of each head's attention goes
# to places inside the thing, to places its outline crosses, and to the ground.

# %%
step = exact.reshape(-1, 12, 16, 12, 16).mean(axis=(2, 4))
cover = torch.from_numpy(step).flatten(1)  # share of each place
parts = {"inside": cover > 0.98, "outline": (cover >= 0.02) & (cover <= 0.98),
         "ground": cover < 0.02}
rows = [{"layer": name, "head": str(h + 1)} | {
            part: (a[:, h] * where).sum(1).mean().item()
            for part, where in parts.items()}
        for name, a in [("first", early), ("last", attention)]
        for h in range(4)]
rows.append({"layer": "area of the picture"} | {
    part: where.float().mean().item() for part, where in parts.items()})
draw.table(rows, digits=".0%")

# %% tags=["author"]
area = rows[-1]
assert 0.58 < area["ground"] < 0.68 and all(row["ground"] < 0.2 for row in rows[:4])
assert max(row["outline"] for row in rows[:4]) > min(row["outline"] for row in rows[:4]) + 0.1
assert max(row["ground"] for row in rows[4:8]) < 0.3 and rows[3]["inside"] > 0.7
pairs = [F.cosine_similarity(a[:, i], a[:, j]).mean().item() for a in (early, attention)
         for i in range(4) for j in range(i)]
assert min(pairs) > 0.2 and max(pairs) < 0.8

# %% [markdown]
# The ground is nearly two thirds of the picture, and no head spends much more than a fifth of its attention on it. In the first layer heads 2 and 4 prefer
# the inside, while head 1 spends four tenths on the outline. So heads differ in what they look at, though nothing in the loss asks for it. It is no clean
# division of work: all of them look at the thing.
#
# ### Every patch asks
#
# The class token is one of 145 tokens. In the opening widget you asked the others. Now all of them: how much do the thing's patches look at the
# thing, and how much do those of the ground?

# %%
@torch.no_grad()
def patches(layer):
    """Share of a patch's attention on the thing: its own, ground's."""
    told = []
    for some, mine in zip(seen_maps.split(32), truth.split(32),
                          strict=True):
        a = net.attention(some, layer)[:, :, 1:, 1:].mean(1)  # (B, P, P)
        a = a / a.sum(dim=-1, keepdim=True)
        told.append((a * mine[:, None]).sum(-1))  # (B, P)
    told = torch.cat(told)
    return told[truth].mean().item(), told[~truth].mean().item()

rows = []
for name, layer in [("first", 0), ("last", -1)]:
    own, ground = patches(layer)
    rows.append({"layer": name, "the thing's patches": own,
                 "the ground's patches": ground})
print(f"the thing is {truth.float().mean():.0%} of the places")
draw.table(rows, digits=".0%")

# %% tags=["author"]
one, two = rows
assert one["the thing's patches"] > one["the ground's patches"] + 0.1
assert two["the ground's patches"] > two["the thing's patches"] + 0.2

# %% [markdown]
# In the first layer like looks at like, a little: the thing's patches look at the thing more than the ground's do. In the last layer it is the
# other way round: the ground asks the thing, and the thing's own patches look away from it. An attention map is what a token *reads*, not what it is. Only
# the class token's map was worth a mask here.
#
# ### Do more places help?
#
# A place is 16 pixels wide, so a mask of places is coarse. Our transformer has no positions, so it takes any size of map: show it the same pictures twice
# as large, and there are 24 x 24 places, for four times the work. Nothing is trained again. Judged on *pixels* now, grown bilinearly:

# %%
def pixels(attention, some):
    """Ranked IoU of (N, P) attention with the exact pixels."""
    side = round(attention.shape[1] ** 0.5)
    maps = attention.reshape(-1, 1, side, side)
    grown = F.interpolate(maps, (192, 192), mode="bilinear")
    mask = torch.from_numpy(exact[some]).flatten(1)
    return ranked_iou(grown.flatten(1), mask).mean().item()

few = np.arange(0, len(seen), 4)
large = seen[few].repeat(2, axis=1).repeat(2, axis=2)
fine = looks(net, 0, maps_of(large, batch=1).float()).mean(1)
coarse = early[few].mean(1)
ideal = F.adaptive_avg_pool2d(
    torch.from_numpy(exact[few]).float(), 12).flatten(1)
rows = [{"what": "12 x 12 places", "IoU of pixels": pixels(coarse, few)},
        {"what": "24 x 24 places", "IoU of pixels": pixels(fine, few)},
        {"what": "the exact mask on 12 x 12 places",
         "IoU of pixels": pixels(ideal, few)}]
draw.table(rows, digits=".2f")

# %% tags=["author"]
coarse, fine, ideal = (row["IoU of pixels"] for row in rows)
assert fine < coarse - 0.01 and ideal > coarse + 0.08

# %% tags=["fold"]
# Let the large arrays of this section go
seen = exact = seen_maps = large = early = attention = None

# %% [markdown]
# They do not: the finer map is worse, although its places are smaller. And the grid is not what holds us back: the exact mask, rounded to 12 x 12 places and
# grown the same way, gets 0.90. What did help, in this order: the first layer in place of the last, the mean of the heads in place of one, and a share of
# the mass that suits them.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 5 · A film *(28 min)*
#
# In a film things move, turn, and pass one another. You mark them once, in the first frame. Who marks the other 23?
#
# Here is a film whose exact masks are known, of two held-out things. The photo behind pans, the dodo turns, and the doughnut passes before it.

# %% tags=["fold"]
# A film of two things, and six of its frames
from cvlab.dino.film import make_film
from cvlab.world import pool

names = [pool.things()[t].name for t in pool.sprites("twemoji")[1]]
pair = [("twemoji", names.index(n)) for n in ("dodo", "doughnut")]
film = make_film(pair, frames=24, seed=3)
shown = [0, 5, 9, 12, 17, 23]
axes = show_many(film.images[shown], cols=6,
                 titles=[f"frame {t}" for t in shown])
draw.describe(axes[0], "Six frames: a dodo and a doughnut cross the "
    "picture in opposite directions; the doughnut passes before it.")

# %% [markdown]
# The score is **J**, DAVIS's name for the mean IoU: of each thing in each frame but the first, averaged over frames. Two ways need no network. Keep the first
# masks where they are. Or cut each thing's box out of the first frame, look for it in every other one (by normalised correlation), and move its mask there.

# %%
def J(labels, exact=film.labels):
    """Mean IoU of both things in all frames but the first."""
    ious = [((labels[t] == k) & (exact[t] == k)).sum()
            / max(1, ((labels[t] == k) | (exact[t] == k)).sum())
            for t in range(1, len(exact)) for k in (1, 2)]
    return float(np.mean(ious))

still = film.labels[:1].repeat(len(film), axis=0)
print(f"masks kept still: J = {J(still):.2f}")

# %%
import cv2

def match(film):
    """Move each first mask to where its box fits best."""
    moved = np.zeros_like(film.labels)
    for k in (1, 2):
        y, x = np.nonzero(film.labels[0] == k)
        box = np.s_[y.min():y.max() + 1, x.min():x.max() + 1]
        mask = film.labels[0][box] == k
        for t, frame in enumerate(film.images):
            fit = cv2.matchTemplate(frame, film.images[0][box],
                                    cv2.TM_CCOEFF_NORMED)
            row, col = np.unravel_index(fit.argmax(), fit.shape)
            h, w = mask.shape
            moved[t][row:row + h, col:col + w][mask] = k
    return moved

print(f"masks moved by matching: J = {J(match(film)):.2f}")

# %% tags=["author"]
assert J(still) < 0.2 and 0.6 < J(match(film)) < 0.75

# %% [markdown]
# ### Ask the patches that look alike
#
# A patch of frame 7 shows a piece of the doughnut. Some patch of frame 6 shows nearly the same piece, and *its* label is known. So ask it. The recipe for
# DAVIS: take the cosine with the patches of the first frame and of the last few, only those nearby; keep the `k` most alike; mix their labels, the
# more alike the more, by a softmax. What comes out is a share for each label, and the next frame may ask for it. Nothing is trained.
#
# By hand: two may be asked, with cosines 0.9 and 0.7, one says "dodo", one says "ground". At temperature 0.1 the weights are as e⁹ to e⁷: 0.88 and 0.12.

# %% [markdown]
# **Exercise.** Write `propagate_labels(features, known, labels, allowed, k=5, temperature=0.1)`: `features` `(P, D)` of the patches to label, `known` `(M, D)` and
# their `labels` `(M, C)`, and `allowed` `(P, M)`, bool: who may be asked. Each patch asks the `k` allowed ones of the highest cosine; weights are the softmax of
# cosine / temperature over these `k`. Return `(P, C)`.

# %% tags=["exercise"]
def propagate_labels(features, known, labels, allowed, k=5,
                     temperature=0.1):
    """Return (P, C): labels mixed from the k most alike."""
    ### BEGIN SOLUTION
    likeness = F.normalize(features, dim=1) @ F.normalize(known, dim=1).T
    likeness = likeness.masked_fill(~allowed, -torch.inf)  # (P, M)
    best, where = likeness.topk(k, dim=1)  # (P, k)
    weights = (best / temperature).softmax(dim=1)
    return (weights[..., None] * labels[where]).sum(dim=1)
    ### END SOLUTION

# %%
check(propagate_labels)

# %% [markdown]
# The lesson goes on with the package's copy. `follow` calls it frame by frame, and asks the first frame and the last five. The first labels are shares of
# places; in the end they are grown to pixels bilinearly, and the largest wins. Even the *exact* masks lose something on that way: that is the ceiling.
#
# **Predict:** frames at their size have 12 x 12 places, twice as large 24 x 24. And which patches are the best to ask: raw pixels, the frozen maps, or DINO's?

# %% tags=["fold"]
# Patches of the film, by four networks or none, on 12 x 12 or 24 x 24
from cvlab.dino.records import checkpoint
from cvlab.distillation.maps import maps_of
from cvlab.distillation.teaching import small_vit

torch.manual_seed(0)
dino, chance = checkpoint("dino"), small_vit().eval()

@torch.no_grad()
def features_of(images, side):
    """Return {name: (T, P, D)} of frames with side x side places."""
    zoom, step = side // 12, 192 // side
    large = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    maps = maps_of(large, batch=1).float()
    pixels = torch.from_numpy(images).float().div(255).sub(0.5)
    pixels = pixels.reshape(-1, side, step, side, step, 3).transpose(2, 3)
    def tokens(net):
        return torch.cat([net.tokens(m)[:, 1:] for m in maps.split(4)])
    return {"raw pixels": pixels.reshape(-1, side**2, 3 * step**2),
            "frozen maps": maps.flatten(2).transpose(1, 2),
            "untrained": tokens(chance), "DINO": tokens(dino)}

# %%
from cvlab.dino.propagation import follow, soft_labels, upsampled

rows, told = [], {}
for side in (12, 24):
    first = soft_labels(film.labels, 3, side)  # (T, P, 3)
    row = {"places": f"{side} x {side}",
           "ceiling": J(upsampled(first, 192).numpy())}
    for name, x in features_of(film.images, side).items():
        labels = follow(x, first[0], radius=side // 4)
        told[name, side] = upsampled(labels, 192).numpy()
        row[name] = J(told[name, side])
    rows.append(row)
draw.table(rows, digits=".2f")

# %% tags=["author"]
coarse, fine = rows
assert coarse["DINO"] > coarse["untrained"] + 0.05 and coarse["DINO"] > coarse["frozen maps"] + 0.08
assert coarse["raw pixels"] < 0.4 and all(fine[n] > coarse[n] + 0.1 for n in list(coarse)[2:])
assert fine["DINO"] > J(match(film)) + 0.04 and fine["DINO"] - fine["frozen maps"] < 0.09
assert coarse["DINO"] < J(match(film)) < coarse["ceiling"]

# %% [markdown]
# With 12 x 12 places DINO's patches are clearly the best, and yet matching boxes, which needs no network, is better than all of them. A finer grid brings more
# than any network: every column gains by it. And there DINO's lead over the frozen maps has nearly gone. It is one film: a thing that bends, or a box with
# much ground in it, would be harder for matching.

# %% [markdown]
# ### Or let the class token look
#
# Attention needs no marked frame at all. Section 4's mask, frame by frame: the mean of the heads in the first layer, the places that hold a share of the
# mass, here 85 %. It cannot tell two things apart, so judge it on "thing or ground", and the others too.

# %%
from cvlab.dino.masks import mass_mask

@torch.no_grad()
def watched(share, net=dino):
    """Masks (T, 192, 192) by attention, each frame for itself."""
    maps = maps_of(film.images).float()
    a = net.attention(maps, layer=0)[:, :, 0, 1:].mean(1)
    mask = mass_mask(a / a.sum(-1, keepdim=True), share)
    mask = mask.reshape(-1, 12, 12).repeat_interleave(16, 1)
    return mask.repeat_interleave(16, 2).numpy()

def J_any(labels):
    one, two = np.array(labels[1:]) > 0, film.labels[1:] > 0
    return float(((one & two).sum((1, 2))
                  / (one | two).sum((1, 2))).mean())

seen = watched(0.85)
rows = [{"masks": name, "J, thing or ground": J_any(labels)}
        for name, labels in {
            "kept still": still, "attention": seen,
            "DINO, 12 x 12": told["DINO", 12],
            "DINO, 24 x 24": told["DINO", 24]}.items()]
draw.table(rows, digits=".2f")

# %% tags=["author"]
kept, attended, twelve, twentyfour = (row["J, thing or ground"] for row in rows)
assert kept < attended < twelve < twentyfour

# %% [markdown]
# Attention finds the things in each frame anew, coarsely, and with nobody's help; handing labels on is far better, and it was given the first frame. Here are
# both, side by side: the film, attention, labels.

# %% tags=["fold"]
# Lay both masks over the frames; draw four moments of them
RGB = np.array([[0, 0, 0], [230, 159, 0], [86, 180, 233]])

def tinted(labels):
    on = (labels > 0)[..., None]
    mixed = 0.4 * film.images + 0.6 * RGB[labels]
    return np.where(on, mixed, film.images * 0.75).astype(np.uint8)

sides = [film.images, tinted(seen.astype(int)), tinted(told["DINO", 24])]
frames = np.concatenate(sides, axis=2)  # (T, 192, 576, 3)
moments = [0, 8, 12, 23]
axes = show_many([s[t] for s in sides for t in moments], cols=4, titles=[
    *(f"frame {t}" for t in moments), "attention", "", "", "",
    "labels handed on", "", "", ""])
draw.describe(axes[0], "Four frames; attention colours roughly where "
    "things are; the labels handed on follow each thing's outline.")

# %% [markdown]
# And as a film. OpenCV writes WebM, which browsers play; where its build lacks the codec, Pillow writes an animated WebP. Nobody should need to have
# the right build, so try both: the second call asks for a codec that does not exist.

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path
from cvlab.dino.video import Player, write_film

folder = Path(tempfile.mkdtemp())
path = write_film(frames, folder / "film", fps=6)
other = write_film(frames[:, ::2, ::2], folder / "other", codec="none")
print([f"{p.suffix} {p.stat().st_size // 1000} kB" for p in (path, other)])
Player(path, "The film; attention; labels handed on. The doughnut "
    "passes before the dodo, and both keep their colours.")

# %% tags=["author"]
assert path.stat().st_size < 220_000 and other.suffix == ".webp"

# %% tags=["fold"]
# Let the frames of this section go
frames = sides = told = seen = still = None

# %% [markdown]
# One answer: with 24 x 24 places and one marked frame, patches that look alike carry two labels through an occlusion. Where it breaks: what comes out from
# behind a thing was never seen, and a label that is lost for more than five frames can only come back from the first one.

# %% [markdown]
# ## 6 · Groups that nobody named *(30 min)*
#
# The 18 groups are ours; Unicode's people wrote them down. The network has never heard of them. If you let it sort drawings into 18 heaps, whose
# groups come out?
#
# Take one company's 542 drawings, each before a photo of its own, and 96 numbers of each.

# %% tags=["fold"]
# What this section needs
from scipy.optimize import linear_sum_assignment
from cvlab.dino.clusters import contingency, purity
from cvlab.dino.features import features_of
from cvlab.dino.judging import judged
from cvlab.dino.records import checkpoint
from cvlab.dino.search import gallery, nearest
from cvlab.distillation.maps import maps_of
from cvlab.distillation.teaching import small_vit
from cvlab.widgets import NearestThings
from cvlab.world import pool

# %%
sets, dino = judged(), checkpoint("dino")
groups, pictures = sets.bank_labels[:542], sets.bank_images[:542]
x = F.normalize(features_of(dino, sets.bank[:542]), dim=1)
names = pool.groups()
print(tuple(x.shape), "of", len(names), "groups")

# %% [markdown]
# ### k-means
#
# You met it in 06b, for the shapes of anchors. Each row goes to its nearest centre, each centre moves into the midst of its rows, and again. Here is
# a better start, **k-means++**: the first centre is drawn by lot, every next one with a chance that grows with its squared distance to the centres so
# far.

# %% tags=["core"]
def spread_start(x, k, seed=0):
    """Return k rows of x that lie apart."""
    dice = torch.Generator().manual_seed(seed)
    centers = x[torch.randint(len(x), (1,), generator=dice)]
    while len(centers) < k:
        far = torch.cdist(x, centers).amin(1).square()  # (N,)
        far = far if far.sum() > 0 else torch.ones(len(x))
        drawn = torch.multinomial(far, 1, generator=dice)
        centers = torch.cat([centers, x[drawn]])
    return centers

# %% tags=["core"]
def k_means(x, centers, rounds=100):
    """Return (N,) whose each row is, and the centres."""
    for _ in range(rounds):
        mine = torch.cdist(x, centers).argmin(1)  # (N,)
        moved = centers.clone()
        for j in mine.unique():
            moved[j] = x[mine == j].mean(0)
        if torch.equal(moved, centers):
            break
        centers = moved
    return mine, centers

# %% [markdown]
# Every start ends somewhere else. What k-means makes small is the **inertia**, the summed squared distance of each row to its centre. So start ten
# times and keep the smallest. No label is needed for that choice.

# %% tags=["nbval-ignore-output"]
def sorted_into(x, k, seeds=range(10)):
    """Return the clusters of the start with the least inertia."""
    tries = [k_means(x, spread_start(x, k, seed))
             for seed in seeds]
    inertia = [(x - centers[mine]).square().sum().item()
               for mine, centers in tries]
    best = int(np.argmin(inertia))
    return *tries[best], inertia

clusters, centers, inertia = sorted_into(x, 18)
print(f"inertia {min(inertia):.0f} to {max(inertia):.0f} of "
      f"{(x - x.mean(0)).square().sum():.0f}; the sizes:",
      sorted(clusters.bincount().tolist()))

# %% tags=["author"]
assert len(clusters.unique()) == 18

# %% [markdown]
# Here are six of the heaps, each by the seven pictures nearest to its centre. **Predict** before you look on: give each heap a name. What would a
# child call it?

# %% tags=["fold", "nbval-ignore-output"]
# Draw the middle of six heaps
large = clusters.bincount().argsort(descending=True)[::3][:6]
middle = torch.cdist(centers, x).argsort(1)[:, :7]  # (18, 7)
shown = [pictures[i] for j in large for i in middle[j]]
titles = [names[groups[i]] for j in large for i in middle[j]]
axes = show_many(shown, cols=7)
for ax, name in zip(axes, titles, strict=True):
    ax.set_title(name.split()[0], fontsize=9)
axes[0].figure.suptitle("A heap a row, and our words for it")
draw.describe(axes[0], "Six rows of pictures, a cluster each.")

# %% [markdown]
# ### How well do they agree with ours?
#
# A cluster has a number, and the number means nothing: cluster 3 is not group 3. There are three ways around it. All begin with a table of counts, a
# row for each cluster, a column for each group. Try them on six pictures first.

# %%
few_clusters = torch.tensor([0, 0, 0, 1, 1, 2])
few_groups = torch.tensor([0, 0, 1, 1, 1, 1])
print(contingency(few_clusters, few_groups))
print(f"purity {purity(few_clusters, few_groups):.2f}")

# %% [markdown]
# **Purity**: let every cluster take its commonest group. 2 + 2 + 1 of the six belong, 0.83. Two clusters may take the same group.
#
# **NMI**, normalised mutual information: how much you learn about the group when somebody tells you the cluster, as a share of what there is to
# learn. With entropies H: (H(clusters) + H(groups) - H(both)) over the mean of the first two.

# %% tags=["core"]
def mutual_information(clusters, groups):
    """Return NMI: 0 tells nothing, 1 tells all."""
    both = contingency(clusters, groups).double() / len(groups)
    rows, columns = both.sum(1), both.sum(0)
    a, b, all_ = (-torch.xlogy(p, p).sum()
                  for p in (rows, columns, both))
    return float(2 * (a + b - all_) / (a + b)) if a + b > 0 else 1.0

# %%
print(f"NMI {mutual_information(few_clusters, few_groups):.2f}")

# %% [markdown]
# **Best matching** is the strict one: each cluster gets one group at most, each group one cluster at most, so that as many pictures as possible are
# right. Of the six above: cluster 0 with the first group, cluster 1 with the second, cluster 2 with none: 4 of 6, 0.67.

# %% [markdown]
# **Exercise.** Write `cluster_accuracy(clusters, groups)`: the share of pictures that the best matching gets right, a float. Both are (N,) whole
# numbers from 0. `linear_sum_assignment(table, maximize=True)` gives the rows and the columns of the best cells, no two in one row or column; the
# table need not be square.

# %% tags=["exercise"]
def cluster_accuracy(clusters, groups):
    """Return 0 to 1: what the best matching gets right."""
    ### BEGIN SOLUTION
    table = torch.zeros(int(clusters.max()) + 1, int(groups.max()) + 1)
    for cluster, group in zip(clusters, groups, strict=True):
        table[cluster, group] += 1
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum()) / len(groups)
    ### END SOLUTION

# %%
check(cluster_accuracy)

# %% [markdown]
# The lesson goes on with the package's copy. Sort the same 542 pictures by other features, too, and once by lot: what does a score give for nothing?

# %% tags=["nbval-ignore-output"]
from cvlab.dino.clusters import cluster_accuracy

torch.manual_seed(0)
ways = {"untrained": small_vit().eval(),
        "the frozen maps' mean": lambda maps: maps.mean((2, 3)),
        "DINO": dino, "told the groups": checkpoint("supervised")}
found = {way: sorted_into(F.normalize(
    features_of(net, sets.bank[:542]), dim=1), 18)[0]
    for way, net in ways.items()}
found = {"by lot": torch.randint(18, (542,))} | found
scores = {"NMI": mutual_information, "purity": purity,
          "best matching": cluster_accuracy}
rows = [{"sorted by": way}
        | {name: score(mine, groups) for name, score in scores.items()}
        for way, mine in found.items()]
draw.table(rows, digits=2)

# %% tags=["author"]
by = {row["sorted by"]: row for row in rows}
for name in scores:
    assert by["DINO"][name] > by["the frozen maps' mean"][name] > by["by lot"][name] - 0.02
    assert by["DINO"][name] > by["untrained"][name] + 0.03

# %% [markdown]
# Look at the first row: neither NMI nor purity is 0 for heaps by lot. Large groups fill every heap, and small heaps are pure by luck. Read every
# score beside what luck gives.
#
# The frozen maps' mean is no better than the lot. The one told the groups learnt from these very drawings, so its row is no rival: it shows how high
# the scores go when the groups *are* the task.
#
# ### Which groups merge?

# %% tags=["fold", "nbval-ignore-output"]
# Draw clusters against groups, after the best matching
table = contingency(clusters, groups)  # (18, 18)
rows_of, columns = linear_sum_assignment(table, maximize=True)
order = groups.bincount().argsort(descending=True).tolist()
place = [rows_of[list(columns).index(g)] for g in order]
share = table[place][:, order] / table.sum(1)[place, None]
share = share.numpy()
figure, ax = plt.subplots(figsize=(8, 6.4), layout="constrained")
ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
ax.grid(False)
for i, j in np.argwhere(share > 0.145):
    ink = "white" if share[i, j] > 0.55 else "black"
    ax.text(j, i, f"{100 * share[i, j]:.0f}", fontsize=9,
            ha="center", va="center", color=ink)
words = [names[g] for g in order]
ax.set_xticks(range(18), words, rotation=60, ha="right")
ax.set_yticks(range(18), [f"matched with {w}" for w in words])
held = cluster_accuracy(clusters, groups)
ax.set(title="Of each cluster, % by group: the diagonal holds "
             f"{held:.0%} of all")
draw.describe(ax, "Clusters in rows, groups in columns, in percent.")

# %% [markdown]
# Rows with one dark cell are groups that the network has found by itself. Look at the others: which of our words share a row? And a cluster that
# hardly holds the group it is matched with only took what was left over.
#
# ### What did it find instead?
#
# Perhaps the heaps are not worse than ours, only sorted by something else. Name a few candidates that anybody can measure: the drawing's mean colour;
# how much of its frame it fills; whether it is wide or tall; and the photo behind it. How much of each one's **variance** lies between heaps? For
# heaps by lot one expects 17 / 541, 0.03.
#
# **Predict:** whose heaps are more alike in colour, ours or the network's? And in how they fill their frame?

# %% tags=["fold"]
# Measure the drawings, and how much heaps explain of each measure
def measured(sprite):
    """Return mean colour, share filled, log(width / height)."""
    solid = sprite[..., 3] >= 128
    h, w = solid.any(1).sum(), solid.any(0).sum()
    colour = sprite[solid][:, :3].mean(0) / 255
    return *colour, solid.sum() / (h * w), np.log(w / h)

sprites, drawn = pool.sprites("noto")
row_of = {thing: row for row, thing in enumerate(drawn)}
facts = np.array([measured(sprites[row_of[thing]])
                  for thing in sets.bank_things[:542]])
edge = np.concatenate([pictures[:, :6], pictures[:, -6:]], 1)

def between(values, heaps):
    """Share of the variance of (N, D) values between heaps."""
    middle = np.zeros_like(values)
    for j in set(heaps.tolist()):
        middle[heaps == j] = values[heaps == j].mean(0)
    return middle.var(0).sum() / values.var(0).sum()

# %% tags=["nbval-ignore-output"]
candidates = {"mean colour of the drawing": facts[:, :3],
              "how much of its frame it fills": facts[:, 3:4],
              "wide or tall": facts[:, 4:],
              "mean colour of the photo's edge": edge.mean((1, 2))}
heaps = {"our groups": groups, "DINO's heaps": clusters,
         "the frozen maps'": found["the frozen maps' mean"],
         "by lot": found["by lot"]}
explained = {name: {way: between(values, heap)
                    for way, heap in heaps.items()}
             for name, values in candidates.items()}
draw.table([{"measure": name} | row
            for name, row in explained.items()], digits=2)

# %% tags=["author"]
colour, fills, _, photo = explained.values()
assert fills["DINO's heaps"] > fills["our groups"] + 0.05 and abs(colour["DINO's heaps"] - colour["our groups"]) < 0.08
assert photo["the frozen maps'"] > 0.2 and photo["DINO's heaps"] < 0.08

# %% [markdown]
# In colour heaps and groups are even. But drawings of one heap are much more alike in how they fill their frame than drawings of one group: they are
# heaps of round yellow things, of thin grey ones. Our words go by use, and use has no outline.
#
# The last row is the lesson in one line. Sorted by the frozen maps' mean, pictures fall into heaps of like *photos*. DINO's heaps know nothing of the
# photo.
#
# ### How many?
#
# We said 18 because we knew. k-means does not know, and would be glad of more: inertia falls with every centre. "Take the elbow", some say: the
# number after which it falls more slowly.
#
# **Trap: purity.** It rises with k, too. With one cluster a picture it is 1.

# %% tags=["nbval-ignore-output"]
ks = [2, 4, 8, 12, 18, 27, 40, 80, 160, 542]
runs = {k: sorted_into(x, k, range(2)) for k in ks}
curves = {name: [score(runs[k][0], groups) for k in ks]
          for name, score in scores.items()}
dice = torch.Generator().manual_seed(0)
lot = [torch.randint(k, (542,), generator=dice) for k in ks]
lot = [mutual_information(mine, groups) for mine in lot]
print("purity:", [round(v, 2) for v in curves["purity"]])

# %% tags=["fold", "nbval-ignore-output"]
# Draw inertia and scores by the number of clusters
wide = {"figsize": (9, 3.6), "layout": "constrained"}
figure, (left, right) = plt.subplots(1, 2, **wide)
left.plot(ks, [min(runs[k][2]) for k in ks], marker="o", ms=4)
left.set(xlabel="clusters", ylabel="inertia", ylim=(0, None),
         xscale="log", title="Where is the elbow?")
for name, values in curves.items():
    right.plot(ks, values, label=name)
right.plot(ks, lot, color="0.5", ls="--", label="NMI by lot")
end = curves["purity"][-1]
right.set(xlabel="clusters", ylabel="score", xscale="log",
          ylim=(0, 1.03), title=f"542 clusters: purity is {end:.0f}")
draw.label_lines(right)
for ax in (left, right):
    ax.set_xticks([2, 18, 160], ["2", "18", "160"])
    ax.minorticks_off()
draw.describe(left, "Inertia falls smoothly with more clusters.")

# %% tags=["author"]
assert curves["purity"][-1] == 1 and curves["best matching"][-1] < 0.05
assert curves["best matching"][4] > curves["best matching"][-2]
assert lot[-2] > lot[4] + 0.1

# %% [markdown]
# There is no elbow to be seen, and where there is one, it proves nothing: it is a bend of a curve that knows no groups. Purity is 1 at the end, and
# worth nothing there. NMI climbs by lot, too, because of many small clusters. Best matching alone falls again: too many clusters cost it as too few
# do.
#
# ### A search engine
#
# Sorting is done once; searching is asked again and again. The gallery holds 2,497 stickers by five companies on plain grey, with the features of
# each. A question is any picture.

# %% tags=["nbval-ignore-output"]
def search(picture, k=10):
    """Return the k nearest stickers, and their cosines."""
    with torch.no_grad():
        said = dino(maps_of(picture[None]).float())[0]
    return nearest(gallery().features["DINO"], said, k)

found_now, cosines = search(sets.images[5])
print(gallery(), "asked:", names[sets.labels[5]])
print([names[gallery().groups[i]] for i in found_now[:5]])

# %% [markdown]
# How often is a found sticker of the right group? **Precision@10** is the share among the ten; the thing itself, drawn by others, is left out. Ask
# twice: with the 127 judged pictures, each before a photo, and with the same 127 drawings on plain grey.
#
# **Predict:** on grey, who wins?

# %% tags=["nbval-ignore-output"]
every, things = gallery(), torch.from_numpy(sets.things)

def precision(way, said):
    """Return the share of the right group among the ten nearest."""
    cosines = F.normalize(said, dim=1) @ every.features[way].T
    cosines[things[:, None] == every.things] = -1  # itself left out
    found = cosines.topk(10).indices  # (127, 10)
    same = every.groups[found] == sets.labels[:, None]
    return same.float().mean().item()

drawn_at = [every.drawings.index(d) for d in drawings_to_judge()]
before = {"DINO": features_of(dino, sets.queries),
          "frozen": sets.queries.float().mean((2, 3))}
rows = [{"features": way, "before a photo": precision(way, said),
         "on grey": precision(way, every.features[way][drawn_at])}
        for way, said in before.items()]
draw.table(rows, digits=2)

# %% tags=["author"]
assert rows[0]["before a photo"] > rows[1]["before a photo"] + 0.05
assert rows[1]["on grey"] > rows[0]["on grey"] - 0.03

# %% [markdown]
# Before a photo the frozen maps' mean is lost. On plain grey, where nothing draws the eye away, it is at least as good as DINO: another sign that on
# these maps DINO learnt where to look, and not what to see.
#
# Now look for yourself. The question is a sticker of the gallery. Find one whose ten nearest all belong to other groups, and say what the network saw
# in it.

# %%
NearestThings()

# %% [markdown]
# **In one line:** features sort pictures by what they share to the eye of *this* network; whether that is what you call a group, only labels can
# tell.

# %% tags=["fold"]
# Let the large tensors go, and what is kept ready for later
sets = x = before = every = None
for kept in (judged, gallery, pool.sheet):
    kept.cache_clear()

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 7 · Real *(22 min)*
#
# Does it carry over to a photo of yours, and to a network that was never told a label?
#
# Ours stands on features that were learnt with ImageNet's labels, and it has seen drawings only. DINO's authors trained a **ViT-S/16** from pixels,
# on ImageNet's photos without their labels. It is lesson 08a's class: 12 blocks, 6 heads, 384 numbers a token. timm has its weights, and
# `from_timm` puts them in.
#
# They are a file of 87 MB, so this step asks first. Offline it says what it skips, and the weights are **random**: all shapes are right, the
# pictures mean nothing. One switch turns it on: `cvlab.settings.online()` before the next cell.

# %% tags=["fold"]
# The imports of this section
import math
import timm
from cvlab import photo
from cvlab.dino import real
from cvlab.dino.components import to_rgb
from cvlab.dino.masks import mass_mask
from cvlab.dino.overlay import attention_overlay
from cvlab.dino.records import checkpoint
from cvlab.distillation.maps import maps_of
from cvlab.distillation.pretrained import attention_of, load_timm
from cvlab.distillation.vit import ViT

# %%
net, learnt = real.network()
print(f"{sum(p.numel() for p in net.parameters()):,} parameters,",
      len(net.blocks), "blocks,", net.blocks[0].attn.heads, "heads")

# %% tags=["author"]
assert sum(p.numel() for p in net.parameters()) == 21_665_664

# %% [markdown]
# No sum of this file is published with the paper or with timm. So it must have the sum that the hub states for it, and all of its names and shapes
# must be the class's. More than that is not known about it.
#
# Now a photo: Chelsea the cat, or one of yours. The square in its middle is brought to 224 pixels, which gives 14 x 14 patches.

# %%
mine = None  # or the path of your own photo
picture = photo(mine or "chelsea")
x, shown = real.prepare(picture)
with torch.no_grad():
    print("tokens   ", tuple(net.tokens(x).shape))
    print("attention", tuple(net.attention(x).shape))

# %% [markdown]
# The functions are those that looked into our own network: where the class token looks, head by head, and three principal components of what the
# patches say. Ours gets the same photo, by way of its frozen maps.

# %%
@torch.no_grad()
def seen(net, x):
    heads = net.attention(x)[0, :, 0, 1:]  # (heads, P)
    heads = heads / heads.sum(-1, keepdim=True)
    colors = to_rgb(net.tokens(x)[:, 1:])[0]  # (P, 3)
    return heads, colors

small = real.prepare(picture, 192)[1]
name = "DINO's ViT-S/16" if learnt else "random weights"
both = {
    "ours": (small, *seen(checkpoint("dino"),
                          maps_of(small[None]).float())),
    name: (shown, *seen(net, x)),
}

# %% tags=["fold", "nbval-ignore-output"]
# Draw heads as colours, a mask of 60 % of the attention, and patches as colours
def draw_both():
    fig, axes = plt.subplots(2, 4, figsize=(9, 5),
                             layout="constrained")
    palette = plt.matplotlib.colors.to_rgba_array(draw.PALETTE)[:, :3]
    for line, who in zip(axes, both, strict=True):
        image, heads, colors = both[who]
        side = math.isqrt(heads.shape[1])
        mask = mass_mask(heads.mean(0), 0.6).reshape(side, side)
        laid = attention_overlay(image, heads.numpy(),
                                 palette[: len(heads)])
        pictures = [image, laid, mask, colors.reshape(side, side, 3)]
        titles = [who, f"{len(heads)} heads",
                  f"60 %: {mask.sum()} of {side**2} places", "patches"]
        for ax, one, title in zip(line, pictures, titles, strict=True):
            ax.imshow(one, cmap="gray", interpolation="nearest")
            ax.set_title(title, size=11)
            ax.axis("off")
    fig.suptitle("One photo, two networks" if learnt else
                 "Ours, and the same functions on random weights")
    draw.describe(axes[0, 0], "For two networks: a photo, its heads "
                  "as colours, a mask, patches as colours.")

draw_both()

# %% tags=["fold", "nbval-ignore-output"]
# Draw each head of the networks that learnt
trained = [who for who in both if who != "random weights"]
for who in trained:
    heads = both[who][1]
    side = math.isqrt(heads.shape[1])
    heads = heads / heads.amax(1, keepdim=True)
    show_many(list(heads.reshape(-1, side, side).numpy()), cols=6,
              titles=[f"{who}, head {k + 1}"
                      for k in range(len(heads))])

# %% tags=["author"]
def share_of_places(who):
    return mass_mask(both[who][1].mean(0), 0.6).float().mean()

assert share_of_places("ours") < 0.2
assert learnt or share_of_places("random weights") > 0.35

# %% [markdown]
# Ours gathers its attention on few places of the face, though it has only ever seen drawings. Random weights spread it. The cat fills the square, so
# there is no outline to find. Try photos with a small thing, with two, with none, and judge by eye: nobody drew their outlines.
#
# Offline the second row is random, and looks it. Online it is DINO's: on ImageNet its class token finds the right class of 74.5 % of the photos by
# its nearest neighbours alone, as its authors report.

# %% [markdown]
# ### A larger photo
#
# Finer attention needs more patches. At 320 pixels there are 20 x 20. **Predict:** what does the network say?

# %% tags=["raises-exception"]
larger, shown = real.prepare(picture, 320)
net(larger)

# %% [markdown]
# It has learnt 196 positions, not 400. Neighbours have learnt to be neighbours, so their grid can be enlarged like a picture, bicubically. The class
# token's position stays.

# %% tags=["core"]
def resized_positions(pos_embed, grid):
    first, rest = pos_embed[:, :1], pos_embed[:, 1:]
    side = math.isqrt(rest.shape[1])
    rest = rest.unflatten(1, (side, side)).permute(0, 3, 1, 2)
    rest = F.interpolate(rest, size=tuple(grid), mode="bicubic", antialias=True)
    return torch.cat([first, rest.flatten(2).transpose(1, 2)], dim=1)

# %%
from timm.layers import resample_abs_pos_embed

with torch.no_grad():
    old = net.pos_embed
    finer = resized_positions(old, (20, 20))
    gap = (finer - resample_abs_pos_embed(old, [20, 20])).abs().max()
    net.pos_embed = nn.Parameter(finer)
    heads = net.attention(larger)[0, :, 0, 1:]
print("as timm's:", bool(gap < 1e-5), " heads", tuple(heads.shape))

# %% tags=["author"]
assert gap < 1e-5 and heads.shape == (6, 400)

# %% [markdown]
# ### Two slips
#
# The weights of patches of 8 pixels have nearly the same names and shapes. **Predict:** which two must differ?

# %% tags=["raises-exception"]
eight = timm.create_model("vit_small_patch8_224", depth=1,
                          num_classes=0)
load_timm(ViT(224, 16, width=384, depth=1, heads=6, ratio=4),
          eight.state_dict(), "dino8.pth")

# %% [markdown]
# The kernels of the patch layer, and the positions. The patch is told first, by its size.
#
# And attention can be read where there is some. DINO's loss trains a ResNet, too, but a ResNet has none to show:

# %% tags=["raises-exception"]
attention_of(timm.create_model("resnet10t"), x)

# %% tags=["fold"]
# Let the networks go
net = both = eight = x = larger = None

# %% [markdown]
# ## Recap
#
# - What two views share is what is learnt. The same thing before another background: the thing. Before the same: the background, at a lower loss.
# - k-NN, neighbours and attention judge without training a head. Each needs a rule to beat: pooled features, a blob, the colour of the border.
# - Attention finds things that nobody pointed out, better than that of the same network told the groups. Labels name groups better.
# - Patches of one thing lie close together: colours by principal components, a mask handed on through a film.
# - Clusters are found, names are given. Which groups were meant, only labels can tell.

# %% [markdown]
# **In the library.** What you wrote by hand exists, and timm has the networks that Meta's authors trained without a label:

# %%
import timm

names = timm.list_models("*.dino*", pretrained=True)
print(*[name for name in names if "vit_small" in name], sep="\n")

# %% tags=["author"]
assert "vit_small_patch16_224.dino" in names

# %% [markdown]
# **Where it breaks.**
#
# - The maps under all this were learnt with ImageNet's labels. From pixels, in minutes, on one core: nothing.
# - Painted moments know the outline. A film's moments share most of their background, and crops of one photo all of its light.
# - A scene with two things: whose is the class token? Attention finds what stands out, which is not always what you ask for.
# - Twelve places each way: a leg thinner than sixteen pixels is in no mask.

# %% [markdown]
# **Sources.**
# [Emerging Properties in Self-Supervised Vision Transformers](https://arxiv.org/abs/2104.14294) (DINO), Caron, Touvron, Misra, Jégou, Mairal,
# Bojanowski, Joulin, ICCV 2021.
# [DINOv2](https://arxiv.org/abs/2304.07193), Oquab, Darcet, Moutakanni and others, TMLR 2024.
# [Vision Transformers Need Registers](https://arxiv.org/abs/2309.16588), Darcet, Oquab, Mairal, Bojanowski, ICLR 2024.
# [Unsupervised Feature Learning via Non-Parametric Instance Discrimination](https://arxiv.org/abs/1805.01978) (the weighted vote), Wu, Xiong, Yu, Lin,
# CVPR 2018.
# [Learning Features by Watching Objects Move](https://arxiv.org/abs/1612.06370), Pathak, Girshick, Dollár, Darrell, Hariharan, CVPR 2017.
# [The 2017 DAVIS Challenge on Video Object Segmentation](https://arxiv.org/abs/1704.00675), Pont-Tuset and others, 2017.
# [Space-Time Correspondence as a Contrastive Random Walk](https://arxiv.org/abs/2006.14613) (labels handed on), Jabri, Owens, Efros, NeurIPS 2020.
# [Visualizing Data using t-SNE](https://www.jmlr.org/papers/v9/vandermaaten08a.html), van der Maaten, Hinton, JMLR 2008.
#
# **In one line:** show a network one thing before many backgrounds, and it finds the thing.

# %%
progress("08b")
