"""Checkpoints: whole or not at all, resumed to the same result, refused in words."""

import errno
import os
import pickle

import numpy as np
import pytest
import torch

from cvlab.cnn_training import loop, nets
from cvlab.cnn_training.batches import Batches
from cvlab.store import checkpoint


def parts(name="lenet"):
    model = nets.make(name)
    return model, torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)


def same(a, b):
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_weights_come_back(tmp_path):
    model = nets.make("resnet", 3)
    path = checkpoint.save_weights(tmp_path / "deep" / "net.safetensors", model)
    other = nets.make("resnet", 4)
    checkpoint.load_weights(path, other)
    assert same(model, other)
    assert os.listdir(path.parent) == ["net.safetensors"]  # noqa: PTH208


def test_resuming_gives_the_uninterrupted_result(tmp_path):
    images, labels = torch.randn(32, 3, 32, 32), np.arange(32) % 10

    def steps(model, optimizer, seeds):
        for seed in seeds:
            loop.train_epoch(model, Batches(images, labels, 8, seed=seed), loop.cross_entropy, optimizer)

    straight, optimizer = parts()
    steps(straight, optimizer, [0, 1])
    first, optimizer = parts()
    steps(first, optimizer, [0])
    checkpoint.save_checkpoint(tmp_path / "c.pt", first, optimizer, epoch=1)
    resumed, optimizer = parts()
    assert checkpoint.load_checkpoint(tmp_path / "c.pt", resumed, optimizer) == {"epoch": 1}
    steps(resumed, optimizer, [1])
    assert same(straight, resumed)


def test_another_architecture_names_the_layers(tmp_path):
    path = checkpoint.save_weights(tmp_path / "net.safetensors", nets.make("lenet"))
    other = nets.make("lenet", classes=4)
    before = other[-1].weight.clone()
    with pytest.raises(
        ValueError, match=r"another architecture: 11.weight is \(10, 84\) in the file, \(4, 84\) in the model"
    ):
        checkpoint.load_weights(path, other)
    assert torch.equal(other[-1].weight, before)
    with pytest.raises(
        ValueError, match=r"1.weight is missing in the file.*0.weight is not in the model|and \d+ more"
    ):
        checkpoint.load_weights(path, nets.make("dense"))


@pytest.mark.parametrize("keep", [0, 10, 1000, -100])
def test_a_truncated_checkpoint_is_refused(tmp_path, keep):
    model, optimizer = parts()
    path = checkpoint.save_checkpoint(tmp_path / "c.pt", model, optimizer)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        ValueError, match=r"c.pt \(\d+ bytes\) is truncated, or no checkpoint.*nothing in it was run"
    ):
        checkpoint.load_checkpoint(path, model, optimizer)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "c.pt").write_bytes(pickle.dumps({"model": Evil()}))
    with pytest.raises(ValueError, match="nothing in it was run"):
        checkpoint.load_checkpoint(tmp_path / "c.pt", *parts())
    assert not (tmp_path / "ran").exists()


def test_no_space_keeps_the_older_one(tmp_path, monkeypatch):
    model, optimizer = parts()
    path = checkpoint.save_checkpoint(tmp_path / "c.pt", model, optimizer, epoch=1)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"no space left for c.pt; the older one is untouched"):
        checkpoint.save_checkpoint(path, model, optimizer, epoch=2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="no checkpoint at .*nowhere.pt; a new training starts without --resume"
    ):
        checkpoint.load_checkpoint(tmp_path / "nowhere.pt", *parts())
