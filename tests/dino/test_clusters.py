"""k-means and the scores of clusters: by hand as scikit-learn has them."""

import itertools

import pytest
import sklearn.cluster
import sklearn.metrics
import torch

from cvlab.dino import clusters


def blobs(n=200, k=5, seed=0):
    dice = torch.Generator().manual_seed(seed)
    centers = 4 * torch.randn(k, 8, generator=dice)
    return centers[torch.arange(n) % k] + torch.randn(n, 8, generator=dice)


def named(n=90, k=6, g=4, seed=0):
    dice = torch.Generator().manual_seed(seed)
    return torch.randint(k, (n,), generator=dice), torch.randint(g, (n,), generator=dice)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_k_means_is_that_of_scikit_learn(k):
    x = blobs()
    start = clusters.spread_start(x, k, seed=1)
    mine, centers = clusters.k_means(x, start)
    theirs = sklearn.cluster.KMeans(k, init=start.numpy(), n_init=1, tol=0).fit(x.numpy())
    assert (x - centers[mine]).square().sum() == pytest.approx(theirs.inertia_, rel=1e-4)
    assert sklearn.metrics.adjusted_rand_score(mine, theirs.labels_) == 1


def test_a_spread_start_is_of_different_rows_and_better_than_the_first_ones():
    x = blobs()
    start = clusters.spread_start(x, 5, seed=0)
    assert len({tuple(row.tolist()) for row in start}) == 5
    assert all((x == row).all(1).any() for row in start)

    def cost(begin):
        mine, centers = clusters.k_means(x, begin)
        return float((x - centers[mine]).square().sum())

    spread = [cost(clusters.spread_start(x, 5, seed=seed)) for seed in range(10)]
    by_lot = [cost(x[torch.randperm(200, generator=torch.Generator().manual_seed(s))[:5]]) for s in range(10)]
    assert sum(spread) < sum(by_lot)


def test_equal_rows_are_enough_to_start_from():
    assert clusters.spread_start(torch.zeros(4, 2), 3).shape == (3, 2)


def test_a_centre_that_nobody_is_near_stays():
    _, centers = clusters.k_means(torch.zeros(3, 1), torch.tensor([[0.0], [9.0]]))
    assert centers.tolist() == [[0.0], [9.0]]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(seed):
    mine, groups = named(seed=seed)
    theirs = sklearn.metrics.normalized_mutual_info_score(groups, mine)
    assert clusters.mutual_information(mine, groups) == pytest.approx(theirs, abs=1e-9)
    table = sklearn.metrics.cluster.contingency_matrix(mine, groups)
    assert clusters.contingency(mine, groups).tolist() == table.tolist()
    assert clusters.purity(mine, groups) == pytest.approx(table.max(1).sum() / len(groups))


@pytest.mark.parametrize("seed", range(5))
def test_the_matching_is_the_best_of_all(seed):
    mine, groups = named(seed=seed, k=5, g=4)
    table = clusters.contingency(mine, groups)
    every = [
        sum(table[c, g] for g, c in enumerate(chosen)).item()
        for chosen in itertools.permutations(range(5), 4)
    ]
    assert clusters.cluster_accuracy(mine, groups) == pytest.approx(max(every) / len(groups))


def test_scores_at_their_ends():
    groups = torch.tensor([0, 0, 1, 1, 2, 2])
    each, one = torch.arange(6), torch.zeros(6, dtype=torch.int64)
    other_names = torch.tensor([2, 2, 0, 0, 1, 1])
    for score in (clusters.cluster_accuracy, clusters.purity, clusters.mutual_information):
        assert score(other_names, groups) == pytest.approx(1)
    assert clusters.purity(each, groups) == 1
    assert clusters.cluster_accuracy(each, groups) == 0.5
    assert clusters.mutual_information(one, groups) == pytest.approx(0)
    assert clusters.purity(one, groups) == pytest.approx(1 / 3)
    assert clusters.mutual_information(one, one) == 1


def test_bad_input_is_told():
    groups = torch.tensor([0, 1])
    with pytest.raises(ValueError, match="clusters must be a tensor .N,. of whole numbers"):
        clusters.purity(torch.tensor([0.0, 1.0]), groups)
    with pytest.raises(
        ValueError, match="groups must be 0 and more; got -1. Leave out pictures without a group"
    ):
        clusters.cluster_accuracy(groups, torch.tensor([0, -1]))
    with pytest.raises(ValueError, match="the same pictures, one at least; got 2 and 1"):
        clusters.mutual_information(groups, torch.tensor([0]))
    with pytest.raises(ValueError, match="k must be at most 2, the number of rows; got 3"):
        clusters.spread_start(torch.zeros(2, 2), 3)
    with pytest.raises(ValueError, match="centers must have 2 numbers a row, as x does; got 3"):
        clusters.k_means(torch.zeros(2, 2), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="x must be a tensor"):
        clusters.k_means([[0.0]], torch.zeros(1, 1))
