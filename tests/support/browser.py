"""One JupyterLab and one browser for all browser tests; without a browser they are skipped, or fail on CI."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import chromium, lab

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


__all__ = ["opened"]


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    """The function that opens a notebook by name, once: a copy of a lesson, or one made of `cells`; `run` runs it."""
    path = chromium.find_or_install()
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"NOT TESTED: widgets in the browser: no browser found; {chromium.HOW}")
    from playwright.sync_api import sync_playwright

    root, notebooks = tmp_path_factory.mktemp("class"), {}
    for lesson in LESSONS:
        shutil.copy(lesson, root)
    with lab.serve(root, tmp_path_factory.mktemp("lab")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)

        def open_notebook(name: str, cells: list[str] | None = None, run: bool = True) -> lab.Notebook:
            if name not in notebooks:
                if cells:
                    made = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=KERNEL)
                    nbformat.write(made, root / name)
                notebooks[name] = lab.Notebook(browser, address, name)
                if run:
                    notebooks[name].run()
            return notebooks[name]

        yield open_notebook
        browser.close()
