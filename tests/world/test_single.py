"""One object a picture: balanced, exact, the same everywhere."""

import hashlib

import numpy as np
import pytest

from cvlab.world.single import make_pictures

GOLDEN = "4083704f72077babc995b0f60d118285a81cdff3ffce2fb796770e7cf6d95333"


def test_the_same_bytes_everywhere():
    total = hashlib.sha256()
    for split in ("train", "val", "test"):
        pictures = make_pictures(20, split)
        total.update(pictures.images.tobytes() + pictures.masks.tobytes())
    assert total.hexdigest() == GOLDEN


def test_more_pictures_begin_with_the_same_ones():
    few, many = make_pictures(20, size=64), make_pictures(30, size=64)
    assert (few.images == many.images[:20]).all()
    assert np.bincount(many.labels).tolist() == [3] * 10


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_mask_is_the_object(split):
    pictures = make_pictures(30, split)
    share = pictures.masks.mean(axis=(1, 2))
    assert share.min() > 0.05
    assert share.max() < 0.9


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="size must be 32 to 256"):
        make_pictures(1, size=300)
    with pytest.raises(ValueError, match="split"):
        make_pictures(1, "tets")
    with pytest.raises(ValueError, match="cls"):
        make_pictures(1, classes=("unicorn",))
    with pytest.raises(ValueError, match=r"length must be .* got \(90, 50\)"):
        make_pictures(1, length=(90, 50))
