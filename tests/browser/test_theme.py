"""What a widget and its page tell each other: the theme, names and values for those who listen."""

import io

import numpy as np
import pytest
from PIL import Image
from support.browser import NAMES
from support.shown import fresh

import cvlab.widgets
from cvlab.widgets._engine.palette import DARK, LIGHT
from cvlab.widgets._engine.view import PAGE_JS

RASTER = [name for name in NAMES if not issubclass(getattr(cvlab.widgets, name), cvlab.widgets.PointerWidget)]
HANDLES = """e => [...e.querySelectorAll(".widget-slider")].flatMap(s => [...s.querySelectorAll(".noUi-handle")].map(h => [
  h.getAttribute("aria-label"), h.getAttribute("aria-valuetext"),
  s.querySelector(".widget-label").textContent, s.querySelector(".widget-readout").textContent]))"""
ROWS = """e => [...e.querySelectorAll(".widget-toggle-buttons")].map(row => [
  row.getAttribute("role"), [...row.querySelectorAll("button")].map(b => b.getAttribute("aria-pressed"))])"""
# The marks of a theme, in the order in which they are asked for: body's class, its data, html's theme, the system.
PAGES = [
    ("<html theme='dark'><body class='vscode-light'>", "dark", "light"),
    ("<html><body class='vscode-dark'>", "light", "dark"),
    ("<html><body class='vscode-high-contrast'>", "light", "dark"),
    ("<html><body class='vscode-high-contrast vscode-high-contrast-light'>", "dark", "light"),
    ("<html theme='light'><body data-jp-theme-light='false'>", "light", "dark"),
    ("<html theme='dark'><body data-jp-theme-light='true'>", "dark", "light"),
    ("<html theme='dark'><body>", "light", "dark"),
    ("<html theme='light'><body>", "dark", "light"),
    ("<html><body>", "dark", "dark"),
    ("<html><body>", "light", "light"),
]


def corner(picture: bytes) -> tuple[int, ...]:
    """The colour of a picture's ground."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    return tuple(int(v) for v in pixels[:4, :4].reshape(-1, 3).mean(axis=0).round())


def test_pictures_follow_the_theme_and_go_back(looks):
    for theme, look in (("JupyterLab Dark", DARK), ("JupyterLab Light", LIGHT)):
        grounds = {name: corner(looks[theme].pictures[name]) for name in RASTER}
        assert grounds == dict.fromkeys(RASTER, look.ground), theme


@pytest.fixture(scope="module")
def blank(gallery):
    """A page with nothing in it."""
    page = gallery.page.context.browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(("page", "system", "expected"), PAGES)
def test_each_kind_of_page_tells_its_theme(blank, page, system, expected):
    blank.emulate_media(color_scheme=system)
    blank.set_content(f"<!doctype html>{page}</body></html>")
    assert blank.evaluate(f"() => {{ {PAGE_JS}; return cvlabPageTheme(); }}") == expected


def test_a_change_of_theme_is_noticed_wherever_it_happens(blank):
    blank.emulate_media(color_scheme="light")
    blank.set_content("<!doctype html><html><body></body></html>")
    blank.evaluate(
        f"() => {{ {PAGE_JS}; window.seen = []; cvlabOnTheme(() => seen.push(cvlabPageTheme())); }}"
    )
    for change in (
        "document.documentElement.setAttribute('theme', 'dark')",
        "document.body.dataset.jpThemeLight = 'true'",
        "document.body.classList.add('vscode-dark')",
    ):
        blank.evaluate(f"() => {{ {change} }}")  # an observer is called before the next script
    assert blank.evaluate("seen") == ["dark", "light", "dark"]


@pytest.mark.parametrize("name", NAMES)
def test_handles_have_names_and_say_what_the_page_says(gallery, name):
    live = fresh(gallery, name)
    for key in ("", "ArrowRight", "ArrowLeft"):
        for handle in live.root.locator(".widget-slider:visible .noUi-handle").all() if key else []:
            handle.press(key)
        gallery.rest()
        for label, value, words, readout in live.root.evaluate(HANDLES):
            assert label.startswith(words.strip())
            assert value
            assert value in readout
            assert len(value) < 8, f"{name}: {label} says {value!r}"
    for role, pressed in live.root.evaluate(ROWS):
        assert role == "group"
        assert sorted(pressed) == ["false"] * (len(pressed) - 1) + ["true"]
    assert live.root.get_attribute("role") == "group"
    assert live.root.get_attribute("aria-label")


def test_the_alt_text_is_of_this_move(gallery):
    live = fresh(gallery, "BrightnessSlider")
    before = live.image.get_attribute("alt")
    live.root.locator(".noUi-handle").first.press("ArrowRight")
    gallery.rest()
    after = live.image.get_attribute("alt")
    assert before != after
    assert after.startswith(cvlab.widgets.BrightnessSlider.alt)
