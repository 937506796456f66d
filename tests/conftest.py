"""What all tests share: how they are spread over workers, and the table of notebooks at the end."""

import hypothesis
import pytest

hypothesis.settings.register_profile("cvlab", deadline=None)  # a busy machine is no bug
hypothesis.settings.load_profile("cvlab")

collect_ignore = ["network_guard"]
FIRST = ("test_colab.py", "test_browser.py", "test_notebooks.py")  # the slow files
_rows: list[dict] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """With `--dist loadgroup`: a file's tests stay together, except that notebooks are shared out; slow files first."""
    for item in items:
        alone = item.path.name == "test_notebooks.py" and hasattr(item, "callspec")
        group = f"{item.path.name}-{item.callspec.id}" if alone else item.path.name
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


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
    terminalreporter.line(f"{'notebook':<{width}}  code cells  checks  seconds  end MB  peak MB")
    for row in sorted(_rows, key=lambda row: row["name"]):
        memory, peak = (f"{row[key]:.0f}" if key in row else "" for key in ("memory", "peak"))
        figures = (
            f"{row['cells']:>10}  {row['checks']:>6}  {row['seconds']:>7.1f}  {memory:>6}  {peak:>7}".rstrip()
        )
        terminalreporter.line(f"{row['name']:<{width}}  {figures}")
