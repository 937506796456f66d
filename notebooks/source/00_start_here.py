# minimum: code 24, check 3, widget 2
# %% [markdown]
# # 00 · Start here
#
# **What happens when you run a cell, move a slider and pass a check?**
#
# In this first lesson you do all three. You also ask your machine whether it is ready, and you warm up with
# tensors, the arrays that every later lesson computes with, and with the slopes that PyTorch finds by itself.
#
# *38 minutes, in one sitting. You need a little Python: lists, functions, `import`. At a first reading you can skip section 7.*

# %% tags=["setup"]

# %% [markdown]
# ## 1 · Run a cell *(3 min)*
#
# Click the code cell above and press **Shift + Enter**: it checks that the course is installed, and is silent when it is. Then run the
# next one. A number appears in a cell's brackets and counts the runs: run the cell again, and it gets the next one. Run the cells
# of a lesson from top to bottom: each builds on those before it.

# %%
from cvlab import check, hint, photo, progress, show, solution
from cvlab.widgets import BrightnessSlider

cat = photo("chelsea")
BrightnessSlider(cat)

# %% [markdown]
# ## 2 · Move a slider *(3 min)*
#
# What has just appeared is a *widget*: a picture that answers. Drag a slider, or click it and use the arrow keys; the
# widget says in numbers what you see.
#
# **Your task is in the widget.** Predict first: what happens to a pixel of value 250 when everything gets 20 brighter?
#
# What is `cat`? Ask it. The shape says 300 rows, 451 columns and 3 colours for each pixel; `uint8` says that
# each number is a whole number from 0 to 255.

# %%
show(cat, title="A cat to you, an array to Python")
cat.shape, cat.dtype, cat.min(), cat.max()

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
# ## 4 · Tensors *(9 min)*
#
# A **tensor** is PyTorch's array. It works like NumPy's, can live on a graphics card, and, where you ask for it,
# remembers how it was computed (section 5). Here are the ways to make one.

# %%
import numpy as np
import torch

rows = torch.tensor([[1, 2, 3], [4, 5, 6]])  # from lists: (2, 3)
scalar = torch.tensor(3.14159)               # one number: ()
nothing = torch.tensor([])                   # no numbers: (0,)
[(t.shape, t.dtype, t.device) for t in (rows, scalar, nothing)]

# %% [markdown]
# Whole numbers become `int64`, numbers with a point `float32`. An empty tensor is `float32` too. All three live on the
# `cpu`, the plain processor: nobody asked for anything else. When you know only
# the size, ask for zeros, ones or random numbers; the `_like` forms copy the shape, and the type unless you name one.

# %%
torch.manual_seed(0)
print(torch.zeros(2, 3), torch.ones(2, 3), sep="\n")
print(torch.rand(2, 3).round(decimals=2))
like = torch.rand_like(rows, dtype=torch.float32)
torch.ones_like(rows).dtype, like.dtype

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
# `torch.cat` joins along an axis that exists already. `*` multiplies number by number; `@` is the matrix product: rows
# times columns. **Predict** the shape of `rows @ rows.T` before you run the cell.

# %%
for dim in (0, 1):
    print(f"dim={dim}:", torch.cat([rows, rows], dim=dim).shape)
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
# one; only a single number on the `cpu`, shape `()`, may join from outside. No graphics card is needed to see it: `meta` is a device that
# keeps shapes and no numbers.

# %%
elsewhere = torch.ones(2, device="meta")
try:
    torch.ones(2) + elsewhere
except RuntimeError as error:
    print("RuntimeError:", error)
(torch.tensor(3.0) * elsewhere).device

# %% [markdown]
# ### Trap: `.to()` is not in place
#
# `x.to(...)` returns a tensor on another device, or of another dtype. `x` itself stays where it was, and no error tells you. A
# *network* does move: its `.to()` works in place. **Predict** the three answers.

# %%
x.to("meta")
print("after x.to('meta'):    ", x.device)
x = x.to("meta")
print("after x = x.to('meta'):", x.device)
layer = torch.nn.Linear(2, 2)
layer.to("meta")
print("after layer.to('meta'):", layer.weight.device)
# The line every lesson uses:
device = "cuda" if torch.cuda.is_available() else "cpu"

# %% [markdown]
# ## 5 · PyTorch finds slopes *(6 min)*
#
# A network learns by asking: *if this number grew a little, how much would the error grow?* That is a slope. Mark a tensor with
# `requires_grad`, and PyTorch writes down each operation on it; `backward()` walks back along those notes (**autograd**). On paper:
# $y = x^2 + 2x$ has the slope $2x + 2$, at $x = 3$ it is 8.

