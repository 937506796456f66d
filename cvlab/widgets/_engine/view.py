"""The picture of a widget in the page: bytes replaced in place, with alt text; it tells Python the page's theme."""

from pathlib import Path

import anywidget
import ipywidgets
import traitlets

import cvlab.draw
from cvlab.draw.paper import hear, paper

__all__ = ["PAGE_CSS", "PAGE_JS", "PageView", "PictureView"]

HERE = Path(__file__).parent
PAGE_JS = (HERE / "page.js").read_text(encoding="utf-8")  # cvlabPageTheme, cvlabOnTheme, cvlabKeepNames
FIGURES_CSS = (Path(cvlab.draw.__file__).parent / "page.css").read_text(encoding="utf-8")
PAGE_CSS = f"{FIGURES_CSS}\n{(HERE / 'page.css').read_text(encoding='utf-8')}"  # for the whole page: figures, controls


class PageView(anywidget.AnyWidget):
    """What the page shows and the browser tells of its theme; figures drawn later hear of it too."""

    theme = traitlets.Enum(["light", "dark"]).tag(sync=True)  # set by the browser

    @traitlets.default("theme")
    def _last_heard(self) -> str:  # so that the next picture need not begin in the wrong theme
        return "light" if paper() == "white" else "dark"

    @traitlets.observe("theme")
    def _hear(self, change) -> None:
        hear(change.new)


class PictureView(PageView):
    """An encoded picture, shown at `width` x `height` CSS pixels.

    Example:
        >>> PictureView(value=b"", width=60, height=40)
        PictureView(60 x 40, light)
    """

    _esm = f"{PAGE_JS}\n{(HERE / 'view.js').read_text(encoding='utf-8')}"
    _css = PAGE_CSS

    value = traitlets.Bytes().tag(sync=True)
    format = traitlets.Unicode("png").tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)  # names the whole widget for those who listen
    width = traitlets.Int(1).tag(sync=True)
    height = traitlets.Int(1).tag(sync=True)
    inverts = traitlets.Bool(False).tag(sync=True)  # a chart that stays light, and that a dark page inverts

    @traitlets.observe("width")
    def _widen(self, change) -> None:
        self.layout.width = f"{change.new}px"

    def __init__(self, **traits):
        super().__init__(layout=ipywidgets.Layout(max_width="100%", margin="6px 0"), **traits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.width} x {self.height}, {self.theme})"
