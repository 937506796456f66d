"""A notebook made into a page by plain nbconvert: every figure has its words."""

import re
import subprocess
import sys

import nbformat
import nbformat.v4 as v4
import pytest

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def output(kind: str, **about):
    return v4.new_output("display_data", data={kind: PNG, "text/plain": "<Figure>"}, metadata={kind: about})


@pytest.mark.slow
def test_plain_nbconvert_keeps_the_words_of_figures(tmp_path):
    shown = [
        output("image/png", alt='It "grows" & falls', width=450, height=300),
        output("image/jpeg", alt="A cat"),
        output("image/png"),
    ]
    path = tmp_path / "trial.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(outputs=shown)]), path)
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    images = re.findall(r"<img[^>]*>", path.with_suffix(".html").read_text())
    words = [re.search(r"""alt=(["'])(.*?)\1""", image)[2] for image in images]
    assert words[:2] == ['It "grows" &amp; falls', "A cat"]
    assert words[2].startswith("No description")
    assert 'width="450"' in images[0]
