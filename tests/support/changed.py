"""Print which tests `make quick` runs: those of the files that changed since `main`, and one lesson."""

import math
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = ("tests/test_house.py", "tests/notebooks/test_sync.py")
NEVER = ("tests/browser", "tests/notebooks/test_colab.py", "tests/notebooks/test_notebooks.py")  # minutes
ELSEWHERE = {"checks": "tests/engine/test_exercises.py", "widgets": "tests/engine/test_widgets.py"}
RUN = "tests/notebooks/test_notebooks.py::test_runs_offline_with_the_committed_outputs"


def changed() -> list[str]:
    """Return the files that differ from where this branch left `main`; on `main` itself, from the last commit."""
    base = git("merge-base", "HEAD", "main") or ["HEAD"]
    return git("diff", "--name-only", base[0]) + git("ls-files", "--others", "--exclude-standard")


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def last_changed(paths: list[str], count: int) -> list[str]:
    """Return the `count` files or folders that changed last: by their last commit, not committed ones as the newest.

    Equal times, and no git at all, leave it to the names: the last of them.
    """
    pending = {line[3:] for line in git("status", "--porcelain", "--untracked-files=all")}

    def when(path: str) -> float:
        if any(f"{file}/".startswith(f"{path}/") for file in pending):
            return math.inf
        return int((git("log", "-1", "--format=%ct", "--", path) or ["0"])[0])

    return sorted(paths, key=lambda path: (when(path), path))[-count:]


def places(path: str) -> list[str]:
    """Return where the tests of one file are, as pytest takes them.

    Example:
        >>> places("cvlab/coco/rle.py")
        ['cvlab/coco/rle.py', 'tests/coco']
    """
    parts = Path(path).parts
    if path.endswith(".py") and parts[0] == "cvlab":
        folder = f"tests/{parts[1]}" if len(parts) > 2 else f"tests/test_{parts[1]}"
        return [path, ELSEWHERE.get(parts[1], folder), *(["tests/engine"] if "_engine" in parts else [])]
    if parts[0] == "tests" and parts[-1].startswith("test_"):
        return [path]
    if parts[0] == "notebooks":
        return ["tests/notebooks/test_page.py", "tests/notebooks/test_sittings.py"]
    return ["tests/course/test_environment.py"] if path in ("Makefile", "pyproject.toml") else []


def chosen(paths: list[str]) -> list[str]:
    """Return what to run after these files have changed; the first lesson that changed, or the shortest one."""
    found = [*ALWAYS, *(place for path in paths for place in places(path))]
    lessons = [
        match[1]
        for path in paths
        if (match := re.search(r"notebooks/.*?(\d\d[a-z]?_\w+)\.(py|ipynb)$", path))
    ]
    kept = [place for place in dict.fromkeys(found) if not place.startswith(NEVER)]
    return [*kept, f"{RUN}[{min(lessons, default='00_start_here')}-solution]"]


if __name__ == "__main__":
    print(*(place for place in chosen(changed()) if (ROOT / place.split("::")[0]).exists()))
