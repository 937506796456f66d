"""The light markup of messages, hints and notes: code between backticks, whole lines of code indented by four spaces."""

import html
import re

__all__ = ["CODE", "code_block", "safe", "to_html"]

CODE = re.compile(r"`([^`\n]+)`")
_INDENT = "    "
_FONT = "font-family: monospace; font-size: 0.92em"
_GROUND = "background-color: rgba(128, 128, 128, 0.17); border-radius: 3px"
_BLOCK = f"{_FONT}; {_GROUND}; margin: 4px 0; padding: 6px 10px; white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; color: inherit"


def to_html(text: str) -> str:
    """Return a text as HTML: each run of indented lines as one block, code between backticks in code type.

    Example:
        >>> to_html("Reverse `image` & return:\\n    return image[::-1]").count("code")
        4
    """
    parts: list[tuple[bool, list[str]]] = []
    for line in text.split("\n"):
        is_code = line.startswith(_INDENT)
        if not parts or parts[-1][0] != is_code:
            parts.append((is_code, []))
        parts[-1][1].append(line.removeprefix(_INDENT))
    return "".join(code_block("\n".join(lines)) if is_code else _prose(lines) for is_code, lines in parts)


def safe(text: str) -> str:
    """Return a text in which nothing is HTML."""
    return html.escape(text, quote=True)


def code_block(code: str) -> str:
    """Return lines of code as HTML."""
    style = "background-color: transparent; padding: 0; font: inherit; color: inherit"
    return f'<pre style="{_BLOCK}"><code style="{style}">{safe(code)}</code></pre>'


def _prose(lines: list[str]) -> str:
    text = CODE.sub(
        lambda found: f'<code style="{_FONT}; {_GROUND}; padding: 1px 4px; color: inherit">{found[1]}</code>',
        safe("\n".join(lines)),
    )
    return f'<div style="white-space: pre-wrap">{text}</div>'
