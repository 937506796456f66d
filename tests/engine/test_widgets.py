"""Every exported widget, moved without a browser: a new widget is tested by being in `cvlab.widgets.__all__`."""

import io
import json
from pathlib import Path

import ipywidgets
import nbformat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import cvlab.widgets
from cvlab.draw.paper import hear
from cvlab.widgets._engine.base import VIEW, Widget
from cvlab.widgets._engine.controls import allowed
from cvlab.widgets._engine.labels import freest, spread
from cvlab.widgets._engine.palette import DARK, LIGHT, contrast
from cvlab.widgets._engine.picture import DENSE, as_photo, board, signed_map, stretch

NAMES = sorted(cvlab.widgets.__all__)
RASTER = [name for name in NAMES if not issubclass(getattr(cvlab.widgets, name), cvlab.widgets.PointerWidget)]
LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
WIDEST = 690  # CSS pixels: on a page of 800 it is shown at 632, and type of 13 pixels at 12
LARGEST = 450_000  # bytes of a static picture that a notebook carries
_made = {}


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """Exceptions in a move are raised here, not told to a learner."""
    monkeypatch.setattr(Widget, "strict", True)


def make(name: str) -> Widget:
    """Return a widget of that name at its first state; made once, because photos and imports take time."""
    if name not in _made:
        _made[name] = getattr(cvlab.widgets, name)()
    _made[name].reset()
    return _made[name]


def positions(control) -> list:
    """Every option of a control, else its least, middle and largest value."""
    if (options := allowed(control)) is not None:
        return options
    if isinstance(control.value, bool):
        return [False, True]
    middle = (control.min + control.max) / 2
    if isinstance(control.value, tuple):
        middle = int(middle)
        return [
            (control.min, control.min),
            (control.min, middle),
            (middle, control.max),
            (control.min, control.max),
        ]
    return [control.min, int(middle) if isinstance(control.value, int) else middle, control.max]


def agrees(widget: Widget) -> None:
    """The readout and the picture are those of `compute` for the state the controls show."""
    values = widget.compute(**widget.state)
    assert widget.readout.startswith(widget.text(values))
    picture = widget.draw(values)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert np.array_equal(picture, widget.picture)


@pytest.mark.parametrize("name", NAMES)
def test_every_control_through_its_range(name):
    widget, seen = make(name), set()
    for key, control in widget._controls.items():
        for value in positions(control):
            control.value = value  # what a move in the browser does
            assert widget.state[key] == value
            agrees(widget)
            if name in RASTER:
                assert widget._image.alt == widget.alt_text
                seen.add((widget.picture.shape, len(widget.readout.splitlines())))
        widget.reset()
    assert len(seen) <= 1, (
        "a widget keeps its height: one size of picture, one number of lines in the readout"
    )


@pytest.fixture
def heard():
    """What a page tells of its theme is forgotten after the test."""
    yield
    hear("light")


@pytest.mark.parametrize("name", RASTER)
def test_it_follows_the_theme_of_the_page(name, heard):
    widget, drawn = make(name), []
    light, snapshot = widget.picture, widget.snapshot
    widget._image.observe(lambda change: drawn.append(change.new), "value")
    widget._image.theme = "dark"  # what the browser sets
    assert len(drawn) == 1
    dark = widget.picture
    assert dark.shape == light.shape
    for picture, look in ((light, LIGHT), (dark, DARK)):
        edge = np.concatenate([picture[:4].reshape(-1, 3), picture[-4:].reshape(-1, 3)])
        assert (edge == look.ground).all(), f"the ground is the page's: {look.name}"
    assert widget.snapshot == snapshot, "the static picture is the light one"
    assert np.array_equal(widget.draw(widget.values), dark), "draw follows the theme"
    again = getattr(cvlab.widgets, name)()
    assert (again._image.theme, again.palette) == ("dark", DARK), "the next widget need not be told"
    widget._image.theme = "light"
    assert np.array_equal(widget.picture, light)


@pytest.mark.parametrize("name", RASTER)
def test_type_is_readable_on_a_page_of_800_pixels(name):
    assert make(name).picture.shape[1] <= WIDEST * DENSE


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=lambda look: look.name)
def test_words_of_a_palette_are_readable_on_its_ground(look):
    for colour in (look.ink, look.dim):
        assert contrast(colour, look.ground) >= 4.5
        assert contrast(colour, look.raised) >= 4.5
    hues = (look.blue, look.vermillion, look.green, look.pink, look.orange, look.sky)
    assert len(set(hues)) == 6
    for hue in hues:
        assert contrast(look.text(hue), look.ground) >= 4.5


