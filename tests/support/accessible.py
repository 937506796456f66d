"""What axe finds in the outputs of a notebook that is open in JupyterLab: ours, not JupyterLab's own page."""

import json

from axe_playwright_python.base import AXE_SCRIPT

# JupyterLab's <body> has no height and hides what leaves it: axe would take all text for unseen.
RUN = """async ([inside, notOurs, rules]) => {
  document.body.style.height = "100vh";
  const found = await axe.run({ include: [[inside]], exclude: [[notOurs]] }, { resultTypes: ["violations"], rules });
  document.body.style.height = "";
  return found.violations.flatMap(({ id, help, nodes }) => nodes.map((node) => ({
    id, help, html: node.html.slice(0, 300), why: node.failureSummary.replace(/\\s+/g, " "),
  })));
}"""
THEMES = ("JupyterLab Dark", "JupyterLab Light")
# JupyterLab gives a figure's <img> no alt text, whatever the output says; HTML made by nbconvert has it.
NOT_OURS = ".jp-RenderedImage img"
# A part of a page is looked at: what asks for a whole page, or for headings in order through it, is not ours to keep.
OFF = ("region", "page-has-heading-one", "heading-order", "landmark-one-main")


def findings(page, inside: str = ".jp-OutputArea-output") -> list[str]:
    """Return what axe has against the parts of a page that `inside` selects, one sentence each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN, [inside, NOT_OURS, {rule: {"enabled": False} for rule in OFF}])
    return [f"{one['id']}: {one['help']}: {json.dumps(one['html'])}: {one['why']}" for one in found]


def ours(notebook) -> list[str]:
    """Return what axe finds in the outputs in the dark and in the light theme; what comes in both is told once."""
    found = []
    for theme in THEMES:
        notebook.theme(theme)
        found += findings(notebook.page)
    return list(dict.fromkeys(found))
