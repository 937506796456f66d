# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 08a · DINO: a student and its own past
#
# **How can a network learn when nobody tells it an answer?**
#
# Every network so far was told what was in its pictures. Here nobody tells. You cut a picture into words, let the words look at each other, and build
# a transformer of them. Then it learns from its own past: what would I have said of another view of this? You also see the two ways in which that
# comes to nothing, and what prevents them.
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
from cvlab.distillation.corners import make_corners, shuffle_patches
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
print("mixed", tuple(mixed.shape), " weights", tuple(weights.shape))
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
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for ax, shared, name in ((axes[0], token, "LayerNorm: {} means, one a token"),
                             (axes[1], channel, "BatchNorm: {} means, one a channel")):
        colors = [[draw.PALETTE[k % 6] for k in row] for row in shared]
        for i, row in enumerate(colors):
            y = i + (i > 2) * 0.5  # a gap between the pictures
            for j, color in enumerate(row):
                ax.add_patch(plt.Rectangle((j, y), 0.94, 0.94, color=color, alpha=0.75))
                ax.text(j + 0.47, y + 0.47, int(x.flatten(0, 1)[i, j]),
                        ha="center", va="center", size=11)
        ax.set(xlim=(0, 4), ylim=(6.6, -0.1), xticks=[], yticks=[1.5, 5],
               yticklabels=["picture 1", "picture 2"],
               xlabel="channel", title=name.format(len(np.unique(shared))))
        ax.grid(False)
    draw.describe(axes[0], "Six tokens of four numbers: LayerNorm shares a mean along rows, BatchNorm along columns.")

draw_shared()

# %% [markdown]
# **Predict:** other numbers stand in picture 2. What becomes of picture 1?

# %%
other = x.clone()
other[1] = torch.tensor([[0., 0, 9, 9], [5, 0, 0, 5], [9, 9, 0, 1]])

def change(axes):
    return (normed(x, axes) - normed(other, axes))[0].abs().max()

draw.table([{"norm": "LayerNorm", "picture 1 moves by": change(-1).item()},
            {"norm": "BatchNorm", "picture 1 moves by": change((0, 1)).item()}],
           digits=2)

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
       title=f"GELU is a ReLU without the corner; it dips to {gelu.min():.2f}")
draw.label_lines(ax)
draw.describe(ax, "GELU follows ReLU far from zero, bends smoothly near it, and is a little below zero at its left.")

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
    rows.append({"part": name, "tokens that change": str(who)[1:-1]})
draw.table(rows)

# %% tags=["author"]
assert [r["tokens that change"].count(",") for r in rows] == [0, 4, 0, 4]

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

ways = {"both sums": (True, True), "not around MLP": (True, False),
        "not around attention": (False, True), "none": (False, False)}
curves = {name: alike(*way) for name, way in ways.items()}

# %% tags=["fold"]
# Draw how alike the tokens become
fig, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
for (name, curve), color in zip(curves.items(), draw.PALETTE, strict=False):
    ax.plot(range(1, 13), curve, color=color, marker="o", ms=4, label=name)
ax.set(xlabel="blocks", ylabel="mean cosine of two tokens", ylim=(-0.05, 1.08),
       title=f"Without sums, one block makes all tokens alike: {curves['none'][0]:.2f}")
draw.label_lines(ax)
draw.describe(ax, "Mean cosine of two tokens after one to twelve blocks, with and without the two sums.")

# %% tags=["author"]
for seed in (0, 1, 2):
    kept, lost = alike(True, True, seed), alike(False, False, seed)
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
    def __init__(self, side, patch, channels=3, width=96, depth=2, heads=4, ratio=2, *, positions=True):
        super().__init__()
        self.patch, count = patch, (side // patch) ** 2
        self.patch_embed = nn.Linear(channels * patch * patch, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + count, width)) if positions else None
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
    state = {k: v for k, v in state.items() if not k.startswith("head.")}
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
same = sum(p.numel() for p in ours.parameters())
print(f"{same:,} of", f"{sum(p.numel() for p in theirs.parameters()):,}")

# %%
@torch.no_grad()
def largest(a, b):
    return (a - b).abs().max().item()

gaps = {"class token": largest(ours(x), theirs(x)),
        "all tokens": largest(ours.tokens(x), theirs.forward_features(x))}
for layer in (0, 5, 11):
    gaps[f"attention, block {layer + 1}"] = largest(
        ours.attention(x, layer), attention_of(theirs, x, layer))
