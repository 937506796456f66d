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

# %% [markdown]
# ## 7 · Steps and their size *(32 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: the imports of this sitting
import numpy as np

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
