"""What a widget and its page tell each other: the theme, names and values for those who listen."""

import io

import numpy as np
import pytest
from PIL import Image
from support import lab
from support.browser import NAMES
from support.shown import Shown, shown

import cvlab.widgets
from cvlab.widgets._engine.palette import DARK, LIGHT
from cvlab.widgets._engine.view import PAGE_JS

RASTER = [name for name in NAMES if not issubclass(getattr(cvlab.widgets, name), cvlab.widgets.PointerWidget)]
HANDLES = """e => [...e.querySelectorAll(".widget-slider")].flatMap(s => [...s.querySelectorAll(".noUi-handle")].map(h => [
  h.getAttribute("aria-label"), h.getAttribute("aria-valuetext"),
  s.querySelector(".widget-label").textContent, s.querySelector(".widget-readout").textContent]))"""
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


def settle(live: Shown) -> None:
    """Wait until Python has answered and the page shows it."""
    live.root.page.wait_for_timeout(120)
    live.root.page.wait_for_function(lab.IDLE)
    live.root.page.wait_for_timeout(60)


def corner(live: Shown) -> tuple[int, ...]:
    """The colour of the picture's ground, as the page shows it."""
    picture = Image.open(io.BytesIO(live.notebook.bytes_of(live.image))).convert("RGB")
    return tuple(int(v) for v in np.asarray(picture)[:4, :4].reshape(-1, 3).mean(axis=0).round())


def test_pictures_follow_the_theme_and_go_back(gallery):
    for theme, look in (("JupyterLab Dark", DARK), ("JupyterLab Light", LIGHT)):
        gallery.theme(theme)
        for name in RASTER:
            live = shown(gallery, name)
            for _ in range(200):
                if corner(live) == look.ground:
                    break
                gallery.page.wait_for_timeout(100)
            assert corner(live) == look.ground, f"{name} in {theme}"


@pytest.mark.parametrize(("page", "system", "expected"), PAGES)
def test_each_kind_of_page_tells_its_theme(gallery, page, system, expected):
    blank = gallery.page.context.browser.new_page(color_scheme=system)
    try:
        blank.set_content(f"<!doctype html>{page}</body></html>")
        assert blank.evaluate(f"() => {{ {PAGE_JS}; return cvlabPageTheme(); }}") == expected
    finally:
        blank.close()


def test_a_change_of_theme_is_noticed_wherever_it_happens(gallery):
    blank = gallery.page.context.browser.new_page(color_scheme="light")
    try:
        blank.set_content("<!doctype html><html><body></body></html>")
        blank.evaluate(
            f"() => {{ {PAGE_JS}; window.seen = []; cvlabOnTheme(() => seen.push(cvlabPageTheme())); }}"
        )
        for change in (
            "document.documentElement.setAttribute('theme', 'dark')",
            "document.body.dataset.jpThemeLight = 'true'",
            "document.body.classList.add('vscode-dark')",
        ):
            blank.evaluate(f"() => {{ {change} }}")
            blank.wait_for_timeout(50)
        assert blank.evaluate("seen") == ["dark", "light", "dark"]
    finally:
        blank.close()


@pytest.mark.parametrize("name", NAMES)
def test_handles_have_names_and_say_what_the_page_says(gallery, name):
    live = shown(gallery, name)
    for key in ("", "ArrowRight", "ArrowLeft"):
        for handle in live.root.locator(".widget-slider:visible .noUi-handle").all() if key else []:
            handle.press(key)
        settle(live)
        for label, value, words, readout in live.root.evaluate(HANDLES):
            assert label.startswith(words.strip())
            assert value
            assert value in readout
            assert len(value) < 8, f"{name}: {label} says {value!r}"
    for row in live.root.locator(".widget-toggle-buttons").all():
        assert row.get_attribute("role") == "group"
        pressed = row.locator("button").evaluate_all("all => all.map(b => b.getAttribute('aria-pressed'))")
        assert sorted(pressed)[-1:] == ["true"]
        assert pressed.count("true") == 1
    assert live.root.get_attribute("role") == "group"
    assert live.root.get_attribute("aria-label")


def test_the_alt_text_is_of_this_move(gallery):
    live = shown(gallery, "BrightnessSlider")
    before = live.image.get_attribute("alt")
    live.root.locator(".noUi-handle").first.press("ArrowRight")
    settle(live)
    after = live.image.get_attribute("alt")
    assert before != after
    assert after.startswith(cvlab.widgets.BrightnessSlider.alt)