draw.table([{"what": name, "within 0.00001": gap < 1e-5}
            for name, gap in gaps.items()])

# %% tags=["nbval-ignore-output"]
print("largest difference:", max(gaps.values()))

# %% tags=["author"]
assert same == sum(p.numel() for p in theirs.parameters())
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
assert largest(slip(x), theirs(x)) > 50 * max(gaps.values())

# %% [markdown]
# Small, but about a thousand times the gap of before: not quite the same network any more.

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
    rows.append({"patch": patch, "tokens": tokens, "layers": layers / 1e6,
                 "attention": looks / 1e6,
                 "of it attention": 100 * looks / (layers + looks)})
draw.table(rows, digits=0, units={"patch": "px", "layers": "million",
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
    print(f"{tokens} tokens: {seconds(tokens) / one:.1f} times as long,",
          f"{products(tokens) / products(197):.1f} times the products")

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
print(f"with positions {moves[True]:.3f}, without {moves[False]:.3f}")

# %% tags=["author"]
assert moves[False] < 1e-5 < 0.003 < moves[True]

# %% tags=["fold"]
# Draw four pictures, and one with its patches in another order
def seen(picture):
    return ((picture.permute(1, 2, 0) + 1) / 2).clamp(0, 1).numpy()

corners = ["top left", "top right", "bottom left", "bottom right"]
show_many([seen(p) for p in (*x, shuffle_patches(x)[0])], cols=5,
          titles=[*(corners[w] for w in where), "the first, shuffled"])

# %% [markdown]
# Does that cost anything? These pictures ask two questions: *what* is it, of eight drawings, and *where*, in which of four corners? A corner is
# whole patches wide. So the same drawing in another corner is the same heap of patches, up to noise.
#
# One block, 80 steps, a second or two. ViT begins its positions very small; that few steps want them larger.
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
orders = {"as it is": test[0], "shuffled": shuffle_patches(test[0])}
for positions in (True, False):
    nets[positions] = [train(seed, positions) for seed in range(3)]
    for order, x in orders.items():
        found = np.array([right(net, x) for net in nets[positions]])
        scores[positions, order] = found  # (seeds, questions)
        what, where = (f"{found[:, k].min():.0f} to {found[:, k].max():.0f}"
                       for k in (0, 1))
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
# Without positions *where* stays at a guess, one in four, and shuffling changes nothing at all. *What* is answered as well as with them. So this ViT
# finds much of what it needs in the heap, and positions say the rest. A convolution never has to learn that: neighbours are built into it.

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
vits = {"untrained": ViT(48, 8, width=48, depth=1), "trained": nets[True][0][0]}
shares = {name: 100 * on_the_thing(looks(vit, test[0]), test[2]).mean().item()
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
    fig, axes = plt.subplots(2, 4, figsize=(9, 4.9), layout="constrained")
    for line, i in zip(axes, (a, b), strict=True):
        one = test[0][i : i + 1]
        maps = [conv, *(looks(vit, one)[0] for vit in vits.values())]
        show(seen(one[0]), ax=line[0])
        for ax, weights in zip(line[1:], maps, strict=True):
            show((weights / weights.max()).numpy(), limits=(0, 1), ax=ax)
    names = ["picture", "3 x 3 convolution", *(
        f"{name}: {share:.0f} % on it" for name, share in shares.items())]
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name, size=11)
    fig.suptitle("A convolution looks where it stands, attention where something is")
    draw.describe(axes[0, 0], "Two pictures with a drawing in opposite corners. The convolution's nine places stay; "
                  "the trained class token looks at the drawing.")

draw_looks()

# %% tags=["author"]
assert (conv > 0).sum() == 9 and (looks(vits["untrained"], x) > 0).all()
assert 20 < shares["untrained"] < 32 and shares["trained"] > 60

# %% [markdown]
# The convolution's nine places are the same in both pictures. Attention reaches all 36 in its first layer. Untrained it looks everywhere alike: a quarter
# of its weight lies on the drawing, which fills a quarter of the picture. Eighty steps later most of it does, and nobody had said where
# to look.

# %% tags=["fold"]
# Let the networks go
nets, vits, ours, learn, test = None, None, None, None, None

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
# To be written.

# %% [markdown]
# ## 6 · Two ways to collapse *(26 min)*
#
# To be written.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("08a")
