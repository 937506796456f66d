"""The `cvlab` command: `cvlab lab`, `build`, `new`, `checks`, `progress`, `doctor`, `publish`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

__all__ = ["main", "parser"]

COMMANDS = {
    "lab": "open JupyterLab on the first lesson (--no-browser: only print the address)",
    "build": "make the notebooks from notebooks/source (--check: only compare)",
    "new": "write the skeleton of a lesson (NN WORD)",
    "checks": "show which wrong answers and which mutants of the right one each exercise catches",
    "progress": "show what you have solved (--export FILE: write it as JSON; --class FOLDER: a class's files)",
    "doctor": "look for what is wrong with this environment and name the fix",
    "publish": "write down where the course lives, for Colab (--repo OWNER/NAME)",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the top level; each command parses the rest itself."""
    result = argparse.ArgumentParser(prog="cvlab", description="An interactive computer-vision course.")
    commands = result.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what a command needs is imported only now.

    Args:
        argv: the words after `cvlab`; None takes them from the command line.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command = parser().parse_known_args(words[:1])[0].command
    run = {"checks": _checks, "progress": _progress}.get(command)
    run = run or import_module(f"cvlab.course.{command}").main
    try:
        return int(run(words[1:]) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0


def _checks(argv: Sequence[str]) -> int:
    arguments = argparse.ArgumentParser(prog="cvlab checks", description=COMMANDS["checks"])
    arguments.add_argument("lesson", nargs="?", metavar="NN", help="one lesson, such as 01; all without it")
    lesson = arguments.parse_args(argv).lesson
    return _show("checks", lambda checks: f"{checks.table(lesson)}\n\n{checks.mutation(lesson)}")


def _progress(argv: Sequence[str]) -> int:
    arguments = argparse.ArgumentParser(prog="cvlab progress", description=COMMANDS["progress"])
    arguments.add_argument("--export", metavar="FILE", help="write your progress to FILE as JSON too")
    arguments.add_argument(
        "--class", dest="folder", metavar="FOLDER", help="for teachers: read the exported files in FOLDER"
    )
    arguments.add_argument(
        "--csv", metavar="OUT", help="with --class: write a line for each learner and exercise"
    )
    given = arguments.parse_args(argv)
    if given.csv and not given.folder:
        arguments.error("--csv goes with --class FOLDER")
    if given.folder and given.export:
        arguments.error("--export is a learner's, --class a teacher's: give one of them")
    if given.folder:
        return _show("progress", lambda checks: checks.classroom(given.folder, table=given.csv))
    return _show("progress", lambda checks: checks.progress(export=given.export))


def _show(name: str, ask: Callable) -> int:
    """Print what `cvlab.checks` answers; an unknown lesson or a file that cannot be written is told in one line."""
    try:
        text = str(ask(import_module("cvlab.checks")))
    except (ValueError, OSError) as error:
        print(f"cvlab {name}: {error}", file=sys.stderr)
        return 1
    print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
