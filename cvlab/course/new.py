"""`cvlab new`: write a lesson's skeleton, a draft that builds and passes the tests from its first moment."""

import argparse
import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from cvlab.course.compose import find_root, read_lessons
from cvlab.course.source import SourceError
from cvlab.store.files import write_whole

__all__ = ["main", "write_skeleton"]

SKELETON = Path(__file__).with_name("skeleton")
FILES = {  # where each template goes
    "source.txt": "notebooks/source/${number}_$word.py",
    "checks.txt": "cvlab/checks/$word/__init__.py",
    "exercise.txt": "cvlab/checks/$word/example.py",
    "widgets.txt": "cvlab/widgets/$word/__init__.py",
    "widget.txt": "cvlab/widgets/$word/example.py",
    "test.txt": "tests/$word/test_${word}_example.py",
}


def write_skeleton(root: Path, number: str, word: str) -> list[Path]:
    """Write a lesson's source, checks, widgets and tests, each with an example in it.

    Args:
        root: the clone.
        number: two digits, as in "04", and a letter where one lesson is two notebooks, "06a".
        word: the lesson's word, as in "transfer_learning"; it names its folders.

    Returns:
        The files.

    Raises:
        ValueError: the number or the word cannot be a lesson's, or is taken.
    """
    if not re.fullmatch(r"\d\d[a-z]?", number, re.ASCII):
        raise ValueError(f"a lesson's number must be two digits, as in 04 or 06a; got {number!r}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", word) or keyword.iskeyword(word):
        raise ValueError(f"a lesson's word must be like transfer_learning; got {word!r}")
    for lesson in read_lessons(root):
        if lesson.number == number:
            raise ValueError(f"lesson {number} must be new; got that of {lesson.path}")
    taken = [
        place for place in ("cvlab", "cvlab/checks", "cvlab/widgets", "tests") if _there(root / place / word)
    ]
    if taken:
        raise ValueError(f"the word {word!r} must be new; got one that {taken[0]} has already")
    title = word.replace("_", " ").capitalize()
    camel = "".join(part.capitalize() for part in word.split("_"))
    names = {"number": number, "word": word, "title": title, "camel": camel}
    written = []
    for template, place in FILES.items():
        path = root / Template(place).substitute(names)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template((SKELETON / template).read_text(encoding="utf-8")).substitute(names)
        written.append(write_whole(path, text.encode()))
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Write the skeleton and say what comes next; the exit code is 1 after a clear message."""
    parser = argparse.ArgumentParser(prog="cvlab new", description=__doc__)
    parser.add_argument("number", metavar="NN", help="the lesson's number, as in 04")
    parser.add_argument("word", metavar="WORD", help="what names its folders, as in transfer_learning")
    options = parser.parse_args(argv)
    try:
        root = find_root()
        written = write_skeleton(root, options.number, options.word)
    except (ValueError, OSError, SourceError) as error:
        print(f"cvlab new: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(path.relative_to(root)) for path in written))
    print(
        f"\nNow: cvlab build {options.number}. It is a draft: while its source says so, learners are not shown it and\n"
        "it may have fewer exercises and widgets than a lesson needs. CONTRIBUTING.md has the rules."
    )
    return 0


def _there(path: Path) -> bool:
    return path.exists() or path.with_suffix(".py").exists()
