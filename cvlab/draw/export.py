"""Figures keep their alternative text when `jupyter nbconvert` makes a page of a notebook.

nbconvert's template (7.17) leaves it out, so installing cvlab tells nbconvert of the class below: see `export.json`,
which is installed as `etc/jupyter/jupyter_nbconvert_config.json`.
"""

from html import escape

from nbconvert.preprocessors import Preprocessor

__all__ = ["AltText"]


class AltText(Preprocessor):
    """Writes pictures that have a text as <img alt="...">, as large as JupyterLab shows them."""

    def __init__(self, **options):
        super().__init__(enabled=True, **options)

    def preprocess_cell(self, cell, resources, index):
        """Change a cell's outputs in place, and return it with the resources, as nbconvert wants.

        Example:
            >>> from nbformat.v4 import new_code_cell, new_output
            >>> about = {"image/png": {"alt": "It grows", "width": 900}}
            >>> output = new_output("display_data", data={"image/png": "iVBO"}, metadata=about)
            >>> cell, _ = AltText().preprocess_cell(new_code_cell(outputs=[output]), {}, 0)
            >>> cell.outputs[0].data["text/html"]
            '<img src="data:image/png;base64,iVBO" alt="It grows" width="900">'
        """
        for output in cell.get("outputs", []):
            for kind in ("image/png", "image/jpeg"):
                about = output.get("metadata", {}).get(kind, {})
                if kind in output.get("data", {}) and about.get("alt"):
                    size = {side: about[side] for side in ("width", "height") if side in about}
                    says = {"src": f"data:{kind};base64,{output.data[kind]}", "alt": about["alt"], **size}
                    written = " ".join(f'{name}="{escape(str(value))}"' for name, value in says.items())
                    output.data = {
                        "text/html": f"<img {written}>",
                        "text/plain": output.data.get("text/plain", ""),
                    }
        return cell, resources
