"""The shape of every widget: controls -> state -> compute -> picture and readout.

A subclass says what can be moved (`controls`), what that means (`compute`, a pure function), how it looks
(`draw`) and how it reads (`text`). The base shows it live in the page's theme, keeps a static picture in the light
one for readers without a kernel, and never makes a new figure: the bytes of one picture are replaced in place.
"""

import base64
import io
import re
from typing import Any, ClassVar

import ipywidgets
import numpy as np
from PIL import Image

from cvlab._validate import nearest
from cvlab.draw.display import jpeg_bytes
from cvlab.widgets._engine.controls import arrange, check_value
from cvlab.widgets._engine.palette import DARK, LIGHT, Palette
from cvlab.widgets._engine.picture import DENSE
from cvlab.widgets._engine.readout import readout_html, task_html
from cvlab.widgets._engine.view import PictureView

__all__ = ["Widget"]

VIEW = "application/vnd.jupyter.widget-view+json"
DONE, OPEN = "✓ Task done", "○ Task not done yet"


class Widget:
    """A picture that answers when you move its controls.

    Subclasses define `controls`, `compute`, `draw` and `text`, and set what those need *before* they call
    `super().__init__`. The state is the value of every control, by name.

    Args:
        task: what the learner should reach, one sentence ("Move it until ..."), shown above the controls;
            "" for none; without it the class's own `default_task`, judged by its method `goal`.
        goal: tells from the values of `compute` whether your `task` is done.
        **state: where the controls stand at first.

    Example:
        >>> class Grey(Widget):
        ...     def controls(self):
        ...         return {"level": ipywidgets.IntSlider(128, 0, 255, description="level")}
        ...     def compute(self, level):
        ...         return {"level": level}
        ...     def draw(self, values):
        ...         return np.full((80, 120, 3), values["level"], np.uint8)  # shown at 60 x 40
        ...     def text(self, values):
        ...         return f"level: {values['level']} of 255"
        >>> grey = Grey(level=10)
        >>> grey.set(level=200)
        >>> grey
        Grey(level=200)
        >>> grey.readout
        'level: 200 of 255'
    """

    format = "jpeg"  # "png" for small pixel art, where every pixel must be exact
    quality = 85  # of the JPEG, whose pixels are half a CSS pixel
    alt = ""  # one sentence: what the picture shows
    control_width = 340  # CSS pixels of a control; 260 lets three and the button stand in one row
    is_chart = False  # True when no colour in the picture is data: a dark page may invert the static one
    default_task = ""
    learnt = ""  # one sentence, told when `default_task` is done
    answer: ClassVar[dict[str, Any]] = {}  # a state in which `default_task` is done; a test checks that it is
    strict = False  # True raises a move's exception instead of telling the learner about it (tests set it)

    def __init__(self, *, task: str | None = None, goal=None, **state: Any):
        self.task = self.default_task if task is None else task
        self._goal = goal or (self.goal if task is None else lambda values: None)
        self._learnt = self.learnt if task is None else ""
        self._quiet = False
        self.palette = LIGHT  # what `draw` draws with; the page's theme chooses it
        self._controls = self.controls()
        self._check_state(state)
        for name, value in state.items():
            self._controls[name].value = value
        self._first = self.state
        self._readout_view = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 280px", min_width="280px"))
        self.widget = self._assemble()
        for control in self._controls.values():
            control.observe(self._moved, "value")
        self._update()

    # What a subclass says -----------------------------------------------------------------------------

    def controls(self) -> dict[str, Any]:
        """Return the controls (ipywidgets with a `value`), by the name of their state; called once."""
        raise NotImplementedError(f"{type(self).__name__} must define controls()")

    def compute(self, **state: Any) -> dict[str, Any]:
        """Return everything the picture and the readout need; pure, so that it can be tested alone."""
        raise NotImplementedError(f"{type(self).__name__} must define compute()")

    def draw(self, values: dict[str, Any]) -> np.ndarray:
        """Return the picture of `values` in `self.palette`: (H, W, 3) uint8 RGB, `DENSE` pixels a CSS pixel."""
        raise NotImplementedError(f"{type(self).__name__} must define draw()")

    def text(self, values: dict[str, Any]) -> str:
        """Return the readout of `values`: one fact a line, "name: value"; as many lines in every state."""
        raise NotImplementedError(f"{type(self).__name__} must define text()")

    def goal(self, values: dict[str, Any]) -> bool | None:
        """Tell whether `default_task` is done; None when there is none."""
        return None

    # What everybody uses ------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """Where every control stands."""
        return {name: control.value for name, control in self._controls.items()}

    def set(self, **state: Any) -> None:
        """Move controls from code: all are checked first, then the picture changes once.

        Raises:
            TypeError: for a name that is no control, naming the nearest.
            ValueError: for a value the control does not allow, naming what it allows.
        """
        self._check_state(state)
        self._quiet = True
        try:
            for name, value in state.items():
                self._controls[name].value = value
        finally:
            self._quiet = False
        self._try_update(strict=True)

    def reset(self) -> None:
        """Put every control back where it stood at first."""
        self.set(**self._first)

    @property
    def snapshot(self) -> bytes:
        """The encoded static picture (`format`), in the light theme."""
        return encode(self._drawn(LIGHT), self.format, self.quality)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.state.items())})"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        mime, picture = f"image/{self.format}", self._drawn(LIGHT)
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        data = {
            "text/plain": f"{self!r}\n{self.readout}",
            mime: base64.b64encode(self._saved(picture)).decode(),
            VIEW: view,
        }
        height, width = (side // DENSE for side in picture.shape[:2])
        shown = {"alt": self.alt_text, "width": width, "height": height}
        # Beside the kinds, where JupyterLab looks for it: its dark page may then turn the picture over.
        return data, {mime: shown} | ({"needs_background": "light"} if self.is_chart else {})

    def _saved(self, picture: np.ndarray) -> bytes:
        """Return what a notebook keeps: a photo as light as a figure's, since five of them may stand in one."""
        if self.format == "jpeg":
            return jpeg_bytes(Image.fromarray(picture))
        return encode(picture, self.format, self.quality)

    @property
    def title(self) -> str:
        """The widget's name in words.

        Example: `"Iou threshold"` for `IouThreshold`.
        """
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()

    @property
    def alt_text(self) -> str:
        """What a reader who cannot see the picture is told."""
        return f"{self.alt or type(self).__name__}. {self.readout}"

    # How a move works ---------------------------------------------------------------------------------

    def _check_state(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name not in self._controls:
                meant = nearest(name, self._controls) or "."
                raise TypeError(
                    f"{type(self).__name__} has no control {name!r}{meant} It has: {', '.join(self._controls)}"
                )
            check_value(name, self._controls[name], value)

    def _assemble(self) -> ipywidgets.Widget:
        """Build the live view once: task, controls, picture with the readout beside it."""
        button = ipywidgets.Button(description="Reset", tooltip="Put every control back")
        button.on_click(lambda _: self._try_update(reset=True))
        self._task_view = ipywidgets.HTML(layout=ipywidgets.Layout(display="" if self.task else "none"))
        controls = arrange(self._controls, button, width=self.control_width)
        box = ipywidgets.Layout(
            display="flex", flex_flow="row wrap", align_items="flex-start", grid_gap="0 20px"
        )
        stage = ipywidgets.Box([self._picture_view(), self._readout_view], layout=box)
        view = ipywidgets.VBox([self._task_view, controls, stage])
        view.add_class("cvlab-widget").add_class(f"cvlab-{type(self).__name__}")
        return view

    def _picture_view(self) -> ipywidgets.Widget:
        self._image = PictureView(format=self.format, title=self.title)
        self._image.observe(self._retheme, "theme")
        self.palette = DARK if self._image.theme == "dark" else LIGHT
        return self._image

    def _retheme(self, change) -> None:
        """The page has another theme: draw the same values in it."""
        self.palette = DARK if change.new == "dark" else LIGHT
        self._show(self.values, self.readout)

    def _drawn(self, palette: Palette) -> np.ndarray:
        """Draw the values of now in one palette."""
        kept, self.palette = self.palette, palette
        try:
            return self.draw(self.values)
        finally:
            self.palette = kept

    def _moved(self, change) -> None:
        if not self._quiet:
            self._try_update(strict=self.strict)

    def _try_update(self, *, strict: bool = False, reset: bool = False) -> None:
        """Update; an exception is told in the readout and, when strict, raised."""
        try:
            self.reset() if reset else self._update()
        except Exception as error:
            self._tell(f"⚠ {type(error).__name__}: {error}")
            if strict:
                raise

    def _update(self) -> None:
        values = self.compute(**self.state)
        readout, done = self.text(values), self._goal(values)
        if done is not None:
            readout += f"\n{self._verdict(done)}"
        self._show(values, readout)
        self.values, self.readout = values, readout
        self._tell(readout, "" if done is None else self._verdict(not done))
        self._task_view.value = task_html(self.task, done)

    def _verdict(self, done: bool) -> str:
        return f"{DONE}. {self._learnt}".removesuffix(". ") if done else OPEN

    def _tell(self, readout: str, other: str = "") -> None:
        self._readout_view.value = readout_html(readout, other)

    def _show(self, values: dict[str, Any], readout: str) -> None:
        self.picture = self.draw(values)
        height, width = (side // DENSE for side in self.picture.shape[:2])
        with self._image.hold_sync():  # one message: the page never shows a picture with another one's words
            self._image.width, self._image.height = width, height
            self._image.alt = f"{self.alt or self.title}. {readout}"
            self._image.value = encode(self.picture, self.format, self.quality)


def encode(picture: np.ndarray, kind: str, quality: int = 92) -> bytes:
    """Encode a (H, W, 3) uint8 RGB picture as "jpeg" (photos) or "png" (pixel art)."""
    buffer = io.BytesIO()
    options = {"quality": quality, "subsampling": 0} if kind == "jpeg" else {"compress_level": 1}
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()
