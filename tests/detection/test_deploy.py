"""A detector as ONNX: written, read, asked by OpenCV alone; and what is no such file, no picture, no score."""

import sys

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import batched_nms

from cvlab.detection.deploy import answers, apart, detect, export, letterbox, read_onnx, unletterbox


class Toy(nn.Module):
    """One convolution: a box and a score for each of three classes a cell."""

    def __init__(self):
        super().__init__()
        self.cells = nn.Conv2d(3, 7, 8, stride=8)

    def forward(self, x):
        y = self.cells(x).flatten(2).transpose(1, 2)
        return y[..., 3:].exp().cumsum(-1), y[..., :3].sigmoid()


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    torch.manual_seed(0)
    net = Toy()
    return net, export(net, tmp_path_factory.mktemp("onnx") / "toy.onnx", 64)


def test_opencv_and_onnxruntime_say_what_torch_says(toy):
    onnxruntime = pytest.importorskip("onnxruntime")
    net, path = toy
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = [value.numpy() for value in net(x)]
    there = read_onnx(path)
    there.setInput(x.numpy())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for found in (there.forward(["boxes", "scores"]), session.run(["boxes", "scores"], {"image": x.numpy()})):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_letterbox_and_its_way_back_for_every_shape():
    rng = np.random.default_rng(0)
    for height, width in rng.integers(1, 400, (200, 2)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        square, scale, (left, top) = letterbox(image, 96)
        assert square.shape == (96, 96, 3)
        inside = np.array([[left, top, left + scale * width, top + scale * height]])
        assert 0 <= inside.min() <= inside.max() <= 96 + 1.01
        back = unletterbox(inside, scale, (left, top), (height, width))
        np.testing.assert_allclose(back, [[0, 0, width, height]], atol=1e-9)


def test_a_square_of_the_right_size_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    square, scale, corner = letterbox(image, 64)
    assert (square == image).all()
    assert (scale, corner) == (1, (0, 0))


def test_answers_are_torchvisions_for_random_boxes():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(0, 40))
        scores = rng.random((n, 3))
        boxes = np.sort(rng.uniform(0, 20, (n, 2, 2)), axis=1).reshape(n, 4)
        found = answers(scores, boxes, least=0.3, threshold=0.4)
        place, label = np.nonzero(scores >= 0.3)
        kept = batched_nms(*map(torch.from_numpy, (boxes[place], scores[place, label], label)), 0.4)[:100]
        np.testing.assert_array_equal(found["labels"], label[kept])
        np.testing.assert_array_equal(found["boxes"], boxes[place][kept])


def test_at_most_so_many_are_kept():
    boxes = np.array([[20.0 * i, 0, 20 * i + 9, 9] for i in range(30)])
    assert len(answers(np.full((30, 1), 0.9), boxes, most=7)["scores"]) == 7


@pytest.mark.parametrize(
    ("scores", "boxes", "words"),
    [
        (np.array([[3.0]]), np.zeros((1, 4)), "scores must lie in 0 to 1; got 3 to 3. Logits"),
        (np.array([[-0.1]]), np.zeros((1, 4)), "scores must lie in 0 to 1"),
        (np.array([[np.nan]]), np.zeros((1, 4)), "scores must be finite; got 1 that"),
        (np.array([[0.5]]), np.full((1, 4), np.inf), "boxes must be finite; got 4 that"),
        (np.zeros((1, 2, 3)), np.zeros((1, 2, 4)), r"A batch\? Pass scores\[0\]"),
        (np.zeros((2, 3)), np.zeros((3, 4)), r"got \(2, 3\) and \(3, 4\)"),
    ],
)
def test_scores_and_boxes_that_cannot_be(scores, boxes, words):
    with pytest.raises(ValueError, match=words):
        answers(scores, boxes)


def test_detect_answers_in_the_pictures_own_pixels(toy):
    image = np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)
    found = detect(read_onnx(toy[1]), image, 64)
    assert len(found["boxes"]) == len(found["scores"]) == len(found["labels"]) > 0
    assert found["boxes"].min() >= 0
    assert (found["boxes"].max(axis=0) <= [90, 40, 90, 40]).all()


@pytest.mark.parametrize("keep", [0, 10, 3000, -5])
def test_a_file_cut_short_is_told(toy, tmp_path, keep):
    path = tmp_path / "cut.onnx"
    path.write_bytes(toy[1].read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"OpenCV cannot read cut.onnx \(\d+ bytes\). Cut short"):
        read_onnx(path)


def test_text_another_task_and_no_file_are_told(tmp_path):
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(ValueError, match=r"OpenCV cannot read text\.onnx"):
        read_onnx(tmp_path / "text.onnx")
    net, x = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval(), torch.zeros(1, 3, 2, 2)
    torch.onnx.export(net, (x,), tmp_path / "task.onnx", output_names=["classes"], dynamo=True, verbose=False)
    with pytest.raises(ValueError, match=r"task\.onnx has classes\. A network for another task"):
        read_onnx(tmp_path / "task.onnx")
    with pytest.raises(FileNotFoundError, match="there is none at"):
        read_onnx(tmp_path / "none.onnx")


def test_pictures_that_are_none_are_told(toy):
    for image, words in ((np.zeros((5, 5)), "image must have shape"), (np.zeros((5, 5, 3)), "must be uint8")):
        with pytest.raises(ValueError, match=words):
            detect(read_onnx(toy[1]), image)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_is_done_apart_stays_there_and_its_failure_is_told(tmp_path):
    kept = []

    def work():
        kept.append(1)
        (tmp_path / "there").write_text(str(len(kept)))

    apart(work)
    assert (tmp_path / "there").read_text() == "1"
    assert kept == ([] if sys.platform == "linux" else [1])
    with pytest.raises((RuntimeError, ZeroDivisionError), match=r"ended with 1|division"):
        apart(lambda: 1 / 0)
