"""The real step of lesson 05 over loopback: weights and a photo, whole, cut short, exchanged, too large, no picture; offline."""

import copy
import functools
import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image
from support.sealed import ROOT
from support.serving import serving
from torch import nn
from torchvision import models

from cvlab import draw, settings
from cvlab.course.compose import read_lessons
from cvlab.segmentation import real
from cvlab.store import weights

ONCE = weights.Limits(tries=1)


@pytest.fixture
def online(monkeypatch, tmp_path):
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "_online", True)


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(settings, "_online", False)


def narrow(net: nn.Module, by: int = 32) -> nn.Module:
    """The network with its own names, each inner width divided."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                inward = child.in_channels if child.in_channels == 3 else child.in_channels // by
                outward = child.out_channels if child.out_channels == 21 else child.out_channels // by
                same = {k: getattr(child, k) for k in ("kernel_size", "stride", "padding", "dilation")}
                setattr(module, name, nn.Conv2d(inward, outward, bias=child.bias is not None, **same))
            elif isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.BatchNorm2d(child.num_features // by))
    return net


@functools.cache
def tiny(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        with torch.device("meta"):  # the wide one is only there for its names
            wide = getattr(models.segmentation, name)(weights=None, weights_backbone=None, aux_loss=True)
        return narrow(wide)


@pytest.fixture
def small(monkeypatch):
    """Let torchvision make the narrow networks wherever the course asks it for the wide ones."""
    for name in real.VOC:
        fresh = copy.deepcopy(tiny(name))
        for weight in fresh.parameters():
            nn.init.zeros_(weight)
        monkeypatch.setattr(models.segmentation, name, lambda fresh=fresh, **_: made(fresh))


def made(net: nn.Module) -> nn.Module:
    return copy.deepcopy(net).to(torch.get_default_device())  # the page asks for "meta" too


@functools.cache
def as_file(name: str) -> bytes:
    file = io.BytesIO()
    torch.save(tiny(name).state_dict(), file)
    return file.getvalue()


def register(monkeypatch, name: str, address: str) -> str:
    file = weights.REGISTRY[name].file
    body = as_file(name)
    source = weights.Source(
        file=file,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        licence="MIT",
        card="A narrow network of the same names.",
        url=f"{address}/{file}",
    )
    monkeypatch.setitem(weights.REGISTRY, name, source)
    return file


def a_photo(kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("name", real.VOC)
def test_weights_come_once_and_fill_the_network(online, small, monkeypatch, capsys, name):
    with serving({weights.REGISTRY[name].file: as_file(name)}) as (address, asked):
        register(monkeypatch, name, address)
        for _ in range(2):
            net = real.network(name, limits=ONCE)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), tiny(name).parameters(), strict=True))
    assert not net.training
    assert len(asked) == 1
    assert capsys.readouterr().out.count(f"Real: {weights.REGISTRY[name].file}") == 2


def test_other_bytes_are_refused(online, small, monkeypatch, tmp_path, capsys):
    name = "fcn_resnet50"
    with serving({weights.REGISTRY[name].file: as_file(name)[:-4] + b"evil"}) as (address, _):
        register(monkeypatch, name, address)
        assert real.network(name, limits=ONCE) is None
    assert "other content (sha256" in capsys.readouterr().out
    assert not list((tmp_path / "cache").rglob("*.pth"))


@pytest.mark.parametrize("name", real.VOC)
def test_what_is_registered_is_what_torchvision_names(name):
    source = weights.REGISTRY[name]
    known = models.get_weight(source.torchvision)
    assert source.file == known.url.rpartition("/")[2]
    assert source.sha256[:8] == source.file.rpartition("-")[2].removesuffix(".pth"), "torch.hub's custom"
    assert round(source.size / 2**20, 3) == known.meta["_file_size"]


def test_offline_each_step_says_in_one_line_what_it_skips(offline, capsys):
    state = torch.random.get_rng_state()
    assert real.photo() is None
    assert [real.network(name) for name in real.VOC] == [None, None]
    assert torch.equal(torch.random.get_rng_state(), state)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("skipped" in line and line.endswith("set CVLAB_ONLINE=1 to fetch it.") for line in lines)


def test_the_photo_comes_once(online, tmp_path):
    with serving({"a.jpg": a_photo()}) as (address, asked):
        first, second = (real.photo(f"{address}/a.jpg", limits=ONCE) for _ in range(2))
    assert first.shape == (40, 60, 3)
    assert np.array_equal(first, second)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("body", "length", "words"),
    [
        (b"<html>Log in first</html>", None, "is no picture and was deleted"),
        (a_photo()[:200], None, "is no picture and was deleted"),
        (a_photo()[:500], 2000, "the connection to 127.0.0.1"),
        (b"", None, "is no picture and was deleted"),
        (b"x" * (real.MOST + 1), None, "expected at most 2,000,000"),
    ],
)
def test_what_is_no_photo_is_not_kept(online, tmp_path, capsys, body, length, words):
    with serving({"a.jpg": body}, length) as (address, _):
        assert real.photo(f"{address}/a.jpg", limits=ONCE) is None
    said = capsys.readouterr().out
    assert said.startswith("Real: skipped. ")
    assert words in said
    assert not list((tmp_path / "cache").rglob("*.jpg"))


def test_a_class_map_is_the_likeliest_class_at_the_photos_size():
    photo = np.zeros((30, 50, 3), np.uint8)
    photo[:, :25, 0], photo[:, 25:, 2] = 255, 255  # red, then blue
    for wrapped in (lambda x: x, lambda x: {"out": x, "aux": -x}):
        labels = real.class_map(wrapped, photo, side=60)
        assert labels.shape == (30, 50)
        assert labels.dtype == np.int64
        assert (labels[:, 27:] == 2).all()
        assert (labels[:, :23] == 0).all()


@pytest.mark.parametrize(
    ("photo", "side", "words"),
    [
        (np.zeros((5, 5), np.uint8), 520, "photo"),
        (np.zeros((5, 5, 3)), 520, "photo must be uint8, 0 to 255; got float64. As floats"),
        (np.zeros((5, 5, 3), np.uint8), 0, "side must be at least 1; got 0"),
    ],
)
def test_bad_input_is_told(photo, side, words):
    with pytest.raises(ValueError, match=words):
        real.class_map(lambda x: x, photo, side=side)


def test_the_page_itself_draws_both_class_maps(online, small, monkeypatch, capsys):
    """Section 11 as it stands, online: narrow networks of the same names, and a photo, all over loopback."""
    import matplotlib.pyplot as plt
    from torch.nn import functional

    from cvlab.segmentation.targets import NAMES, label_map
    from cvlab.world.scenes import make_scene

    cells = read_lessons(ROOT, ["05"])[0].cells
    start = next(i for i, cell in enumerate(cells) if cell.source.startswith("## 11"))
    end = next(i for i, cell in enumerate(cells) if cell.source.startswith("## Recap"))
    code = [c.source for c in cells[start:end] if c.kind == "code" and "author" not in c.tags]
    scope = {"torch": torch, "F": functional, "nn": nn, "np": np, "plt": plt, "draw": draw, "show": draw.show}
    scope |= {"NAMES": NAMES, "label_map": label_map, "make_scene": make_scene}
    bodies = {weights.REGISTRY[name].file: as_file(name) for name in real.VOC} | {"a.jpg": a_photo()}
    with serving(bodies) as (address, _):
        for name in real.VOC:
            register(monkeypatch, name, address)
        monkeypatch.setattr(real.photo, "__defaults__", (f"{address}/a.jpg",))
        exec("\n".join(code), scope)
    assert {name: labels.shape for name, labels in scope["maps"].items()} == dict.fromkeys(real.VOC, (40, 60))
    assert capsys.readouterr().out.count("is ready, from 127.0.0.1") == 2
    plt.close("all")
