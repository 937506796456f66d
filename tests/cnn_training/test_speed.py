"""The fast recipe: each trick does what it says, alone and together."""

import importlib.util
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvlab.cnn_training import loop, nets, records, speed
from cvlab.cnn_training.batches import Batches

TINY = speed.Recipe(size=16)


def coloured(n=96):
    """Red, green and blue noise, one class each."""
    labels = np.arange(n) % 3
    images = torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images[torch.arange(n), labels] += 1
    return images, labels


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2, 3]), st.floats(0.3, 3))
def test_whitened_patches_do_not_correlate(seed, k, scale):
    generator = torch.Generator().manual_seed(seed)
    images = torch.nn.functional.avg_pool2d(torch.randn(60, 3, 34, 34, generator=generator), 3, 1) * scale
    conv = torch.nn.Conv2d(3, 2 * 3 * k * k, k)
    speed.whiten(conv, images)
    maps = torch.nn.functional.conv2d(images, conv.weight, stride=2).transpose(0, 1).flatten(1)
    half = len(maps) // 2
    products = maps[:half] @ maps[:half].T / maps.shape[1]
    off_diagonal = products - torch.diag(products.diag())
    assert off_diagonal.abs().max() < 0.01 * products.diag().max()
    assert torch.allclose(maps[:half], -maps[half:], atol=1e-5)
    assert products.diag().max() <= 1.001
    assert (conv.bias == 0).all()


def test_a_whitened_layer_keeps_what_it_has_no_direction_for():
    conv = torch.nn.Conv2d(3, 30, 2)
    before = conv.weight[24:].detach().clone()
    speed.whiten(conv, torch.randn(20, 3, 8, 8))
    assert torch.equal(conv.weight[24:], before)
    few = torch.nn.Conv2d(3, 6, 2)
    speed.whiten(few, torch.randn(20, 3, 8, 8))
    assert torch.allclose(few.weight[:3], -few.weight[3:])
    with pytest.raises(
        ValueError, match=r"images must be \(N, 3, H, W\) for this convolution; got \(20, 1, 8, 8\)"
    ):
        speed.whiten(conv, torch.randn(20, 1, 8, 8))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 1000), st.floats(1e-4, 1e4))
def test_orthogonal_keeps_directions_and_evens_out_sizes(m, n, seed, scale):
    matrix = torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u, sizes, v = torch.linalg.svd(matrix, full_matrices=False)
    made = speed.orthogonal(matrix * scale)
    seen = u.T @ made @ v.T  # diagonal, when the directions are the same
    assert torch.allclose(seen, torch.diag(seen.diag()), atol=1e-6)
    assert seen.diag().max() < 1.3
    clear = sizes > 0.15 * matrix.norm()
    assert (seen.diag()[clear] > 0.6).all()


def test_muon_keeps_the_size_of_weights_and_forgets_nothing_on_disk():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(4, 8, 3)
    optimizer = speed.Muon([conv.weight], lr=0.0)
    conv(torch.randn(2, 4, 6, 6)).pow(2).mean().backward()
    optimizer.step()
    assert conv.weight.norm().item() == pytest.approx(8**0.5, rel=1e-5)
    assert "velocity" in next(iter(optimizer.state_dict()["state"].values()))


def test_muon_steps_downhill():
    torch.manual_seed(0)
    target, weight = torch.randn(6, 6), torch.nn.Parameter(torch.randn(6, 6))
    target *= 6**0.5 / target.norm()
    optimizer, losses = speed.Muon([weight], lr=0.05), []
    for _ in range(100):
        loss = (weight - target).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


OTHER_TRICKS = [
    {"one_cycle": False},
    {"whiten": False},
    {"smoothing": 0.0},
    {"copies": None},
    {"colour": 0.3},
    {"small": 1.0},
    {"channels_last": False},
]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"muon": False},
        {"bfloat16": True},
        *(pytest.param(change, marks=pytest.mark.exhaustive) for change in OTHER_TRICKS),
    ],
)
def test_it_learns_with_any_trick_left_out(change):
    torch.manual_seed(0)
    images, labels = coloured()
    model = speed.fast_net((8, 8), classes=3)
    losses = speed.fit_fast(model, images, labels, 5, replace(TINY, **change))
    assert len(losses) == 5 * 6
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:6])
    assert loop.accuracy(model, Batches(images, labels, 32, every=True)) > 0.6


def test_one_seed_gives_one_result():
    images, labels = coloured(48)
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        runs.append(speed.fit_fast(speed.fast_net((8,), classes=3), images, labels, 2, TINY, seed))
    assert runs[0] == runs[1] != runs[2]


