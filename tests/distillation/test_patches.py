"""`patchify` is what a convolution with the patch as stride reads, and what `fold` puts together again."""

import pytest
import torch
import torch.nn.functional as F

from cvlab.distillation.patches import patchify


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("patch", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("channels", [1, 3, 112])
def test_linear_on_patches_is_the_convolution_with_its_stride(patch, channels, dtype):
    """2 types x 5 patches x 3 channels, each with 3 sizes of picture and 2 of batch = 180 pairs."""
    rng = torch.Generator().manual_seed(patch)
    for rows, columns in ((1, 1), (2, 3), (5, 2)):
        for batch in (1, 3):
            shape = (batch, channels, rows * patch, columns * patch)
            images = torch.randn(shape, generator=rng, dtype=dtype)
            weight = torch.randn(7, channels, patch, patch, generator=rng, dtype=dtype)
            ours = patchify(images, patch) @ weight.flatten(1).T
            theirs = F.conv2d(images, weight, stride=patch).flatten(2).mT
            assert ours.shape == (batch, rows * columns, 7)
            assert torch.allclose(ours, theirs, atol=1e-3 if dtype is torch.float32 else 1e-9)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.float32, torch.bool])
def test_fold_puts_the_picture_together_again(dtype):
    for seed in range(20):
        rng = torch.Generator().manual_seed(seed)
        b, c, rows, columns, patch = torch.randint(1, 6, (5,), generator=rng).tolist()
        images = torch.randint(0, 2, (b, c, rows * patch, columns * patch), generator=rng).to(dtype)
        patches = patchify(images, patch)
        assert (patches.dtype, patches.shape) == (dtype, (b, rows * columns, c * patch * patch))
        size = images.shape[2:]
        again = F.fold(patches.float().mT, size, patch, stride=patch)
        assert torch.equal(again.to(dtype), images)


def test_timms_embedding_with_the_same_weights():
    from timm.layers import PatchEmbed

    torch.manual_seed(0)
    embed = PatchEmbed(img_size=(48, 32), patch_size=8, in_chans=3, embed_dim=24, strict_img_size=False)
    images = torch.randn(2, 3, 48, 32)
    ours = F.linear(patchify(images, 8), embed.proj.weight.flatten(1), embed.proj.bias)
    assert torch.allclose(ours, embed(images), atol=1e-5)


def test_no_picture_gives_no_patch():
    assert patchify(torch.zeros(0, 3, 32, 32), 16).shape == (0, 4, 768)


def test_the_slope_goes_back_to_every_pixel():
    images = torch.zeros(1, 2, 4, 6, requires_grad=True)
    (patchify(images, 2) * torch.arange(48.0).view(1, 6, 8)).sum().backward()
    assert sorted(images.grad.flatten().tolist()) == list(range(48))


PICTURE = torch.zeros(1, 3, 32, 32)


@pytest.mark.parametrize(
    ("images", "patch", "error", "words"),
    [
        (torch.zeros(1, 3, 225, 224), 16, ValueError, "H of images must be .* patch 16; got 225, 224 and 240 fit"),
        (torch.zeros(1, 3, 224, 100), 8, ValueError, "W of images must be .* patch 8; got 100, 96 and 104 fit"),
        (torch.zeros(1, 3, 8, 8), 16, ValueError, "got 8, the smallest that fits is 16"),
        (torch.zeros(1, 32, 32, 3), 16, ValueError, r"Channels last\? images.permute\(0, 3, 1, 2\)"),
        (PICTURE, 0, ValueError, "patch must be at least 1; got 0"),
        (PICTURE, -4, ValueError, "patch must be at least 1; got -4"),
        (PICTURE, 16.0, TypeError, "patch must be a whole number; got 16.0"),
        (PICTURE, (16, 16), TypeError, r"patch must be a whole number; got \(16, 16\)"),
        (PICTURE[0], 16, ValueError, r"\(B, C, H, W\); got \(3, 32, 32\). One picture\? images\[None\]"),
        (PICTURE[0, 0], 16, ValueError, r"\(B, C, H, W\); got \(32, 32\)"),
        (torch.zeros(1, 3, 0, 16), 16, ValueError, r"at least one channel and one pixel; got shape \(1, 3, 0, 16\)"),
        (torch.zeros(1, 0, 16, 16), 16, ValueError, "at least one channel and one pixel"),
        (PICTURE.numpy(), 16, TypeError, "images must be a torch tensor .*; got ndarray. .*from_numpy"),
        (None, 16, TypeError, "images must be a torch tensor .*; got NoneType"),
    ],
)  # fmt: skip
def test_bad_pictures_and_patches_are_refused(images, patch, error, words):
    with pytest.raises(error, match=words):
        patchify(images, patch)
