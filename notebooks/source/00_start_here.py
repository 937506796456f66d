# minimum: code 18, check 2, widget 2
# %% [markdown]
# # 00 · Start here
#
# **What happens when you run a cell, move a slider and pass a check?**
#
# In this first lesson you do all three. You also ask your machine whether it is ready, and you warm up with
# tensors, the arrays that every later lesson computes with.
#
# *25 minutes. You need a little Python: lists, functions, `import`.*

# %% tags=["setup"]

# %% [markdown]
# ## 1 · Run a cell *(3 min)*
#
# Click the cell below and press **Shift + Enter**. The number in brackets says how many cells ran before it.
# Run the cells of a lesson from top to bottom: each builds on the ones above.

# %%
from cvlab import check, hint, photo, progress, show, solution

cat = photo("chelsea")
show(cat, title="A cat to you, an array to Python");

# %% [markdown]
# What is `cat`? Ask it. The shape says 300 rows, 451 columns and 3 colours for each pixel; `uint8` says that
# each number is a whole number from 0 to 255.

# %%
cat.shape, cat.dtype, cat.min(), cat.max()

# %% [markdown]
# ## 2 · Move a slider *(3 min)*
#
# This is a *widget*: a picture that answers. Drag a slider, or click it and use the arrow keys. Under the picture
# stands what you see, in numbers.
#
# **Your task is in the widget.** Predict first: what happens to a pixel of value 250 when everything gets 20 brighter?

# %%
from cvlab.widgets import BrightnessSlider

BrightnessSlider(cat)

# %% [markdown]
# A number above 255 does not fit into `uint8`, so the widget *clips* it to 255. Many bright pixels then share one
# value, and no later step can tell them apart again. Lesson 01 shows what happens when nobody clips.

# %% [markdown]
# ## 3 · Is this machine ready? *(1 min)*
#
# The *doctor* checks versions, the device, write access, and whether downloads are allowed. Each problem comes with
# its fix. Everything in the course runs offline on a plain processor.

# %% tags=["nbval-ignore-output"]
from cvlab.course import doctor

doctor.main([]);

# %% [markdown]
# ## 4 · Tensors *(7 min)*
#
# A **tensor** is PyTorch's array. It works like NumPy's, can live on a graphics card, and remembers how it was
# computed, so that a network can learn. Here are the ways to make one.

# %%
import numpy as np
import torch

rows = torch.tensor([[1, 2, 3], [4, 5, 6]])  # from lists: (2, 3)
scalar = torch.tensor(3.14159)               # one number: ()
nothing = torch.tensor([])                   # no numbers: (0,)
[(t.shape, t.dtype) for t in (rows, scalar, nothing)]

# %% [markdown]
# Whole numbers become `int64`, numbers with a point `float32`. An empty tensor is `float32` too. When you know only
# the size, ask for zeros, ones or random numbers; the `_like` forms copy the shape, and the type unless you name one.

# %%
torch.manual_seed(0)
print(torch.zeros(2, 3), torch.ones(2, 3), torch.rand(2, 3).round(decimals=2), sep="\n")
torch.ones_like(rows).dtype, torch.rand_like(rows, dtype=torch.float32).dtype

# %% [markdown]
# Random integers make no sense between 0 and 1, so `rand_like(rows)` without a `dtype` is an error. Read the last
# line of an error first: it says what is wrong.

# %%
try:
    torch.rand_like(rows)
except RuntimeError as error:
    print("RuntimeError:", str(error).splitlines()[0])

# %% [markdown]
# ### Index: rows first, then columns
#
# `x[row, col]` counts from 0, and a *slice* `start:stop` leaves `stop` out. Move the ends of both sliders and
# watch which pixels the slice takes.

# %%
from cvlab.widgets import SliceExplorer

SliceExplorer(cat[52:60, 200:208, 0])

# %%
x = torch.arange(12).reshape(3, 4)
x[:, 0] = 0  # the first column of every row
print(x)
x[1, 2], x[1].shape, x[:, 1:3].shape

# %% [markdown]
# ### Join and multiply
#
# `cat` joins along an axis that exists already. `*` multiplies number by number; `@` is the matrix product: rows
# times columns. **Predict** the shape of `rows @ rows.T` before you run the cell.

# %%
print(torch.cat([rows, rows], dim=0).shape, torch.cat([rows, rows], dim=1).shape)
print(rows * rows)
rows @ rows.T

# %% [markdown]
# ### Trap: one memory, two names
#
# `torch.from_numpy` does not copy. Change the array and the tensor changes with it. `torch.tensor` copies.

# %%
array = np.zeros(3)
shared, copied = torch.from_numpy(array), torch.tensor(array)
array[0] = 7
print("from_numpy:", shared.tolist())
print("tensor:    ", copied.tolist())