@pytest.mark.parametrize("name", NAMES)
def test_no_control_is_dead(name):
    widget = make(name)
    starts = [dict(widget.state)] + [
        {key: positions(control)[at] for key, control in widget._controls.items()} for at in (0, -1)
    ]
    for key, control in widget._controls.items():
        seen = []
        for start in starts:
            widget.set(**start)
            outcomes = set()
            for value in positions(control):
                widget.set(**{key: value})
                outcomes.add((widget.readout, widget.picture.tobytes()))
            seen.append(len(outcomes))
        assert max(seen) > 1, f"{name}: moving {key!r} changes nothing"


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_state_is_drawn_and_told(name, data):
    widget = make(name)
    state = {key: data.draw(any_value(control), key) for key, control in widget._controls.items()}
    widget.set(**state)
    assert widget.state == state
    assert widget.readout == getattr(cvlab.widgets, name).text(widget, widget.values) + task_line(widget)
    widget.reset()
    assert widget.state == widget._first


def any_value(control):
    if (options := allowed(control)) is not None:
        return st.sampled_from(options)
    if isinstance(control.value, bool):
        return st.booleans()
    if isinstance(control.value, tuple):
        ends = st.integers(control.min, control.max)
        return st.tuples(ends, ends).map(sorted).map(tuple)
    kind = st.integers if isinstance(control.value, int) else st.floats
    return kind(control.min, control.max)


def task_line(widget) -> str:
    done = widget._goal(widget.values)
    return "" if done is None else f"\n{widget._verdict(done)}"


