# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 06a · Detection: regions
#
# **How can a network answer with a list whose length it does not know?**
#
# A classifier gives one answer. A scene holds one thing, or five, or none. Here you follow the field's first way out: ask a network that answers *once*, and ask it again for every region worth a look.
#
# *214 minutes, in four sittings: sections 1 and 2 (50 min), 3 and 4 (50 min), 5 and 6 (58 min), 7 and 8 (56 min). You need lessons 00 to 05; of 07, its first three sections help.*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# The imports of this lesson
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvlab import check, draw, hint, progress, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

draw.theme("light")

# %% [markdown]
# ## 1 · Four numbers, four customs *(18 min)*
#
# To be written.

# %% [markdown]
# ## 2 · One object *(32 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 3 · A class and a box, and points *(28 min)*
#
# To be written.

# %% [markdown]
# ## 4 · A window at every place *(22 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 5 · One box for each object *(38 min)*
#
# To be written.

# %% [markdown]
# ## 6 · Regions worth a look *(20 min)*
#
# To be written.

# %% tags=["again", "fold"]
# Start here again: imports of this sitting
import matplotlib.pyplot as plt, numpy as np, torch
import torch.nn.functional as F
from torch import nn
from cvlab import check, draw, hint, show, show_many, solution
from cvlab.map.judge import judge
from cvlab.world.scenes import make_scene, make_scenes

# %% [markdown]
# ## 7 · R-CNN: a network for each region *(16 min)*
#
# To be written.

# %% [markdown]
# ## 8 · Fast R-CNN: one pass for all *(40 min)*
#
# To be written.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("06a")