# %%
x = torch.tensor(3.0, requires_grad=True)
y = x**2 + 2 * x
y.backward()
print("slope at 3:", x.grad.item())
(x**2).backward()  # its slope at 3 is 6
print("a second backward adds up: 8 + 6 =", x.grad.item())
x.grad = None  # so forget the first before you ask again
with torch.no_grad():
    print("notes taken:", y.requires_grad)
    print("inside no_grad:", (x**2).requires_grad)

# %% [markdown]
# ### The graph is made while the code runs
#
# The notes are a *graph* of operations. Some libraries want it built before any number flows (**static**). PyTorch makes it anew in each run
# (**dynamic**), so an ordinary `if` or `for` may decide what is in it. Here two numbers take two ways through one function.

# %%
def bend(x):
    return x**2 if x > 0 else -4 * x

for start in (3.0, -3.0):
    x = torch.tensor(start, requires_grad=True)
    y = bend(x)
    y.backward()
    last = y.grad_fn.name()
    print(f"at {start}: last operation {last}, slope {x.grad}")

# %% [markdown]
# ## 6 · Pass a check *(12 min)*
#
# Now you write. Replace the `raise` line, run the cell, then run the check that follows it. A wrong answer costs nothing: the
# check shows the smallest case that fails, and what probably happened. Stuck? `hint(mirror)`, and again for the next
# one. `solution(mirror)` shows ours beside yours.

# %% [markdown]
# **Exercise.** Swap left and right. The picture you are given must stay as it is.

# %% tags=["exercise"]
def mirror(image):
    """Return `image`, (H, W) or (H, W, 3), columns reversed."""
    ### BEGIN SOLUTION
    return image[:, ::-1]
    ### END SOLUTION

# %%
check(mirror)

# %% [markdown]
# **Exercise.** Networks take pictures in *batches*: one float tensor of shape
# (N, 1, H, W), for N grey pictures with one channel each, with values from 0 to 1.

# %% tags=["exercise"]
def to_batch(images):
    """Turn N arrays (H, W) uint8 into a float32 tensor.

    It is (N, 1, H, W), with values in [0, 1].
    """
    ### BEGIN SOLUTION
    batch = torch.from_numpy(np.stack(images))  # (N, H, W)
    return batch.unsqueeze(1).float() / 255  # (N, 1, H, W)
    ### END SOLUTION

# %%
check(to_batch)

# %% [markdown]
# **Exercise.** Let PyTorch find the slope of a function at a number. The first code cell of section 5 has all the parts.

# %% tags=["exercise"]
def slope(function, x):
    """Return how fast `function` rises at `x`, as a float."""
    ### BEGIN SOLUTION
    x = torch.tensor(float(x), requires_grad=True)
    function(x).backward()
    return x.grad.item()
    ### END SOLUTION

# %%
check(slope)

# %% [markdown]
# Your results are kept in one small file on this machine and sent nowhere. `progress()` shows them for every lesson.

# %% [markdown]
# ## 7 · Where packages come from *(4 min)*
#
# *Skip this section at a first reading.* An **environment** is a folder with a Python and its packages, so that two projects can want two versions. Three tools make one. Type these in a
# terminal, not in a cell:
#
# | | conda | venv + pip | uv |
# |---|---|---|---|
# | create | `conda create -n cv python=3.12` | `python -m venv cv` | `uv venv cv` |
# | activate | `conda activate cv` | `source cv/bin/activate` | `source cv/bin/activate` |
# | install | `conda install timm` | `pip install timm` | `uv pip install timm` |
# | deactivate | `conda deactivate` | `deactivate` | `deactivate` |
# | remove | `conda remove -n cv --all` | `rm -r cv` | `rm -r cv` |

# %% [markdown]
# On Windows, venv and uv are activated by `cv\Scripts\activate`. **Trap:** `conda deactivate` takes no name: it leaves the environment you are in, and `conda deactivate cv`
# stops with "deactivate does not accept arguments".
#
# Create one, look inside, remove it: the Python in it is yours, and it has none of your packages.

# %%
import shutil, subprocess, sys, tempfile, venv
from pathlib import Path

folder = Path(tempfile.mkdtemp(), "cv")
venv.create(folder)
windows = sys.platform == "win32"
python = folder / ("Scripts/python.exe" if windows else "bin/python")
command = [python, "-c", "import numpy"]
run = subprocess.run(command, capture_output=True, text=True)
here = "found" if "numpy" in sys.modules else "missing"
print("in cv, import numpy: ", run.stderr.splitlines()[-1])
print("in here, import numpy:", here)
shutil.rmtree(folder)
folder.exists()

# %% [markdown]
# ### Trap: the name you import is not the name you install
#
# And what Python brings along need not be installed at all: `pip install logging` fetches somebody else's old package of that name.

# %%
from importlib.metadata import packages_distributions

installed = packages_distributions()
for module in ("cv2", "PIL", "skimage", "logging"):
    comes_from = ", ".join(installed.get(module, []))
    if module in sys.stdlib_module_names:
        comes_from = "part of Python: install nothing"
    print(f"import {module:8} comes from  {comes_from}")

