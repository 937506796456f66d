"""Widgets that are drawn in the browser and moved by the pointer, with the surface of every other widget."""

import functools
import json
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from cvlab.widgets._engine.base import Widget
from cvlab.widgets._engine.palette import DARK, LIGHT
from cvlab.widgets._engine.readout import readout_html
from cvlab.widgets._engine.sheet import css
from cvlab.widgets._engine.view import PAGE_CSS, PAGE_JS, PageView

__all__ = ["PointerWidget"]

HELPER, STYLE = (Path(__file__).with_name(f"pointer.{kind}") for kind in ("js", "css"))
NAMED = ("ground", "raised", "ink", "dim", "grid", "orange", "truth", "prediction", "error")
PALETTES = {look.name: {name: css(getattr(look, name)) for name in NAMED} for look in (LIGHT, DARK)}


class PointerWidget(Widget):
    """A widget whose picture is a canvas: JavaScript draws it, pointer and arrow keys move it.

    It is a `Widget` in all else. The state still lives in controls, because they know what is allowed; a
    control with `layout.display = "none"` is moved on the canvas only. Besides the four methods of `Widget`
    (`draw` makes the static picture, on a `Sheet`, to look as the canvas does on a light page), a subclass
    gives `scene`, a JavaScript object whose functions are listed at the top of `pointer.js`, and `data`, what
    that needs to draw beyond the state.

    Example:
        >>> class Dot(PointerWidget):
        ...     scene = '''{
        ...       size: () => [200, 60],
        ...       draw(ctx, s) { ctx.fillStyle = s.theme.ink; ctx.fillRect(s.state.x - 3, 27, 6, 6); },
        ...       drag: (from, to) => ({ x: Math.round(Math.min(200, Math.max(0, to.x))) }),
        ...       key: (key, shift, s) => key === "ArrowRight" ? { x: Math.min(200, s.state.x + 1) } : null,
        ...     }'''
        ...     def controls(self):
        ...         return {"x": ipywidgets.IntSlider(100, 0, 200, description="x")}
        ...     def compute(self, x):
        ...         return {"x": x}
        ...     def draw(self, values):
        ...         import numpy
        ...         return numpy.full((60, 200, 3), 255, numpy.uint8)
        ...     def text(self, values):
        ...         return f"x: {values['x']}"
        >>> dot = Dot()
        >>> dot.set(x=7)
        >>> dot, dot.canvas.state
        (Dot(x=7), {'x': 7})
    """

    format = "png"
    scene = ""
    hint = "Drag, or use the arrow keys."  # how it is moved
    lines = 0  # of text that room is kept for, where the readout's lines may be of several lengths
    _by_canvas = False  # whether the update that runs comes from a move on the canvas

    def data(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return what the scene draws beyond the state: plain numbers, lists and text."""
        return {}

    @property
    def picture(self):
        """The static picture, drawn by Python when it is asked for; in the browser the canvas draws."""
        return self.draw(self.values)

    def _assemble(self) -> ipywidgets.Widget:
        view = super()._assemble()
        self._readout_view.layout.display = "none"  # the canvas has its own, which stays in the page
        return view

    def _picture_view(self) -> ipywidgets.Widget:
        wide = ipywidgets.Layout(flex="1 1 100%")  # room for the readout beside the canvas
        canvas = _canvas_class(type(self))
        words = {"title": self.title, "label": self.alt, "hint": self.hint, "lines": self.lines}
        self.canvas = canvas(state=self.state, layout=wide, **words)
        self.canvas.observe(self._dragged, "state")
        return self.canvas

    def _dragged(self, change) -> None:
        """The canvas changed the state: let the controls judge it, as if they had been moved.

        A page holds moves back while Python is busy. One made before Reset, or before a control moved, may come after
        it and would put everything back: such a move is dropped.
        """
        if self._quiet:
            return
        if self.canvas.based not in (None, self.canvas.turn):
            self._show(self.values, self.readout)
            return
        changes = {name: value for name, value in change.new.items() if self.state.get(name) != value}
        if changes:
            self._by_canvas = True
            try:
                self._try_set(changes)
            finally:
                self._by_canvas = False

    def _try_set(self, changes: dict[str, Any]) -> None:
        try:
            self.set(**changes)
        except Exception as error:
            self._show(self.values, self.readout)  # the canvas goes back to where the controls stand
            self._tell(f"⚠ {type(error).__name__}: {error}")
            if self.strict:
                raise

    def _show(self, values: dict[str, Any], readout: str) -> None:
        self.canvas.data = self.data(values)
        known = self.canvas.state == self.state
        self._quiet = True
        with self.canvas.hold_sync():  # one message: the page never has a new turn with an old state
            self.canvas.turn += not self._by_canvas
            self.canvas.state = self.state
        self._quiet = False
        if known and not self._by_canvas:
            self.canvas.send_state("state")  # nothing new here, but the page may hold a move back

    def _tell(self, readout: str, other: str = "") -> None:
        with self.canvas.hold_sync():
            self.canvas.said, self.canvas.readout = readout, readout_html(readout, other)


@functools.cache
def _canvas_class(owner: type[PointerWidget]) -> type:
    """Make the anywidget class of a scene once: the shared helper, then the scene."""

    class Canvas(PageView):
        _esm = (
            f"{PAGE_JS}\nconst cvlabPalettes = {json.dumps(PALETTES)};\n{HELPER.read_text(encoding='utf-8')}\n"
            f"export default cvlabMount({owner.scene});\n"
        )
        _css = f"{PAGE_CSS}\n{STYLE.read_text(encoding='utf-8')}"
        state = traitlets.Dict().tag(sync=True)
        # `turn` counts what Python itself changed; `based` is the turn from which a move of the page began.
        turn, based = traitlets.Int().tag(sync=True), traitlets.Int(None, allow_none=True).tag(sync=True)
        data = traitlets.Dict().tag(sync=True)
        readout = traitlets.Unicode().tag(sync=True)
        said = traitlets.Unicode().tag(sync=True)  # the readout without its layout
        title = traitlets.Unicode().tag(sync=True)
        label = traitlets.Unicode().tag(sync=True)
        hint = traitlets.Unicode().tag(sync=True)
        lines = traitlets.Int().tag(sync=True)

        def __repr__(self) -> str:
            return f"{owner.__name__} canvas"

    Canvas.__name__ = Canvas.__qualname__ = f"{owner.__name__}Canvas"
    return Canvas
