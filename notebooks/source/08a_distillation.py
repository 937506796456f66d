# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 08a · DINO: a student and its own past
#
# **Can a network learn to see objects when nobody tells it what is in the picture?**
#
# To be written.
#
# *186 minutes, in three sittings: sections 1 and 2 (60 min), 3 and 4 (66 min), 5 and 6 (60 min). You need lessons 00 to 04.*

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
# ## 1 · Pictures as words *(26 min)*
#
# To be written.

# %% [markdown]
# ## 2 · Attention *(34 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 3 · A vision transformer *(36 min)*
#
# To be written.

# %% [markdown]
# ## 4 · Two views of one thing *(30 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 5 · A student and its own past *(34 min)*
#
# Two views of one thing should get one answer. But which answer? Without labels nobody knows. So DINO asks a second network, the **teacher**. The
# student sees one view, and must foretell what the teacher says of the other.
#
# And who taught the teacher? Nobody did. It is an average of what the student was before. How can somebody's own past teach him anything?
#
# Begin where all of it can be drawn: a network with two weights, and a long valley with its minimum at 0, 0. Each gradient is a little wrong, as that of
# a small batch is.

# %% tags=["core"]
def descend(steps=200, noise=2.0, seed=3):
    """Return the way of two weights by noisy gradients."""
    dice, w = np.random.default_rng(seed), np.array([-3.0, 1.0])
    path = [w]
    for _ in range(steps):
        gradient = np.array([1, 6]) * w + noise * dice.normal(size=2)
        w = w - 0.25 * gradient
        path.append(w)
    return np.array(path)

# %% [markdown]
# The teacher takes no gradient. At each step it keeps a share of itself, the **momentum**, and fills up with the student:
#
# teacher = momentum x teacher + (1 - momentum) x student
#
# This is an **exponential moving average**, EMA for short.

# %% tags=["core"]
def follow(path, momentum):
    """Return where a teacher is that follows the path."""
    teacher = [path[0]]
    for student in path[1:]:
        teacher.append(momentum * teacher[-1]
                       + (1 - momentum) * student)
    return np.array(teacher)

# %%
def late(path):
    """Mean distance to the minimum in the last 50 steps."""
    return np.hypot(*path[-50:].T).mean()

student = descend()
for momentum in (0, 0.9, 0.99):
    teacher = follow(student, momentum)
    print(f"momentum {momentum}: ends at {teacher[-1].round(2)}, "
          f"{late(teacher):.2f} from the minimum")

# %% tags=["author"]
for path in (descend(seed=seed) for seed in range(10)):
    still, near, far = (late(follow(path, m)) for m in (0, 0.9, 0.99))
    assert near < 0.6 * still and far > near - 0.12
assert late(follow(student, 0)) == late(student)

# %% tags=["fold"]
# Draw the student's way, and three teachers' ways
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True,
                            layout="constrained")
turn = np.linspace(0, 2 * np.pi, 80)
for ax, momentum in zip(axes, (0, 0.9, 0.99), strict=True):
    teacher = follow(student, momentum)
    for size in (0.7, 1.3, 2):
        ax.plot(size * np.cos(turn), size / 6**0.5 * np.sin(turn),
                color="0.8", lw=1)
    ax.plot(*student.T, color=draw.ERROR, lw=0.7, alpha=0.7)
    ax.plot(*teacher.T, color=draw.PREDICTION, lw=1.8)
    ax.plot(0, 0, "o", color=draw.TRUTH)
    ax.set(title=f"momentum {momentum}: {late(teacher):.2f} off",
           xlabel="first weight", xlim=(-3.3, 2.2))
axes[0].set_ylabel("second weight")
draw.describe(axes[0], "A student's jagged way down a valley, and "
    "three teachers' ways: the same, smooth, and slow.")

# %% [markdown]
# Thin is the student: it trembles around the minimum and cannot settle. With momentum 0 the teacher is the student. With 0.9 the errors of several steps
# cancel, and the teacher is *nearer to the minimum than the student that it follows*. So a past can teach. With 0.99 it is
# smooth, and after 200 steps still on its way.
#
# **Predict:** a teacher stands still, and its student jumps away. After how many steps has the teacher gone 63 % of the way, with momentum 0.9? With 0.99?

