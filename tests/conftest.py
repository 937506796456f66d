"""What all tests share: how they are spread over workers, and the table of notebooks at the end."""

import pytest

collect_ignore = ["_network_guard"]
SPREAD = ("test_notebooks.py", "test_colab.py")  # each of their notebooks may go to another worker
_rows: list[dict] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """With `--dist loadgroup`: a file's tests stay together, except that notebooks are shared out; they start first."""
    for item in items:
        alone = item.path.name in SPREAD and "name" in getattr(getattr(item, "callspec", None), "params", {})
        group = f"{item.path.name}-{item.callspec.id}" if alone else item.path.name
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path.name not in SPREAD)


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
    terminalreporter.line(f"{'notebook':<{width}}  code cells  checks  seconds  peak MB")
    for row in sorted(_rows, key=lambda row: row["name"]):
        figures = f"{row['cells']:>10}  {row['checks']:>6}  {row['seconds']:>7.1f}  {row['memory']:>7.0f}"
        terminalreporter.line(f"{row['name']:<{width}}  {figures}")
