"""The course's figures: pictures, boxes, masks, lines with names, tables, in one palette.

| verb | what it draws |
| --- | --- |
| `show`, `show_many` | one picture or several, with numbers in the pixels where wanted |
| `draw_boxes`, `draw_masks` | boxes and masks over a picture, with labels and scores |
| `label_lines` | the names of lines at their ends, in place of a legend |
| `table` | numbers, aligned, with units, sorted |
| `describe` | nothing: it says a figure in words, for those who do not see it |
| `theme`, `themed` | nothing: they give every figure, seaborn's too, the course's look |

Colours: `PALETTE` has six; `TRUTH`, `PREDICTION` and `ERROR` always mean that; `class_color(name)` is a class's in
every lesson; `readable(color)` is the same hue for text.

What draws returns Axes, changes none of its inputs and never calls `plt.show()`.
"""

from cvlab.draw.colors import class_color, contrast, readable
from cvlab.draw.display import describe
from cvlab.draw.lines import label_lines
from cvlab.draw.overlays import draw_boxes, draw_masks
from cvlab.draw.pictures import show, show_many
from cvlab.draw.style import ERROR, PALETTE, PREDICTION, TRUTH, theme, themed
from cvlab.draw.table import Table, table

__all__ = [
    "ERROR",
    "PALETTE",
    "PREDICTION",
    "TRUTH",
    "Table",
    "class_color",
    "contrast",
    "describe",
    "draw_boxes",
    "draw_masks",
    "label_lines",
    "readable",
    "show",
    "show_many",
    "table",
    "theme",
    "themed",
]