# %% [markdown]
# ## The map
#
# Each lesson asks one question, in sittings of at most an hour. First, pictures and the networks that read them:
#
# | Lesson | The question | Minutes |
# |---|---|---|
# | **00** Start here | What happens when I run a cell, move a slider, pass a check? | 38 |
# | **01** Images and preprocessing | What is a picture to a program, and why do two libraries disagree about the same file? | 136 |
# | **02** Convolutions | How can nine numbers find an edge anywhere in a picture? | 182 |
# | **03** Training a CNN | Can a network find those nine numbers by itself, and what does it still not understand? | 193 |

# %% [markdown]
# Then trained networks at work: they name, outline and find things, and are judged:
#
# | Lesson | The question | Minutes |
# |---|---|---|
# | **04** Transfer learning | How do you train a good model with eight pictures a class? | 192 |
# | **05** Segmentation | How does a network that shrinks pictures answer for every pixel? | 200 |
# | **06a** Detection: regions | How can a network answer with a list whose length it does not know? | 214 |
# | **06b** Detection: anchors | How can a single look find everything in a picture? | 252 |
# | **07** mAP | Detector A or detector B? | 140 |

# %% [markdown]
# At last, learning without labels:
#
# | Lesson | The question | Minutes |
# |---|---|---|
# | **08a** DINO: a student and its own past | How can a network learn when nobody tells it an answer? | 180 |
# | **08b** DINO: what it sees | Can a network learn to see objects when nobody tells it what is in the picture? | 196 |

# %% [markdown]
# ## Recap
#
# - Shift + Enter runs a cell; run a lesson from top to bottom.
# - A picture is an array; a tensor is an array that can live on a graphics card and, with `requires_grad`, knows its slopes.
# - Shape, dtype and device: look at all three first when something fails. `x = x.to(...)`, not `x.to(...)`.
# - `from_numpy` shares memory, `tensor` copies; `*` works number by number, `@` is the matrix product.
# - `check`, `hint`, `solution`, `progress`: in every lesson.
#
# **In the library.** `mirror` is `np.fliplr(image)`, or `torch.flip(t, dims=[1])`: axis 1 holds the columns of a picture (H, W, 3). The last axis, -1,
# would swap its colours; only for channels first, (3, H, W), is it the columns. `to_batch` is `torch.stack` with `to_dtype(..., scale=True)` of
# torchvision; `slope` is `torch.func.grad`.

# %%
from torchvision.transforms.v2 import functional as F

colours = torch.from_numpy(cat)  # (300, 451, 3)
mirrored, swapped = torch.flip(colours, [1]), torch.flip(colours, [-1])
same, turned = np.fliplr(cat), cat[..., ::-1]
print("dims=[1] is np.fliplr:", np.array_equal(same, mirrored))
print("dims=[-1] swaps red and blue:", np.array_equal(turned, swapped))
grey = torch.stack([colours[None, :, :, c] for c in (0, 1)])
batch = F.to_dtype(grey, torch.float32, scale=True)
print("to_batch:", batch.shape, batch.dtype, batch.max().item())
slope_of = torch.func.grad(lambda x: x**2 + 2 * x)
print("slope:", slope_of(torch.tensor(3.0)).item())

# %% [markdown]
# **Where it breaks.** `image[:, ::-1]` copies nothing: it is a *view*, a second name for the caller's pixels (section 4's first trap), so painting on
# the mirrored picture paints on the original. Add `.copy()` when you mean to. NumPy allows negative steps; a tensor does not, and
# `torch.from_numpy` refuses such a view. And a picture flipped left to right is not always the same thing: text, traffic signs and hearts have a side.

# %%
view = cat[:, ::-1]
shared = np.shares_memory(view, cat)
print("the mirrored cat is the cat's own memory:", shared)
try:
    torch.from_numpy(view)
except ValueError as error:
    print("ValueError:", str(error).split(". ")[0])
torch.from_numpy(view.copy()).shape

# %% [markdown]
# **Sources.** [PyTorch: tensors](https://docs.pytorch.org/tutorials/beginner/basics/tensorqs_tutorial.html) ·
# [PyTorch: autograd](https://docs.pytorch.org/tutorials/beginner/basics/autogradqs_tutorial.html) ·
# [NumPy for absolute beginners](https://numpy.org/doc/stable/user/absolute_beginners.html) ·
# [conda: managing environments](https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html) · [uv](https://docs.astral.sh/uv/pip/environments/) ·
# [JupyterLab: the interface](https://jupyterlab.readthedocs.io/en/stable/user/interface.html). The cat is Chelsea, by Stéfan van der Walt (CC0).
#
# **In one line:** a picture is an array of numbers, and everything you will do to it starts with its shape.

# %%
progress("00")
