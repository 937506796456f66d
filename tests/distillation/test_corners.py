"""Pictures that ask what and where: a corner is whole patches, the same seed the same pictures."""

import torch

from cvlab.distillation.corners import KINDS, make_corners, shuffle_patches
from cvlab.distillation.patches import patchify


def test_pictures_are_those_of_their_seed_and_all_answers_occur():
    x, what, where = make_corners(300, seed=3)
    again = make_corners(300, seed=3)
    assert all(torch.equal(a, b) for a, b in zip((x, what, where), again, strict=True))
    assert not torch.equal(x, make_corners(300, seed=4)[0])
    assert (what.unique().tolist(), where.unique().tolist()) == (list(range(len(KINDS))), [0, 1, 2, 3])


def test_a_drawing_is_the_same_in_each_corner():
    x, what, where = make_corners(400)
    heaps = []
    for corner in range(4):
        of = x[(what == 3) & (where == corner)].mean(0)  # noise averaged out
        row, col = divmod(corner, 2)
        heaps.append(of[:, row * 24 : row * 24 + 24, col * 24 : col * 24 + 24])
    middle = [heap[:, 8:16, 8:16] for heap in heaps]  # where the drawing covers everything
    assert all((m - middle[0]).abs().max() < 1e-6 for m in middle)


def test_shuffling_keeps_every_patch_and_moves_them():
    x = make_corners(2)[0]
    before, after = patchify(x, 8), patchify(shuffle_patches(x, seed=1), 8)
    sums = [tokens.sum(-1).sort(-1).values for tokens in (before, after)]
    torch.testing.assert_close(*sums)
    assert not torch.equal(before, after)
    order = [int((before[0] == token).all(-1).nonzero()) for token in after[0]]
    assert torch.equal(after[1], before[1, order]), "one order for all pictures"