# %% [markdown]
# ### Trap: two devices
#
# Every tensor lives on a *device*: `cpu`, or `cuda` for a graphics card. One operation needs all its tensors on the same
# one. No graphics card is needed to see the error: `meta` is a device that keeps shapes and no numbers.

# %%
device = "cuda" if torch.cuda.is_available() else "cpu"  # the line every lesson uses
try:
    torch.ones(2, device="cpu") + torch.ones(2, device="meta")
except RuntimeError as error:
    print("RuntimeError:", error)
x.to(device).shape

# %% [markdown]
# ## 5 · Pass a check *(8 min)*
#
# Now you write. Replace the `raise` line, run the cell, then run the check under it. A wrong answer costs nothing: the
# check shows the smallest case that fails, and what probably happened. Stuck? `hint(mirror)`, and again for the next
# one. `solution(mirror)` shows ours.
#
# **Exercise 1 · `mirror`** *(3 minutes, easy)*. Swap left and right. The picture you are given must stay as it is.

# %% tags=["exercise"]
def mirror(image):
    """Return `image`, (H, W) or (H, W, 3), with its columns in reverse order."""
    ### BEGIN SOLUTION
    return image[:, ::-1]
    ### END SOLUTION

# %%
check(mirror)

# %% [markdown]
# **Exercise 2 · `to_batch`** *(4 minutes, medium)*. Networks take pictures in *batches*: one float tensor of shape
# (N, 1, H, W), for N grey pictures with one channel each, with values from 0 to 1.

# %% tags=["exercise"]
def to_batch(images):
    """Turn a list of N arrays (H, W) uint8 into one float32 tensor (N, 1, H, W) with values in [0, 1]."""
    ### BEGIN SOLUTION
    batch = torch.from_numpy(np.stack(images))  # (N, H, W) uint8
    return batch.unsqueeze(1).float() / 255  # (N, 1, H, W) float32
    ### END SOLUTION

# %%
check(to_batch)

# %% [markdown]
# Your results are kept in one small file on this machine and sent nowhere. `progress()` shows every lesson.

# %%
progress("00")

# %% [markdown]
# ## The map
#
# | Lesson | The question | Minutes |
# |---|---|---|
# | **00** Start here | What happens when I run a cell, move a slider, pass a check? | 25 |
# | **01** Images and preprocessing | What is a picture to a program, and why do two libraries disagree about the same file? | 90 |
# | **02** Convolutions | How can nine numbers find an edge anywhere in a picture? | 182 |
# | **03** Training a CNN | Can a network find those nine numbers by itself, and what does it still not understand? | 135 |
# | 04 Transfer learning | How do you train a good model with eight pictures a class? | *in preparation* |
# | 05 Segmentation | How does a network that shrinks pictures answer for every pixel? | *in preparation* |
# | 06 Detection | How can a network answer with a list whose length it does not know? | *in preparation* |
# | **07** mAP | Detector A or detector B? | 140 |
# | 08 DINO | Can a network learn to see objects when nobody tells it what is in the picture? | *in preparation* |

# %% [markdown]
# ## Recap
#
# - Shift + Enter runs a cell; run a lesson from top to bottom.
# - A picture is an array; a tensor is an array that can learn and can live on a graphics card.
# - Shape, dtype and device: look at all three first when something fails.
# - `from_numpy` shares memory, `tensor` copies; `*` works number by number, `@` is the matrix product.
# - `check`, `hint`, `solution`, `progress`: in every lesson.
#
# **In the library.** `mirror` is `np.fliplr(image)`, or `torch.flip(t, dims=[-1])`; `to_batch` is `torch.stack` with
# `torchvision.transforms.v2.functional.to_dtype(..., scale=True)`.

# %%
from torchvision.transforms.v2 import functional as F

two = [cat[..., 0], cat[..., 1]]
batch = torch.stack([F.to_dtype(torch.from_numpy(g.copy())[None], torch.float32, scale=True) for g in two])
print(batch.shape, batch.dtype, round(batch.max().item(), 3))
np.array_equal(np.fliplr(cat), torch.flip(torch.from_numpy(cat), dims=[1]).numpy())

# %% [markdown]
# **Where it breaks.** NumPy allows negative steps (`image[:, ::-1]`); a tensor does not, and
# `torch.from_numpy` refuses such a view: copy it first, or use `torch.flip`. And a picture flipped left to right is not always the same thing: text, traffic signs and hearts
# have a side.
#
# **Sources.** [PyTorch: tensors](https://docs.pytorch.org/tutorials/beginner/basics/tensorqs_tutorial.html) ·
# [NumPy for absolute beginners](https://numpy.org/doc/stable/user/absolute_beginners.html) ·
# [JupyterLab: the interface](https://jupyterlab.readthedocs.io/en/stable/user/interface.html). The cat is Chelsea, by Stéfan van der Walt (CC0).
#
# **In one line:** a picture is an array of numbers, and everything you will do to it starts with its shape.
