"""What lesson 01 says in words stands in the committed outputs of its cells (which nbval holds to the code)."""

import re

import nbformat
import pytest
from support.sealed import ROOT

CELLS = nbformat.read(ROOT / "notebooks" / "solutions" / "01_preprocessing.ipynb", as_version=4).cells


def printed(start: str) -> str:
    """Return what the code cell printed whose source contains `start`."""
    (cell,) = [cell for cell in CELLS if cell.cell_type == "code" and start in cell.source]
    return "".join(output.get("text", "") for output in cell.outputs if output.output_type == "stream")


def losses(start: str) -> dict[str, tuple[int, int, int]]:
    """Return for each row of a report: right answers, and the interval of what is lost, in percent."""
    rows = re.findall(r"^(.+?)\s+(\d+)\s+-?\d+%,\s+(-?\d+)% to\s+(-?\d+)%", printed(start), re.MULTILINE)
    return {name: tuple(map(int, numbers)) for name, *numbers in rows}


def test_the_coins_are_counted():
    assert "there are 24 coins" in printed("MORPH_TOPHAT")


@pytest.mark.parametrize(
    ("file", "turned", "channels", "highest"),
    [
        ("phone.jpg", ["OpenCV"], [3, 3, 3, 3], None),
        ("sticker.png", [], [3, 4, 4, 4], None),
        ("scan.png", [], [3, None, None, 1], [12, 3104, 3104, 3104]),
        ("colour_scan.png", [], [3, 3, 3, 3], [14, 14, 14, 3696]),
    ],
)
def test_the_table_of_readers(file, turned, channels, highest):
    rows = re.findall(
        rf"^{file}\s+(\S+)\s+\((\d+), (\d+)(?:, (\d))?\)\s+\S+\s+\d+ to (\d+)",
        printed("readers = {"),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == ["OpenCV", "Pillow", "scikit-image", "torchvision"]
    assert [int(row[3]) if row[3] else None for row in rows] == channels
    if file == "phone.jpg":
        assert [row[0] for row in rows if row[1:3] == ("300", "451")] == turned
    if highest:
        assert [int(row[4]) for row in rows] == highest


def test_bilinear_agrees_when_a_picture_grows_and_not_when_it_shrinks():
    smaller, larger = re.findall(r"bilinear.* (\d+) at most", printed("methods = {"))
    assert int(smaller) > 20
    assert int(larger) == 1


def test_the_two_bicubics_are_two_curves():
    rows = dict(re.findall(r"^(.+?)\s{2,}(-?0\.\d+ .*)$", printed("def cubic_weight"), re.MULTILINE))
    assert rows["by hand, a = -0.75"] == rows["OpenCV"] == rows["torchvision, antialias=False"]
    assert rows["by hand, a = -0.5"] == rows["Pillow"] == rows["torchvision, antialias=True"]
    assert rows["OpenCV"] != rows["Pillow"]


def test_quiet_slips_may_cost_nothing_and_loud_ones_do():
    rows = list(losses("report(results").values())
    assert len(rows) == 8
    assert all(low <= 0 for _, low, _ in rows[1:4])
    assert all(low > 0 for _, low, _ in rows[4:])
    assert all(rows[0][0] - right <= 2 for right, _, _ in rows[1:4])


def test_resizing_costs_nothing_that_counts_until_you_shrink_much():
    gentle, harsh = losses("report(gentle"), losses("report(harsh")
    assert all(low <= 0 for _, low, _ in gentle.values())
    assert max(right for right, _, _ in gentle.values()) - min(right for right, _, _ in gentle.values()) <= 1
    assert {name for name, (_, low, _) in harsh.items() if low > 0} == {"OpenCV bilinear", "OpenCV nearest"}
    assert all(
        right >= 21 for name, (right, _, _) in harsh.items() if name in ("Pillow bilinear", "OpenCV area")
    )
    assert all(right < 2 / 5 * 28 for name, (right, low, _) in harsh.items() if low > 0)


def test_the_same_row_is_not_the_right_place():
    rows = re.findall(r"(\d+)% in the same row, +(\d+)% right", printed("motorcycle_disp"))
    level, correct = zip(*((int(a), int(b)) for a, b in rows), strict=True)
    assert list(level) == sorted(level)
    assert level[2] == 100
    assert list(correct) == sorted(correct)
    assert 85 <= correct[2] <= 95


def test_recipes_are_timms_own():
    gaps = [float(gap) for gap in re.findall(r"difference to timm's (\S+)", printed("create_transform"))]
    assert len(gaps) == 2
    assert max(gaps) < 1e-6


def test_kornia_and_albumentations_ran():
    rows = re.findall(
        r"^(\S+) +\(3, 224, 224\) +(\S+)", printed("mean gap, in standard deviations"), re.MULTILINE
    )
    gaps = {name: float(gap) for name, gap in rows}
    assert gaps["Albumentations"] == 0
    assert gaps["Kornia"] == gaps["scikit-image"] > 0
