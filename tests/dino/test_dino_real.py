"""The real step of lesson 08b over loopback: DINO's weights whole, exchanged, of another patch, gone; lines offline; photos."""

import functools

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from support.serving import serving

from cvlab import settings
from cvlab.dino import real
from cvlab.distillation.pretrained import attention_of

FILE = "model.safetensors"


@pytest.fixture
def online(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(settings, "_online", True)


@functools.cache
def theirs(name: str = "vit_small_patch16_224.dino") -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return timm.create_model(name, pretrained=False).eval()


def as_file(net) -> bytes:
    return safetensors.torch.save(net.state_dict())


def test_the_place_on_the_hub_and_the_preparation_are_timms():
    config = timm.get_pretrained_cfg("vit_small_patch16_224.dino")
    assert config.hf_hub_id == real.REPO
    np.testing.assert_allclose(real.MEAN.flatten(), config.mean, atol=1e-6)
    np.testing.assert_allclose(real.SPREAD.flatten(), config.std, atol=1e-6)


def test_offline_one_line_says_what_is_skipped_and_the_dice_stay(monkeypatch, capsys):
    monkeypatch.setattr(settings, "_online", False)
    state = torch.random.get_rng_state()
    net, learnt = real.network()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not learnt
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in theirs().parameters())
    (line,) = capsys.readouterr().out.splitlines()
    assert "skipped" in line
    assert line.endswith("set CVLAB_ONLINE=1 to fetch it.")


def test_the_weights_come_and_give_timms_numbers(online, capsys):
    with serving({FILE: as_file(theirs())}) as (address, asked):
        net, learnt = real.network(endpoint=address)
    assert learnt
    assert asked == [f"/{real.REPO}/resolve/main/{FILE}"]
    assert capsys.readouterr().out == f"Real: {real.REPO} is ready, from its hub.\n"
    x = real.prepare(np.random.default_rng(0).integers(0, 256, (240, 300, 3), np.uint8))[0]
    with torch.no_grad():
        torch.testing.assert_close(net(x), theirs()(x), atol=1e-4, rtol=0)
        torch.testing.assert_close(net.attention(x), attention_of(theirs(), x), atol=1e-5, rtol=0)


def test_a_file_with_another_sum_than_the_hub_states_is_not_used(online, capsys):
    with serving({FILE: as_file(theirs())}, sha256="ab" * 32) as (address, _):
        assert not real.network(endpoint=address)[1]
    assert "the hub states abababababab...; it was deleted." in capsys.readouterr().out


def test_a_hub_that_is_gone_is_told(online, capsys):
    with serving({}) as (address, _):
        pass
    net, learnt = real.network(endpoint=address)
    assert not learnt
    assert len(net.blocks) == 12
    assert capsys.readouterr().out.startswith(f"Real: skipped. {real.REPO}/{FILE} could not be downloaded")


def test_a_checkpoint_of_another_patch_is_named(online):
    body = as_file(theirs("vit_small_patch8_224.dino"))
    with (
        serving({FILE: body}) as (address, _),
        pytest.raises(ValueError, match=r"patch_embed was 16, the file has 8: timm/vit_small"),
    ):
        real.network(endpoint=address)


@pytest.mark.parametrize("shape", [(300, 451), (224, 224), (50, 40)])
def test_the_middle_of_any_photo_is_prepared(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    before = photo.copy()
    x, shown = real.prepare(photo, 64)
    assert (x.shape, shown.shape, shown.dtype) == ((1, 3, 64, 64), (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(photo, before)
    back = (x[0] * real.SPREAD + real.MEAN) * 255
    np.testing.assert_allclose(back.permute(1, 2, 0), shown, atol=1e-3)


def test_a_square_of_the_right_size_stays_as_it_is():
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(real.prepare(photo, 64)[1], photo)


def test_bad_photos_and_sides_are_told():
    with pytest.raises(ValueError, match=r"side must be a multiple of the patch, 16; got 230\. 224 or 240\?"):
        real.prepare(np.zeros((300, 300, 3), np.uint8), 230)
    with pytest.raises(ValueError, match="photo must have shape"):
        real.prepare(np.zeros((300, 300), np.uint8))
    with pytest.raises(ValueError, match="photo must be uint8"):
        real.prepare(np.zeros((300, 300, 3)))
