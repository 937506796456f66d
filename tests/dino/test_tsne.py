"""t-SNE by hand: it goes as far down as scikit-learn's."""

import pytest
import sklearn.manifold
import torch

from cvlab.dino.tsne import tsne


def blobs(n=150, k=5):
    dice = torch.Generator().manual_seed(0)
    centers = 3 * torch.randn(k, 10, generator=dice)
    return centers[torch.arange(n) % k] + torch.randn(n, 10, generator=dice)


def divergence(x, place, perplexity) -> float:
    """Kullback-Leibler divergence of the plane's neighbourhoods from those of x, as scikit-learn has them."""
    from scipy.spatial.distance import squareform
    from sklearn.manifold import _t_sne

    apart = torch.cdist(x, x).square().numpy()
    p = torch.from_numpy(squareform(_t_sne._joint_probabilities(apart, perplexity, 0)))
    near = 1 / (1 + torch.cdist(place, place).square().double())
    q = near.fill_diagonal_(0) / near.sum()
    return float((torch.xlogy(p, p) - torch.xlogy(p, q.clamp(min=1e-12))).sum())


@pytest.mark.parametrize("perplexity", [10, 30])
def test_as_low_as_scikit_learn(perplexity):
    x = blobs()
    ours = divergence(x, tsne(x, perplexity), perplexity)
    their = sklearn.manifold.TSNE(2, perplexity=perplexity, init="random", random_state=0, method="exact")
    theirs = divergence(x, torch.from_numpy(their.fit_transform(x.numpy())), perplexity)
    assert ours == pytest.approx(theirs, rel=0.1)


def test_neighbours_stay_neighbours():
    x = blobs()
    near = torch.cdist(*2 * [tsne(x, 20)]).fill_diagonal_(torch.inf).argmin(1)
    assert (near % 5 == torch.arange(150) % 5).float().mean() > 0.9


def test_the_seed_decides():
    x = blobs(40)
    assert torch.equal(tsne(x, 5, steps=20), tsne(x, 5, steps=20))
    assert not torch.equal(tsne(x, 5, steps=20), tsne(x, 5, steps=20, seed=1))


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="perplexity must be above 1 and below half the rows, 10; got 30"):
        tsne(torch.zeros(20, 3))
    with pytest.raises(ValueError, match=r"x must be .N, D. float"):
        tsne(torch.zeros(20, 3, dtype=torch.int64))
