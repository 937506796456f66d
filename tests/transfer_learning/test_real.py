"""The real steps of lesson 04 over loopback: ResNet-18 and a hub's file, whole, cut short, exchanged, of other names; offline."""

import contextlib
import copy
import functools
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from support.sealed import ROOT
from torch import nn
from torchvision import models

from cvlab import draw, settings
from cvlab.course.compose import read_lessons
from cvlab.store import weights
from cvlab.transfer_learning import real
from cvlab.world import cifar10

SMALL = "test_vit.r160_in1k"  # timm's smallest of ImageNet's classes
ONCE = weights.Limits(tries=1)


@contextlib.contextmanager
def serving(body: bytes, length: int | None = None, sha256: str = ""):
    """Serve one file under any path on loopback, with the headers of a hub; give the address and the requests."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append((self.command, self.path))
            self.send_response(200)
            self.send_header("Content-Length", str(length or len(body)))
            self.send_header("ETag", f'"{sha256 or hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(body)

        def log_message(self, *args):
            """Keep the tests' output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", asked
    finally:
        httpd.shutdown()
        httpd.server_close()


@pytest.fixture
def online(monkeypatch, tmp_path):
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(settings, "_online", True)


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(settings, "_online", False)


@functools.cache
def tiny(width: int = 4) -> nn.Module:
    """A ResNet of ResNet-18's names, much narrower, so that its file and its steps are small."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = models.resnet18(weights=None)
        for module in dict(net.named_modules()).values():
            for name, child in module.named_children():
                if isinstance(child, nn.Conv2d):
                    narrow = max(1, child.out_channels * width // 64)
                    inward = 3 if child.in_channels == 3 else max(1, child.in_channels * width // 64)
                    same = {k: getattr(child, k) for k in ("kernel_size", "stride", "padding")}
                    setattr(module, name, nn.Conv2d(inward, narrow, bias=False, **same))
                elif isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.BatchNorm2d(child.num_features * width // 64))
        net.fc = nn.Linear(512 * width // 64, 1000)
        return net


@pytest.fixture
def narrow(monkeypatch):
    """Let torchvision make the narrow network wherever the course asks it for ResNet-18."""
    fresh = copy.deepcopy(tiny())
    for weight in fresh.parameters():
        nn.init.zeros_(weight)
    monkeypatch.setattr(models, "resnet18", lambda weights: copy.deepcopy(fresh))


def as_file(tensors: dict, folder) -> bytes:
    torch.save(tensors, folder / "made.pth")
    return (folder / "made.pth").read_bytes()


def register(monkeypatch, body: bytes, address: str) -> None:
    source = weights.Source(
        file="resnet18-f37072fd.pth",
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        licence="MIT",
        card="A narrow network.",
        url=f"{address}/resnet18-f37072fd.pth",
    )
    monkeypatch.setitem(weights.REGISTRY, "resnet18", source)


def test_the_registered_file_is_torchvisions_own():
    source = weights.REGISTRY["resnet18"]
    entry = models.ResNet18_Weights.IMAGENET1K_V1
    assert source.address == entry.url
    assert source.file == entry.url.rsplit("/", 1)[1]
    assert source.file == f"resnet18-{source.sha256[:8]}.pth", "torch.hub's check_hash reads it from the name"
    assert round(source.size / 2**20, 3) == entry.meta["_file_size"]
    preset = entry.transforms()
    assert (tuple(preset.mean), tuple(preset.std)) == (real.MEAN, real.SPREAD)


def test_the_network_arrives_whole_and_only_once(online, narrow, monkeypatch, tmp_path, capsys):
    body = as_file(tiny().state_dict(), tmp_path)
    with serving(body) as (address, asked):
        register(monkeypatch, body, address)
        for _ in range(2):
            net = real.resnet18(limits=ONCE)
            assert all(torch.equal(a, b) for a, b in zip(net.parameters(), tiny().parameters(), strict=True))
            assert not net.training
    assert len(asked) == 1
    assert capsys.readouterr().out.count("Real: resnet18-f37072fd.pth") == 2


@pytest.mark.parametrize("slip", ["exchanged", "cut short"])
def test_other_bytes_are_refused_and_random_weights_take_their_place(
    online, narrow, monkeypatch, tmp_path, capsys, slip
):
    body = as_file(tiny().state_dict(), tmp_path)
    sent = body[:-4] + b"evil" if slip == "exchanged" else body[:1000]
    with serving(sent, len(body)) as (address, _):
        register(monkeypatch, body, address)
        net = real.resnet18(limits=ONCE)
    said = capsys.readouterr().out
    assert said.startswith("Real: skipped. resnet18-f37072fd.pth could not be downloaded")
    assert ("other content (sha256" if slip == "exchanged" else "the connection to 127.0.0.1") in said
    assert "put it at" in said
    assert not any(weight.any() for weight in net.parameters())
    assert not list((tmp_path / "cache").rglob("*.pth"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("fc.bias"), "fc.bias is missing in the file"),
        (lambda t: t.update({"module.fc.bias": t.pop("fc.bias")}), "module.fc.bias is not in the model"),
        (
            lambda t: t.update({"fc.bias": torch.zeros(10)}),
            r"fc.bias is \(10,\) in the file, \(1000,\) in the model",
        ),
    ],
)
def test_other_names_or_shapes_are_told(narrow, monkeypatch, tmp_path, change, words):
    tensors = dict(tiny().state_dict())
    change(tensors)
    as_file(tensors, tmp_path)
    monkeypatch.setattr(weights, "real", lambda name, limits: tmp_path / "made.pth")
    with pytest.raises(ValueError, match=rf"made.pth is of another architecture: .*{words}"):
        real.resnet18()


def test_offline_each_step_says_in_one_line_what_it_skips(offline, capsys):
    state = torch.random.get_rng_state()
    net = real.resnet18()
    assert torch.equal(torch.random.get_rng_state(), state), "on- and offline the next numbers are the same"
    assert sum(weight.numel() for weight in net.parameters()) == 11_689_512
    assert real.cifar10() is None
    assert real.maxvit_top5(np.zeros((8, 8, 3), np.uint8)) is None
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("skipped" in line and line.endswith("set CVLAB_ONLINE=1 to fetch it.") for line in lines)


def test_pictures_are_prepared_as_torchvision_prepares_them():
    images = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    preset = models.ResNet18_Weights.IMAGENET1K_V1.transforms(crop_size=224, resize_size=224)
    wanted = preset(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert (real.at_224(images) - wanted).abs().max() < 0.02  # torchvision rounds to whole numbers in between


def photos(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose class is their brightest channel: what a network can learn in a few steps."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 56, (count, 8, 8, 3), dtype=np.uint8), np.arange(count) % 3
    images[np.arange(count), ..., labels] += 200
    return images, labels


@pytest.mark.parametrize("way", ["feature extractor", "fine-tuning"])
def test_both_ways_learn_and_only_one_changes_the_body(online, monkeypatch, capsys, way):
    monkeypatch.setattr(cifar10, "load", lambda limits: (photos(60, 0), photos(20, 1)))
    pictures = real.cifar10(48, 12)
    assert capsys.readouterr().out == "Real: CIFAR-10, 48 photos to learn from and 12 to test with.\n"
    net = copy.deepcopy(tiny(16))
    body = {name: value.clone() for name, value in net.state_dict().items() if not name.startswith("fc")}
    net.requires_grad_(way == "fine-tuning")
    torch.manual_seed(0)
    net.fc = nn.Linear(net.fc.in_features, 10)
    learn = [weight for weight in net.parameters() if weight.requires_grad]
    accuracy = real.train(
        net, torch.optim.Adam(learn, 0.002 if way == "fine-tuning" else 0.02), pictures, batch=8, epochs=3
    )
    assert accuracy > 0.5, "one in three by chance"
    same = {name: torch.equal(value, net.state_dict()[name]) for name, value in body.items()}
    assert all(same.values()) == (way == "feature extractor"), "running means too"
    assert not net.training


def test_without_the_photos_it_says_why(online, monkeypatch, capsys):
    def load(limits):
        raise weights.DataUnavailable("cifar-10-python.tar.gz is not on this machine. Get it.")

    monkeypatch.setattr(cifar10, "load", load)
    assert real.cifar10() is None
    assert (
        capsys.readouterr().out == "Real: skipped. cifar-10-python.tar.gz is not on this machine. Get it.\n"
    )


def test_the_page_itself_goes_on_with_the_photos(online, monkeypatch, tmp_path, capsys):
    """Section 11 as it stands, online: ResNet-18's names over loopback, CIFAR-10 in small, a hub that is gone."""
    monkeypatch.setattr(cifar10, "load", lambda limits: (photos(20, 0), photos(10, 1)))
    made = tiny(16)
    monkeypatch.setattr(models, "resnet18", lambda weights: copy.deepcopy(made))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    cells = read_lessons(ROOT, ["04"])[0].cells
    start = next(i for i, cell in enumerate(cells) if cell.source.startswith("## 11"))
    code = [c.source for c in cells[start:-1] if c.kind == "code" and "author" not in c.tags]
    scope = {"torch": torch, "nn": nn, "draw": draw, "show": lambda *a, **k: None}
    body = as_file(made.state_dict(), tmp_path)
    with serving(body) as (address, _):
        register(monkeypatch, body, address)
        exec("\n".join(code), scope)
    assert all(0 <= row["right, %"] <= 100 for row in scope["rows"])
    assert [row["learn"] for row in scope["rows"]] == [128 * 10 + 10, scope["rows"][0]["of"]]
    assert scope["five"] is None
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Real: ") for line in lines) == 3
    assert "could not be downloaded" in lines[-1]


