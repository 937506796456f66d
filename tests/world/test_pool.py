"""The pool: the same thing under the same number in every style, nothing of the stickers, nothing of the test in training."""

import numpy as np
import pytest

from cvlab import settings
from cvlab.world import paint, pool
from tests.world.test_stickers import maintainers_script

FOLDER = settings.data_dir() / "pool"


@pytest.mark.parametrize("style", pool.STYLES)
def test_every_sprite_shows_its_thing_with_an_outline(style):
    images, shown = pool.sprites(style)
    assert images.shape == (len(shown), 64, 64, 4)
    assert images.dtype == np.uint8
    assert (np.diff(shown) > 0).all(), "a thing twice, or out of order"
    assert shown.max() < len(pool.things())
    solid = (images[..., 3] >= 128).mean(axis=(1, 2))
    assert solid.min() > 0.01, "an empty sprite"
    assert solid.max() < 0.95, "a square picture: its outline says nothing"


def test_what_lies_beyond_the_last_sprite_is_empty():
    """Else a sprite would be cut off, or the index would not belong to the sheet."""
    from PIL import Image

    for style in pool.STYLES:
        with Image.open(FOLDER / f"{style}.webp") as image:
            columns, cells = image.width // 64, image.width * image.height // 64**2
            alpha = np.array(image.convert("RGBA"))[..., 3]
        used = len(pool.sprites(style)[1])
        assert 0 <= cells - used < columns
        assert (alpha[-64:, (used - 1) % columns * 64 + 64 :] == 0).all() or used % columns == 0


def test_several_hundred_things_in_groups_large_enough():
    counts = {group: sum(thing.group == group for thing in pool.things()) for group in pool.groups()}
    assert len(pool.things()) > 800
    assert len(counts) == 18
    assert min(counts.values()) >= 8
    assert {len(pool.sprites(style)[1]) for style in ("noto", "twemoji")} == {len(pool.things())}
    assert all(len(pool.sprites(style)[1]) >= 300 for style in pool.STYLES)


def test_no_sticker_is_in_the_pool():
    codes = set(" ".join(maintainers_script().CLASSES.values()).split())
    assert not codes & {thing.code for thing in pool.things()}
    assert len({thing.code for thing in pool.things()}) == len(pool.things())


def test_the_styles_are_those_of_the_splits():
    assert paint.SPLITS["train"][0] == pool.TRAIN_STYLES
    assert paint.SPLITS["test"][0] == (pool.TEST_STYLE,)
    script = maintainers_script("make_pool")
    assert (script.TRAIN, script.TEST) == (pool.TRAIN_STYLES, pool.TEST_STYLE)


def test_the_same_thing_looks_alike_in_two_styles():
    """Colours of a thing in Noto are nearer to its own in Twemoji than to the others': the numbers mean the same thing."""

    def colours(style):
        images, shown = pool.sprites(style)
        small = images.reshape(-1, 8, 8, 8, 8, 4).mean(axis=(2, 4))  # (N, 8, 8, 4)
        return (small[..., :3] * small[..., 3:] / 255).reshape(len(small), -1), shown

    (one, shown), (other, again) = colours("noto"), colours("twemoji")
    assert np.array_equal(shown, again)
    distance = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    rank = (distance < np.diag(distance)[:, None]).mean(
        axis=1
    )  # 0: nearest of all; 0.5: no better than chance
    assert np.median(rank) < 0.05
    assert rank.mean() < 0.2


def test_held_out_things_are_spread_over_the_groups():
    out = pool.held_out()
    assert np.array_equal(out, pool.held_out(5))
    assert out.mean() == pytest.approx(0.19, abs=0.02)
    for group in pool.groups():
        mine = np.array([thing.group == group for thing in pool.things()])
        assert 0 < out[mine].sum() < mine.sum() / 2


def test_errors():
    with pytest.raises(
        ValueError, match=r"style must be one of .*got 'twemojis'. Did you mean 'twemoji' or 'fxemoji'\?"
    ):
        pool.sprites("twemojis")
    with pytest.raises(ValueError, match="every must be"):
        pool.held_out(1)


def test_missing_data_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "data_dir", lambda: tmp_path)
    pool._index.cache_clear()
    with pytest.raises(FileNotFoundError, match="the course's data is missing; install cvlab again"):
        pool.sprites("noto")
    pool._index.cache_clear()


def test_small_enough():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4_000_000


def test_things_are_chosen_by_group_and_order():
    script = maintainers_script("make_pool")
    emoji = [
        {"unified": "1F428", "short_name": "koala", "subcategory": "animal-mammal", "sort_order": 2},
        {"unified": "1F436", "short_name": "dog", "subcategory": "animal-mammal", "sort_order": 1},
        {"unified": "1F4A1", "short_name": "bulb", "subcategory": "light & video", "sort_order": 3},
        {"unified": "1F1E6", "short_name": "flag_a", "subcategory": "country-flag", "sort_order": 0},
        {"unified": "1F43B-200D-2744-FE0F", "short_name": "polar_bear", "subcategory": "animal-mammal", "sort_order": 4},
        {"unified": "1F555", "short_name": "clock6", "subcategory": "time", "sort_order": 5},
    ]  # fmt: skip
    assert script.things(emoji) == [
        {"code": "1f428", "name": "koala", "group": "mammal"},
        {"code": "1f4a1", "name": "bulb", "group": ""},
    ]
