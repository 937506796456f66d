"""Scenes: what the labels promise holds for every scene, and the same arguments give the same bytes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab.world import paint, stickers
from cvlab.world.scenes import MIN_VISIBLE, SPLITS, Scene, make_scene, make_scenes

GOLDEN = "0f995fd046fa24ad2bb2c626e1bdf5a6e6f816f33dcf8ca03d3e79076b13519f"
ROOT = Path(__file__).resolve().parents[2]
FRESH = "from tests.world.test_scenes import digest; print(digest())"


def digest() -> str:
    """One sha256 over a few scenes of every split and size, labels included."""
    total = hashlib.sha256()
    for split in SPLITS:
        for scene in [
            *make_scenes(12, split=split),
            make_scene(5, split=split, seed=7, size=160, objects=(4, 9)),
        ]:
            for part in (scene.image, scene.boxes, scene.masks, scene.labels, scene.visibility, scene.depth):
                total.update(np.ascontiguousarray(part).tobytes())
    return total.hexdigest()


def holds(scene: Scene, size: int) -> None:
    """Assert everything the docstring of `Scene` promises."""
    n = len(scene.labels)
    assert scene.image.shape == (size, size, 3)
    assert scene.image.dtype == np.uint8
    assert scene.masks.shape == (n, size, size)
    assert scene.masks.dtype == bool
    assert scene.boxes.shape == (n, 4)
    assert scene.boxes.dtype == np.float32
    assert scene.visibility.shape == (n,)
    assert sorted(scene.depth) == list(range(n))
    assert (scene.masks.sum(axis=0) <= 1).all(), "two masks share a pixel"
    assert ((scene.labels >= 0) & (scene.labels < len(scene.class_names))).all()
    assert ((scene.visibility >= MIN_VISIBLE) & (scene.visibility <= 1)).all()
    for mask, (x0, y0, x1, y1) in zip(scene.masks, scene.boxes.astype(int), strict=True):
        assert 0 <= x0 < x1 <= size
        assert 0 <= y0 < y1 <= size
        inside = mask[y0:y1, x0:x1]
        assert inside.sum() == mask.sum() > 0, "the box leaves a part of the mask out"
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 10**12), st.sampled_from(SPLITS), st.integers(0, 2**70), st.integers(32, 256),
    st.tuples(st.integers(0, 4), st.integers(0, 12)).map(lambda t: (t[0], t[0] + t[1])),
    st.none() | st.lists(st.sampled_from(stickers.classes()), min_size=1, max_size=6, unique=True),
)  # fmt: skip
def test_every_scene_keeps_its_promises(index, split, seed, size, objects, classes):
    options = {"split": split, "seed": seed, "size": size, "objects": objects, "classes": classes}
    scene = make_scene(index, **options)
    holds(scene, size)
    assert min(objects[0], 1) <= len(scene.labels) <= objects[1]
    again = make_scene(index, **options)
    assert scene.image.tobytes() == again.image.tobytes()
    assert scene.masks.tobytes() == again.masks.tobytes()


def test_visibility_counts_own_pixels():
    """Alone and inside the picture an object is wholly visible; hidden or cut ones are not."""
    scenes = make_scenes(60)
    alone = [s for s in scenes if len(s.labels) == 1 and s.boxes.min() > 0 and s.boxes.max() < 96]
    assert alone
    assert all(s.visibility[0] == 1 for s in alone)
    assert any((s.visibility < 0.9).any() for s in scenes)
    assert all(s.visibility[-1] == 1 for s in scenes if s.boxes[-1].min() > 0 and s.boxes[-1].max() < 96)


def test_objects_are_drawn_where_the_masks_say():
    """The picture differs from its bare background in the masks, their soft edges, and nowhere else."""
    plain = paint.background(paint.Dice(0, 0, 3, 96), "train", 96)
    scene = make_scene(3)
    changed = (scene.image != plain).any(axis=2)
    painted = scene.masks.any(axis=0)
    assert changed[painted].mean() > 0.95
    soft = np.lib.stride_tricks.sliding_window_view(np.pad(painted, 3), (7, 7)).any(axis=(2, 3))
    assert not changed[~soft].any()


def test_golden_bytes():
    assert digest() == GOLDEN, "the scenes changed: checkpoints and printed numbers depend on them"


def test_same_bytes_in_a_fresh_process():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == GOLDEN


def test_order_of_calls_does_not_matter():
    late = make_scene(9).image
    make_scenes(3, split="test", seed=4)
    assert np.array_equal(make_scene(9).image, late)


def test_different_arguments_different_scenes():
    pictures = {
        make_scene(i, split=s, seed=k).image.tobytes() for i in range(5) for s in SPLITS for k in range(3)
    }
    assert len(pictures) == 45


def test_splits_share_neither_style_nor_background():
    styles = [set(styles) for styles, _ in paint.SPLITS.values()]
    photos = [set(photos) for _, photos in paint.SPLITS.values()]
    for parts in (styles, photos):
        assert sum(map(len, parts)) == len(set.union(*parts))
    files = [{p for c in stickers.classes() for p in paint.files(c, split)} for split in SPLITS]
    assert not files[0] & files[1]
    assert not files[0] & files[2]
    assert not files[1] & files[2]


def test_no_background_shows_a_class():
    used = {name for _, names in paint.SPLITS.values() for name in names}
    assert not used & {"chelsea", "astronaut", "motorcycle_left", "motorcycle_right"}
    assert paint._photo("camera", 1).shape == (512, 354, 3)  # the part beside the man, and its mirror image
    assert min(min(paint._photo(name, 1).shape[:2]) for name in used) >= 256, (
        "too small for the largest scene"
    )


def test_grey_photos_get_two_colours_and_coloured_ones_keep_theirs():
    assert {name for _, names in paint.SPLITS.values() for name in names if paint._is_grey(name)} == {
        *("grass", "moon", "clock", "camera", "brick", "coins", "cell", "gravel")
    }
    backgrounds = np.stack([paint.background(paint.Dice(0, i), "val", 64) for i in range(40)])
    grey = (backgrounds == backgrounds[..., :1]).all(axis=(1, 2, 3))
    assert not grey.any()


def test_all_classes_occur():
    seen = np.concatenate([scene.labels for scene in make_scenes(150)])
    assert set(seen) == set(range(17))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(8, 200), st.integers(-400, 400), st.booleans(), st.integers(100, 400), st.sampled_from(SPLITS)
)
def test_sticker_fits_its_length_and_is_premultiplied(length, angle, flip, gain, split):
    drawn = paint.sticker(paint.files("dog", split)[0], length, angle, flip, gain)
    assert drawn.dtype == np.uint8
    assert (drawn[..., :3] <= drawn[..., 3:]).all(), "a colour stronger than its alpha"
    rows, cols = (
        (drawn[..., 3] >= 128).any(axis=1).nonzero()[0],
        (drawn[..., 3] >= 128).any(axis=0).nonzero()[0],
    )
    diagonal = 1.42 * length + 2
    assert 0.5 * length - 2 <= max(np.ptp(rows), np.ptp(cols)) + 1 <= diagonal
    assert drawn[0].max(initial=0) < 255 or length < 16


def test_sticker_agrees_with_a_plain_resize():
    from PIL import Image

    path = paint.files("cat", "train")[0]
    drawn = paint.sticker(path, 40, 0).astype(float)
    with Image.open(path) as image:
        alpha = np.array(image)[..., 3] >= 8
        rows, cols = alpha.any(axis=1).nonzero()[0], alpha.any(axis=0).nonzero()[0]
        cut = image.crop((cols[0], rows[0], cols[-1] + 1, rows[-1] + 1))
    scale = 40 / max(cut.size)
    small = cut.resize((round(cut.width * scale), round(cut.height * scale)), Image.Resampling.BILINEAR)
    area = (np.array(small)[..., 3] / 255).sum()
    assert abs((drawn[..., 3] / 255).sum() - area) < 0.04 * area


def test_turning_is_anticlockwise_and_flipping_mirrors():
    path = paint.files("bicycle", "test")[0]
    straight = paint.sticker(path, 60, 0).astype(int)
    turned = paint.sticker(path, 60, 90).astype(int)
    assert np.abs(np.rot90(straight) - turned).mean() < 4
    assert np.abs(straight[:, ::-1] - paint.sticker(path, 60, 0, True)).mean() < 4
    assert np.abs(straight[:, ::-1] - straight).mean() > 4


def test_dice_are_even_and_stay_in_range():
    dice = paint.Dice(1, 2, 3)
    rolls = np.array([dice.between(-2, 3) for _ in range(6000)])
    counts = np.bincount(rolls + 2)
    assert len(counts) == 6
    assert counts.min() > 850
    assert counts.max() < 1150


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"split": "validation"},
            ValueError,
            "split must be one of 'train', 'val', 'test'; got 'validation'",
        ),
        ({"index": -1}, ValueError, "index must be at least 0; got -1"),
        ({"index": 1.5}, TypeError, "index must be a whole number; got 1.5"),
        ({"seed": -3}, ValueError, "seed must be at least 0"),
        ({"size": 16}, ValueError, "size must be at least 32; got 16"),
        ({"size": 300}, ValueError, "size must be 32 to 256"),
        ({"objects": (5, 2)}, ValueError, r"objects must be fewest, then most; got \(5, 2\): swapped"),
        ({"objects": 3}, ValueError, "objects must be two whole numbers"),
        ({"objects": (1, 2, 3)}, ValueError, "objects must be two whole numbers"),
        ({"objects": (-1, 2)}, ValueError, "objects must be two whole numbers"),
        ({"sizes": 3}, ValueError, "sizes must be two whole numbers of percent"),
        ({"sizes": (50, 20)}, ValueError, "sizes must be least, then greatest"),
        ({"sizes": (20, 95)}, ValueError, r"5 to 90 percent; got \(20, 95\)"),
        ({"classes": "cat"}, ValueError, "classes must be a list of names"),
        ({"classes": []}, ValueError, "classes must be a list of names"),
        ({"classes": ["cat", "cat"]}, ValueError, "classes must be different names"),
        ({"classes": ["unicorn"]}, ValueError, "cls must be one of"),
    ],
)
def test_errors(options, kind, text):
    with pytest.raises(kind, match=text):
        make_scene(**{"index": 0, **options})


def test_repr_is_short():
    assert repr(make_scene(0, objects=(0, 0))) == "Scene(96 x 96: no objects)"
    assert repr(make_scene(0)).startswith("Scene(96 x 96: ")


def test_sizes_bound_the_longer_side_of_what_is_not_hidden():
    for least, greatest in ((6, 10), (40, 60)):
        for scene in make_scenes(8, size=192, sizes=(least, greatest), objects=(1, 1)):
            longer = (scene.boxes[:, 2:] - scene.boxes[:, :2]).max()
            assert longer <= 1.45 * greatest / 100 * 192, "a turned sticker is at most 1.42 times as long"
            assert longer > 0.3 * least / 100 * 192