# %%
def memory(momentum):
    """Steps until 63 % of the teacher is new."""
    jump = np.ones((1000, 2))
    jump[0] = 0
    gone = follow(jump, momentum)[:, 0]
    return int(np.argmax(gone > 1 - 1 / np.e))

rows = [{"momentum": m, "steps to 63 %": memory(m),
         "1 / (1 - momentum)": round(1 / (1 - m)),
         "off, last 50 steps": late(follow(student, m))}
        for m in (0, 0.5, 0.9, 0.97, 0.99, 0.996)]
draw.table(rows, digits={"momentum": "g",
    "off, last 50 steps": ".2f"})

# %% tags=["author"]
assert all(abs(row["steps to 63 %"] - row["1 / (1 - momentum)"]) <= 1 for row in rows)
assert min(rows, key=lambda row: row["off, last 50 steps"])["momentum"] == 0.97

# %% [markdown]
# The memory of an average is about **1 / (1 - momentum)** steps long. DINO starts with 0.996, so with 250 steps, and lets it grow to 1 in the end. What
# would be best here?

# %%
from cvlab.widgets import MovingAverage

MovingAverage()

# %% [markdown]
# **Exercise.** Write `ema_update(teacher, student, momentum)` for two networks of the same architecture: it changes each weight of the teacher, in place,
# and returns nothing. The student stays as it is. No gradient may remember what you do: work under `torch.no_grad()`.

