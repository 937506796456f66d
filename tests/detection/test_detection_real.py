"""The real step of lesson 06b: YOLOX's way out, one function for any model, weights over loopback, lines offline."""

import hashlib
import io

import numpy as np
import pytest
import torch
from support.serving import serving
from torch import nn
from torchvision import models

from cvlab import settings
from cvlab.detection import real
from cvlab.detection.deploy import letterbox
from cvlab.store import weights

ONCE = weights.Limits(tries=1)


@pytest.fixture
def online(monkeypatch, tmp_path):
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "_online", True)


@pytest.mark.parametrize("name", real.NETWORKS)
def test_what_is_registered_is_what_torchvision_names(name):
    source = weights.REGISTRY[name]
    known = models.get_weight(source.torchvision)
    assert source.file == known.url.rpartition("/")[2]
    assert source.sha256[:8] == source.file.rpartition("-")[2].removesuffix(".pth"), "torch.hub's custom"
    assert round(source.size / 2**20, 3) == known.meta["_file_size"]
    names = known.meta["categories"]
    assert all(names[number] == word for number, word in real.NUMBERED.items())


def test_offline_each_says_in_one_line_what_it_skips(monkeypatch, capsys):
    monkeypatch.setattr(settings, "_online", False)
    assert [real.network(name) for name in real.NETWORKS] + [real.yolox()] == [None] * 5
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all("skipped" in line and line.endswith("set CVLAB_ONLINE=1 to fetch it.") for line in lines)


class Bright(nn.Module):
    """A network of torchvision's form that finds one box where the picture is bright."""

    def __init__(self, **_):
        super().__init__()
        self.score = nn.Parameter(torch.tensor(0.0))

    def forward(self, pictures):
        rows, cols = (pictures[0].mean(0) > 0.5).nonzero(as_tuple=True)
        box = torch.stack([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1])[None].float()
        scores = torch.stack([self.score, self.score * 0])
        return [{"boxes": torch.cat([box, box]), "labels": torch.tensor([17, 18]), "scores": scores}]


def register(monkeypatch, name: str, body: bytes, address: str) -> None:
    file = weights.REGISTRY[name].file
    source = weights.Source(
        file=file,
        sha256=hashlib.sha256(body).hexdigest()[: 8 if "mask" in name else 64],
        size=len(body),
        licence="MIT",
        card="A small network in its place.",
        url=f"{address}/{file}",
    )
    monkeypatch.setitem(weights.REGISTRY, name, source)


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"])
def test_weights_come_once_fill_the_network_and_it_is_asked(online, monkeypatch, name):
    net, file = Bright(), io.BytesIO()
    nn.init.constant_(net.score, 0.9)
    torch.save(net.state_dict(), file)
    monkeypatch.setattr(models.detection, name, Bright)
    with serving({weights.REGISTRY[name].file: file.getvalue()}) as (address, asked):
        register(monkeypatch, name, file.getvalue(), address)
        there = [real.network(name, limits=ONCE) for _ in range(2)][1]
    assert len(asked) == 1
    photo = np.zeros((20, 30, 3), np.uint8)
    photo[5:9, 10:25] = 255
    found = real.ask(there, photo)
    assert found["names"] == ["cat"]
    assert found["boxes"].tolist() == [[10, 5, 25, 9]]


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn"])
def test_bytes_with_another_sum_are_refused(online, monkeypatch, capsys, name):
    with serving({weights.REGISTRY[name].file: b"other bytes"}) as (address, _):
        register(monkeypatch, name, b"these bytes", address)
        assert real.network(name, limits=ONCE) is None
    assert "other content (sha256" in capsys.readouterr().out


def raw_with(stride, box, label) -> np.ndarray:
    """What YOLOX would write for one object in a 416 square."""
    raw, first = np.zeros((3549, 85), np.float32), {8: 0, 16: 2704, 32: 3380}
    (x0, y0, x1, y1), side = box, 416 // stride
    cx, cy = (x0 + x1) / 2 / stride, (y0 + y1) / 2 / stride
    row = first[stride] + int(cy) * side + int(cx)
    raw[row, :4] = [cx - int(cx), cy - int(cy), np.log((x1 - x0) / stride), np.log((y1 - y0) / stride)]
    raw[row, 4], raw[row, 5 + label] = 0.9, 1
    return raw


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_decode_undoes_what_yolox_writes(stride):
    rng = np.random.default_rng(stride)
    for _ in range(100):
        size = rng.uniform(4, 150, 2)
        corner = rng.uniform(0, 416 - size)
        box, label = (*corner, *(corner + size)), int(rng.integers(80))
        scores, boxes = real.decode_yolox(raw_with(stride, box, label))
        best, kind = np.unravel_index(scores.argmax(), scores.shape)
        assert kind == label
        np.testing.assert_allclose(boxes[best], box, atol=1e-3)


def constant_onnx(raw: np.ndarray) -> bytes:
    """A file of YOLOX's form that always answers `raw`."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["raw", "nothing"], ["output"]),
    ]
    given = [
        numpy_helper.from_array(v, n) for n, v in (("raw", raw[None]), ("zero", np.zeros(1, np.float32)))
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("images", [1, 3, 416, 416]), ("output", [1, 3549, 85]))
    ]
    graph = helper.make_graph(nodes, "stand-in", ends[:1], ends[1:], given)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()


def test_a_yolo_file_over_loopback_finds_what_it_says(online, monkeypatch):
    photo = np.zeros((200, 416, 3), np.uint8)
    top = letterbox(photo, 416)[2][1]
    body = constant_onnx(raw_with(16, (100.0, 60 + top, 180, 180 + top), 15))
    with serving({"yolox_nano.onnx": body}) as (address, _):
        register(monkeypatch, "yolox_nano", body, address)
        model = real.yolox(limits=ONCE)
    found = real.ask(model, photo)
    assert found["names"] == ["cat"]
    np.testing.assert_allclose(found["boxes"], [[100, 60, 180, 180]], atol=1e-2)
    np.testing.assert_allclose(found["scores"], [0.9], atol=1e-6)
