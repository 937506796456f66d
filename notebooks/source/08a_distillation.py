# minimum: code 110, check 5, widget 3
# %% [markdown]
# # 08a · DINO: a student and its own past
#
# **How can a network learn when nobody tells it an answer?**
#
# Every network so far was told what was in its pictures. Here nobody tells. You cut a picture into words, let the words look at each other, and build
# a transformer of them. Then it learns from its own past: what would I have said of another view of this? You also see the two ways in which that
# comes to nothing, and what prevents them.
#
# *180 minutes, in three sittings: sections 1 and 2 (60 min), 3 and 4 (60 min), 5 and 6 (60 min). You need lessons 00 to 04.*

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
# Two networks look at one fish before a cup. The **teacher** sees the whole picture. The **student** sees a crop, and is to say the same. Nobody tells
# either of them what a fish is. How small may the crop become before the two disagree? And what in it keeps them together?

# %%
from cvlab.widgets import CropViews

CropViews()

# %% [markdown]
# Then lay the crop over the fish, and look at the other three bars. The rocket shares the cup with our fish, and nothing else.

# %% [markdown]
# ## 1 · Pictures as words *(26 min)*
#
# The transformer was made for sentences. It takes a row of words, each of them a vector of numbers, and lets every word look at every other. A picture
# has no words. Where could you get some?
#
# The answer of 2020 is almost rude: cut the picture into squares, and call each square a word.

# %% tags=["fold"]
# Draw a picture cut into 16 squares, and the squares in a row
drawings = drawings_to_learn()
two = make_moments([drawings[191]] * 2, split="test", seed=1)
fish = two.images[0, 1]  # (192, 192, 3) uint8
squares = [fish[y:y + 48, x:x + 48]
           for y in range(0, 192, 48) for x in range(0, 192, 48)]
figure = plt.figure(figsize=(9, 3.6), layout="constrained")
places = [["page"] * 4 + [4 * r + c for c in range(4)]
          for r in range(4)]
axes = figure.subplot_mosaic(places)
show(fish, ax=axes["page"])
figure.suptitle("A picture is 16 words, read like a page",
                x=0.005, ha="left", weight="bold")
for at in (48, 96, 144):
    axes["page"].axhline(at - 0.5, color="white", lw=1.5)
    axes["page"].axvline(at - 0.5, color="white", lw=1.5)
for n, square in enumerate(squares):
    show(square, ax=axes[n])
    axes[n].text(3, 4, n, color="white", va="top", size=10,
                 bbox={"color": "black", "pad": 1.5})
draw.describe(axes["page"], "A fish cut by a grid into 16 squares, "
    "and the same squares apart, numbered row by row.")

# %% [markdown]
# Such a square is a **patch**. A patch becomes a word by being laid out flat: all its reds, row by row, then all its greens, then all its blues. Begin
# with a case for paper: a grey picture of 4 x 4 pixels, and patches of 2 x 2.

# %%
page = torch.arange(16).reshape(1, 1, 4, 4)  # (B, C, H, W)
print(page[0, 0])
print("first patch:", page[0, 0, :2, :2].flatten().tolist())
print("last patch: ", page[0, 0, 2:, 2:].flatten().tolist())

# %% [markdown]
# **Predict:** two colour pictures, 32 pixels high and 48 wide, in patches of 16. How many words has each picture, and how many numbers has a word?

# %% [markdown]
# **Exercise.** Write `patchify(images, patch)`: pictures `(B, C, H, W)` to words `(B, N, C * patch * patch)`. The patches are read row by row. Within a
# word comes channel by channel, each of them row by row. `patch` divides H and W. It needs no loop: split the sides, put them in another order, join them.

# %% tags=["exercise"]
def patchify(images, patch):
    """Return (B, N, C * patch * patch)."""
    ### BEGIN SOLUTION
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // patch, patch, w // patch, patch)
    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, P, P)
    return x.reshape(b, h // patch * (w // patch), c * patch * patch)
    ### END SOLUTION

# %%
check(patchify)

# %% [markdown]
# The lesson goes on with the package's copy. Your prediction: 2 x 3 patches, so six words, each of 3 x 16 x 16 = 768 numbers.
#
# **Trap: a plain reshape.** `images.reshape(b, -1, c * patch * patch)` has the very same shape. Nothing complains. What is in its words?

# %%
from cvlab.distillation.patches import patchify

print(patchify(torch.zeros(2, 3, 32, 48), 16).shape)
picture = torch.from_numpy(fish).permute(2, 0, 1)[None] / 255
words = patchify(picture, 48)  # (1, 16, 6912)
slips = picture.reshape(words.shape)

def as_patches(words):
    """Return (N, 48, 48, 3): one picture's words as squares."""
    words = words.reshape(-1, 3, 48, 48)
    return words.permute(0, 2, 3, 1).numpy()

show_many([*as_patches(words)[4:8], *as_patches(slips)[4:8]],
          cols=4, titles=["patchify: word 4", "5", "6", "7",
                          "reshape: word 4", "5", "6", "7"]);

# %% tags=["author"]
assert np.allclose(as_patches(words)[5], squares[5] / 255)
assert torch.equal(slips.flatten().sort().values, words.flatten().sort().values) and not torch.equal(slips, words)

# %% [markdown]
# `reshape` cuts off the next numbers in memory: 36 whole rows of the picture, most of the time all in red, in green or in blue. Look at a word before
# you trust it.
#
# ### From words to tokens
#
# A word of 768 numbers is projected to a **token** of a chosen width by a Linear layer, the same one for all. timm's class for this step is called
# `PatchEmbed`, and there you find no Linear: it has a convolution whose stride is the patch. Is that something else?

# %%
from timm.layers import PatchEmbed

torch.manual_seed(0)
theirs = PatchEmbed(192, 16, embed_dim=96)  # its stride is 16
ours = nn.Linear(768, 96)
ours.weight.data = theirs.proj.weight.data.flatten(1)  # (96, 768)
ours.bias.data = theirs.proj.bias.data
with torch.no_grad():
    tokens = ours(patchify(picture, 16))  # (1, 144, 96)
    gap = (tokens - theirs(picture)).abs().max().item()
print(tuple(tokens.shape), "equal to 1e-5:", gap < 1e-5)

# %% tags=["author"]
assert gap < 1e-5 and theirs.proj.stride == (16, 16)

# %% [markdown]
# It is the same. A kernel that moves by its own width sees every patch once, and it holds one weight for each number of a word. The kernel's order is
# (C, P, P), and that is why our words have this order: weights from a library fit.
#
# **Predict:** a picture of 224 pixels in patches of 16. Now the patches get half as wide. How many times as many words?

# %%
rows = []
for side, patch in [(224, 16), (224, 8), (224, 1),
                    (192, 16), (48, 6)]:
    some = patchify(torch.zeros(1, 3, side, side), patch)
    rows.append({"picture": side, "patch": patch,
                 "words": some.shape[1],
                 "numbers a word": some.shape[2]})
draw.table(rows, units={"picture": "px", "patch": "px"})

# %% tags=["author"]
assert [row["words"] for row in rows] == [196, 784, 50176, 144, 64]

# %% [markdown]
# Four times. With every pixel a word of its own there are 50,176 of them, and each would look at each: that is what patches are for. Section 3 measures
# what words cost.
#
# A side that patches do not fill is refused. The error names the sides that would fit.

# %%
try:
    patchify(torch.zeros(1, 3, 225, 224), 16)
except ValueError as error:
    print(error)

# %% [markdown]
# ### What is lost
#
# Not a number is lost in `patchify`. But take one fixed shuffle of the pixels, and apply it within every patch of every picture. You will hardly know the
# fish again. **Predict:** how much harder does it get for a network that begins with a Linear on patches?

# %% tags=["fold"]
# 404 small pictures; shuffle the pixels of each patch of 6 x 6
some = make_moments(drawings[::5], size=48, seed=0)
images = torch.from_numpy(some.images[0]).permute(0, 3, 1, 2)
images = images / 255
masks = torch.from_numpy(some.masks[0])[:, None].float()
truth = (F.avg_pool2d(masks, 6) > 0.5).float().flatten(1)

def shuffled(images, patch):
    """Return pictures with each patch shuffled, and the order."""
    dice = torch.Generator().manual_seed(0)
    order = torch.randperm(patch * patch, generator=dice)
    words = patchify(images, patch).unflatten(2, (3, -1))
    words = words[..., order].flatten(2).mT
    side = images.shape[2:]
    return F.fold(words, side, patch, stride=patch), order

hidden, order = shuffled(images, 6)
axes = show_many(
    [x[0].permute(1, 2, 0).numpy()
     for x in (picture, shuffled(picture, 16)[0])],
    cols=2, titles=["What you see", "The same, shuffled by patch"])
draw.describe(axes[0], "The fish, and the same with each patch's "
    "pixels shuffled: its colours remain, its stripes do not.")

# %% [markdown]
# Try it on the smallest task: is a patch part of the thing? The network is a Linear on words, then one more layer. It learns from plain pictures, and from
# shuffled ones, where its starting weights are put into the shuffled order as well.

# %% tags=["nbval-ignore-output"]
def last_loss(images, order, steps=60):
    """Train on patches of 6; return the mean of 10 last losses."""
    torch.manual_seed(0)
    first = nn.Linear(108, 32)
    net = nn.Sequential(first, nn.GELU(), nn.Linear(32, 1))
    start = first.weight.data.unflatten(1, (3, 36))
    first.weight.data = start[..., order].flatten(1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    words, losses = patchify(images, 6), []
    for step in range(steps):
        few = torch.arange(64) + step % 5 * 64
        said = net(words[few]).squeeze(2)  # (64, 64)
        loss = F.binary_cross_entropy_with_logits(said, truth[few])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.mean(losses[-10:])

plain = last_loss(images, torch.arange(36))
mixed_up = last_loss(hidden, order)
print(f"loss: plain {plain:.3f}, shuffled {mixed_up:.3f}")

# %% tags=["author"]
assert abs(plain - mixed_up) < 2e-3 and plain < 0.5

# %% [markdown]
# Not harder at all. The Linear has one weight for each place in the patch and knows nothing of neighbours. A convolution has small windows, and these do
# count on neighbours. How much of a pixel do its eight neighbours foretell, and how much do all the others in its patch?

# %% tags=["fold"]
# How much of a pixel can be foretold linearly, plain and shuffled
def unforetold(known, pixel):
    """Share of a pixel's variance that no linear guess reaches."""
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)
    known, pixel = known.double(), pixel.double()
    rest = pixel - known @ torch.linalg.lstsq(known, pixel).solution
    return (rest.var() / pixel.var()).item()

def foretell(images, name, at):
    """One row: from the window around a pixel, from its patch."""
    grey = images.mean(1, keepdim=True)
    window = F.unfold(grey, 3).mT[:, ::7].reshape(-1, 9)
    patch = patchify(grey, 6).reshape(-1, 36)
    row = {"pictures": name}
    for part, x, i in [("8 neighbours", window, 4),
                       ("its patch", patch, at)]:
        known = torch.arange(x.shape[1]) != i
        row[f"from {part}"] = 1 - unforetold(x[:, known], x[:, [i]])
    return row

same_pixel = (order == 14).nonzero().item()
rows = [foretell(images, "plain", 14),
        foretell(hidden, "shuffled", same_pixel)]
draw.table(rows, digits=".0%")

# %% tags=["author"]
assert abs(rows[0]["from 8 neighbours"] - 0.97) < 0.006 and abs(rows[1]["from 8 neighbours"] - 0.78) < 0.006
assert abs(rows[0]["from its patch"] - 0.97) < 0.006
assert abs(rows[0]["from its patch"] - rows[1]["from its patch"]) < 1e-4

# %% [markdown]
# From its neighbours 97 % of a pixel can be foretold, after the shuffle 78 %. From its patch it is 97 %, before and after. So this is what is lost: **the
# knowledge that two pixels are neighbours**. Within a patch it can only be learnt. A convolution is born with it. The vision transformer's authors
# name this, too, as why it asks for more pictures.
#
# ### Two more vectors
#
# Tokens still lack two things. First, who answers for the whole picture? One more token does, in front of the others, the **class token**. It shows no part
# of the picture: it is a learnt vector, and what it has gathered in the end is the network's answer.
#
# Second, a row of tokens does not tell where each of them was. So each place has a learnt vector of its own, which is **added** to the token there.

# %%
cls_token = nn.Parameter(torch.zeros(1, 1, 96))
pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + 144, 96))
row = torch.cat([cls_token, tokens], dim=1)  # (1, 145, 96)
row = row + pos_embed
print(tuple(row.shape))