@pytest.mark.parametrize("name", NAMES)
def test_static_picture_and_stable_text(name):
    widget = make(name)
    data, metadata = widget._repr_mimebundle_()
    mime = f"image/{widget.format}"
    assert set(data) == {"text/plain", mime, VIEW}
    assert data["text/plain"] == f"{widget!r}\n{widget.readout}"
    assert data["text/plain"] == str(getattr(cvlab.widgets, name)()._repr_mimebundle_()[0]["text/plain"])
    assert "0x" not in data["text/plain"]
    assert metadata[mime]["alt"].startswith(widget.alt)
    assert widget.alt, "say in one sentence what the picture shows"
    height, width = widget.picture.shape[:2]
    assert (metadata[mime]["width"], metadata[mime]["height"]) == (width // DENSE, height // DENSE)
    snapshot = np.asarray(Image.open(io.BytesIO(widget.snapshot)))
    assert snapshot.shape == widget.picture.shape
    difference = np.abs(snapshot.astype(int) - widget.picture)
    assert difference.mean() <= (0 if widget.format == "png" else 4)
    assert len(widget.snapshot) < LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_repr_makes_the_same_widget(name):
    widget = make(name)
    again = eval(repr(widget), {name: getattr(cvlab.widgets, name)})
    assert repr(again) == repr(widget)
    assert np.array_equal(again.picture, widget.picture)


@pytest.mark.parametrize("name", NAMES)
def test_what_travels_to_the_browser_is_json(name):
    for part in tree(make(name).widget):
        state = {
            key: value for key, value in part.get_state().items() if not isinstance(value, bytes | memoryview)
        }
        json.dumps(state, allow_nan=False)


def tree(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from tree(child)


@pytest.mark.parametrize("name", NAMES)
def test_every_control_is_described_and_can_be_reset(name):
    widget = make(name)
    descriptions = [control.description for control in widget._controls.values()]
    assert all(descriptions)
    assert len(set(descriptions)) == len(descriptions)
    button = next(part for part in tree(widget.widget) if isinstance(part, ipywidgets.Button))
    first = dict(widget.state)
    key, control = next(iter(widget._controls.items()))
    control.value = next(value for value in positions(control) if value != first[key])
    assert widget.state != first
    button.click()
    assert widget.state == first


@pytest.mark.parametrize("name", NAMES)
def test_wrong_moves_are_refused_and_change_nothing(name):
    widget = make(name)
    first = dict(widget.state)
    key, control = next(iter(widget._controls.items()))
    with pytest.raises(
        TypeError, match=rf"{name} has no control '{key}x'. Did you mean '{key}'.*\? It has: {key}"
    ):
        widget.set(**{f"{key}x": 1})
    with pytest.raises(TypeError, match="has no control 'colour_of_the_sky'"):
        getattr(cvlab.widgets, name)(colour_of_the_sky="blue")
    for key, control in widget._controls.items():
        with pytest.raises(ValueError, match=rf"{key} must be .*; got 'no such value'"):
            widget.set(**{key: "no such value"})
        if allowed(control) is None and not isinstance(control.value, bool):
            with pytest.raises(ValueError, match=rf"{key} must be .* from .* to .*; got"):
                widget.set(**{key: beyond(control)})
    assert widget.state == first


def beyond(control):
    """A value that is just too large."""
    return (control.min, control.max + 1) if isinstance(control.value, tuple) else control.max + 1


@pytest.mark.parametrize("name", NAMES)
def test_its_own_task_can_be_done(name):
    widget = make(name)
    if not widget.default_task:
        assert widget.goal(widget.values) is None
        return
    assert "○ Task not done yet" in widget.readout, "the task must not be done before the learner moves"
    assert widget.answer, f"{name}.answer must be a state in which its default_task is done"
    assert widget.learnt.endswith("."), f"{name}.learnt must say in one sentence what its task teaches"
    told = f"✓ Task done. {widget.learnt}"
    if name in RASTER:
        html = widget._readout_view.value
        assert "visibility:hidden" in html
        assert told.replace("'", "&#x27;") in html, "room is kept for it"
    widget.set(**widget.answer)
    assert widget.readout.endswith(told)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_tasks_begin_unsolved_where_a_lesson_shows_them(lesson):
    outputs = [out for c in nbformat.read(lesson, as_version=4).cells for out in c.get("outputs", [])]
    for data in (out["data"] for out in outputs if VIEW in out.get("data", {})):
        words = data["text/plain"].splitlines()[-1]
        assert "✓" not in words, f"{words} is done before the learner moves"


@pytest.mark.parametrize(
    "state",
    [
        {"stride": 2},
        {"size": 1},
        {"size": 1, "padding": 1, "kernel": 1, "stride": 2},
        {"kernel": 5, "dilation": 3},
    ],
)
def test_every_cell_that_is_never_read_counts(state):
    widget = cvlab.widgets.ConvArithmetic(**state)
    assert widget.goal(widget.values), widget.readout


def test_a_loss_that_grows_is_told_in_words():
    widget = cvlab.widgets.LossSurface(lr=1.0, momentum=0.9, steps=60)
    assert "grows without end" in widget.readout
    assert "steps are too large" in widget.readout
    assert max(map(len, widget.readout.splitlines()[:-1])) < 50, "no number fills the line"


@given(st.lists(st.floats(0, 200), min_size=1, max_size=6))
def test_names_are_spread_apart_and_stay_inside(wanted):
    placed = spread(wanted, 17, 0, 200)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(np.array(placed)[order]) >= 17 - 1e-6).all()
    assert min(placed) >= -1e-6
    assert max(placed) <= 200 + 1e-6


def test_words_go_where_nothing_is():
    taken = np.zeros((60, 60))
    taken[20:40, 20:60] = 1
    assert freest(taken, [(30, 25), (55, 2), (2, 30)], (18, 12)) == (42, 2)
    assert taken[2:14, 42:60].min() > 0


def test_a_lesson_can_set_its_own_task_or_none():
    photo = np.full((8, 8, 3), 100, np.uint8)
    slider = cvlab.widgets.BrightnessSlider(photo, task="Make it white.", goal=lambda v: v["mean"] == 255)
    assert "Make it white." in slider._task_view.value
    slider.set(brightness=200)
    assert slider.readout.endswith("✓ Task done")
    assert "Task" not in cvlab.widgets.BrightnessSlider(photo, task="").readout


class Fragile(Widget):
    """Divides by its slider, so that a move to 0 fails."""

    def controls(self):
        return {"by": ipywidgets.IntSlider(1, 0, 3, description="by")}

    def compute(self, by):
        return {"share": 6 // by}

    def draw(self, values):
        return np.zeros((8, 8, 3), np.uint8)

    def text(self, values):
        return f"share: <{values['share']}>"


def test_an_exception_is_told_to_the_learner_and_the_widget_lives_on(monkeypatch):
    monkeypatch.setattr(Widget, "strict", False)
    widget = Fragile()
    widget._controls["by"].value = 0
    assert "⚠ ZeroDivisionError" in widget._readout_view.value
    assert widget.readout == "share: <6>", "the last good answer stays"
    widget._controls["by"].value = 2
    assert widget.readout == "share: <3>"
    assert "⚠" not in widget._readout_view.value


def test_an_exception_is_raised_to_code():
    widget = Fragile()
    with pytest.raises(ZeroDivisionError):
        widget._controls["by"].value = 0
    with pytest.raises(ZeroDivisionError):
        Fragile().set(by=0)


def test_the_readout_is_escaped_and_announced():
    html = Fragile()._readout_view.value
    assert "&lt;6&gt;" in html
    assert "role='status'" in html
    assert "aria-live='polite'" in html


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"image must have shape \(H, W, 3\); got \(4, 4\)"),
        (np.zeros((4, 4, 3)), "image must be uint8, 0 to 255; got float64"),
        (np.zeros((3, 8, 8), np.uint8), "Channels first"),
        ("chelsey", "chelsea"),
    ],
)
def test_a_wrong_image_is_refused(image, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        cvlab.widgets.BrightnessSlider(image)


def test_a_photo_is_not_changed():
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    before = photo.copy()
    for name in ("BrightnessSlider", "ChannelExplorer", "JpegQuality", "PixelGrid", "ResizeExplorer"):
        widget = getattr(cvlab.widgets, name)(photo)
        for control in widget._controls.values():
            for value in positions(control):
                control.value = value
    assert np.array_equal(photo, before)


def test_small_photos_work():
    for shape in ((1, 1, 3), (1, 9, 3), (24, 40, 3)):
        photo = np.full(shape, 77, np.uint8)
        for name in ("BrightnessSlider", "PixelGrid", "ResizeExplorer", "ChannelExplorer"):
            agrees(getattr(cvlab.widgets, name)(photo))
    with pytest.raises(ValueError, match="at least 24 rows and 40 columns; got shape"):
        cvlab.widgets.JpegQuality(np.zeros((9, 9, 3), np.uint8))


def test_unknown_widgets_are_named():
    with pytest.raises(AttributeError, match="has no attribute 'Resizer'; it has: AnchorMatches"):
        _ = cvlab.widgets.Resizer
    assert dir(cvlab.widgets) == NAMES


def test_every_combination_of_resizes_answers_or_says_why():
    explorer = make("ResizeExplorer")
    refused = set()
    for library in allowed(explorer._controls["library"]):
        for method in allowed(explorer._controls["method"]):
            explorer.set(library=library, method=method, source="photo", size=40)
            if explorer.values["result"] is None:
                refused.add((library, method))
                assert "note: " in explorer.readout
            else:
                assert explorer.values["result"].shape == (40, 40, 3)
    assert refused == {("torchvision", "area"), ("torchvision", "lanczos"), ("scikit-image", "lanczos")}


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=9), st.floats(0.1, 300))
def test_signed_maps_are_centred_and_symmetric(numbers, limit):
    numbers = np.array(numbers)
    colours = signed_map(numbers, limit).astype(int)
    red_minus_blue = colours[:, 0] - colours[:, 2]
    assert (red_minus_blue[numbers > limit / 100] > 0).all()
    assert (red_minus_blue[numbers < -limit / 100] < 0).all()
    assert (signed_map(np.zeros(3), limit) == 247).all()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 60), st.integers(1, 60))
def test_stretch_keeps_whole_multiples_exact(height, width, rows, cols):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert stretch(picture, rows, cols).shape == (rows, cols, 3)
    assert np.array_equal(stretch(picture, height * 3, width * 2), picture.repeat(3, 0).repeat(2, 1))


def test_board_takes_grey_and_aligns_panels():
    picture = board([[("a", np.full((20, 30), 200, np.uint8))], [("b", np.full((20, 60, 3), 9, np.uint8))]])
    assert picture.shape == (20 * 2 + 2 * (24 * 2 + 7 + 8 * 2), 60 + 2 * 8 * 2, 3)
    assert (picture[64:84, 16:46] == 200).all()


def test_as_photo_shrinks_but_never_enlarges():
    assert as_photo("chelsea", longest=100).shape == (67, 100, 3)
    assert as_photo(np.zeros((5, 5, 3), np.uint8), longest=100).shape == (5, 5, 3)
