"""What axe finds in the course's outputs, in both themes: every widget, every kind of card, one whole lesson."""

import pytest
from support.accessible import findings
from support.browser import LESSONS

THEMES = ("JupyterLab Light", "JupyterLab Dark")
CARDS = """
from cvlab import check, hint, progress, solution
def to_rgb(image_bgr):
    return image_bgr.copy()
check(to_rgb)
---
hint(to_rgb)
---
solution(to_rgb)
---
def to_rgb(image_bgr):
    return image_bgr[:, :, ::-1].copy()
check(to_rgb)
---
def center_crop(image, size):
    raise NotImplementedError
check(center_crop)
---
check(print)
---
progress("01")
"""


@pytest.fixture
def cards(opened):
    """Every kind of card: wrong with pictures, a hint, a solution, right, not attempted, not an exercise, progress."""
    return opened("cards.ipynb", CARDS.strip().split("\n---\n"))


def ours(notebook) -> list[str]:
    """What axe finds in both themes; those that come in both are told once."""
    found = []
    for theme in THEMES:
        notebook.theme(theme)
        found += findings(notebook.page)
    return list(dict.fromkeys(found))


def test_widgets(gallery):
    assert ours(gallery) == []


def test_cards(cards):
    outputs = cards.page.locator(".jp-OutputArea-output")
    assert outputs.count() >= 7
    for word in ("Wrong: ", "Hint 1 of", "Solution: ", "Right: ", "Not attempted: ", "Not checked: "):
        assert outputs.filter(has_text=word).count(), f"no card says {word!r}"
    assert outputs.locator("img").count(), "a wrong picture is shown in pictures"
    assert ours(cards) == []


def test_a_whole_lesson(opened):
    lesson = opened(LESSONS[0].name, run=False).run()
    assert lesson.page.locator(".cvlab-widget").count()
    assert ours(lesson) == []


def test_axe_finds_what_is_wrong(cards):
    cards.page.evaluate("""() => document.querySelector(".jp-OutputArea-output").insertAdjacentHTML(
      "beforeend", "<div class='bad'><img src='data:,'><p style='color:#777;background:#888'>grey on grey</p></div>")""")
    found = findings(cards.page, ".bad")
    cards.page.evaluate("() => document.querySelector('.bad').remove()")
    assert {one.split(":")[0] for one in found} == {"image-alt", "color-contrast"}
