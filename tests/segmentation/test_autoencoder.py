"""The autoencoder of lesson 05: its shapes, its pictures, and the recorded trainings as measured again."""

import pytest
import torch
from torch import nn

from cvlab import settings
from cvlab.segmentation.autoencoder import Autoencoder, record, small_stickers, trained


def psnr(found, wanted) -> float:
    return (-10 * ((found - wanted) ** 2).mean((1, 2, 3)).log10()).mean().item()


def test_code_and_output_are_free():
    torch.manual_seed(0)
    x = small_stickers(20)
    assert (Autoencoder(8).encode(x) < 0).any()
    assert (Autoencoder(8)(x) < 0).any()
    assert (Autoencoder(8, nn.ReLU()).encode(x) >= 0).all()


def test_pictures_are_white_with_something_on_it_and_repeat():
    x = small_stickers(6, "val", seed=3)
    assert torch.equal(x, small_stickers(6, "val", seed=3))
    assert not torch.equal(x, small_stickers(6, "val", seed=4))
    assert not torch.equal(x, small_stickers(6, "train", seed=3))
    assert x.max() == 0.5
    assert (x.amin((1, 2, 3)) < 0.3).all()


@pytest.mark.parametrize("name", ["16", "64"])
def test_the_recorded_networks_reach_the_recorded_scores(name):
    judged = small_stickers(500, "val")
    assert psnr(trained(name)(judged), judged) == pytest.approx(
        record()["psnr"]["autoencoder"][name], abs=0.05
    )


def test_the_denoiser_takes_noise_away():
    torch.manual_seed(0)
    x = small_stickers(50, "val")
    noisy = x + record()["noise"] * torch.randn(x.shape)
    assert psnr(trained("denoise")(noisy), x) > psnr(noisy, x) + 5


def test_weights_are_small():
    path = settings.data_dir() / "weights" / "autoencoder.safetensors"
    assert path.stat().st_size < 700_000


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: small_stickers(0), "n must be at least 1; got 0"),
        (lambda: small_stickers(2, "vla"), "split must be one of .*got 'vla'. Did you mean 'val'"),
        (lambda: trained("32"), "name must be one of '16', '64', 'denoise'; got '32'"),
    ],
)
def test_bad_input_is_told(call, words):
    with pytest.raises(ValueError, match=words):
        call()