def test_the_arithmetic_is_chosen_not_measured():
    images, labels = coloured(48)
    losses = {}
    for half in (False, True):
        torch.manual_seed(0)
        recipe = replace(TINY, bfloat16=half)
        losses[half] = speed.fit_fast(speed.fast_net((8,), classes=3), images, labels, 1, recipe)
    assert speed.Recipe() == speed.Recipe(bfloat16=False)
    assert losses[True] != losses[False]


def test_an_interrupt_keeps_the_model(monkeypatch, capsys):
    images, labels = coloured()
    model, layout, calls = speed.fast_net((8,), classes=3), speed._laid_out, []

    def impatient(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return layout(*arguments, **options)

    monkeypatch.setattr(speed, "_laid_out", impatient)
    assert len(speed.fit_fast(model, images, labels, 2, TINY)) == 3
    assert "Stopped by you after 3 of 12 steps: the model is as it was then." in capsys.readouterr().out


def test_what_cannot_be_trained_is_told():
    images, labels = coloured()
    nan, net, straight = images * float("nan"), speed.fast_net((8,), classes=3), replace(TINY, whiten=False)
    with pytest.raises(ValueError, match="images must hold finite numbers; got NaN or infinity"):
        speed.fit_fast(net, nan, labels, 1, TINY)
    with pytest.raises(FloatingPointError, match="the loss is nan at step 0. Likely cause: the pictures"):
        speed.fit_fast(net, nan, labels, 1, straight)
    with pytest.raises(ValueError, match="epochs must be at least 1; got 0"):
        speed.fit_fast(net, images, labels, 0, TINY)
    with pytest.raises(ValueError, match="labels must be 0 to 2, because logits have 3 columns; got 3 at"):
        speed.fit_fast(net, images, labels + 1, 1, TINY)
    with pytest.raises(
        ValueError, match=r"conv must be a Conv2d with bias and square kernels; got Conv2d.*fast_net\?"
    ):
        speed.fit_fast(nets.make("resnet"), images, labels, 1, TINY)


def test_judging_with_mirror_images_does_not_mind_mirrors():
    torch.manual_seed(0)
    images, labels = coloured()
    model = nets.make("lenet").train()
    feeds = [Batches(x, labels, 32, every=True) for x in (images, images.flip(3))]
    assert len({speed.accuracy_mirrored(model, feed) for feed in feeds}) == 1
    assert model.training


def shape_of(record) -> dict:
    """Return the keys of a record and of the runs in it."""
    run = sorted(record["without"]["nothing"][0])
    stage = sorted(record["stages"][0])
    return {"keys": sorted(record), "run": run, "stage": stage, "tricks": sorted(record["without"])}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_bench_writes_what_the_lesson_reads(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(
        "bench_cifar10", Path(__file__).parents[2] / "bench" / "cifar10.py"
    )
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    jpegs, labels = [], np.arange(300) % 10
    for label in labels:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (25 * int(label), 99, 180)).save(buffer, "jpeg")
        jpegs.append(buffer.getvalue())
    packed = {"jpeg": np.frombuffer(b"".join(jpegs), np.uint8), "offset": np.cumsum([0, *map(len, jpegs)])}
    np.savez(tmp_path / "tiny.npz", **packed, label=labels, is_test=np.arange(300) >= 260)
    monkeypatch.setattr(
        bench, "STAGES", [("a goal", (8,), 1, {}, 1), ("another", (8, 8), 1, {"small": 0.0}, 1)]
    )
    out = tmp_path / "speed.json"
    words = [tmp_path / "tiny.npz", "--seeds", 2, "--epochs", 1, "--record", out]
    monkeypatch.setattr("sys.argv", ["cifar10.py", *map(str, words)])
    bench.main()
    record = json.loads(out.read_text())
    assert shape_of(record) == shape_of(records.speed_record())
    assert record["pictures"] == [260, 40]
    assert [len(record["plain"]), len(record["stages"][1]["runs"]), len(record["without"]["one cycle"])] == [
        2,
        1,
        2,
    ]
    assert "| one cycle |" in capsys.readouterr().out


def test_the_record_keeps_what_was_promised():
    record = records.speed_record()
    plain = np.mean([run["seconds"] for run in record["plain"]])
    quarter, eighty, eighty_five = record["stages"][:3]
    assert min(run["accuracy"] for run in quarter["runs"]) > 0.563
    assert np.mean([run["seconds"] for run in quarter["runs"]]) < plain / 4
    assert np.mean([run["accuracy"] for run in eighty["runs"]]) > 0.80
    assert max(run["seconds"] for run in eighty["runs"]) < 180
    assert np.mean([run["accuracy"] for run in eighty_five["runs"]]) > 0.85
    assert max(run["seconds"] for run in eighty_five["runs"]) < 360
