"""The house rules: imports go down only, nobody reaches into another folder's private names, no circles."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GROUND = [["_validate", "settings"], ["boxes", "draw", "store"], ["world"], ["coco"]]
TOPICS = [
    path.stem.partition("_")[2] for path in sorted((ROOT / "notebooks" / "source").glob("[0-9][0-9]*_*.py"))
]
TOP = [["checks", "widgets"], ["course"]]
FLOOR = {room: n for n, rooms in enumerate([*GROUND, *([topic] for topic in TOPICS), *TOP]) for room in rooms}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "cvlab").rglob("*.py"))
}


def imports(tree: ast.AST) -> list[tuple[str, str | None]]:
    """Return (module, name) of every import from cvlab, those inside functions and of strings in doctests too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
    return [(module, name) for module, name in found if module.split(".")[0] == "cvlab"]


def room(module: str) -> str:
    """Return the folder (or the file on the ground floor) that a module is in."""
    return (module.split(".") + [""])[1]


ARROWS = [
    (source, f"{module}.{name}" if f"{module}.{name}" in FILES else module, name)
    for source, path in FILES.items()
    for module, name in imports(ast.parse(path.read_text(encoding="utf-8")))
]


def circles(arrows) -> list[list[str]]:
    """Return the groups of modules that import one another in a ring."""
    below = {}
    for source, target, *_ in arrows:
        below.setdefault(source, set()).add(target)

    def reached(start):
        seen, ahead = set(), list(below.get(start, ()))
        while ahead:
            module = ahead.pop()
            if module not in seen:
                seen.add(module)
                ahead += below.get(module, ())
        return seen

    reach = {module: reached(module) for module in below}
    rings = {frozenset(m for m in reach if m in reach[a] and a in reach[m]) for a in reach if a in reach[a]}
    return sorted(sorted(ring) for ring in rings)


def breaches(arrows) -> list[str]:
    """Return the arrows that go up, sideways between topics, or into another folder's private names."""
    found = []
    for source, target, name in arrows:
        here, there = room(source), room(target)
        if here == there or not here or not there:
            continue
        if FLOOR[there] >= FLOOR[here]:
            found.append(f"{source} imports {target}: {there} does not lie below {here}")
        private = [
            part for part in [*target.split(".")[2:], name or ""] if part.startswith("_") and part != there
        ]
        if private:
            found.append(f"{source} imports the private {private[0]} of {there}")
    return found


def test_every_room_has_its_floor():
    strangers = {room(module) for module in FILES} - {""} - FLOOR.keys()
    assert strangers == set(), (
        "a folder of cvlab is a lesson's word (notebooks/source/NN_word.py), or stands in GROUND"
    )


def test_imports_go_down_and_keep_out_of_private_names():
    assert breaches(ARROWS) == []


def test_there_are_no_circles():
    assert circles(ARROWS) == []


@pytest.mark.parametrize(
    ("arrow", "message"),
    [
        (("cvlab.store.weights", "cvlab.world.photos", "load"), "world does not lie below store"),
        (("cvlab.convolutions.x", "cvlab.map.metrics", "ap"), "map does not lie below convolutions"),
        (("cvlab.widgets.live", "cvlab.checks", "check"), "checks does not lie below widgets"),
        (("cvlab.map.x", "cvlab.coco.read", "_kind"), "the private _kind of coco"),
        (("cvlab.course.x", "cvlab.checks._engine.run", "run"), "the private _engine of checks"),
    ],
)
def test_a_breach_is_noticed(arrow, message):
    assert message in breaches([arrow])[0]


def test_a_circle_is_noticed():
    ring = [("a", "b", None), ("b", "c", None), ("c", "a", None), ("c", "d", None)]
    assert circles(ring) == [["a", "b", "c"]]


def test_no_two_files_of_tests_have_one_name():
    """The folders are no packages, so pytest imports each file by its bare name, and refuses the second."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
