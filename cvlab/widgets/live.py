"""A learning curve that grows while a network trains: one picture, replaced in place, never a new figure."""

import base64

import numpy as np

from cvlab._validate import positive_int

__all__ = ["LiveCurve"]

HIGH, WIDE = 240, 480  # CSS pixels


class LiveCurve:
    """Progress bar, loss and accuracy of a training; pass it to `fit` as `watch`.

    It keeps the history, also of a training that ends with an error.

    Args:
        epochs: how many there will be.
        title: what is trained.

    Example:
        >>> curve = LiveCurve(3, "a net")
        >>> curve([{"loss": 2.3, "accuracy": 0.1}])
        >>> curve
        a net: epoch 1 of 3, loss 2.300, accuracy 10.0 %
    """

    unit = "epoch"

    def __init__(self, epochs: int, title: str = "training"):
        import ipywidgets

        from cvlab.widgets._engine.view import PictureView

        self.epochs, self.title, self.history = positive_int(epochs, "epochs"), title, []
        self._bar = ipywidgets.IntProgress(0, 0, epochs, layout=ipywidgets.Layout(width=f"{WIDE}px"))
        self._text = ipywidgets.HTML()
        # A training leaves the kernel no time to hear of the theme: the page itself turns the chart dark.
        self._image = PictureView(width=WIDE, height=HIGH, title=f"Learning curve, {title}", inverts=True)
        self.widget = ipywidgets.VBox([self._bar, self._text, self._image])
        self.widget.add_class("cvlab-widget").add_class("cvlab-live")
        self([])

    def __call__(self, history: list[dict]) -> None:
        """Show the history so far."""
        from cvlab.widgets._engine.base import encode

        self.history = history
        self._bar.value = len(history)
        self._text.value = f'<span class="cvlab-live-text">{self!r}</span>'
        self._png = encode(self._draw(), "png")
        with self._image.hold_sync():
            self._image.alt = self._alt
            self._image.value = self._png

    def lines(self) -> list[tuple[list[float], str, str]]:
        """Return what is drawn of the history: values from 0 to 1, the name of their colour, their own name."""
        top = max(epoch["loss"] for epoch in self.history)
        losses = [epoch["loss"] / top for epoch in self.history]
        rights = [epoch["accuracy"] for epoch in self.history]
        return [(losses, "vermillion", "loss / first"), (rights, "blue", "accuracy")]

    def words(self) -> str:
        """Return how it stands, in words."""
        last = self.history[-1]
        return f"loss {last['loss']:.3f}, accuracy {last['accuracy']:.1%}".replace("%", " %")

    @property
    def _alt(self) -> str:
        return f"Learning curve. {self!r}"

    def _draw(self) -> np.ndarray:
        from cvlab.widgets._engine.chart import Axis, Line, Point, chart
        from cvlab.widgets._engine.palette import LIGHT

        done = range(1, len(self.history) + 1)
        lines, points = [], []
        for values, hue, name in self.lines() if self.history else ():
            colour = getattr(LIGHT, hue)
            lines.append(Line(done, values, colour, name=name))
            points.append(Point(len(values), values[-1], colour))
        axis = Axis(self.unit, 0, self.epochs, max(1, -(-self.epochs // 12)))
        return chart(lines, points, x=axis, size=(HIGH, WIDE), room=88)

    def __repr__(self) -> str:
        if not self.history:
            return f"{self.title}: {self.epochs} {self.unit}s to come"
        return f"{self.title}: {self.unit} {len(self.history)} of {self.epochs}, {self.words()}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        from cvlab.widgets._engine.base import VIEW

        data = {"text/plain": repr(self), "image/png": base64.b64encode(self._png).decode()}
        if len(self.history) < self.epochs:  # afterwards nothing moves any more: the picture is enough
            data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        shown = {"alt": self._alt, "width": WIDE, "height": HIGH}
        return data, {"image/png": shown, "needs_background": "light"}
