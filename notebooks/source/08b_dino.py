# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 08b · DINO: what it sees
#
# **Can a network learn to see objects when nobody tells it what is in the picture?**
#
# In 08a you built a student that learns from its own past. Now you find out what it learns: things, or backgrounds? That depends on one choice, and you
# make the experiment. Then you look where it looks, cut things out of a film without one label but the first, and sort pictures into groups that nobody named.
#
# *202 minutes, in four sittings: sections 1 and 2 (56 min), 3 and 4 (66 min), 5 and 6 (58 min), 7 (22 min). You need lesson 08a.*

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
# ## 1 · What two views share *(26 min)*
#
# To be written.

# %% [markdown]
# ## 2 · A minute of training *(30 min)*
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
# ## 3 · Judged without a head *(32 min)*
#
# To be written.

# %% [markdown]
# ## 4 · What each head looks at *(34 min)*
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
# ## 5 · A film *(28 min)*
#
# To be written.

# %% [markdown]
# ## 6 · Groups that nobody named *(30 min)*
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
# ## 7 · Real *(22 min)*
#
# To be written.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("08b")
