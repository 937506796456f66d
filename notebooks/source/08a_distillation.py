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
