"""What axe finds in the course's outputs, in both themes: every widget, every kind of card. (A whole lesson: test_lessons.)"""

import pytest
from support.accessible import THEMES, findings, ours


@pytest.mark.parametrize("theme", THEMES)
def test_widgets(looks, theme):
    assert looks[theme].axe == []


def test_cards(cards):
    outputs = cards.page.locator(".jp-OutputArea-output")
    assert outputs.count() >= 7
    for word in ("Wrong: ", "Hint 1 of", "Solution: ", "Right: ", "Not attempted: ", "Not checked: "):
        assert outputs.filter(has_text=word).count(), f"no card says {word!r}"
    assert outputs.locator("img").count(), "a wrong picture is shown in pictures"
    assert ours(cards) == []


def test_axe_finds_what_is_wrong(cards):
    cards.page.evaluate("""() => document.querySelector(".jp-OutputArea-output").insertAdjacentHTML(
      "beforeend", "<div class='bad'><img src='data:,'><p style='color:#777;background:#888'>grey on grey</p></div>")""")
    found = findings(cards.page, ".bad")
    cards.page.evaluate("() => document.querySelector('.bad').remove()")
    assert {one.split(":")[0] for one in found} == {"image-alt", "color-contrast"}
