"""What learns in each way and what does not, and that every step sees sixteen changed pictures."""

import numpy as np
import pytest
import torch

from cvlab.transfer_learning import ways

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def moved(net, before: dict) -> set[str]:
    """Return the first names of the parameters that are not what they were."""
    return {
        name.split(".")[0] for name, p in net.named_parameters() if not torch.equal(p.detach(), before[name])
    }


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("last block", {"blocks", "conv_head", "bn2", "classifier"}),
        ("all", {"conv_stem", "bn1", "blocks", "conv_head", "bn2", "classifier"}),
    ],
)
def test_what_learns_moves_and_the_rest_stays(way, expected):
    net, parts = ways.start(way, 2)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    stages = {name: p for name, p in before.items() if name.startswith(("blocks.0", "conv_stem"))}
    statistics = {name: b.clone() for name, b in net.named_buffers()}
    losses = ways.fine_tune(net, parts, IMAGES, [0, 1] * 3, rates=(1e-3, 1e-2), steps=2)
    assert len(losses) == 2
    assert moved(net, before) == expected
    still = all(torch.equal(net.get_parameter(name), p) for name, p in stages.items())
    assert still == (way == "last block")
    assert all(torch.equal(net.get_buffer(name), b) for name, b in statistics.items()), "eval mode was kept"


def test_from_scratch_begins_at_random_and_the_others_do_not():
    weight = {way: ways.start(way, 2)[0].conv_stem.weight for way in ("all", "from scratch")}
    assert not torch.equal(weight["all"], weight["from scratch"])
    assert torch.equal(weight["all"], ways.start("all", 2, seed=1)[0].conv_stem.weight)
    assert not torch.equal(weight["from scratch"], ways.start("from scratch", 2, seed=1)[0].conv_stem.weight)


def test_an_unknown_way_is_named():
    with pytest.raises(ValueError, match="way must be one of .*; got 'al'"):
        ways.start("al", 2)


def test_the_same_seed_gives_the_same_losses():
    def losses(seed):
        return ways.fine_tune(
            *ways.start("last block", 2), IMAGES, [0, 1] * 3, rates=(1e-3, 1e-2), steps=2, seed=seed
        )

    assert losses(0) == pytest.approx(losses(0), rel=1e-4)
    assert losses(0) != pytest.approx(losses(1), rel=1e-4)


def test_vary_only_moves_and_mirrors():
    x = torch.arange(24.0).expand(40, 3, 24, 24).clone()
    changed = ways.vary(x, torch.Generator().manual_seed(0), reach=4)
    rising = changed[:, 0, 0, 12] < changed[:, 0, 0, 13]
    assert 8 < int(rising.sum()) < 32, "about half are mirrored"
    assert set(changed[:, 0, 0, 12].tolist()) <= set(range(7, 18))
    assert torch.equal(ways.vary(x, torch.Generator().manual_seed(0), reach=0).sort(-1)[0], x)


def test_levels_are_the_networks_own():
    net, _ = ways.start("all", 10)
    found = ways.levels(net, IMAGES, batch=4)
    x = ways.prepare(IMAGES)
    with torch.inference_mode():
        assert torch.allclose(
            found["head"], net.forward_head(net.forward_features(x), pre_logits=True), atol=1e-4
        )
    assert found["blocks"].shape == (6, 112 + 192 + 320)


def test_a_head_separates_what_can_be_separated():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=rng) * 10 + 3
    labels = (x[:, 2] > 3).long()
    head = ways.fit_head(x, labels, 2, rate=1e-2)
    assert (head(x).argmax(1) == labels).float().mean() > 0.95
