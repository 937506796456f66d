"""The text beside the picture, as HTML that follows the theme and is read aloud when it changes."""

import html

__all__ = ["readout_html", "task_html"]

FONT = (
    "color:var(--jp-ui-font-color1, inherit);font-family:var(--jp-ui-font-family, system-ui, sans-serif);"
    "font-size:13px;line-height:1.55;font-variant-numeric:tabular-nums;"
)
GRID = "display:grid;grid-template-columns:max-content minmax(0, 1fr);column-gap:14px;margin:6px 0;white-space:normal;"
DIM = "color:var(--jp-ui-font-color2, inherit)"
WHOLE, BOLD, UNSEEN = "grid-column:1 / -1", "font-weight:600;margin-top:4px", "visibility:hidden"


def readout_html(text: str, other: str = "") -> str:
    """Lay out "name: value" lines in two columns and other lines across both; the text is escaped.

    `other` is what may once stand in place of the last line ("Task done"): its room is kept.

    Example:
        >>> "role='status'" in readout_html("mean: 3 < 4") and "3 &lt; 4" in readout_html("mean: 3 < 4")
        True
    """
    lines = text.splitlines()
    last = (
        f"<div style='{WHOLE};display:grid'>{_over(lines.pop())}{_over(other, UNSEEN)}</div>" if other else ""
    )
    cells = "".join(map(_line, lines)) + last
    return f"<div class='cvlab-readout' role='status' aria-live='polite' style='{FONT}{GRID}'>{cells}</div>"


def _over(line: str, style: str = "") -> str:
    """One of two lines that share their place."""
    return f"<div style='grid-area:1 / 1;{BOLD};{style}'>{html.escape(line)}</div>"


def _line(line: str) -> str:
    name, colon, value = line.partition(": ")
    if line[:1] in ("✓", "○", "⚠"):
        return f"<div style='{WHOLE};{BOLD}'>{html.escape(line)}</div>"
    if not colon:
        return f"<div style='{WHOLE}'>{html.escape(line)}</div>"
    return f"<div style='{DIM}'>{html.escape(name)}:</div><div>{html.escape(value)}</div>"


def task_html(task: str, done: bool | None = None) -> str:
    """Show the task with a tick once it is done; the words say it too, so colour is not needed."""
    if not task:
        return ""
    mark = "✓ Done" if done else "Task"
    wide = "display:inline-block;min-width:58px"  # the longer word: nothing moves when it appears
    return f"<div class='cvlab-task' style='{FONT}font-size:14px'><b style='{wide}'>{mark}:</b> {html.escape(task)}</div>"