# %% [markdown]
# That is all that goes in. What do such places know of each other? At first nothing, they are drawn by chance. The older way writes them down: the row and
# the column, each as waves, slow ones and fast ones.
#
# **Predict:** whose waves are most like those of a place in the middle?

# %%
def waves(side, width):
    """Return (side * side, width): row and column as waves."""
    speeds = 100 ** -(torch.arange(width // 4) / (width // 4))
    angle = torch.arange(side)[:, None] * speeds
    wave = torch.cat([angle.sin(), angle.cos()], dim=1)
    return torch.cat([wave.repeat_interleave(side, 0),
                      wave.repeat(side, 1)], dim=1)

def alike(places):
    """Cosine of each place's vector with each other's."""
    places = F.normalize(places.detach(), dim=1)
    return places @ places.T

learnt, written = alike(pos_embed[0, 1:]), alike(waves(12, 96))
print("the place itself, next to it, across the picture:",
      written[66, [66, 67, 0]].numpy().round(2))

# %% tags=["fold"]
# Draw how alike the vectors of all places are to those of three
chosen = {0: "corner", 66: "middle", 107: "edge"}
axes = show_many(
    [table[n].reshape(12, 12).numpy()
     for table in (learnt, written) for n in chosen], cols=3,
    limits=(0, 1),
    titles=[f"{kind}, {name}" for kind in ("By chance", "Waves")
            for name in chosen.values()])
for ax, n in zip(axes, [*chosen] * 2, strict=True):
    ax.plot(n % 12, n // 12, "o", ms=9, mfc="none",
            mec=draw.ERROR, mew=2)
    ax.set(xticks=[], yticks=[])
draw.describe(axes[0], "Six maps of places. Vectors drawn by chance "
    "are alike only to themselves, waves to all near by.")

# %% tags=["author"]
assert written[66, 67] > 0.85 and written[66, 0] < 0.6
assert learnt[66, torch.arange(144) != 66].abs().max() < 0.5

# %% [markdown]
# White is alike. Waves know what is near from the start, a little longer along rows and columns. Vectors drawn by chance would have to learn it. Can they?
# Section 2 lets you watch.
#
# A picture is a row of tokens now: patches, laid out and projected, the class token in front, and each place added.

# %% [markdown]
# ## 2 · Attention *(34 min)*
#
# A patch of brown fur: a bear, or a carpet? The answer stands in the other patches. So far each token knows its own square and nothing else. How does a
# token get to know of the others?
#
# Each token makes three vectors. Its **query** says what it looks for. Its **key** says what it has. Its **value** is what it tells those who listen.
#
# Here are three tokens for paper. All numbers are made up.
#
# | token | query | key | value |
# | --- | --- | --- | --- |
# | A | 2 0 0 0 | 2 0 0 0 | 9 0 |
# | B | 0 2 0 0 | 1 1 0 0 | 0 9 |
# | C | 0 0 0 1 | 0 0 2 0 | 3 3 |

# %% [markdown]
# A asks. Its query times each key, number by number and added up, gives the **scores** 4, 2, 0. They are divided by the square root of how many numbers a
# query has, here by 2: the scores are 2, 1, 0. (Why? Soon.)
#
# Now the scores become shares of 1, by **softmax**: exp makes 7.39, 2.72 and 1.00 of them, together 11.11. Divided by that, A's **weights** are 0.67, 0.24
# and 0.09. With these shares the values are mixed: 0.67 times (9, 0), 0.24 times (0, 9), 0.09 times (3, 3). A gets (6.26, 2.47).
#
# **Predict:** C looks for something that nobody has. What does it get?

# %%
q = torch.tensor([[2., 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]])
k = torch.tensor([[2., 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 0]])
v = torch.tensor([[9., 0], [0, 9], [3, 3]])
scores = q @ k.T / 2  # (3, 3) who asks, who answers
shares = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
print(scores.numpy(), "\n\n", shares.numpy().round(2), "\n\n",
      (shares @ v).numpy().round(2))

# %% tags=["author"]
wanted = torch.tensor([[0.665, 0.245, 0.090], [0.212, 0.576, 0.212], [1 / 3] * 3])
assert torch.allclose(shares, wanted, atol=1e-3)
assert torch.allclose(shares @ v, torch.tensor([[6.26, 2.47], [2.54, 5.82], [4, 4]]), atol=0.01)

# %% [markdown]
# (4, 4), the plain mean of all values. Who finds nobody does not get nothing: shares always sum to 1.

# %% tags=["fold"]
# Draw the weights twice: as threads, and as a matrix
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4),
                                     layout="constrained")
for i in range(3):
    for j in range(3):
        left.plot([0, 1], [-i, -j], color=draw.PALETTE[i],
                  lw=20 * shares[i, j], solid_capstyle="butt",
                  alpha=0.75)
    color = draw.readable(draw.PALETTE[i])
    for x in (-0.12, 1.12):
        left.text(x, -i, "ABC"[i], size=20, ha="center",
                  va="center", weight="bold", color=color)
left.set_title("Who asks (left) listens to whom", loc="left")
left.set(xlim=(-0.3, 1.3), ylim=(-2.4, 0.4))
left.axis("off")
right.imshow(shares, cmap="Blues", vmin=0, vmax=1)
for (i, j), share in np.ndenumerate(shares.numpy()):
    right.text(j, i, f"{share:.2f}", ha="center", va="center",
               size=14, color="white" if share > 0.6 else "black")
right.set(xticks=range(3), xticklabels="ABC", xlabel="who answers",
          yticks=range(3), yticklabels="ABC", ylabel="who asks")
right.set_title("Each row sums to 1", loc="left")
right.grid(False)
draw.describe(left, "Threads as thick as the weights of A, B and C. "
    "A listens mostly to A, B to B, C to all three alike.")

# %% [markdown]
# Rows sum to 1, columns do not: many may listen to one token, or nobody. And the matrix is not symmetric. A gives B 0.24, B gives A 0.21.

# %% [markdown]
# **Exercise.** Write `attention(q, k, v)`: queries `(..., T, D)`, keys `(..., S, D)`, values `(..., S, E)`. Divide the scores by the square root of D.
# Return the mixed values `(..., T, E)` and the weights `(..., T, S)`. The three dots stand for any sides in front, such as pictures and heads. Let
# torch's `softmax` do the shares.