# %% tags=["exercise"]
def ema_update(teacher, student, momentum):
    """Move each weight of the teacher towards the student's."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        pairs = zip(teacher.parameters(), student.parameters(),
                    strict=True)
        for old, new in pairs:
            old.copy_(momentum * old + (1 - momentum) * new)
    ### END SOLUTION

# %%
check(ema_update)

# %% [markdown]
# ### What is asked, and how it is scored
#
# The lesson goes on with the package's copy. Now the question that the teacher sets. Its network ends in **K answers**, as a classifier does, but nobody
# has said what they mean. They are no classes: they are whatever the two come to agree on. Take K = 3, two views *a* and *b* of one
# picture, and numbers for paper.

# %%
teacher = torch.tensor([[.5, .25, .25], [.25, .5, .25]])  # of a, of b
student = torch.tensor([[.25, .5, .25], [.25, .25, .5]])

def bits(wanted, said):
    """Cross-entropy, in bits."""
    return -(wanted * said.log2()).sum().item()

rows = [{"teacher saw": "ab"[t], "student saw": "ab"[s],
         "cross-entropy": bits(teacher[t], student[s]),
         "of it entropy": bits(teacher[t], teacher[t])}
        for t, s in ((0, 1), (1, 0))]
for row in rows:
    own, all_of_it = row["of it entropy"], row["cross-entropy"]
    row["divergence"] = all_of_it - own
draw.table(rows, units={"cross-entropy": "bits"}, digits=".2f")

# %% tags=["author"]
assert [row["cross-entropy"] for row in rows] == [1.75, 1.5]
assert [row["divergence"] for row in rows] == [0.25, 0.0]

# %% [markdown]
# By hand, the first row: 0.5 x 2 bits + 0.25 x 2 bits + 0.25 x 1 bit = 1.75.
#
# Each view is foretold from the *other* one, both ways; the loss is the mean, 1.625 bits. PyTorch counts in nats: times 0.693. In the second row the
# student said exactly what the teacher did, and still pays 1.5. That is the teacher's own doubt, its **entropy**. What the student adds is the
# **divergence**. Keep the two apart: the last section needs them.
#
# Two more things are done to the teacher's answer. It is **sharpened**: its logits are divided by a lower temperature than the student's. And it is
# **centred**: a running mean of its logits over many pictures is taken off. Why? Section 6 switches both off.

# %% [markdown]
# **Exercise.** Write `dino_loss(student, teacher, center, student_temp=0.1, teacher_temp=0.04)`. `student` holds the logits of V views, `(V, B, K)`, and
# `teacher` those of the first T of them, `(T, B, K)`. Wanted is the softmax of (teacher - center) / teacher_temp, and no gradient flows into it. The
# student's logits are divided by student_temp. Take the cross-entropy of every teacher's view with every *other* view of the student's; return
# the mean over pictures and pairs.

# %% tags=["exercise"]
def dino_loss(student, teacher, center, student_temp=0.1,
              teacher_temp=0.04):
    """Return the mean cross-entropy of different views."""
    ### BEGIN SOLUTION
    wanted = ((teacher.detach() - center) / teacher_temp).softmax(dim=-1)
    said = (student / student_temp).log_softmax(dim=-1)
    losses = [
        -(wanted[t] * said[s]).sum(dim=-1).mean()
        for t in range(len(teacher))
        for s in range(len(student))
        if s != t
    ]
    return torch.stack(losses).mean()
    ### END SOLUTION

# %%
check(dino_loss)

# %% [markdown]
# PyTorch's `cross_entropy` takes wanted probabilities, too. Is it the same, for five views of which the teacher saw two? And where does the gradient go?

# %%
from cvlab.distillation.teaching import dino_loss, ema_update

torch.manual_seed(0)
said = torch.randn(5, 8, 16, requires_grad=True)
wanted = torch.randn(2, 8, 16, requires_grad=True)
center = torch.randn(16)
ours = dino_loss(said, wanted, center)
sharp = ((wanted - center) / 0.04).softmax(dim=-1)
theirs = torch.stack([F.cross_entropy(said[s] / 0.1, sharp[t])
                      for t in range(2) for s in range(5) if s != t])
print("the same:", torch.allclose(ours, theirs.mean()))
ours.backward()
print("gradient in the student:", said.grad is not None,
      "| in the teacher:", wanted.grad is not None)

# %% tags=["author"]
assert torch.allclose(ours, theirs.mean()) and said.grad.abs().max() > 0 and wanted.grad is None

# %% [markdown]
# `.detach()` is the **stop-gradient**: the student is pulled to the teacher, and the teacher is not pulled to the student.
#
# Where do the logits come from? From any network, and a small **head** behind it. The head's last layer compares directions: each logit is a cosine,
# between -1 and 1, whatever the network does. After the training the head is thrown away, and the network is kept.

# %% tags=["core"]
class Projector(nn.Module):
    def __init__(self, net, width=96, answers=256):
        super().__init__()
        self.net = net
        self.mlp = nn.Sequential(nn.Linear(width, 256), nn.GELU(),
                                 nn.Linear(256, 64))
        self.directions = nn.Parameter(torch.randn(answers, 64))

    def forward(self, x):
        x = F.normalize(self.mlp(self.net(x)), dim=-1)
        return x @ F.normalize(self.directions, dim=-1).T

# %% [markdown]
# ### One step, and all of them
#
# One step: both look at all views, the student learns, the teacher follows. Long gradients are clipped.

# %% tags=["core"]
def teach_step(student, teacher, views, center, optimizer,
               momentum=0.99, teacher_temp=0.04, loss_of=dino_loss):
    """Learn from one batch; return loss and teacher's logits."""
    answers = torch.stack([teacher(view) for view in views])
    said = torch.stack([student(view) for view in views])
    loss = loss_of(said, answers, center,
                   teacher_temp=teacher_temp)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 3)
    optimizer.step()
    ema_update(teacher, student, momentum)
    return loss.item(), answers.detach()

# %% [markdown]
# **Trap: the teacher is no bigger network, and nobody trains it.** In most distillation a large, finished network teaches a small one. Not here. Take the
# small transformer of section 3, on 16 made-up maps.
#
# **Predict:** after one step with momentum 0.99, how far has the teacher moved, compared with its student?

# %%
import copy, math

from cvlab.distillation.maps import crop_maps
from cvlab.distillation.teaching import entropy, small_vit

def weights(net):
    vector = nn.utils.parameters_to_vector(net.parameters())
    return vector.detach()

