"""The text beside the picture, as HTML that follows the theme and is read aloud when it changes."""

import html

__all__ = ["readout_html", "task_html"]

FONT = (
    "color:var(--jp-ui-font-color1, inherit);font-family:var(--jp-ui-font-family, system-ui, sans-serif);"
    "font-size:13px;line-height:1.55;font-variant-numeric:tabular-nums;"
)
GRID = "display:grid;grid-template-columns:max-content minmax(0, 1fr);column-gap:14px;margin:6px 0;white-space:normal;"
DIM = "color:var(--jp-ui-font-color2, inherit)"
UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap"
WHOLE = "grid-column:1 / -1"


def readout_html(text: str, alt: str = "") -> str:
    """Lay out "name: value" lines in two columns and other lines across both; the text is escaped.

    `alt` says what the picture beside it shows: unseen, but read by a screen reader, and not again each move.

    Example:
        >>> "role='status'" in readout_html("mean: 3 < 4") and "3 &lt; 4" in readout_html("mean: 3 < 4")
        True
    """
    cells = "".join(_line(line) for line in text.splitlines())
    picture = f"<div style='{UNSEEN}'>Picture: {html.escape(alt)}.</div>" if alt else ""
    return f"{picture}<div class='cvlab-readout' role='status' aria-live='polite' style='{FONT}{GRID}'>{cells}</div>"


def _line(line: str) -> str:
    name, colon, value = line.partition(": ")
    if line[:1] in ("✓", "○", "⚠"):
        return f"<div style='{WHOLE};font-weight:600;margin-top:4px'>{html.escape(line)}</div>"
    if not colon:
        return f"<div style='{WHOLE}'>{html.escape(line)}</div>"
    return f"<div style='{DIM}'>{html.escape(name)}:</div><div>{html.escape(value)}</div>"


def task_html(task: str, done: bool | None = None) -> str:
    """Show the task with a tick once it is done; the words say it too, so colour is not needed."""
    if not task:
        return ""
    mark = "✓ Done" if done else "Task"
    return f"<div class='cvlab-task' style='{FONT}font-size:14px'><b>{mark}:</b> {html.escape(task)}</div>"
