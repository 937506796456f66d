"""What all tests share: how they are spread over workers, and the table of notebooks at the end."""

import gc

import hypothesis
import pytest
from support.browser import cards, gallery, looks, opened
from xdist.scheduler.loadscope import LoadScopeScheduling

# A second conftest.py, in tests/browser, would be taken for this one by doctest.
__all__ = ["cards", "gallery", "looks", "opened"]
hypothesis.settings.register_profile("cvlab", deadline=None)  # a busy machine is no bug
hypothesis.settings.load_profile("cvlab")

# With thousands of modules and tests alive, looking for garbage at Python's usual pace takes a fifth of the time.
gc.set_threshold(50_000, 50, 100)

collect_ignore = ["network_guard", "support/nbval_course.py"]  # for children only
FIRST = ("notebooks", "browser", "cnn_training", "course", "engine")  # the slow folders
SHARED_OUT = ("test_colab.py", "test_notebooks.py", "test_sittings.py")
_rows: list[dict] = []
_workers: dict[str, set[str]] = {}


def group(nodeid: str) -> str:
    """Return what must stay on one worker with this test: its file, its notebook in a file of notebooks, the browser.

    Example:
        >>> group("tests/map/test_metrics.py::test_iou[touching]")
        'tests/map/test_metrics.py'
        >>> group("tests/notebooks/test_colab.py::test_runs[07_map]")
        'tests/notebooks/test_colab.py [07_map]'
    """
    path, _, test = nodeid.partition("::")
    if path.startswith("tests/browser/"):
        return "browser"  # one JupyterLab for all
    if path.endswith(SHARED_OUT) and "[" in test:
        return f"{path} {test[test.index('[') :]}"
    return path


class Groups(LoadScopeScheduling):
    """Spread groups of tests over the workers, each whole on one of them."""

    def _split_scope(self, nodeid):
        return group(nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadscope` our groups are the scopes."""
    return Groups(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(items):
    """Slow folders first: the order holds with `--no-loadscope-reorder`, else groups of the most tests come first."""
    order = {folder: place for place, folder in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(FIRST)))


def pytest_runtest_logreport(report):
    """Collect what notebook tests measured (properties travel from the workers with their reports) and who ran what."""
    _workers.setdefault(group(report.nodeid), set()).add(getattr(report, "worker_id", "master"))
    if report.when == "call":
        _rows.extend(value for key, value in report.user_properties if key == "notebook")


def pytest_sessionfinish(session):
    """Groups that do not hold only cost time, so nobody would notice: pytest 9.2 did away with those of xdist 3.8."""
    split = [name for name, workers in _workers.items() if len(workers) > 1]
    if split and session.config.getoption("dist") == "loadscope":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(
            f"\nThese groups of tests were split between workers, see tests/conftest.py: {', '.join(split)}"
        )


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