student = Projector(small_vit())
teacher = copy.deepcopy(student).requires_grad_(False)
start = weights(student).clone()
optimizer = torch.optim.AdamW(student.parameters(), 1e-3)
views = torch.randn(2, 16, 112, 4, 4)
teach_step(student, teacher, views, torch.zeros(256), optimizer)
draw.table([
    {"network": name, "weights": len(weights(net)),
     "tensors with a gradient": sum(p.grad is not None
                                    for p in net.parameters()),
     "moved": (weights(net) - start).norm() / moved}
    for moved in [(weights(student) - start).norm()]
    for name, net in [("student", student), ("teacher", teacher)]],
    digits={"moved": ".2f"})

# %% tags=["author"]
assert len(weights(student)) == len(weights(teacher))
assert all(p.grad is None for p in teacher.parameters())
ratio = (weights(teacher) - start).norm() / (weights(student) - start).norm()
assert 0.0095 < ratio < 0.0105
with_gradient = sum(p.grad is not None for p in student.parameters())
assert with_gradient == len(list(student.parameters()))

# %% [markdown]
# The same number of weights, equal at the start, not one gradient: the teacher moved by a hundredth of the student's step, and that is all its training.
#
# The whole training repeats this. Views are crops of two moments, as in section 4. The rate rises, then falls; the momentum grows from its first
# value to 1, and the centre follows the mean answer.

# %% tags=["core"]
def teach(student, first, second, steps, *, batch=128, rate=1e-3,
          momentum=0.99, teacher_temp=0.04, centered=True, size=8,
          watch=None):
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), rate,
                                  weight_decay=0.04)
    center = torch.zeros(len(student.directions))
    for step in range(1, steps + 1):
        falling = 0.5 * (1 + math.cos(math.pi * step / steps))
        warm = min(1, step / min(50, steps / 5))
        optimizer.param_groups[0]["lr"] = rate * warm * (falling + 0.02)
        some = torch.randperm(len(first))[:batch]
        views = [crop_maps(maps[some].float(), (0.4, 1), size)
                 for maps in (first, second)]
        loss, answers = teach_step(
            student, teacher, views, center, optimizer,
            1 - (1 - momentum) * falling, teacher_temp)
        if watch:
            sure = entropy((answers - center) / teacher_temp).item()
            watch(step, {"loss": loss, "entropy": sure,
                         "teacher": teacher})
        if centered:
            center = 0.9 * center + 0.1 * answers.mean((0, 1))
    return teacher

# %% [markdown]
# **Trap: DINO is a method, not an architecture.** Attention maps made it famous, and so it is taken for a transformer. Nothing in `teach` knows what the
# network is. Here it trains lesson 03's residual net, convolutions only, straight on pictures of 48 pixels:

# %% tags=["nbval-ignore-output"]
from cvlab.cnn_training.nets import small_resnet

some = make_moments(drawings_to_learn()[::32], moments=2, size=48)
pair = torch.from_numpy(some.images).permute(0, 1, 4, 2, 3) / 255
torch.manual_seed(0)
net = small_resnet()
net[-1] = nn.Identity()  # no classes: 64 numbers a picture
student = Projector(net, 64)
start = weights(student).clone()
teacher = teach(student, *pair, 15, batch=32, size=32)
kinds = [type(part).__name__ for part in teacher.modules()]
moved = (weights(teacher) != start).float().mean().item()
print(f"{kinds.count('Conv2d')} convolutions,",
      f"{kinds.count('Attention')} attention layers;",
      f"{moved:.0%} of the teacher's weights moved")

# %% tags=["author"]
assert moved > 0.99 and kinds.count("Conv2d") > 4 and "Attention" not in kinds
assert torch.isfinite(weights(teacher)).all()

# %% [markdown]
# It runs; what it learns in 15 steps is another matter. The authors trained a ResNet-50 in this way: its k-NN accuracy on ImageNet is 67.5 %, the small
# ViT's is 74.5 %. So the method is the same, and the architecture does count.
#
# **In one line:** the student foretells what the average of its own past says of another view.

