"""Drawing for lessons: one picture, several, numbers in the pixels, boxes, masks, labels.

Every function returns Axes, changes none of its inputs and never calls `plt.show()`.
"""

from cvlab.draw.overlays import draw_boxes, draw_masks
from cvlab.draw.pictures import show, show_many
from cvlab.draw.style import PALETTE, theme, themed

__all__ = ["PALETTE", "draw_boxes", "draw_masks", "show", "show_many", "theme", "themed"]