# %% tags=["exercise"]
def attention(q, k, v):
    """Return mixed values (..., T, E) and weights (..., T, S)."""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (..., T, S)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION

# %%
check(attention)

# %% [markdown]
# Why torch's `softmax` and not `exp` by hand? **Trap: one loud token.** A float32 holds numbers up to about 3e38, and `exp(89)` is more.

# %%
loud = torch.tensor([0., 50, 100])
print("by hand:", (loud.exp() / loud.exp().sum()).tolist())
print("softmax:", loud.softmax(dim=0).numpy().round(3).tolist())
calm = (loud - loud.max()).exp()
print("by hand, less the largest:",
      (calm / calm.sum()).numpy().round(3).tolist())

# %% tags=["author"]
assert (loud.exp() / loud.exp().sum()).isnan().any()
assert torch.allclose(calm / calm.sum(), loud.softmax(0))

# %% [markdown]
# Shares do not change when the same number is taken off all scores, so `softmax` takes off the largest first.
#
# The lesson goes on with the package's copy. torch has all of it in one call, which keeps the weights to itself. Equal?

# %%
from cvlab.distillation.attention import attention

torch.manual_seed(0)
rows = []
for shape, answers in [((3, 4), 3), ((2, 6, 197, 64), 197),
                       ((2, 6, 1, 64), 197), ((5, 7, 8), 1)]:
    q = torch.randn(shape)
    k, v = torch.randn(2, *shape[:-2], answers, shape[-1])
    theirs = F.scaled_dot_product_attention(q, k, v)
    gap = (attention(q, k, v)[0] - theirs).abs().max().item()
    rows.append({"q": str(shape), "who answer": answers,
                 "equal to 1e-5": gap < 1e-5})
draw.table(rows)

# %% tags=["author"]
assert all(row["equal to 1e-5"] for row in rows)

# %% [markdown]
# ### Why the root?
#
# A score is a sum of d products. The longer the sum, the further it strays from 0. **Predict:** queries and keys of random numbers with spread 1, and 16
# tokens that answer. What becomes of a row of weights when d grows from 4 to 1,024 and nobody divides? And when you divide by d?
#
# A row's **entropy** says how widely it looks: 1 is all alike, 0 is one token only (here as a share of ln 16). Its **slope** says how much the weights
# still move when the scores do: without slope nothing is learnt.

# %%
torch.manual_seed(0)
rows = []
for d in (4, 16, 64, 256, 1024):
    q, k = torch.randn(300, 1, d), torch.randn(300, 16, d)
    scores = (q @ k.mT).squeeze(1)  # (300, 16)
    for name, by in [("1", 1), ("root of d", d ** 0.5), ("d", d)]:
        w = (scores / by).softmax(dim=1)
        look = torch.special.entr(w).sum(1).mean() / np.log(16)
        rows.append({"d": d, "divided by": name,
                     "variance": (scores / by).var().item(),
                     "entropy": look.item(),
                     "slope": (w - w * w).sum(1).mean().item()})
draw.table(
    [row for row in rows if row["d"] in (4, 64, 1024)],
    digits=dict.fromkeys(["variance", "entropy", "slope"], ".2f"))

# %% tags=["author"]
last = {row["divided by"]: row for row in rows[-3:]}
assert 900 < last["1"]["variance"] < 1150 and 0.9 < last["root of d"]["variance"] < 1.12
assert last["1"]["entropy"] < 0.1 and last["1"]["slope"] < 0.12 and last["d"]["entropy"] > 0.99
rooted = [row for row in rows if row["divided by"] == "root of d"]
assert all(0.8 < row["entropy"] < 0.93 and row["slope"] > 0.75 for row in rooted)

# %% tags=["fold"]
# Draw how widely a token looks, against the numbers of a query
_, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
for name, label in [("d", "divided by d: all alike"),
                    ("root of d", "divided by the root of d"),
                    ("1", "not divided: one token only")]:
    mine = [row for row in rows if row["divided by"] == name]
    ax.plot(range(5), [row["entropy"] for row in mine], "o-",
            label=label)
ax.set(xticks=range(5), xticklabels=[4, 16, 64, 256, 1024],
       ylim=(0, 1.05), xlabel="d, numbers a query",
       ylabel="entropy of the weights")
ax.set_title("With the root the look is as wide for any d",
             loc="left")
draw.label_lines(ax)
draw.describe(ax, "Entropy against d: undivided it falls to 0, "
    "divided by d it rises to 1, by the root of d it stays.")

# %% [markdown]
# The variance of a score is d. Undivided, at d = 1,024, a token looks at a single other one by accident, and its weights hardly move any more. Divided by d
# it looks at all alike and says nothing. Divided by the root, the variance is 1 and the look stays as it was, for any d.
#
# ### Heads
#
# One softmax is one way of looking. A token may have two questions: *who has my colour?* and *who is near me?* Set both up by hand for a patch of the
# fish, with the mean colour of each patch and the waves of section 1, and then one head that asks both at once.

# %%
colour = patchify(picture, 16).reshape(144, 3, 256).mean(2)
colour = F.normalize(colour - colour.mean(0), dim=1)  # (144, 3)
place = F.normalize(waves(12, 96), dim=1)  # (144, 96)
both = torch.cat([8 ** 0.5 * colour, 15 ** 0.5 * place], dim=1)
me = 4 * 12 + 4  # the patch in row 4, column 4

def look_for(what, strength):
    """Weights (144, 144) of tokens that look for their like."""
    root = what.shape[1] ** 0.5
    return attention(strength * root * what, what, colour)[1]

looks = {"Head 1: my colour": look_for(colour, 8),
         "Head 2: my place": look_for(place, 15),
         "One head for both": look_for(both, 1)}
at = torch.tensor([(y, x) for y in range(12) for x in range(12)])
far = (at - at[me]).abs().amax(1) > 2  # outside of 5 x 5
rows = [{"head": name,
         "looks farther than 2 patches": w[me, far].sum().item(),
         "likeness of colour": (w[me] @ colour @ colour[me]).item()}
        for name, w in looks.items()]
draw.table(rows, digits=".2f")

# %% tags=["author"]
distant, likeness = ([row[name] for row in rows] for name in list(rows[0])[1:])
assert distant[0] > 0.6 and distant[1] < 0.3 and distant[2] < 0.2
assert likeness[0] > 0.95 and likeness[1] < 0.6 and likeness[2] > 0.95

# %% tags=["fold"]
# Draw where the two heads and the single one look
axes = show_many(
    [fish] + [w[me].reshape(12, 12).numpy() / w[me].max().item()
              for w in looks.values()], cols=4,
    titles=["Who asks", *looks])
axes[0].add_patch(plt.Rectangle((64, 64), 16, 16, fc="none",
                                ec=draw.ERROR, lw=2.5))
for ax in axes[1:]:
    ax.plot(4, 4, "s", mfc="none", mec=draw.ERROR, mew=2)
    ax.set(xticks=[], yticks=[])
draw.describe(axes[0], "A yellow patch of the fish asks. Head 1 "
    "lights up all yellow, head 2 what is near, one head both.")

# %% [markdown]
# Head 1 finds the fish's yellow, most of it far away. Head 2 finds what is near, whatever its colour. The single head adds both scores before its one
# softmax, and what is left is *yellow **and** near*. Where else is yellow, and what else is near? It cannot say.
#
# So a layer has several **heads**. Each one gets a slice of the queries, keys and values, attends by itself, and the mixed slices are laid side by side
# again. One more Linear mixes them.

