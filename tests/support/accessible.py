"""What axe finds in the outputs of a notebook that is open in JupyterLab: ours, not JupyterLab's own page."""

import json

from axe_playwright_python.base import AXE_SCRIPT

# JupyterLab's <body> has no height and hides what leaves it: axe would take all text for unseen.
RUN = """async ([inside, rules]) => {
  document.body.style.height = "100vh";
  const found = await axe.run({ include: [[inside]] }, { resultTypes: ["violations"], rules });
  document.body.style.height = "";
  return found.violations.flatMap(({ id, help, nodes }) => nodes.map((node) => ({
    id, help, html: node.html.slice(0, 300), why: node.failureSummary.replace(/\\s+/g, " "),
  })));
}"""
# A part of a page is looked at: what asks for a whole page, or for headings in order through it, is not ours to keep.
OFF = ("region", "page-has-heading-one", "heading-order", "landmark-one-main")


def findings(page, inside: str = ".jp-OutputArea-output") -> list[str]:
    """Return what axe has against the parts of a page that `inside` selects, one sentence each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN, [inside, {rule: {"enabled": False} for rule in OFF}])
    return [f"{one['id']}: {one['help']}: {json.dumps(one['html'])}: {one['why']}" for one in found]
