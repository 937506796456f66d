"""What all tests share: how they are spread over workers, and the table of notebooks at the end."""

import hypothesis
import pytest
from support.browser import cards, gallery, opened

# A second conftest.py, in tests/browser, would be taken for this one by doctest.
__all__ = ["cards", "gallery", "opened"]
hypothesis.settings.register_profile("cvlab", deadline=None)  # a busy machine is no bug
hypothesis.settings.load_profile("cvlab")

collect_ignore = ["network_guard", "support/nbval_course.py"]  # for children only
FIRST = ("notebooks", "browser", "cnn_training", "course", "engine")  # the slow folders
SHARED_OUT = ("test_colab.py", "test_notebooks.py", "test_sittings.py")
_rows: list[dict] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """With `--dist loadgroup`: a file's tests stay together, except that notebooks are shared out; slow folders first.

    The order holds with `--no-loadscope-reorder`; without it, xdist starts with the groups of the most tests.
    """
    for item in items:
        file = "/".join(item.path.parts[-2:])
        alone = item.path.name in SHARED_OUT and hasattr(item, "callspec")
        group = f"{file}-{item.callspec.id}" if alone else file
        if item.path.parent.name == "browser":
            group = "browser"  # one JupyterLab for all
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    order = {folder: place for place, folder in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(FIRST)))


def pytest_runtest_logreport(report):
    """Collect what notebook tests measured; properties travel from the workers with their reports."""
    if report.when == "call":
        _rows.extend(value for key, value in report.user_properties if key == "notebook")


def pytest_terminal_summary(terminalreporter):
    """Print one table: what ran in each notebook, how long it took, how much memory its kernel needed."""
    if not _rows:
        return
    terminalreporter.section("notebooks")
    width = max(len(row["name"]) for row in _rows)
    terminalreporter.line(f"{'notebook':<{width}}  code cells  checks  seconds  end MB  own MB  peak MB")
    for row in sorted(_rows, key=lambda row: row["name"]):
        memory, own, peak = (f"{row[key]:.0f}" if key in row else "" for key in ("memory", "own", "peak"))
        figures = f"{row['cells']:>10}  {row['checks']:>6}  {row['seconds']:>7.1f}  {memory:>6}  {own:>6}  {peak:>7}".rstrip()
        terminalreporter.line(f"{row['name']:<{width}}  {figures}")
