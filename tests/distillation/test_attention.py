"""`attention` is torch's own, whatever the shapes, types and sizes of the scores, and it knows no order."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from cvlab.distillation.attention import attention

BATCHES = [(), (1,), (3,), (2, 4), (2, 1, 3)]
SIDES = [(1, 1), (1, 5), (5, 1), (4, 4), (3, 7), (17, 17)]  # tokens that ask, tokens that answer
NUMBERS = [(1, 1), (4, 4), (8, 3), (33, 64)]  # of a query, of a value
SCALES = [0, 1e-3, 1, 30, 1e4]  # the last overflows a plain exp in either type


def drawn(batch, sides, numbers, dtype, scale, seed=0):
    rng = torch.Generator().manual_seed(seed)
    (t, s), (d, e) = sides, numbers
    q, k, v = (torch.randn(*batch, *tail, generator=rng, dtype=dtype) for tail in ((t, d), (s, d), (s, e)))
    return scale * q, k, v


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", BATCHES)
def test_equal_to_torchs(batch, dtype):
    """2 types x 5 batches x 6 pairs of sides x 4 of numbers x 5 scales x 2 seeds = 2,400 cases."""
    near = 2e-4 if dtype is torch.float32 else 1e-9
    for sides, numbers, scale, seed in itertools.product(SIDES, NUMBERS, SCALES, range(2)):
        q, k, v = drawn(batch, sides, numbers, dtype, scale, seed)
        mixed, weights = attention(q, k, v)
        assert (mixed.dtype, mixed.shape) == (dtype, (*batch, sides[0], numbers[1]))
        assert weights.shape == (*batch, *sides)
        assert torch.isfinite(mixed).all()
        assert weights.min() >= 0
        assert torch.allclose(weights.sum(-1), torch.ones(1, dtype=dtype))
        if scale < 1e4 or dtype is torch.float64:  # there float32's own rounding of a score is above 0.1
            theirs = F.scaled_dot_product_attention(q, k, v)
            assert torch.allclose(mixed, theirs, atol=near, rtol=near)


@pytest.mark.parametrize("seed", range(5))
def test_slopes_are_torchs(seed):
    slopes = []
    for function in (lambda *x: attention(*x)[0], F.scaled_dot_product_attention):
        leaves = [x.requires_grad_() for x in drawn((2, 3), (5, 4), (6, 3), torch.float64, 1, seed)]
        function(*leaves).square().sum().backward()
        slopes.append([x.grad for x in leaves])
    for ours, theirs in zip(*slopes, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-10)


def test_heads_are_those_of_multihead_attention():
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(24, 4, batch_first=True).double()
    x = torch.randn(2, 7, 24, dtype=torch.float64)
    q, k, v = (
        part.unflatten(2, (4, 6)).transpose(1, 2)
        for part in F.linear(x, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=2)
    )
    mixed, weights = attention(q, k, v)
    ours = layer.out_proj(mixed.transpose(1, 2).flatten(2))
    theirs, their_weights = layer(x, x, x, average_attn_weights=False)
    assert torch.allclose(ours, theirs, atol=1e-12)
    assert torch.allclose(weights, their_weights, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_who_answers_may_stand_in_any_order(seed):
    q, k, v = drawn((2,), (3, 9), (4, 5), torch.float64, 3, seed)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    mixed, weights = attention(q, k, v)
    shuffled, moved = attention(q, k[:, order], v[:, order])
    assert torch.allclose(mixed, shuffled, atol=1e-12)
    assert torch.allclose(weights[..., order], moved, atol=1e-12)


def test_a_number_added_to_all_scores_changes_nothing():
    q, k, v = drawn((), (3, 5), (4, 2), torch.float64, 1)
    assert torch.allclose(attention(q, k, v)[1], attention(q, k + 100, v)[1], atol=1e-9)


def test_scores_of_equal_spread_whatever_the_numbers_a_token():
    for d in (4, 64, 1024):
        q, k, v = drawn((), (400, 16), (d, 1), torch.float32, 1)
        assert (q @ k.T / math.sqrt(d)).std() == pytest.approx(1, abs=0.1)
        weights = attention(q, k, v)[1]
        entropy = -(weights * weights.log()).sum(-1).mean() / math.log(16)
        assert entropy == pytest.approx(0.86, abs=0.05)


def test_no_token_that_asks_gets_no_answer():
    mixed, weights = attention(torch.zeros(0, 2), torch.zeros(3, 2), torch.zeros(3, 5))
    assert mixed.shape == (0, 5)
    assert weights.shape == (0, 3)


GOOD = {"q": torch.zeros(2, 4), "k": torch.zeros(3, 4), "v": torch.zeros(3, 5)}


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"q": [[0.0]]}, TypeError, "q must be a torch tensor; got list"),
        ({"k": GOOD["k"].long()}, TypeError, r"k must be floats; got torch.int64. k.float\(\)\?"),
        ({"v": GOOD["v"].double()}, TypeError, "of one type; got torch.float32, torch.float32 and torch.float64"),
        ({"q": torch.zeros(4)}, ValueError, r"q must have shape .*; got \(4,\). One token\? q\[None\]"),
        ({"k": torch.zeros(3, 6)}, ValueError, r"as many numbers.*q \(2, 4\), k \(3, 6\), v \(3, 5\)"),
        ({"v": torch.zeros(2, 5)}, ValueError, r"each key must have its value.*k \(3, 4\), v \(2, 5\)"),
        ({"k": torch.zeros(0, 4), "v": torch.zeros(0, 5)}, ValueError, "a token that answers"),
        ({"q": torch.zeros(2, 0), "k": torch.zeros(3, 0)}, ValueError, "a number to compare"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        attention(**GOOD | given)
