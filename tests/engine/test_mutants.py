"""Every check refuses every mutant of its reference, but for those that are listed as equivalent."""

import textwrap

import numpy as np
import pytest
from support.changed import last_changed

from cvlab.checks import Case, Exercise, exercises
from cvlab.checks._engine import mutate, registry
from cvlab.checks._engine.grade import grade
from cvlab.checks._engine.mutants import EndlessError, mutants

FOLDERS = {lesson: f"cvlab/checks/{folder}" for lesson, (folder, _) in registry.LESSONS.items()}
RECENT = last_changed(list(FOLDERS.values()), 2)
SURVEYED = [
    pytest.param(e, id=e.name, marks=() if FOLDERS[e.lesson] in RECENT else pytest.mark.exhaustive)
    for e in exercises()
]  # the exercises of the two lessons whose checks changed last


@pytest.mark.parametrize("exercise", SURVEYED)
def test_no_mutant_survives(exercise):
    result = mutate.survey(exercise)
    assert result.survivors == ()
    assert result.stale == ()
    assert result.refused > 0
    assert all(len(reason) > 10 for reason in exercise.equivalent.values())


def largest(values, start=0):
    """Say which number is the largest."""
    best = start
    for value in values[1:]:
        if value > best and value != 7:
            best = value
    return float(best)


def test_mutants_are_made_one_slip_at_a_time():
    found = {mutant.text for mutant in mutants(largest)}
    expected = """\
        without best = start
        best = values
        for value in list(values[1:])[1:]:
        for value in values[2:]:
        for value in values[0:]:
        for value in values[:]:
        for value in values:
        for value in start[1:]:
        if value >= best and value != 7:
        if value < best and value != 7:
        if value > best or value != 7:
        if value > best:
        if value != 7:
        if value > best and value != 8:
        if value > best and value == 7:
        if not (value > best and value != 7):
        without if value > best and value != 7:
        without best = value
        return best
        return int(best)"""
    assert set(textwrap.dedent(expected).splitlines()) <= found


def test_a_mutant_runs_with_its_one_slip():
    made = {mutant.text: mutant.function for mutant in mutants(largest)}
    assert largest([9, 3, 5]) == 5.0
    assert made["for value in values[0:]:"]([9, 3, 5]) == 9.0
    assert made["if value < best and value != 7:"]([9, -3, -5]) == -5.0


def count_down(n):
    """Count."""
    while n > 0:
        n -= 1
    return n


def test_a_mutant_without_end_is_stopped():
    made = {mutant.text: mutant.function for mutant in mutants(count_down)}
    with pytest.raises(EndlessError):
        made["without n -= 1"](3)


def exercise_with(cases, equivalent=()):
    return Exercise(
        name="largest",
        lesson="00",
        minutes=1,
        difficulty="easy",
        reference=largest,
        other=max,
        cases=cases,
        mistakes=[],
        hints=[],
        equivalent=dict(equivalent),
    )


def test_a_hole_is_found_and_a_stale_entry_too():
    result = mutate.survey(exercise_with(lambda: [Case([1, 2, 3])], {"x = 1": "no such line"}))
    assert "if value > best:" in result.survivors
    assert "for value in list(values[1:])[:-1]:" not in result.survivors
    assert result.stale == ("x = 1",)
    assert result.refused + len(result.survivors) == result.made
    text = repr(mutate.Surveys((result,)))
    assert text.splitlines()[1].split() == [
        "00",
        "largest",
        *(str(n) for n in (result.made, result.refused, 0, len(result.survivors))),
    ]
    assert "SURVIVES 00 largest: if value > best:" in text


def test_an_equivalent_mutant_is_counted_as_such():
    same = {"if value >= best and value != 7:": "an equal number is the same number"}
    result = mutate.survey(exercise_with(lambda: [Case([1, 2, 3])], same))
    assert result.equivalent == tuple(same)
    assert result.stale == ()


def test_passes_judges_as_the_check_does():
    for exercise in exercises("00"):
        answers = [exercise.reference, exercise.other, *(m.function for m in exercise.mistakes)]
        for answer in answers:
            assert mutate.passes(exercise, answer) == bool(grade(exercise, answer))


def test_a_mutant_leaves_the_random_state_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    mutate.survey(exercises("00")[0])
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