# %% [markdown]
# ## 6 · Two ways to collapse *(26 min)*
#
# There is an easy way to foretell the teacher: both always say the same, whatever the picture. The loss does not forbid it. A network that found this way
# has learnt nothing. It is called **collapse**. How would you notice it?
#
# Not by the loss alone. Look at the answers of many pictures, and take two entropies: that of each answer, and that of the **mean** of all answers. Four
# pictures, four answers, on paper:

# %%
def entropy_of(said):
    """Entropy of distributions (..., K), in nats."""
    return (said * -said.clamp(min=1e-30).log()).sum(-1)

own, one = torch.eye(4), torch.eye(4)[[0, 0, 0, 0]]
cases = {"each picture its own": own, "one for all": one,
         "all even": torch.full((4, 4), 0.25)}
rows = []
for name, said in cases.items():  # (4 pictures, 4 answers)
    each, mean = entropy_of(said).mean(), entropy_of(said.mean(0))
    rows.append({"answers": name, "entropy of each": each.item(),
                 "of their mean": mean.item(),
                 "told": (mean - each).item()})
draw.table(rows, units={"told": "nats"}, digits=".2f")

# %% tags=["author"]
assert np.allclose([row["told"] for row in rows], [np.log(4), 0, 0], atol=1e-6)

# %% [markdown]
# The difference is what an answer **tells** about the picture (the mutual information of the two). Two ways lead to 0:
#
# - **one-hot**: a sure answer, the same for all. Entropy 0.
# - **uniform**: every answer as likely as any other. Entropy ln K.
#
# DINO has a brake against each. Sharpening makes answers surer, centring takes off what all pictures have in common. Try both brakes on a teacher whose
# logits are made up: all its answers lean to number 2.

# %%
from cvlab.widgets import SharpenCenter

SharpenCenter()

# %% [markdown]
# That was arithmetic with fixed logits. Does a *training* collapse when a brake is off? You need something small enough to train six times: 256 things,
# two moments each, 96 pixels, through the first blocks of the frozen network. (They were learnt with ImageNet's labels. Here we ask what the *loss*
# does on them.)

# %% tags=["fold"]
# Two moments of 256 things, as frozen maps of 6 x 6 places
import copy, math

from cvlab.distillation.maps import crop_maps, maps_of
from cvlab.distillation.teaching import (
    Projector, dino_loss, entropy, teach_step)
from cvlab.distillation.vit import ViT
from cvlab.widgets.distillation.live_answers import LiveAnswers

def two_moments(count=256):
    drawings = drawings_to_learn()[::7][:count]
    both = make_moments(drawings, moments=2, size=96)
    return torch.stack([maps_of(part) for part in both.images])

maps = two_moments()
print(tuple(maps.shape), "moments, things, channels, places")

# %%
K, STEPS = 64, 120

def measured(loss, logits):
    """What the teacher's sharpened logits (V, B, K) are like."""
    each, mean = entropy(logits), logits.softmax(-1).mean((0, 1))
    return {"loss": loss, "entropy": each.item(),
            "divergence": loss - each.item(),
            "told": (entropy_of(mean) - each).item()}

# %% [markdown]
# The divergence is the loss without the teacher's doubt, as on paper in section 5. Now the loop. It is `teach` with a steady rate and momentum, and a
# switch for each brake.

# %%
def run(seed=0, centered=True, teacher_temp=0.04, momentum=0.99,
        alone=False, loss_of=dino_loss, watch=None):
    """Train a small ViT; return what each step measured."""
    torch.manual_seed(seed)
    net = ViT(6, 1, 112, width=64, depth=1, positions=False)
    student = Projector(net, 64, K)
    teacher = student if alone else copy.deepcopy(student)
    teacher.requires_grad_(alone)
    optimizer = torch.optim.AdamW(student.parameters(), 1e-3)
    center, seen = torch.zeros(K), []
    for step in range(STEPS):
        some = torch.randperm(len(maps[0]))[:32]
        views = [crop_maps(part[some].float(), (0.4, 1), 4)
                 for part in maps]
        loss, answers = teach_step(
            student, teacher, views, center, optimizer,
            momentum, teacher_temp, loss_of)
        logits = (answers - center) / teacher_temp
        seen.append(measured(loss, logits))
        if centered:
            center = 0.9 * center + 0.1 * answers.mean((0, 1))
        if watch and step % 10 == 9:
            watch(list(seen))
    return seen

