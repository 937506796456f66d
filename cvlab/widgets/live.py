"""A learning curve that grows while a network trains: one picture, replaced in place, never a new figure."""

import base64

import numpy as np

from cvlab._validate import positive_int

__all__ = ["LiveCurve"]


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

    def __init__(self, epochs: int, title: str = "training"):
        import ipywidgets

        self.epochs, self.title, self.history = positive_int(epochs, "epochs"), title, []
        self._bar = ipywidgets.IntProgress(0, 0, epochs, layout=ipywidgets.Layout(width="330px"))
        self._text = ipywidgets.HTML()
        self._image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(width="440px"))
        self.widget = ipywidgets.VBox([ipywidgets.HBox([self._bar, self._text]), self._image])
        self.widget.add_class("cvlab-live")
        self([])

    def __call__(self, history: list[dict]) -> None:
        """Show the history so far."""
        from cvlab.widgets._engine.base import encode

        self.history = history
        self._bar.value = len(history)
        self._text.value = f'<span class="cvlab-live-text">{self!r}</span>'
        self._image.value = self._png = encode(self._draw(), "png")

    def _draw(self) -> np.ndarray:
        from cvlab.widgets._engine.chart import GREEN, ORANGE, Axis, Line, Point, chart

        epochs = range(1, len(self.history) + 1)
        top = max((epoch["loss"] for epoch in self.history), default=1)
        losses = [epoch["loss"] / top for epoch in self.history]
        rights = [epoch["accuracy"] for epoch in self.history]
        lines, points = [], []
        for values, colour, label in ((losses, ORANGE, "loss / first"), (rights, GREEN, "accuracy")):
            if values:
                lines.append(Line(epochs, values, colour))
                points.append(Point(len(values), values[-1], colour, label))
        return chart(lines, points, x=Axis("epoch", 0, self.epochs, 1), size=(230, 440))

    def __repr__(self) -> str:
        if not self.history:
            return f"{self.title}: {self.epochs} epochs to come"
        last = self.history[-1]
        return (
            f"{self.title}: epoch {len(self.history)} of {self.epochs}, loss {last['loss']:.3f}, "
            f"accuracy {last['accuracy']:.1%}".replace("%", " %")
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        from cvlab.widgets._engine.base import VIEW

        data = {"text/plain": repr(self), "image/png": base64.b64encode(self._png).decode()}
        if len(self.history) < self.epochs:  # afterwards nothing moves any more: the picture is enough
            data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return data, {"image/png": {"alt": f"Learning curve. {self!r}"}}
