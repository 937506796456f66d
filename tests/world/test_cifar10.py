"""CIFAR-10's real path, on an archive of its shape: fetched over loopback, verified, unpacked, read; or skipped in words."""

import hashlib
import io
import pickle
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from cvlab import settings
from cvlab.cnn_training import __main__ as command
from cvlab.cnn_training import records
from cvlab.cnn_training.nets import make
from cvlab.store import weights
from cvlab.store.checkpoint import load_weights
from cvlab.world import cifar10

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
NAMES = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]


def batch(seed: int, count: int) -> dict:
    """Return what one of CIFAR-10's files holds: rows of 1024 red, 1024 green and 1024 blue numbers."""
    labels = np.arange(count) % 10
    pictures = np.random.default_rng(seed).integers(0, 56, (count, 3, 1024), dtype=np.uint8)
    pictures[np.arange(count), labels % 3] += 200
    return {"data": pictures.reshape(count, 3072), "labels": labels.tolist()}


@pytest.fixture
def archive(monkeypatch):
    """An archive like CIFAR-10's, of 40 pictures a file, that torchvision and the registry expect."""
    files = {name: pickle.dumps(batch(k, 40)) for k, name in enumerate(NAMES)}
    files["batches.meta"] = pickle.dumps({"label_names": CLASSES})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    sums = [[name, hashlib.md5(files[name]).hexdigest()] for name in NAMES]
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": hashlib.md5(files["batches.meta"]).hexdigest(),
    }
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return buffer.getvalue()


@pytest.fixture
def server(archive, monkeypatch, tmp_path):
    """Serve the archive on loopback, into an empty cache; the course is online. Gives the list of requests."""
    asked, body = [], [archive]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body[0])))
            self.end_headers()
            self.wfile.write(body[0])

        def log_message(self, *args):
            """Keep the tests' output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    source = weights.Source(
        file="cifar-10-python.tar.gz",
        sha256=hashlib.sha256(archive).hexdigest(),
        size=len(archive),
        licence="MIT",
        card="Coloured noise in ten classes.",
        url=f"http://127.0.0.1:{httpd.server_port}/cifar-10-python.tar.gz",
        folder="datasets",
    )
    monkeypatch.setitem(weights.REGISTRY, "cifar10", source)
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "_online", True)
    asked_and_body = (asked, body)
    yield asked_and_body
    httpd.shutdown()
    httpd.server_close()


def test_the_photos_arrive_upright_and_in_order(server, tmp_path):
    (images, labels), (test_images, test_labels) = cifar10.load()
    assert images.shape == (200, 32, 32, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert test_images.shape == (40, 32, 32, 3)
    assert labels.tolist() == [*range(10)] * 20
    first = batch(0, 40)["data"][7].reshape(3, 32, 32)
    assert (images[7] == first.transpose(1, 2, 0)).all()
    assert (test_images.argmax(axis=3) == (test_labels % 3)[:, None, None]).all()
    cifar10.load()
    assert server[0] == ["/cifar-10-python.tar.gz"]  # the second time nothing is fetched


def test_a_damaged_folder_is_unpacked_again_without_the_network(server, tmp_path):
    cifar10.load()
    folder = tmp_path / "cache" / "datasets" / "cifar10" / "cifar-10-batches-py"
    (folder / "data_batch_3").write_bytes(b"short")
    assert len(cifar10.load()[0][0]) == 200
    shutil.rmtree(folder)
    assert len(cifar10.load()[0][0]) == 200
    assert len(server[0]) == 1


def test_other_bytes_are_refused_and_stickers_take_their_place(server, archive, tmp_path, capsys):
    server[1][0] = archive[:-4] + b"evil"
    with pytest.raises(weights.DownloadError, match="sha256"):
        cifar10.load(limits=weights.Limits(tries=1))
    assert not list((tmp_path / "cache").rglob("data_batch_*"))
    data = records.ten_classes(real=True)
    assert "Real: skipped, Stickers10 takes the place of CIFAR-10." in capsys.readouterr().out
    assert len(data["train"][0]) == 4000


def test_the_lesson_switches_to_photos(server, capsys):
    data = records.ten_classes(real=True)
    assert "Real: CIFAR-10, 200 and 40 photos; a share of them is used." in capsys.readouterr().out
    assert {split: images.shape[1:] for split, (images, _) in data.items()} == dict.fromkeys(
        ("train", "val", "test"), (32, 32, 3)
    )
    assert set(records.ten_classes()["train"][1]) == set(range(10))


def test_offline_it_says_the_way_out(server, monkeypatch, capsys):
    monkeypatch.setattr(settings, "_online", False)
    with pytest.raises(
        weights.DataUnavailable, match="cifar-10-python.tar.gz is not on this machine. The course is offline"
    ):
        cifar10.load()
    assert server[0] == []


@pytest.mark.slow
def test_the_program_trains_on_photos(server, tmp_path, capsys):
    out = tmp_path / "run"
    assert command.main(["--out", str(out), "--data", "cifar10", "--batch", "20", "--epochs", "2"]) == 0
    assert "accuracy" in capsys.readouterr().out
    load_weights(out / "net.safetensors", make("lenet"))


def test_the_registered_address_is_the_authors():
    source = weights.REGISTRY["cifar10"]
    assert (source.size, source.sha256[:8]) == (170498071, "6d958be0")
    assert source.url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