# %% [markdown]
# **Predict:** without centring, what will both curves do? And without sharpening?
#
# First with both brakes, then each one off, then both off. No sharpening means: the teacher's temperature is the student's, 0.1. The curves are shares of
# ln K.

# %% tags=["nbval-ignore-output"]
from IPython.display import display

brakes = {"both brakes": {},
          "no centring": {"centered": False},
          "no sharpening": {"teacher_temp": 0.1},
          "neither": {"centered": False, "teacher_temp": 0.1}}

def watched(name, **switches):
    """Run while a curve grows."""
    curve = LiveAnswers(STEPS, name, K)
    shown = display(curve, display_id=True)
    seen = run(watch=curve, **switches)
    shown.update(curve)
    return seen

runs = {"both brakes": watched("both brakes")}

# %% tags=["nbval-ignore-output"]
name = "no centring"
runs[name] = watched(name, **brakes[name])

# %% tags=["nbval-ignore-output"]
name = "no sharpening"
runs[name] = watched(name, **brakes[name])

# %% tags=["fold", "nbval-ignore-output"]
# Train once more with neither, and draw all four
runs["neither"] = run(**brakes["neither"])

def draw_runs(runs, title):
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2),
                                layout="constrained")
    parts = "loss", "entropy", "divergence"
    for ax, part in zip(axes, parts, strict=True):
        for name, color in zip(runs, draw.PALETTE, strict=False):
            line = [now[part] for now in runs[name]]
            smooth = np.convolve(line, np.ones(5) / 5, "valid")
            ax.plot(smooth, color=color, label=name)
        ax.set(title=part, xlabel="step", ylim=(0, None))
        if part != "divergence":
            ax.axhline(np.log(K), color="0.6", ls=":", lw=1)
    draw.label_lines(axes[2])
    figure.suptitle(title)
    draw.describe(axes[0], "Loss, the teacher's entropy, divergence "
        f"by step, dotted ln K, for: {', '.join(runs)}.")

draw_runs(runs, "Three of four collapse, one with the lowest loss")

# %% tags=["nbval-ignore-output"]
def ends(runs):
    """Means of the last ten steps."""
    rows = []
    for name, seen in runs.items():
        last = {part: np.mean([now[part] for now in seen[-10:]])
                for part in seen[0]}
        in_use = np.exp(last["entropy"] + last["told"])
        rows.append({"training": name, **last,
                     "answers in use": in_use})
    return rows

DIGITS = {"loss": ".2f", "entropy": ".2f", "divergence": ".2f",
          "told": ".2f", "answers in use": ".0f"}
draw.table(ends(runs), digits=DIGITS)

# %% tags=["author"]
both, sure, even, alike = ends(runs)
most = np.log(K)
assert 0.3 * most < both["entropy"] < 0.9 * most and both["told"] > 0.7
assert sure["entropy"] < 0.1 * most and sure["answers in use"] < 3.5
assert even["entropy"] > 0.98 * most and even["told"] < 0.1
assert alike["told"] < 0.1 and 0.5 * most < alike["entropy"] < 0.95 * most
assert even["divergence"] < 0.05 and alike["divergence"] < 0.05
assert both["loss"] < even["loss"] < most + 0.05

# %% [markdown]
# ln K is 4.16.
#
# - **No centring**: the loss falls nicely, and the entropy with it. One or two answers are left for 256 things. One-hot.
# - **No sharpening**: entropy at ln K. The loss sits there too, from the beginning, and looks as if nothing happened. The divergence fell to nearly 0: there
#   is nothing left to foretell. Uniform.
# - **Neither**: divergence nearly 0 as well, and the entropy stays in between. Every picture gets the same mixture. So the two brakes do not only
#   hold: each one *pushes* too, centring to even, sharpening to sure. They have to push against each other.
# - **Both**: a picture's answer is spread over some, all pictures together use most of the 64, and the answers go on telling pictures apart.
#
# The lowest loss of the four belongs to a network that says nearly the same of everything. Never judge such a training by its loss.