@functools.cache
def hub_file() -> bytes:
    return safetensors.torch.save(timm.create_model(SMALL).state_dict())


def test_a_network_of_the_hub_names_five_classes(online, capsys):
    with serving(hub_file()) as (address, asked):
        five = real.maxvit_top5(np.full((50, 40, 3), 90, np.uint8), SMALL, endpoint=address)
    assert len(five) == 5
    assert {path for _, path in asked} == {f"/timm/{SMALL}/resolve/main/model.safetensors"}
    assert capsys.readouterr().out == f"Real: {SMALL} is ready, from the Hugging Face hub.\n"


def test_a_file_with_another_sum_than_the_hub_states_is_deleted(online, tmp_path, capsys):
    with serving(hub_file(), sha256="ab" * 32) as (address, _):
        assert real.maxvit_top5(np.zeros((9, 9, 3), np.uint8), SMALL, endpoint=address) is None
    assert "the hub states abababababab...; it was deleted." in capsys.readouterr().out
    assert not [
        path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size > 1000
    ]


def test_a_hub_that_cannot_be_reached_is_told(online, capsys):
    with serving(b"") as (address, _):
        pass  # the server is gone again, its port closed
    assert real.maxvit_top5(np.zeros((9, 9, 3), np.uint8), SMALL, endpoint=address) is None
    assert f"Real: skipped. timm/{SMALL}/model.safetensors could not be downloaded" in capsys.readouterr().out


def test_of_a_grey_picture_it_says_what_is_wanted():
    with pytest.raises(ValueError, match="photo"):
        real.maxvit_top5(np.zeros((9, 9), np.uint8))