# %%
def split(x, heads):
    """(B, T, D) to (B, heads, T, D / heads)."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)

def many_heads(x, layer, heads):
    """Attend as nn.MultiheadAttention does, with its weights."""
    asked = F.linear(x, layer.in_proj_weight, layer.in_proj_bias)
    q, k, v = asked.chunk(3, dim=2)  # (B, T, D) each
    mixed, weights = attention(*(split(y, heads) for y in (q, k, v)))
    joined = mixed.transpose(1, 2).flatten(2)  # (B, T, D)
    return layer.out_proj(joined), weights

# %% [markdown]
# `F.linear` makes queries, keys and values of all tokens at once, and `chunk` parts them. **Predict:** which layer has more weights, one with a single head
# or one with eight?

# %%
torch.manual_seed(0)
rows = []
for heads in (1, 4, 8):
    layer = nn.MultiheadAttention(96, heads, batch_first=True).eval()
    with torch.no_grad():
        ours, w = many_heads(row, layer, heads)
        theirs, their_w = layer(row, row, row,
                                average_attn_weights=False)
    gap = max((ours - theirs).abs().max(), (w - their_w).abs().max())
    rows.append({"heads": heads, "numbers a head": 96 // heads,
                 "weights": sum(p.numel() for p in layer.parameters()),
                 "equal to 1e-5": bool(gap < 1e-5)})
draw.table(rows)

# %% tags=["author"]
assert all(r["equal to 1e-5"] and r["weights"] == 37248 for r in rows)

# %% [markdown]
# The same number. Eight heads are eight narrow looks in place of a broad one.
#
# ### Does it know the order?
#
# Nothing in `attention` asks where a token stands. So shuffle the 144 patch tokens, and look at what the class token gets. **Predict:** what changes when
# no places were added? And when they were, each vector staying at its place?

# %%
def shown(words, places):
    """Return the class token after one layer of four heads."""
    x = torch.cat([asker, words + places], dim=1)
    return many_heads(x, look, 4)[0][:, 0].detach()

torch.manual_seed(0)
asker = torch.randn(1, 1, 96)  # a class token, as if learnt
look = nn.MultiheadAttention(96, 4, batch_first=True)
moved = tokens[:, torch.randperm(144)]
rows = []
for name, places in [("none", 0), ("waves", waves(12, 96))]:
    before, after = shown(tokens, places), shown(moved, places)
    change = ((after - before).norm() / before.norm()).item()
    rows.append({"places": name, "class token changes by": change})
draw.table(rows, digits=".4%")

# %% tags=["author"]
assert rows[0]["class token changes by"] < 1e-6 and rows[1]["class token changes by"] > 0.005

# %% [markdown]
# Without places nothing changes, but for rounding: a fish and a heap of its squares are the same to it. With places it does notice.
#
# ### Places that find their neighbours
#
# Now for the question of section 1. Can places drawn by chance learn which ones are near? Nobody will tell them. Take the 404 small pictures, each of
# 8 x 8 patches, and a game: *guess the colour of a hidden patch from the other 63*. Queries and keys are made **from the places alone**, so all that can be
# learnt is where to look.
#
# **Predict:** where will a place look? By chance, 5.6 % of a look would fall on the patches that share a side with it.

# %% tags=["nbval-ignore-output"]
def learn_places(colours, steps=200, width=32):
    """Return (64, width) places and (64, 64) who looks where."""
    torch.manual_seed(0)
    places = nn.Parameter(torch.randn(64, width) * 0.3)
    ask = nn.Linear(width, 2 * width, bias=False)
    optimizer = torch.optim.Adam([places, *ask.parameters()], 0.01)
    hide = torch.eye(64) * -1e9  # nobody looks at itself
    for _ in range(steps):
        q, k = ask(places).chunk(2, dim=1)
        looks = (q @ k.T / width ** 0.5 + hide).softmax(dim=1)
        loss = (looks @ colours - colours).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return places.detach(), looks.detach()

colours = patchify(images, 6).unflatten(2, (3, 36)).mean(3)
at = torch.tensor([(y, x) for y in range(8) for x in range(8)])
near = (at - at[:, None]).abs().sum(2) == 1  # (64, 64)
places, looks = learn_places(colours)
share = (looks * near).sum(1).mean().item()
print(f"{share:.0%} of a look falls on the patches beside it")

# %% tags=["fold", "nbval-ignore-output"]
# Draw where three places look, and how alike the places have become
axes = show_many(
    [table[n].clamp(min=0).reshape(8, 8).numpy() / table[n].max().item()
     for table in (looks, alike(places)) for n in (0, 27, 39)], cols=3,
    titles=["The corner looks here", "The middle", "The edge",
            "Alike to the corner", "To the middle", "To the edge"])
for ax, n in zip(axes, [0, 27, 39] * 2, strict=True):
    ax.plot(n % 8, n // 8, "o", ms=9, mfc="none",
            mec=draw.ERROR, mew=2)
    ax.set(xticks=[], yticks=[])
draw.describe(axes[0], "Six maps of 8 x 8 places. Three places look "
    "at the patches beside them, and are alike to those near.")

# %% [markdown]
# They have found the grid, and places near each other have become alike. But is it the pictures that taught them, or something built in? Move the patches of all pictures in one and the same way, so
# that who was a neighbour stands somewhere else, and let them learn anew.

# %% tags=["nbval-ignore-output"]
dice = torch.Generator().manual_seed(1)
order = torch.randperm(64, generator=dice)
places, looks = learn_places(colours[:, order])
beside = (looks * near).sum(1).mean().item()
were = (looks * near[order][:, order]).sum(1).mean().item()
print(f"on those beside it now {beside:.0%}, "
      f"on those that were beside it {were:.0%}")

# %% tags=["author"]
assert share > 0.85 and were > 0.85 and beside < 0.2
likeness = alike(learn_places(colours)[0])
assert likeness[near].mean() > likeness[~near].mean() + 0.3

# %% [markdown]
# They look for the old neighbours, wherever these stand now. The neighbourhood that a convolution has built in can be **learnt from pictures alone**: because
# patches side by side have like colours, and nobody said so.
#
# A token gets to know of the others by asking all of them at once: queries meet keys, softmax makes shares, values are mixed. It knows no order but what is
# in the tokens. In section 3 it becomes a network.

# %% tags=["fold"]
# Let go of what only this sitting needs
images = hidden = masks = truth = some = two = colours = None

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.world.moments import drawings_to_judge, drawings_to_learn, make_moments

# %% [markdown]
# ## 3 · A vision transformer *(32 min)*
#
# Tokens can look at each other now. What is missing until a network of them says something about a whole picture?
#
# Little. A layer that evens numbers out, a small network for each token alone, and sums around both. You know all three in another form. At the end
# stands one class of 25 lines, and timm's weights, put into it, must give timm's numbers.

# %% tags=["fold"]
# The imports of this section
from copy import deepcopy
import timm
from torch.utils.flop_counter import FlopCounterMode
from cvlab.distillation.attention import attention
from cvlab.distillation.corners import (
    make_corners, shuffle_patches)
from cvlab.distillation.patches import patchify
from cvlab.distillation.pretrained import attention_of

# %% [markdown]
# One layer makes queries, keys and values of each token. Each *head* gets a slice of them and attends within it. At the end the slices lie side by
# side again, and a last layer mixes them.

# %% tags=["core"]
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def split(self, x):
        b, t, d = x.shape
        x = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads)
        return x.permute(2, 0, 3, 1, 4)

    def weights(self, x):
        return attention(*self.split(x))[1]

    def forward(self, x):
        x = F.scaled_dot_product_attention(*self.split(x))
        x = x.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.proj(x)

# %%
torch.manual_seed(0)
layer, x = Attention(8, heads=2), torch.randn(1, 5, 8)
mixed, weights = attention(*layer.split(x))  # ours, per head
ours = layer.proj(mixed.transpose(1, 2).flatten(2))
print("mixed  ", tuple(mixed.shape))
print("weights", tuple(weights.shape))
print("as torch's:", bool((ours - layer(x)).abs().max() < 1e-6))

# %% tags=["author"]
assert (ours - layer(x)).abs().max() < 1e-6

# %% [markdown]
# ### A norm that knows one token
#
# Lesson 03's BatchNorm takes a mean and a spread for each *channel*, over all pictures. **LayerNorm** takes them for each *token*, over its
# channels. Two pictures, three tokens each, four numbers a token:

# %%
x = torch.tensor([[[1., 3, 5, 7], [2, 2, 4, 8], [0, 1, 0, 3]],
                  [[9., 7, 5, 3], [6, 5, 8, 1], [2, 7, 4, 3]]])

def normed(x, axes):
    mean = x.mean(axes, keepdim=True)
    return (x - mean) / x.std(axes, correction=0, keepdim=True)

layer = F.layer_norm(x, (4,), eps=0)
batch = F.batch_norm(x.flatten(0, 1), None, None, training=True,
                     eps=1e-9).reshape(x.shape)
print(normed(x, -1)[0, 0].numpy().round(2))
print(normed(x, (0, 1))[0, 0].numpy().round(2))
print([bool((a - b).abs().max() < 1e-5) for a, b in
       ((normed(x, -1), layer), (normed(x, (0, 1)), batch))])

# %% tags=["author"]
assert torch.allclose(normed(x, -1), layer, atol=1e-5)
assert torch.allclose(normed(x, (0, 1)), batch, atol=1e-5)

# %% tags=["fold"]
# Draw which numbers share a mean: equal colours
def draw_shared():
    token = np.repeat(np.arange(6)[:, None], 4, axis=1)
    channel = np.repeat(np.arange(4)[None], 6, axis=0)
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.4),
                             layout="constrained")
    names = ("LayerNorm: {} means, one a token",
             "BatchNorm: {} means, one a channel")
    for ax, name, shared in zip(axes, names, (token, channel), strict=True):
        for (i, j), k in np.ndenumerate(shared):
            y = i + (i > 2) * 0.5  # a gap between the pictures
            ax.add_patch(plt.Rectangle((j, y), 0.94, 0.94, alpha=0.75,
                                       color=draw.PALETTE[k % 6]))
            ax.text(j + 0.47, y + 0.47, int(x.flatten(0, 1)[i, j]),
                    ha="center", va="center", size=11)
        ax.set(xlim=(0, 4), ylim=(6.6, -0.1), xticks=[],
               yticks=[1.5, 5], yticklabels=["picture 1", "picture 2"],
               xlabel="channel", title=name.format(shared.max() + 1))
        ax.grid(False)
    draw.describe(axes[0], "Six tokens of four numbers. LayerNorm "
                  "shares a mean along rows, BatchNorm along columns.")

draw_shared()

# %% [markdown]
# **Predict:** other numbers stand in picture 2. What becomes of picture 1?

# %%
other = x.clone()
other[1] = torch.tensor(
    [[0., 0, 9, 9], [5, 0, 0, 5], [9, 9, 0, 1]])

def change(axes):
    return (normed(x, axes) - normed(other, axes))[0].abs().max()

axes = {"LayerNorm": -1, "BatchNorm": (0, 1)}
draw.table([{"norm": k, "picture 1 moves by": change(v).item()}
            for k, v in axes.items()], digits=2)

# %% tags=["author"]
assert change(-1) == 0 and change((0, 1)) > 0.2

# %% [markdown]
# After LayerNorm a picture is what it is, whoever its batch-mates are, in training as in use. BatchNorm lets them in, and has to keep running means
# for the day on which a picture comes alone.

# %% [markdown]
# ### Each token for itself
#
# Between two looks around, each token thinks: a layer to more numbers, a bend, a layer back. The bend is **GELU**, `x` times the share of a normal
# distribution that lies below `x`.

# %%
x = torch.linspace(-4, 2, 201)
gelu = x * torch.special.ndtr(x)
print("as torch's:", bool((gelu - F.gelu(x)).abs().max() < 1e-6))

# %% tags=["fold"]
# Draw GELU and ReLU
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.plot(x, F.relu(x), color=draw.PALETTE[1], label="ReLU")
ax.plot(x, gelu, color=draw.PALETTE[0], label="GELU")
ax.set(xlabel="x",
       title="GELU is a ReLU without the corner; "
             f"it dips to {gelu.min():.2f}")
draw.label_lines(ax)
draw.describe(ax, "GELU follows ReLU far from zero, bends smoothly "
              "near it, and is a little below zero at its left.")

# %% [markdown]
# A **block** is both, each with its norm before it, and each *added* to what was there: lesson 03's residual.

# %% tags=["core"]
class Block(nn.Module):
    def __init__(self, width, heads, ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential()
        self.mlp.fc1 = nn.Linear(width, int(width * ratio))
        self.mlp.act = nn.GELU()
        self.mlp.fc2 = nn.Linear(int(width * ratio), width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))

# %% [markdown]
# **Predict:** token 3 of five gets other numbers. Whose answer changes, after each part?

# %%
torch.manual_seed(0)
block, x = Block(8, heads=2), torch.randn(1, 5, 8)
other = x.clone()
other[0, 2] = torch.randn(8)
parts = {"norm": block.norm1, "attention": block.attn,
         "MLP": block.mlp, "block": block}
rows = []
for name, part in parts.items():
    moved = (part(x) - part(other))[0].abs().amax(-1) > 1e-6
    who = (moved.nonzero().flatten() + 1).tolist()
    rows.append({"part": name, "tokens that change":
                 str(who)[1:-1]})
draw.table(rows)

# %% tags=["author"]
commas = [r["tokens that change"].count(",") for r in rows]
assert commas == [0, 4, 0, 4]

# %% [markdown]
# Only attention carries news from one place to another.
#
# What are the sums for? Leave them out, and look: twelve blocks, untrained, 64 random tokens. How alike are two of them after each block? The
# cosine of two tokens, averaged, says it: 0 is unrelated, 1 the same direction.

# %%
@torch.no_grad()
def alike(around_attention, around_mlp, seed=0, depth=12):
    torch.manual_seed(seed)
    x, cosines = torch.randn(64, 96)[None], []
    for _ in range(depth):
        block = Block(96, heads=4)
        mixed = block.attn(block.norm1(x))
        x = mixed + x * around_attention
        x = block.mlp(block.norm2(x)) + x * around_mlp
        n = F.normalize(x[0], dim=-1)
        cosines.append(((n @ n.T).sum().item() - 64) / (64 * 63))
    return cosines

ways = {"both sums": (True, True),
        "not around MLP": (True, False),
        "not around attention": (False, True),
        "none": (False, False)}
curves = {name: alike(*way) for name, way in ways.items()}

# %% tags=["fold"]
# Draw how alike the tokens become
fig, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
for k, (name, curve) in enumerate(curves.items()):
    ax.plot(range(1, 13), curve, color=draw.PALETTE[k],
            marker="o", ms=4, label=name)
ax.set(xlabel="blocks", ylabel="mean cosine of two tokens",
       ylim=(-0.05, 1.08),
       title="Without sums, one block makes all tokens alike: "
             f"{curves['none'][0]:.2f}")
draw.label_lines(ax)
draw.describe(ax, "Mean cosine of two tokens after one to twelve "
              "blocks, with and without the two sums.")

# %% tags=["author"]
for seed in (0, 1, 2):
    kept = alike(True, True, seed)
    lost = alike(False, False, seed)
    assert kept[-1] < 0.4 and lost[0] > 0.85 and lost[1] > 0.95
    assert alike(False, True, seed)[1] > 0.9

# %% [markdown]
# Leave out the sum around attention alone, and after two blocks all 64 tokens point the same way: what differed from place to place is gone, and no later
# layer can bring it back. The sum around the MLP keeps less, but is missed as well. With both, a block only *adds* to what a token was.

# %% [markdown]
# ### The whole network
#
# Patches, a layer that makes tokens of them, one more token that belongs to no patch and will speak for the picture, a learnt vector for each
# position, blocks, a last norm. That is all.

# %% tags=["core"]
class ViT(nn.Module):
    def __init__(self, side, patch, channels=3, width=96,
                 depth=2, heads=4, ratio=2, *, positions=True):
        super().__init__()
        self.patch, n = patch, (side // patch) ** 2
        self.patch_embed = nn.Linear(channels * patch * patch, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + n, width)) if positions else None
        self.blocks = nn.Sequential(*(Block(width, heads, ratio) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def embed(self, x):
        x = self.patch_embed(patchify(x, self.patch))
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return x if self.pos_embed is None else x + self.pos_embed

    def tokens(self, x):
        return self.norm(self.blocks(self.embed(x)))

    def attention(self, x, layer=-1):
        x, block = self.blocks[:layer](self.embed(x)), self.blocks[layer]
        return block.attn.weights(block.norm1(x))

    def forward(self, x):
        return self.tokens(x)[:, 0]

# %% [markdown]
# The names are timm's, which will pay off at once. **Predict:** pictures of 96 x 96 pixels, patches of 16, three heads. What shapes do tokens and
# attention have?

# %%
torch.manual_seed(0)
ours = ViT(96, 16, width=192, depth=12, heads=3, ratio=4).eval()
x = torch.randn(2, 3, 96, 96)
with torch.no_grad():
    print("tokens   ", tuple(ours.tokens(x).shape))
    print("attention", tuple(ours.attention(x).shape))
    print("answer   ", tuple(ours(x).shape))

# %% tags=["author"]
assert ours.attention(x).shape == (2, 3, 37, 37)

# %% [markdown]
# ### The same as timm's?
#
# `vit_tiny_patch16_224` has this architecture. Two of its names differ: its patch layer is a *convolution* with a kernel and a stride of 16. That
# touches each pixel once, so it is a layer on flat patches; its kernel only has to be laid out flat.

# %% tags=["core"]
def from_timm(state):
    state = {k: v for k, v in state.items()
             if not k.startswith("head.")}
    weight = state.pop("patch_embed.proj.weight")  # (D, C, P, P)
    state["patch_embed.weight"] = weight.flatten(1)
    state["patch_embed.bias"] = state.pop("patch_embed.proj.bias")
    return state

# %% [markdown]
# Untrained, many of timm's numbers are 0, and a forgotten one would not show. So all get some noise first. `load_state_dict` is strict: a name too
# many or too few is an error.

# %%
theirs = timm.create_model("vit_tiny_patch16_224", img_size=96,
                           num_classes=0).eval()
with torch.no_grad():
    for p in theirs.parameters():
        p += 0.02 * torch.randn_like(p)
ours.load_state_dict(from_timm(theirs.state_dict()))
copied, of = (sum(p.numel() for p in net.parameters())
              for net in (ours, theirs))
print(f"{copied:,} of {of:,}")

# %%
@torch.no_grad()
def largest(a, b):
    return (a - b).abs().max().item()

gaps = {"class token": largest(ours(x), theirs(x)),
        "all tokens": largest(ours.tokens(x),
                              theirs.forward_features(x))}
for layer in (0, 5, 11):
    gaps[f"attention, block {layer + 1}"] = largest(
        ours.attention(x, layer), attention_of(theirs, x, layer))
draw.table([{"what": name, "within 0.00001": gap < 1e-5}
            for name, gap in gaps.items()])

# %% tags=["nbval-ignore-output"]
print("largest difference:", max(gaps.values()))

# %% tags=["author"]
assert copied == of
assert max(gaps.values()) < 1e-5

# %% [markdown]
# All parameters went across, and all numbers are timm's, attention too. timm keeps no attention weights: `attention_of` overhears queries and keys
# with the hook of lesson 04.
#
# **Trap:** torch's LayerNorm adds 0.00001 to each variance, timm's ViT only 0.000001. The weights fit either way. **Predict:** does it matter?

# %%
slip = deepcopy(ours)
for part in slip.modules():
    if isinstance(part, nn.LayerNorm):
        part.eps = 1e-5
print(f"{largest(slip(x), theirs(x)):.3f}")

# %% tags=["author"]
assert largest(slip(x), theirs(x)) > 100 * max(gaps.values())

# %% [markdown]
# Small, but hundreds of times the gap of before: not quite the same network any more.

# %%
slip = theirs = None  # let them go

# %% [markdown]
# ### What a token costs
#
# Smaller patches see finer things, and there are more of them. Half the side, four times the tokens. **Predict:** what happens to the number of
# products, in the layers and in attention? torch can count them without computing: on the device `meta`, tensors are shapes only.

# %%
def products(tokens, width=384, heads=6):
    block = Block(width, heads).to("meta")
    x = torch.zeros(1, tokens, width, device="meta")
    with FlopCounterMode(display=False) as counter:
        block(x)
    return counter.get_total_flops() // 2

rows = []
for patch in (32, 16, 8, 4):
    tokens = 1 + (224 // patch) ** 2
    layers = 12 * tokens * 384**2
    looks = products(tokens) - layers
    rows.append({
        "patch": patch, "tokens": tokens,
        "layers": layers / 1e6, "attention": looks / 1e6,
        "of it attention": 100 * looks / (layers + looks)})
draw.table(rows, digits=0,
           units={"patch": "px", "layers": "million",
                  "attention": "million", "of it attention": "%"})

# %% tags=["author"]
for row in rows:
    assert row["attention"] * 1e6 == 2 * row["tokens"] ** 2 * 384

# %% [markdown]
# The layers cost 12 · T · D² products for T tokens of D numbers: four times the tokens, four times the work. Attention costs 2 · T² · D, so sixteen
# times. The two are even at T = 6 · D, here 2304 tokens. And on your machine?

# %% tags=["nbval-ignore-output"]
from time import process_time

@torch.no_grad()
def seconds(tokens, repeats=3):
    block, x = Block(384, 6), torch.zeros(1, tokens, 384)
    times = []
    for _ in range(repeats):
        start = process_time()
        block(x)
        times.append(process_time() - start)
    return min(times)

one = seconds(197)
for tokens in (197, 785):
    more = products(tokens) / products(197)
    print(f"{tokens} tokens: {seconds(tokens) / one:.1f} times",
          f"as long, {more:.1f} times the products")

# %% [markdown]
# ### Where is which patch?
#
# Attention does not know an order: it treats tokens as a heap. Only the learnt positions tell them apart. Put a picture's patches into another
# order. **Predict:** how far does an untrained class token move, with positions and without?

# %%
x, what, where = make_corners(4, seed=8)
moves = {}
for positions in (True, False):
    torch.manual_seed(0)
    net = ViT(48, 8, positions=positions)
    with torch.no_grad():
        moves[positions] = largest(net(x), net(shuffle_patches(x)))
print(f"with positions {moves[True]:.3f},",
      f"without {moves[False]:.3f}")

# %% tags=["author"]
assert moves[False] < 1e-5 < 0.003 < moves[True]

# %% tags=["fold"]
# Draw four pictures, and one with its patches in another order
def seen(picture):
    return ((picture.permute(1, 2, 0) + 1) / 2).clamp(0, 1).numpy()

corners = ["top left", "top right", "bottom left", "bottom right"]
show_many([seen(p) for p in (*x, shuffle_patches(x)[0])], cols=5,
          titles=[*(corners[w] for w in where),
                  "the first, shuffled"]);

# %% [markdown]
# Does that cost anything? These pictures ask two questions: *what* is it, of eight drawings, and *where*, in which of four corners? A corner is
# whole patches wide. So the same drawing in another corner is the same heap of patches, up to noise.
#
# One block and 80 steps must do. Positions begin larger here than a ViT's usually do, 0.5 and not 0.02: the training is short.
# **Predict:** which of the two questions needs positions?

# %%
learn, test = make_corners(1000), make_corners(500, seed=1)

def train(seed, positions, steps=80):
    torch.manual_seed(seed)
    vit = ViT(48, 8, width=48, depth=1, positions=positions)
    if positions:
        nn.init.normal_(vit.pos_embed, std=0.5)
    net = nn.Sequential(vit, nn.Linear(48, 8 + 4))
    optimizer = torch.optim.AdamW(net.parameters(), 4e-3)
    x, what, where = learn
    for step in range(steps):
        rate = 4e-3 * min(1, (step + 1) / 10, 1.5 * (1 - step / steps))
        optimizer.param_groups[0]["lr"] = rate
        some = torch.randint(1000, (64,))
        said = net(x[some])
        loss = (F.cross_entropy(said[:, :8], what[some])
                + F.cross_entropy(said[:, 8:], where[some]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net

# %% tags=["nbval-ignore-output"]
@torch.no_grad()
def right(net, x):
    said = net(x)
    answers = said[:, :8].argmax(1), said[:, 8:].argmax(1)
    return [100 * (answer == truth).float().mean().item()
            for answer, truth in zip(answers, test[1:], strict=True)]

nets, rows, scores = {}, [], {}
orders = {"as it is": test[0],
          "shuffled": shuffle_patches(test[0])}
for positions in (True, False):
    nets[positions] = [train(seed, positions) for seed in range(3)]
    for order, x in orders.items():
        found = np.array([right(net, x) for net in nets[positions]])
        scores[positions, order] = found  # (seeds, questions)
        what, where = (f"{each.min():.0f} to {each.max():.0f}"
                       for each in found.T)
        rows.append({"positions": "yes" if positions else "no",
                     "order": order, "what": what, "where": where})
draw.table(rows, units={"what": "%", "where": "%"},
           title="Right answers, three seeds")

# %% tags=["author"]
yes, no = scores[True, "as it is"], scores[False, "as it is"]
assert yes[:, 0].min() > 90 and yes[:, 1].min() > 75
assert no[:, 0].min() > 90 and no[:, 1].max() < 35
assert np.abs(no - scores[False, "shuffled"]).max() < 1
assert scores[True, "shuffled"][:, 1].max() < 50
assert (yes - scores[True, "shuffled"])[:, 0].min() > 3

# %% [markdown]
# Without positions *where* stays at a guess, one in four, and shuffling changes nothing at all. *What* is answered as well as with them: the heap of
# patches is enough. With positions both are answered, and shuffled patches hurt both. A convolution never has to learn where things are: neighbours
# are built into it.

# %% [markdown]
# ### Who looks where, in the first layer
#
# A 3 x 3 convolution looks at nine places, whatever stands there. Attention computes its weights from what it sees. **Predict:** from how many
# of the 36 places does the class token hear in the one block: untrained, and trained?

# %%
def reach_of_convolution(row, col):
    x = torch.randn(1, 48, 6, 6, requires_grad=True)
    nn.Conv2d(48, 1, 3, padding=1)(x)[0, 0, row, col].backward()
    return x.grad.abs().sum(1)[0]  # which places move its answer

@torch.no_grad()
def looks(vit, x):
    weights = vit.attention(x)[:, :, 0, 1:]  # (B, heads, 36)
    return weights.mean(1).unflatten(-1, (6, 6))

def on_the_thing(weights, where):
    corners = weights.reshape(-1, 2, 3, 2, 3).sum((2, 4)).flatten(1)
    return corners[torch.arange(len(where)), where]

torch.manual_seed(0)
vits = {"untrained": ViT(48, 8, width=48, depth=1),
        "trained": nets[True][0][0]}
shares = {name: 100 * on_the_thing(looks(vit, test[0]),
                                   test[2]).mean().item()
          for name, vit in vits.items()}
conv = reach_of_convolution(2, 2)
print(f"convolution: {(conv > 0).sum()} of 36 places;",
      *(f"{name}: {(looks(vit, x) > 0).sum() // len(x)} of 36"
        for name, vit in vits.items()), sep="\n")

# %% tags=["fold", "nbval-ignore-output"]
# Draw both for two pictures
def draw_looks():
    a = next(i for i, w in enumerate(test[2]) if w == 0)
    b = next(i for i, w in enumerate(test[2]) if w == 3)
    fig, axes = plt.subplots(2, 4, figsize=(9, 4.9),
                             layout="constrained")
    for line, i in zip(axes, (a, b), strict=True):
        one = test[0][i : i + 1]
        maps = [conv, *(looks(vit, one)[0] for vit in vits.values())]
        show(seen(one[0]), ax=line[0])
        for ax, weights in zip(line[1:], maps, strict=True):
            show((weights / weights.max()).numpy(), limits=(0, 1), ax=ax)
    names = ["picture", "3 x 3 convolution",
             *(f"{k}: {v:.0f} % on it" for k, v in shares.items())]
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name, size=11)
    fig.suptitle("A convolution looks where it stands, "
                 "attention where something is")
    draw.describe(axes[0, 0], "A drawing in opposite corners: the "
                  "convolution's places stay, trained attention moves.")

draw_looks()

# %% tags=["author"]
assert (conv > 0).sum() == 9
assert (looks(vits["untrained"], x) > 0).all()
assert 20 < shares["untrained"] < 32 and shares["trained"] > 60

# %% [markdown]
# The convolution's nine places are the same in both pictures. Attention reaches all 36 in its first layer. Untrained it looks everywhere alike: a quarter
# of its weight lies on the drawing, which fills a quarter of the picture. Eighty steps later most of it does.

# %% tags=["fold"]
# Let the networks go
nets, vits, ours, learn, test = None, None, None, None, None

# %% [markdown]
# ## 4 · Two views of one thing *(28 min)*
#
# Nobody tells the network what is in a picture. What can it then be asked?
#
# DINO asks it to foretell itself: here are two views of one picture, say the same of both. Whatever differs between the views, the network must learn
# to ignore. Whatever they share, it may rely on. So choosing the views *is* the teaching.
#
# Here is a thing that you will see in many views. Each of its two pictures is one emoji laid over a photo. Sixty-three other
# things come along.

# %%
drawings = drawings_to_learn()
order = np.random.default_rng(0).permutation(len(drawings))
things = [drawings[i] for i in order[:64]]
two = make_moments(things, moments=2)
PANDA = 17
pictures = [torch.from_numpy(p).permute(2, 0, 1) / 255
            for p in two.images[0]]  # each (3, 192, 192)
panda = pictures[PANDA]
axes = show_many(two.images[:, PANDA], cols=2, titles=[
    "One moment of a thing", "Another moment"])
draw.describe(axes[0], "A panda before a dull ground, then "
    "larger before a cup of coffee.")

# %% [markdown]
# ### Crops
#
# The first way to two views is **multi-crop**. Two **global** crops cover 40 to 100 % of the picture's area, several **local** ones 5 to 40 %. The
# teacher sees the global ones only, the student all of them.
#
# A crop has an area, a ratio (width over height), and a place. Start with one for paper: a picture of 192 x 192, area 0.25, ratio 4. A quarter of
# 36,864 pixels is 9,216, and a width of four heights gives 192 x 48.
#
# **Predict:** area 0.5, ratio 4. How wide?

# %%
for area, ratio in [(0.25, 1), (0.25, 4), (0.5, 4)]:
    wide = (area * 192 * 192 * ratio) ** 0.5
    high = (area * 192 * 192 / ratio) ** 0.5
    print(f"area {area}, ratio {ratio}: {wide:.0f} x {high:.0f}")

# %% [markdown]
# 272 pixels, from a picture of 192: there is no such crop. Whoever draws areas and ratios at random has to keep both in bounds.

# %% [markdown]
# **Exercise.** Write `multi_crop(image, crops, large=96, small=48)`. `image` is `(C, H, W)`; each row of `crops` is area, ratio, x, y. The area is a share
# of the picture's. x and y share out the room that is left beside the crop: 0 is the left or upper edge, 1 the other. Round sides and corner to whole
# pixels. The first two views are resized to `large`, the others to `small`, by
# `F.interpolate(part[None], (side, side), mode="bilinear", antialias=True)[0]`. Return them as a list.

# %% tags=["exercise"]
def multi_crop(image, crops, large=96, small=48):
    """Return a list of V views: two large, then small ones."""
    ### BEGIN SOLUTION
    h, w = image.shape[1:]
    views = []
    for i, (area, ratio, x, y) in enumerate(crops.tolist()):
        wide = round((area * h * w * ratio) ** 0.5)
        high = round((area * h * w / ratio) ** 0.5)
        left, top = round(x * (w - wide)), round(y * (h - high))
        part = image[:, top : top + high, left : left + wide]
        side = large if i < 2 else small
        view = F.interpolate(part[None], (side, side), mode="bilinear", antialias=True)
        views.append(view[0])
    return views
    ### END SOLUTION

# %%
check(multi_crop)

# %% [markdown]
# The lesson goes on with the package's copy, and with `random_crops`, which draws the rows by chance so that each crop fits. torchvision's
# `resized_crop` cuts and resizes one crop. Is it equal?

# %%
from torchvision.transforms.functional import resized_crop
from cvlab.distillation.views import multi_crop, random_crops

wide_one = torch.tensor([[0.25, 4, 0, 0.5]]).expand(2, -1)
theirs = resized_crop(panda, 72, 0, 48, 192, [96, 96], antialias=True)
ours = multi_crop(panda, wide_one)[0]
print("largest difference:", (ours - theirs).abs().max().item())

crops = random_crops(np.random.default_rng(2), local=6)  # (8, 4)
views = multi_crop(panda, crops)
print([tuple(view.shape[1:]) for view in views])

# %% tags=["fold"]
# Draw the crops on the picture, and what each one shows
def boxes_of(crops, side=192):
    area, ratio, x, y = crops.T
    w, h = side * (area * ratio).sqrt(), side * (area / ratio).sqrt()
    x, y = x * (side - w), y * (side - h)
    return torch.stack([x, y, x + w, y + h], dim=1)

def as_picture(view):
    return view.permute(1, 2, 0).clamp(0, 1).numpy()

names = [f"{'global' if i < 2 else 'local'}: {100 * area:.0f} %"
         for i, area in enumerate(crops[:, 0])]
axes = show_many([as_picture(v) for v in [panda, *views]], cols=5,
    titles=["Two global crops, six local", *names])
for part, color in ((slice(2), 0), (slice(2, 8), 1)):
    draw.draw_boxes(boxes_of(crops[part]), ax=axes[0],
                    color=draw.PALETTE[color])
draw.describe(axes[0], "A panda with eight boxes, and the eight "
    "crops, two large and six small.")

# %% [markdown]
# A local view that shows nothing of the thing could agree with the teacher by its background alone. How common is that? The mask of a thing can be
# cropped like its picture.
#
# **Predict:** which share of the local views shows none of the thing?

# %%
dice = np.random.default_rng(0)
masks = torch.from_numpy(two.masks[0])[:, None].float()
shown = torch.tensor([
    [part.mean() for part in multi_crop(mask, random_crops(dice))]
    for mask in masks])  # (64, 8) share of a view that is thing
none = (shown < 0.01).float().mean(0)
print(f"views without the thing: {none[:2].mean():.0%} of the "
      f"global ones, {none[2:].mean():.0%} of the local ones")

# %% tags=["author"]
assert none[:2].mean() < 0.02 and 0.02 < none[2:].mean() < 0.12

# %% [markdown]
# Few do, even of the local ones. Our things are large: 40 to 90 % of the picture's side. Keep that in mind: in 08b local crops cost more than they
# give, and views without the thing are too rare to be the whole reason.
#
# ### Colours
#
# Two crops of one picture share its colours. Would that be enough to tell them from crops of other pictures? Three of the usual changes are one and the
# same mix, with black, with the mean grey, with the grey picture. The fourth turns over what is bright.

# %% tags=["core"]
def mix(image, other, share):
    """1: the image; 0: the other; above 1: away from it."""
    return (share * image + (1 - share) * other).clamp(0, 1)

def to_grey(image):
    """(..., 3, H, W) to (..., 1, H, W)."""
    red, green, blue = image.unbind(-3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)

def solarize(image):
    """From a half on, a value becomes 1 - value."""
    return torch.where(image < 0.5, image, 1 - image)

# %% tags=["fold"]
# Each change by itself; hue and blur are torchvision's
from torchvision.transforms.functional import (
    adjust_hue, gaussian_blur, resize)
from cvlab.world import pool

small = torch.stack([resize(p, [96, 96], antialias=True)
                     for p in pictures])  # (64, 3, 96, 96)
emoji = torch.from_numpy(pool.sprites("noto")[0][0])  # (S, S, 4)
emoji = resize(emoji.permute(2, 0, 1) / 255, [38, 38], antialias=True)

def lay_over(image):
    image, alpha = image.clone(), emoji[3:]
    part = image[..., 56:94, 56:94]
    image[..., 56:94, 56:94] = alpha * emoji[:3] + (1 - alpha) * part
    return image

# %%
changes = {
    "mirrored": lambda x: x.flip(-1),
    "brightness 0.6": lambda x: mix(x, torch.zeros(1), 0.6),
    "contrast 1.4": lambda x: mix(
        x, to_grey(x).mean((-3, -2, -1), keepdim=True), 1.4),
    "saturation 0.8": lambda x: mix(x, to_grey(x), 0.8),
    "hue 0.1": lambda x: adjust_hue(x, 0.1),
    "grey": lambda x: to_grey(x).expand_as(x),
    "blurred": lambda x: gaussian_blur(x, 9, 2.0),
    "solarised": solarize,
    "an emoji over it": lay_over,
}
one = small[PANDA]
axes = show_many([as_picture(one)]
    + [as_picture(f(one)) for f in changes.values()],
    cols=5, titles=["as it was", *changes])
draw.describe(axes[0], "A picture of a panda in ten versions.")

# %% [markdown]
# **Predict:** a frozen network from lesson 04 sees each picture before and after. Which change moves its answer furthest?
#
# The answer is the map of block 4, pooled to 112 numbers; the distance is 1 - cosine. (Say it plainly: that network learnt from ImageNet's *labels*.
# What stands on its maps is not free of labels from the ground up; the *Real* DINO in 08b is.)

# %%
from cvlab.distillation.maps import maps_of
from cvlab.distillation.views import auc, view_distances

def pooled(images):
    """(N, 112) from (N, 3, H, W) in 0 to 1."""
    pixels = (255 * images).round().byte().permute(0, 2, 3, 1)
    return maps_of(pixels.numpy()).float().mean((2, 3))

some = small[:24]
before = pooled(some)
rows = [{"change": name, "mean distance":
         view_distances(before, pooled(f(some)))[0].mean().item()}
        for name, f in changes.items()]
draw.table(rows, digits=".2f", sort="mean distance")

# %% tags=["author"]
moved = {row["change"]: row["mean distance"] for row in rows}
assert max(moved, key=moved.get) == "blurred" and 0.1 < moved["blurred"] < 0.25
assert moved["saturation 0.8"] < 0.01 and moved["grey"] > moved["hue 0.1"]

# %% [markdown]
# Blur, which takes the fine pattern away, moves it furthest; a little less saturation hardly counts. Keep the size of these numbers in mind: no change
# moves the answer by more than 0.25. (AugLy, a library of changes, has the emoji laid over as one of its own.)
#
# All together, as in DINO: colours change in four views of five, the first global view is always blurred, the second hardly ever, and only the second is
# ever solarised.

# %% tags=["core"]
def change(views, dice):
    """Change each view (3, H, W) as DINO does."""
    changed = []
    for i, view in enumerate(views):
        if dice.random() < 0.5:
            view = view.flip(-1)
        if dice.random() < 0.8:
            light, contrast = dice.uniform(0.6, 1.4, 2)
            view = mix(view, torch.zeros(1), light)
            view = mix(view, to_grey(view).mean(), contrast)
            view = mix(view, to_grey(view), dice.uniform(0.8, 1.2))
            view = adjust_hue(view, dice.uniform(-0.1, 0.1))
        if dice.random() < 0.2:
            view = to_grey(view).expand(3, -1, -1)
        if dice.random() < (1.0, 0.1, 0.5)[min(i, 2)]:
            wide = view.shape[-1] // 20 * 2 + 1  # odd
            view = gaussian_blur(view, wide, dice.uniform(0.1, 2))
        if i == 1 and dice.random() < 0.2:
            view = solarize(view)
        changed.append(view)
    return changed

# %% tags=["fold"]
# Draw five views of one picture, twice
dice = np.random.default_rng(5)
rows = [change(multi_crop(panda, random_crops(dice, 3)), dice)
        for _ in range(2)]
axes = show_many([as_picture(v) for row in rows for v in row], cols=5,
    titles=["global", "global", "local", "local", "local"] * 2)
draw.describe(axes[0], "Ten crops of one picture in changed "
    "colours, some mirrored, blurred or grey.")

# %% [markdown]
# Now the question about colours. Take two global crops of each picture, and of each crop nothing but its mean colour, three numbers. The **AUC** is how
# often two crops of one picture are nearer to each other than crops of two pictures: 1 is always, 0.5 is chance.

# %%
def mean_colours(dice, changed):
    both = [multi_crop(p, random_crops(dice, 0)) for p in pictures]
    both = [change(b, dice) for b in both] if changed else both
    return [torch.stack([views[k].mean((1, 2)) for views in both])
            for k in (0, 1)]  # (64, 3) each

rated = []
for changed in (False, True):
    a, b = mean_colours(np.random.default_rng(1), changed)
    apart = torch.cdist(a, b)  # (64, 64)
    same = torch.eye(64, dtype=torch.bool)
    rated.append(auc(apart[same], apart[~same]))
    print(f"colours {'changed' if changed else 'as they were'}: "
          f"AUC {rated[-1]:.2f}")

# %% tags=["author"]
assert rated[0] > 0.93 and 0.52 < rated[1] < 0.75

# %% [markdown]
# As they were, three numbers are nearly enough: a network could agree with itself and never look at a form. Changed, little of that is left. So the
# changes are no decoration: they close a way out. Chen et al. saw the same in histograms of pixels, and named it the reason for changing colours.
#
# ### Two moments
#
# A crop moves the frame, a change of colour the light. Neither moves the thing before its background. A video does that for free: the next moment shows
# the same thing elsewhere. Our two moments imitate it. They know the thing's outline, which a video does not.
#
# Four kinds of pairs let thing and background vary one by one.

# %%
kept = make_moments(things, moments=2, elsewhere=False)
turned = things[1:] + things[:1]  # before a neighbour's ground
swapped = make_moments(turned)
pairs = {"same thing, same background": kept.images[1],
         "other thing, same background": swapped.images[0],
         "same thing, other background": two.images[1]}
axes = show_many([two.images[0, PANDA]]
    + [images[PANDA] for images in pairs.values()], cols=4,
    titles=["one picture", *pairs])
draw.describe(axes[0], "A panda, the panda moved before the same "
    "ground, another thing there, the panda before a cup.")

# %% [markdown]
# **Predict:** to the frozen network, which of the three is nearest to the first picture? And to our transformer of section 3, untrained?

# %%
from cvlab.distillation.teaching import small_vit

torch.manual_seed(0)
vit = small_vit().eval()

@torch.no_grad()
def both(images):
    maps = maps_of(images).float()
    return {"pooled map": maps.mean((2, 3)), "untrained ViT": vit(maps)}

first = both(two.images[0])
second = {name: both(images) for name, images in pairs.items()}
rows, apart = [], {}
for net, a in first.items():
    elsewhere = view_distances(a, second[list(pairs)[2]][net])[1]
    for name in pairs:
        within = view_distances(a, second[name][net])[0]
        apart[net, name] = within
        rows.append({"network": net, "pair": name,
                     "mean distance": within.mean().item(),
                     "AUC": auc(within, elsewhere)})
    rows.append({"network": net, "pair": "other thing, other background",
                 "mean distance": elsewhere.mean().item(), "AUC": 0.5})
    apart[net, "other"] = elsewhere
draw.table(rows, digits=".2f")

# %% tags=["author"]
by = {(row["network"], row["pair"]): row for row in rows}
for net in first:
    same, swap, other = (by[net, name] for name in pairs)
    assert same["AUC"] > 0.96 and swap["AUC"] > 0.93 and 0.45 < other["AUC"] < 0.65
    assert 3 * swap["mean distance"] < other["mean distance"]

# %% [markdown]
# Two moments before one background are told from other pictures at once: AUC near 1. Does the network know the thing again? The second row says no:
# *another* thing before that background is nearly as close. And the third: the same thing elsewhere is hardly closer than any other picture, near 0.5. To
# both networks a picture is, in the main, its background. The untrained transformer inherits that from its maps.
#
# Before one background the two histograms lie apart, and nothing need be learnt. Before two, they lie on each other: all of that is left to learn.

# %% tags=["fold"]
# Draw distances within a thing and between things
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True,
                            layout="constrained")
bins = np.linspace(0, 1, 31)
for ax, name in zip(axes, (list(pairs)[0], list(pairs)[2]),
                    strict=True):
    within = apart["pooled map", name]
    between = apart["pooled map", "other"]
    for distances, color, words, at in (
            (between, 1, "two things", 0.6),
            (within, 0, "one thing", 0.22)):
        ax.hist(distances.numpy(), bins, density=True, alpha=0.7,
                color=draw.PALETTE[color])
        ax.text(at, 0.55, words, transform=ax.transAxes,
                color=draw.readable(draw.PALETTE[color]))
    ground = name.split(", ")[1].capitalize()
    ax.set_title(f"{ground}: AUC {auc(within, between):.2f}")
    ax.set_xlabel("distance, 1 - cosine")
axes[0].set_ylabel("density")
draw.describe(axes[0], "Distances within a thing and between things: "
    "apart before one background, mixed before two.")

# %% [markdown]
# **Two views teach what they share.** A student whose views share the background can agree without knowing anything of the thing. What does it learn
# then, and what if the background differs? 08b trains both and draws these two histograms again. First: who is the teacher?

# %% tags=["fold"]
# Let the large arrays go
two = kept = swapped = pairs = pictures = small = masks = None
first = second = views = None

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, progress, show, show_many, solution
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
def teach(student, first, second, steps, *, batch=16, rate=2e-3, momentum=0.98,
          teacher_temp=0.04, centered=True, size=6, watch=None):
    teacher = copy.deepcopy(student).requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), rate, weight_decay=0.04)
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
            watch(step, {"loss": loss, "entropy": sure, "teacher": teacher})
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
# - **No sharpening**: entropy at ln K. The loss sits there too, from the beginning. The divergence fell to nearly 0: there
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
# - A picture becomes words: patches, laid out, projected, with a class token before them. Only the positions tell where a patch lay.
# - Attention: products of queries and keys, over the root of their length; softmax makes weights of them; values are mixed. Its cost grows with the square
#   of the words.
# - What two views have in common is what can be learnt from them. What else gives them away is learnt as well.
# - The student foretells what its teacher says of another view. The teacher is the average of the student's past; no gradient reaches it.
# - The easiest answer is the same for all. Sharpening and centring each prevent one kind of it, and need each other.

# %% [markdown]
# **In the library.** torch has attention as one function and as a layer, timm whole transformers, torchvision what makes the views:

# %%
import timm
from torchvision.transforms import v2

parts = {"attention": F.scaled_dot_product_attention,
         "heads and projections": nn.MultiheadAttention,
         "a whole transformer": timm.models.VisionTransformer,
         "a crop": v2.RandomResizedCrop, "colour": v2.ColorJitter,
         "blur": v2.GaussianBlur, "solarise": v2.RandomSolarize,
         "an average of the past":
         torch.optim.swa_utils.AveragedModel}
draw.table([{"part": part, "where": f"{thing.__module__.split('.')[0]}",
             "name": thing.__name__} for part, thing in parts.items()])

# %% [markdown]
# **Where it breaks.**
#
# - Many small patches: twice as many places each way are sixteen times as many pairs.
# - Two views that share a watermark, a border or a colour cast: that is the cheapest thing to learn, and the loss is content.
# - Centre and temperature hold each other in balance; a wrong pair collapses without a word, and the loss alone may even look good.
# - A small batch makes a poor centre, and a momentum too high a teacher that hardly moves.

# %% [markdown]
# **Sources.**
# [Attention Is All You Need](https://arxiv.org/abs/1706.03762), Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin, NeurIPS 2017.
# [An Image is Worth 16x16 Words](https://arxiv.org/abs/2010.11929), Dosovitskiy and others, ICLR 2021.
# [Layer Normalization](https://arxiv.org/abs/1607.06450), Ba, Kiros, Hinton, 2016.
# [Emerging Properties in Self-Supervised Vision Transformers](https://arxiv.org/abs/2104.14294) (DINO), Caron, Touvron, Misra, Jégou, Mairal,
# Bojanowski, Joulin, ICCV 2021.
# [Unsupervised Learning of Visual Features by Contrasting Cluster Assignments](https://arxiv.org/abs/2006.09882) (multi-crop), Caron, Misra, Mairal,
# Goyal, Bojanowski, Joulin, NeurIPS 2020.
# [Mean teachers are better role models](https://arxiv.org/abs/1703.01780), Tarvainen, Valpola, NeurIPS 2017.
# [Bootstrap Your Own Latent](https://arxiv.org/abs/2006.07733), Grill and others, NeurIPS 2020.
# [Exploring Simple Siamese Representation Learning](https://arxiv.org/abs/2011.10566), Chen, He, CVPR 2021.
#
# **In one line:** patches look at each other, and a student learns from its own past what two views have in common.

# %%
progress("08a")