# %% [markdown]
# ### The other two brakes
#
# The teacher is held still (stop-gradient), and it is slow (momentum). Take these away, with centring and sharpening on. `own` is the loss without
# `.detach()`, for a student that is its own teacher; with momentum 0 the teacher is the student of the step before, held still.
#
# **Predict:** do they collapse? Will the loss show it?

# %% tags=["nbval-ignore-output"]
def own(student, teacher, center, student_temp=0.1,
        teacher_temp=0.04):
    """dino_loss without its stop-gradient, for two views."""
    wanted = ((teacher - center) / teacher_temp).softmax(dim=-1)
    said = (student / student_temp).log_softmax(dim=-1)
    return -(wanted.flip(0) * said).sum(dim=-1).mean()

more = {"both brakes": runs["both brakes"],
        "no stop-gradient": run(alone=True, loss_of=own),
        "momentum 0": run(momentum=0)}
draw.table(ends(more), digits=DIGITS)

# %% tags=["fold", "nbval-ignore-output"]
# Draw what the answers tell, for all six trainings
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
told = runs | {name: more[name] for name in list(more)[1:]}
for name, color in zip(told, draw.PALETTE, strict=False):
    line = [now["told"] for now in told[name]]
    ax.plot(np.convolve(line, np.ones(5) / 5, "valid"),
            color=color, label=name)
ax.set(title="One of six goes on telling pictures apart",
       xlabel="step", ylabel="told, in nats", ylim=(0, None))
draw.label_lines(ax)
draw.describe(ax, "What the answers tell about a picture, by step: "
    "with both brakes about 1 nat, in the others less or nothing.")

# %% tags=["author"]
_, moving, hasty = ends(more)
assert moving["told"] < 0.1 and hasty["told"] < 0.2
first, *rest = [row["told"] for row in ends(told)]
assert first > 0.7 > 1.3 * max(rest)

# %% [markdown]
# Both have collapsed: next to nothing is told. But neither the loss nor the entropy comes to rest. All pictures get one answer, the centre
# takes it off, the two flee to the next one, and the centre runs after them. So `told` is the number to watch: in *every* collapse it is near 0.
#
# The paper found the same for momentum: with the student itself, or the student of one step ago, as the teacher, k-NN accuracy on ImageNet is 0.1 %; with
# the student of an epoch ago it is 66.6 %, with the moving average 72.8 %.
#
# Other methods brake otherwise. **BYOL** has no centre and no sharpening; its student has one part more than its teacher, the *predictor*. **SimSiam**
# does without momentum too, and reports that it collapses without stop-gradient, and fails without predictor. Neither is tried here.
#
# How soon would you have known?

# %% tags=["nbval-ignore-output"]
def lost(seen):
    """From which step on is a third of the first `told` gone?"""
    least = seen[0]["told"] * 2 / 3
    kept = [step for step, now in enumerate(seen)
            if now["told"] >= least]
    return kept[-1] + 1 if kept[-1] + 1 < len(seen) else None

draw.table([{"training": name, "a third is gone, for good": lost(seen)}
            for name, seen in told.items()],
           units={"a third is gone, for good": "step"})

# %% tags=["author"]
steps = [lost(seen) for seen in told.values()]
assert steps[0] is None and all(step is not None and step < 80 for step in steps[1:])

# %% [markdown]
# From this start, a third is gone early in every collapse, and with both brakes never for good. Before you wait for an hour, look at the first minute.
#
# The paper draws the same two curves for ImageNet: without centring the entropy goes to 0, without sharpening to ln K, and in both cases the divergence
# goes to 0. So it is not only our small network that collapses. But mind what is *not* shown here: whether any of these networks sees things better
# than before, and whether these two temperatures hold the balance for every network. Collapse shows at once. Learning takes longer, and is for 08b.
#
# **In one line:** the loss alone would be happiest with one answer for all; centring and sharpening hold each other in balance.

# %% tags=["fold"]
# What is big goes
maps = None

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("08a")
