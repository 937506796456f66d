"""The pieces of average precision: laws they obey, other code that agrees, what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from cvlab.map import metrics as m

SCORED = st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=20, unique_by=lambda p: p[0])
TABLE = np.array([0.6, 0.98, 0.4, 0.3, 0.1, 0.96, 0.7, 0.3, 0.2, 0.8])  # the lesson's ten detections
SCORES = np.linspace(0.95, 0.05, 10)


def arrays(scored):
    return np.array([s for s, _ in scored], float), np.array([c for _, c in scored], bool)


@given(SCORED, st.integers(0, 5))
def test_curve_obeys_its_laws(scored, missed):
    scores, correct = arrays(scored)
    truths = int(correct.sum()) + missed
    precision, recall = m.pr_curve(scores, correct, truths)
    assert (np.diff(recall) >= 0).all()
    assert ((precision >= 0) & (precision <= 1)).all()
    if len(scores) and truths:
        assert recall[-1] == correct.sum() / truths
    for convention in m.CONVENTIONS:
        assert 0 <= m.ap(precision, recall, convention) <= 1
    assert m.ap(precision, recall) == m.average_precision(precision, recall)
    assert abs(m.ap(precision, recall) - m.ap(precision, recall, "voc10")) < 0.02


@given(SCORED.filter(lambda s: any(c for _, c in s)))
def test_curve_is_sklearns(scored):
    scores, correct = arrays(scored)
    precision, recall = m.pr_curve(scores, correct, int(correct.sum()))
    theirs = precision_recall_curve(correct, scores)  # lowest threshold first, and a point (1, 0) at the end
    np.testing.assert_allclose(precision, theirs[0][:-1][::-1])
    np.testing.assert_allclose(recall, theirs[1][:-1][::-1])


@given(SCORED.filter(len))
def test_only_the_order_of_scores_matters(scored):
    scores, correct = arrays(scored)
    first, second = (m.pr_curve(s, correct, len(scored)) for s in (scores, scores / 7 - 3))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@given(st.integers(0, 2**32), st.sampled_from([0.3, 0.5, 0.75]))
def test_matching_is_one_to_one_and_greedy(seed, threshold):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(9) / 9
    ious = rng.random((9, rng.integers(0, 5)))  # no two equal: of equals COCO takes the later, we the first
    correct = m.match_detections(scores, ious, threshold)
    assert correct.sum() <= ious.shape[1]
    assert not correct[~(ious >= threshold).any(axis=1)].any()
    order = np.argsort(-scores)
    nothing = np.zeros(ious.shape[1], bool)
    assert np.array_equal(m.match_image(ious[order], threshold, nothing, nothing) >= 0, correct[order])


def test_the_lessons_table():
    precision, recall = m.pr_curve(SCORES, TABLE >= 0.5, 5)
    assert precision.round(2).tolist() == [1, 1, 0.67, 0.5, 0.4, 0.5, 0.57, 0.5, 0.44, 0.5]
    assert recall.round(1).tolist() == [0.2, 0.4, 0.4, 0.4, 0.4, 0.6, 0.8, 0.8, 0.8, 1]
    wanted = {"voc07": (5 * 1 + 4 * 4 / 7 + 2 * 0.5) / 11, "voc10": 0.4 + 0.4 * 4 / 7 + 0.2 * 0.5}
    wanted["coco"] = (41 * 1 + 40 * 4 / 7 + 20 * 0.5) / 101
    for convention, value in wanted.items():
        assert m.ap(precision, recall, convention) == pytest.approx(value, abs=1e-12)


def test_crowds_are_matched_again_and_truths_that_count_come_first():
    ious, crowd = np.array([[0.6, 0.9], [0.6, 0.9], [0.1, 0.9]]), np.array([False, True])
    assert m.match_image(ious, 0.5, crowd, crowd).tolist() == [0, 1, 1]
    ignored = np.array([False, True])
    assert m.match_image(ious, 0.5, np.zeros(2, bool), ignored).tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: m.precision_recall(-1, 0, 0), "tp must be at least 0; got -1"),
        (lambda: m.match_detections([0.5], [[0.5], [0.4]]), "scores and ious must have a row a detection; got 1 and 2"),
        (lambda: m.match_detections([0.5], [0.5]), r"ious must have shape \(N, M\), a row a detection, a column a truth; got \(1,\)"),
        (lambda: m.match_detections([0.5], [[0.5]], 0), "threshold must be above 0 and at most 1; got 0"),
        (lambda: m.match_detections([np.nan], [[0.5]]), "scores must be finite"),
        (lambda: m.pr_curve([0.5], [1], 1), r"correct must be bool of shape \(N,\); got int64 \(1,\)"),
        (lambda: m.pr_curve([0.5, 0.4], [True], 1), "scores and correct must have the same shape"),
        (lambda: m.pr_curve([0.5], [True], 0), "correct must hold at most n_truths = 0 True; got 1. One truth counts once"),
        (lambda: m.average_precision([50.0], [1.0]), r"precision must be in \[0, 1\]; got 50 to 50. In percent\?"),
        (lambda: m.average_precision([0.5, 0.6], [0.9, 0.1]), r"recall must never fall; .*Arguments swapped\?"),
        (lambda: m.ap([0.5], [1.0], "voc12"), "convention must be one of 'voc07', 'voc10', 'coco'; got 'voc12'. Did you mean"),
        (lambda: m.match_image(np.zeros((1, 2)), 0.5, [True], [True]), "crowd must have a flag for each of 2 truths; got 1"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
