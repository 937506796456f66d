"""Tables: their text, their HTML, what they are made of, and what bad input is told."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from cvlab.draw import table

NETS = [
    {"net": "dense", "accuracy": 0.5123, "time": 3, "gain": -0.02},
    {"net": "LeNet", "accuracy": 0.75, "time": 1200, "gain": 0.2},
    {"net": "residual", "accuracy": None, "time": 12, "gain": float("nan")},
]
TEXT = """\
Convolution wins
net       accuracy  time (s)   gain
────────  ────────  ────────  ─────
LeNet        75.0%     1,200  +0.20 *
dense        51.2%         3  −0.02
residual         –        12      –"""


def made(rows=NETS, **changes):
    options = {"units": {"time": "s"}, "digits": {"accuracy": ".1%", "gain": "+.2f"}, "sort": "accuracy"}
    return table(
        rows, **{**options, "ascending": False, "title": "Convolution wins", "highlight": "LeNet", **changes}
    )


def test_text_is_aligned_sorted_and_what_is_missing_comes_last():
    assert repr(made()) == TEXT


@pytest.mark.parametrize("rows", [pd.DataFrame(NETS), {key: [row[key] for row in NETS] for key in NETS[0]}])
def test_the_same_from_columns_or_pandas(rows):
    assert repr(made(rows)) == TEXT


def test_numpy_numbers_are_numbers():
    rows = {"n": np.array([1, 20]), "share": np.array([0.5, 0.25], np.float32), "big": [np.True_, np.False_]}
    assert repr(table(rows)).splitlines()[2:] == [" 1  0.500  True", "20  0.250  False"]


def test_columns_that_a_row_lacks_are_empty():
    assert repr(table([{"a": 1}, {"b": "x"}])).splitlines()[2:] == ["1  –", "–  x"]


class Reader(HTMLParser):
    """Collects the tags and the words of each cell."""

    def __init__(self, html):
        super().__init__()
        self.open, self.cells, self.tags = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.cells.append(data)


def test_html_is_a_table_with_a_caption_and_scopes():
    page = Reader(made()._repr_html_())
    assert page.open == []
    text = re.sub("  +|\n", "\t", TEXT.replace(" *", "")).split("\t")
    assert page.cells == [word for word in text if word and set(word) != {"─"}]
    scopes = [attrs.get("scope") for tag, attrs in page.tags if tag == "th"]
    assert scopes == ["col"] * 4 + ["row"] * 3
    sides = [attrs["style"] for tag, attrs in page.tags if tag == "td"]
    assert all("right" in style for style in sides)
    assert [tag for tag, _ in page.tags].count("strong") == 4
    assert "color" not in made()._repr_html_()  # the page's theme decides


def test_words_are_escaped():
    assert "<b>" not in table([{"<b>": "<b>"}], title="<b>")._repr_html_()


BAD = [
    (
        lambda: made(sort="acuracy"),
        "sort must name a column .net, accuracy, time, gain.; got 'acuracy'. Did you mean",
    ),
    (lambda: made(units={"tim": "s"}), "units must name a column .*got 'tim'. Did you mean 'time'"),
    (lambda: made(digits={"x": 1}), "digits must name a column .*got 'x'"),
    (
        lambda: made(digits={"time": ".zz"}),
        "digits must be a whole number or a format such as '.1%'; got '.zz'",
    ),
    (
        lambda: made(highlight="lenet"),
        "highlight must be in the first column; got 'lenet'. Did you mean 'LeNet'",
    ),
    (lambda: table([]), "at least one row"),
    (lambda: table([1, 2]), r"rows\[0\] must be a dict; got 1"),
    (lambda: table("net"), "rows must be a list of dicts, a dict of lists or a DataFrame; got 'net'"),
    (
        lambda: table({"net": "dense"}),
        r"rows\['net'\] must be a list of values; got 'dense'. One row\? Pass \[rows\]",
    ),
    (lambda: table({"a": [1], "b": [1, 2]}), "columns of one length; got {'a': 1, 'b': 2}"),
    (lambda: table([{"a": 1}, {"a": "x"}], sort="a"), "sort must name a column whose values can be compared"),
]


@pytest.mark.parametrize(("call", "text"), BAD)
def test_bad_input_gets_a_clear_error(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()


def test_no_number_is_written_as_zero_unless_it_is():
    assert table({"share": [110.0, 0.5, 0.0]}).rows == [["110.0"], ["0.5"], ["0.0"]]


def test_whole_numbers_stay_whole_when_digits_are_said_for_all():
    assert table({"n": [17, 3], "share": [0.25, 0.5]}, digits=2).rows == [["17", "0.25"], ["3", "0.50"]]
