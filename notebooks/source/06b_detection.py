# minimum: code 20, check 5, widget 2
# draft
# not yet: lines, live
# %% [markdown]
# # 06b · Detection: anchors
#
# **How can a network answer with a list whose length it does not know?**
#
# to be written
#
# *252 minutes, in five sittings: sections 1 and 2 (56 min), 3 and 4 (50 min), 5 and 6 (56 min), 7 and 8 (46 min), 9 and 10 (44 min). You need lesson 06a.*

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
# ## 1 · A grid of guesses *(22 min)*
#
# To be written.

# %% [markdown]
# ## 2 · Whose box is it, and how far off *(34 min)*
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
# ## 3 · Faster R-CNN: the network proposes *(30 min)*
#
# To be written.

# %% [markdown]
# ## 4 · Mask R-CNN: pixels, object by object *(20 min)*
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
# ## 5 · One look: from YOLO to YOLOX *(28 min)*
#
# To be written.

# %% [markdown]
# ## 6 · The easy many *(28 min)*
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
# ## 7 · A pyramid of features *(18 min)*
#
# To be written.

# %% [markdown]
# ## 8 · A detector in a minute *(28 min)*
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
# ## 9 · Out of PyTorch *(22 min)*
#
# To be written.

# %% [markdown]
# ## 10 · Real *(22 min)*
#
# To be written.

# %% [markdown]
# ## Recap
#
# - To be written.

# %%
progress("06b")
