"""The search engine over stickers: what is found, and that its record belongs to its pictures."""

import numpy as np
import pytest
import torch

from cvlab.dino.features import features_of
from cvlab.dino.search import gallery, listed, nearest, stickers
from cvlab.distillation.maps import maps_of


def test_the_nearest_come_first_whatever_their_length():
    stored = torch.tensor([[0.0, 3.0], [0.1, 0.0], [1.0, 1.0]])
    places, cosines = nearest(stored, torch.tensor([2.0, 0.2]), 3)
    assert places.tolist() == [1, 2, 0]
    assert cosines[0] == pytest.approx(1 / 1.01**0.5)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(1, 2\). One picture of a batch\? query\[0\]"):
        nearest(torch.zeros(3, 2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="k must be at most 3, the stored pictures; got 10"):
        nearest(torch.zeros(3, 2), torch.zeros(2))


def test_every_sticker_of_a_group_is_in_the_gallery_once():
    every = gallery()
    assert len(set(every.drawings)) == len(every) == len(listed())
    for name, width in (("DINO", 96), ("frozen", 112)):
        assert every.features[name].shape == (len(every), width)
        assert torch.allclose(every.features[name].norm(dim=1), torch.ones(len(every)), atol=1e-5)


def test_the_recorded_features_are_those_of_the_stickers():
    every, rows = gallery(), [0, 700, 1300, 1900, 2496]
    maps = maps_of(stickers([every.drawings[i] for i in rows]))
    frozen = features_of(lambda x: x.mean((2, 3)), maps)
    cosines = torch.nn.functional.cosine_similarity(frozen, every.features["frozen"][rows])
    assert cosines.min() > 0.999


def test_the_recorded_features_of_dino_are_those_of_its_checkpoint():
    records = pytest.importorskip("cvlab.dino.records")
    every, rows = gallery(), [0, 700, 1300, 1900, 2496]
    maps = maps_of(stickers([every.drawings[i] for i in rows]))
    said = features_of(records.checkpoint("dino"), maps)
    assert torch.nn.functional.cosine_similarity(said, every.features["DINO"][rows]).min() > 0.99


def test_a_sticker_stands_on_grey():
    picture = stickers([("noto", 0)], size=64)[0]
    assert (picture[:7] == 128).all()
    assert (picture[16:48, 16:48] != 128).any()
    assert picture.dtype == np.uint8
