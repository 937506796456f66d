"""Neighbours: scikit-learn's answers where no vote is tied, the rule for ties, and bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from cvlab.transfer_learning import neighbours

EYE, TWO = torch.eye(4), torch.tensor([0, 0, 1, 1])


@given(st.integers(0, 10_000), st.integers(1, 7))
@settings(deadline=None, max_examples=30)
def test_equal_to_scikit_learn_but_for_ties(seed, k):
    dice = torch.Generator().manual_seed(seed)
    stored, queries = torch.randn(30, 6, generator=dice), torch.randn(12, 6, generator=dice)
    labels = torch.randint(0, 4, (30,), generator=dice)
    ours = neighbours.knn_predict(stored, labels, queries, k).numpy()
    library = KNeighborsClassifier(k, metric="cosine").fit(stored, labels)
    counts = np.sort(library.predict_proba(queries), axis=1)
    clear = counts[:, -1] > counts[:, -2] + 1e-9
    assert np.array_equal(ours[clear], library.predict(queries)[clear])


def test_a_tie_goes_to_the_nearest_of_the_tied():
    angles = torch.tensor([5.0, 10, 15, 20, 25]).deg2rad()
    stored = torch.stack([angles.cos(), angles.sin()], 1)
    labels = torch.tensor([3, 7, 7, 2, 2])
    assert neighbours.knn_predict(stored, labels, torch.tensor([[1.0, 0]]), 5).tolist() == [7]


def test_length_plays_no_part():
    stored, queries = torch.rand(9, 4), torch.rand(5, 4)
    labels = torch.arange(9) % 3
    once = neighbours.knn_predict(stored, labels, queries, 3)
    assert torch.equal(
        once, neighbours.knn_predict(stored * torch.arange(1, 10)[:, None], labels, queries * 7, 3)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 5}, "k must be at most 4, the number of stored pictures; got 5"),
        ({"k": 0}, "k must be at least 1; got 0"),
        ({"features": EYE * float("nan")}, "features must be finite; row 0 holds NaN or infinity"),
        ({"queries": EYE[0]}, r"queries must have shape \(N, D\); got \(4,\). One picture\? queries\[None\]"),
        ({"queries": torch.eye(3)}, "queries must have 4 numbers a picture, as features do; got 3"),
        ({"labels": TWO[:3]}, r"labels must be \(4,\), one for each picture; got \(3,\)"),
        ({"features": EYE[:0], "labels": TWO[:0], "k": 1}, "k must be at most 0"),
    ],
)
def test_bad_values_are_named(change, message):
    right = {"features": EYE, "labels": TWO, "queries": EYE, "k": 1}
    with pytest.raises(ValueError, match=message):
        neighbours.knn_predict(**right | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": EYE.numpy()}, "features must be a tensor; got ndarray: torch.from_numpy"),
        ({"labels": TWO.float()}, "labels must be a tensor of whole numbers"),
        ({"k": 1.5}, "k must be a whole number"),
    ],
)
def test_bad_kinds_are_named(change, message):
    right = {"features": EYE, "labels": TWO, "queries": EYE, "k": 1}
    with pytest.raises(TypeError, match=message):
        neighbours.knn_predict(**right | change)


def test_few_draws_that_many_of_each_class():
    labels = torch.arange(30) % 3
    rows = neighbours.few(labels, 4, seed=1)
    assert len(set(rows.tolist())) == 12
    assert labels[rows].bincount().tolist() == [4, 4, 4]
    assert not torch.equal(rows, neighbours.few(labels, 4, seed=2))


def test_few_of_too_few_names_the_class():
    with pytest.raises(ValueError, match="n must be at most 1, all there is of class 7; got 2"):
        neighbours.few(torch.tensor([0, 0, 7]), 2)
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        neighbours.few(TWO, 0)


def test_a_probe_of_one_class_is_refused():
    with pytest.raises(ValueError, match=r"at least two classes; got only \[3\]"):
        neighbours.probe(EYE, torch.full((4,), 3), EYE)


def test_the_record_holds_what_the_lesson_says():
    record = neighbours.record()
    for way in ("k-NN", "probe"):
        for split in ("seen", "val", "test"):
            assert [len(record["neighbours"][way][split][n]) for n in ("32", "64", "128")] == [3, 3, 3]
    gap = {
        (size, n, scaling): np.mean(
            [
                np.subtract(levels["head"][split], levels["block 6"][split])
                for split in ("seen", "val", "test")
            ]
        )
        for size, by_shots in record["levels"].items()
        for n, by_scaling in by_shots.items()
        for scaling, levels in by_scaling.items()
    }
    assert gap["128 px", "32", "unit length"] < -0.01 < 0.01 < gap["224 px", "32", "unit length"]
    assert gap["128 px", "1", "standardised"] < -0.08 < -0.02 < gap["128 px", "1", "unit length"]
