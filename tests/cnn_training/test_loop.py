"""The training loop: agrees with torch, stops where it should and says why; alone and in two processes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlab.cnn_training import __main__ as command
from cvlab.cnn_training import loop, nets
from cvlab.cnn_training.batches import Batches

SMALL = ["--pictures", "320", "--batch", "32", "--epochs", "1"]


def blobs(n=64):
    """Dark pictures of class 0 and bright ones of class 1: easy to learn."""
    labels = np.arange(n) % 2
    images = torch.randn(n, 3, 32, 32) * 0.1 + 2 * torch.as_tensor(labels)[:, None, None, None] - 1
    return images, labels


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 6), st.floats(0.01, 500))
def test_cross_entropy_is_torchs(seed, b, k, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(b, k, generator=generator) * scale).requires_grad_()
    labels = torch.randint(k, (b,), generator=generator)
    ours, theirs = loop.cross_entropy(logits, labels), torch.nn.functional.cross_entropy(logits, labels)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    gradients = [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (ours, theirs)]
    assert torch.allclose(*gradients, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 0.99), st.floats(0.001, 1), st.integers(1, 5))
def test_momentum_is_torchs(momentum, lr, steps):
    theirs = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theirs], lr, momentum=momentum)
    ours, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for _ in range(steps):
        optimizer.zero_grad()
        (theirs**2 * torch.tensor([1.0, 10.0])).sum().backward()
        optimizer.step()
        ours, velocity = loop.sgd_momentum_step(ours, 2 * ours * [1, 10], velocity, lr, momentum)
    assert np.allclose(ours, theirs.detach().numpy(), rtol=1e-9)


def test_accuracy_counts_pictures_not_batches_and_leaves_the_mode():
    model = torch.nn.Identity().train()
    right, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    feed = [(right.repeat(3, 1), torch.zeros(3, dtype=int)), (wrong, torch.zeros(1, dtype=int))]
    assert loop.accuracy(model, feed) == 0.75
    assert model.training
    assert loop.confusion(model, feed, 2).tolist() == [[3, 1], [0, 0]]


def half_frozen():
    """A net of which one part is in evaluation mode while the rest trains."""
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2)).train()
    model[0].eval()
    return model, [part.training for part in model.modules()]


@pytest.mark.parametrize("judge", [loop.accuracy, loop.confusion])
def test_judging_leaves_each_part_in_its_mode_also_after_an_error(judge):
    model, before = half_frozen()
    judge(model, [(torch.zeros(3, 2), torch.zeros(3, dtype=int))])
    assert [part.training for part in model.modules()] == before
    with pytest.raises(RuntimeError, match="should contain 5 elements"):
        judge(model, [(torch.zeros(3, 5), torch.zeros(3, dtype=int))])
    assert [part.training for part in model.modules()] == before


@pytest.mark.parametrize(
    "call",
    [
        lambda none: loop.accuracy(torch.nn.Identity(), none),
        lambda none: loop.confusion(torch.nn.Identity(), none),
        lambda none: loop.train_epoch(torch.nn.Identity(), none, loop.cross_entropy, None),
    ],
    ids=["accuracy", "confusion", "train_epoch"],
)
def test_no_batch_at_all_is_told(call):
    for none in ([], iter(())):
        with pytest.raises(
            ValueError, match="batches must hold at least one batch; got none. Fewer pictures"
        ):
            call(none)


def test_confusion_refuses_labels_that_would_count_from_the_end():
    with pytest.raises(ValueError, match="labels must be 0 to 1.*got -1 at 0"):
        loop.confusion(torch.nn.Identity(), [(torch.zeros(1, 2), torch.tensor([-1]))])


def test_fit_learns_and_tells():
    torch.manual_seed(0)
    images, labels = blobs()
    model, seen = nets.make("lenet"), []
    feed, test = Batches(images, labels, 16), Batches(images, labels, 64, every=True)
    history = loop.fit(model, feed, test, 30, watch=lambda h: seen.append(len(h)))
    assert seen == list(range(1, 31))
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["accuracy"] == loop.accuracy(model, test) > 0.9


def test_an_interrupt_keeps_model_and_history(capsys):
    images, labels = blobs()
    model = nets.make("lenet")
    before = model[0].weight.clone()

    def impatient(history):
        if len(history) == 2:
            raise KeyboardInterrupt

    history = loop.fit(model, Batches(images, labels, 16), Batches(images, labels, 64), 9, watch=impatient)
    assert len(history) == 2
    assert not torch.equal(model[0].weight, before)
    assert "Stopped by you after 2 epochs: the model and the history are kept" in capsys.readouterr().out


def test_one_batch_by_heart():
    torch.manual_seed(0)
    model = nets.make("lenet")
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    losses = loop.overfit_one_batch(model, torch.randn(8, 3, 32, 32), torch.arange(8), optimizer)
    assert losses[-1] < 0.05 <= min(losses[:-1])


@pytest.mark.parametrize(
    ("logits", "labels", "text"),
    [
        (
            (2, 3),
            [0, 3],
            "labels must be 0 to 2, because logits have 3 columns; got 3 at 1. Do the labels count from 1",
        ),
        ((2, 3), [-1, 0], "got -1 at 0"),
        ((2, 3), [0], r"got \(2, 3\) and \(1,\)"),
        ((0, 3), [], "labels must hold at least one label; got none"),
    ],
)
def test_labels_that_do_not_fit(logits, labels, text):
    with pytest.raises(ValueError, match=text):
        loop.cross_entropy(torch.zeros(logits), torch.tensor(labels, dtype=torch.int64))


def test_labels_out_of_range_stop_a_training():
    images, labels = blobs()
    labels[5] = 10
    with pytest.raises(ValueError, match="labels must be 0 to 9, because logits have 10 columns; got 10 at"):
        loop.fit(nets.make("lenet"), Batches(images, labels, 64), Batches(images, labels, 64), 1)
    with pytest.raises(TypeError, match="labels must be whole numbers; got torch.float32"):
        loop.cross_entropy(torch.zeros(1, 2), torch.zeros(1))
    with pytest.raises(ValueError, match="batches must hold at least one batch; got none"):
        loop.fit(nets.make("lenet"), [], [], 1)


@pytest.mark.parametrize(
    ("spoil", "lr", "cause"),
    [
        (lambda x: x, 1e9, r"the steps are too large: lr = 1e\+09 .usual are 0.001 to 0.1"),
        (lambda x: x * float("nan"), 0.05, "the pictures of this batch hold NaN or infinity"),
        (lambda x: x * 1e5, 1e5, "the pictures reach .*scale them"),
    ],
)
def test_a_loss_that_is_nan_stops_with_step_and_cause(spoil, lr, cause):
    torch.manual_seed(0)
    images, labels = blobs()
    feed = Batches(spoil(images), labels, 16)
    with pytest.raises(
        FloatingPointError, match=rf"the loss is (nan|inf) at step \d+. Likely cause: {cause}"
    ):
        loop.fit(nets.make("lenet"), feed, feed, 30, lr)


def test_momentum_needs_one_shape():
    with pytest.raises(ValueError, match=r"weight and grad must have the same shape; got \(2,\) and \(3,\)"):
        loop.sgd_momentum_step(np.zeros(2), np.zeros(3), np.zeros(2))


# The program --------------------------------------------------------------------------------------------

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def program(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, *arguments], env=options.pop("env", ENVIRONMENT), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **options,
    )  # fmt: skip


def report(folder):
    return json.loads((folder / "losses.json").read_text())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path):
    alone = program("-m", "cvlab.cnn_training", "--out", tmp_path / "one", *SMALL)
    pair = program("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cvlab.cnn_training",
                   "--out", tmp_path / "two", *SMALL)  # fmt: skip
    for process in (alone, pair):
        out = process.communicate(timeout=280)[0]
        assert process.returncode == 0, out
    one, two = (np.array(report(tmp_path / name)["losses"]) for name in ("one", "two"))
    assert len(one) == len(two) == 10
    assert np.abs(one - two).max() < 1e-5
    assert one.std() > 1e-4


def rank(number, port, folder):
    """Start one of two processes as torchrun would, the meeting point given; many epochs, saved after every step."""
    world = {
        "RANK": str(number),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    arguments = ["--out", folder, *SMALL[:-1], "500", "--save-every", "2"]
    return program("-m", "cvlab.cnn_training", *arguments, env=ENVIRONMENT | world)


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_a_checkpoint(tmp_path):
    meeting = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    first, second = (rank(number, meeting.port, tmp_path) for number in (0, 1))
    try:
        while not (tmp_path / "checkpoint.pt").exists() and first.poll() is None:
            time.sleep(0.1)
        second.kill()
        text = first.communicate(timeout=280)[0]
    finally:
        first.kill()
        second.kill()
        second.communicate()
    assert first.returncode == 1, text
    assert "another process died or was killed" in text
    assert "Nothing before the last checkpoint is lost: go on with --resume" in text
    assert "Traceback" not in text
    assert len(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["progress"]["losses"]) >= 2


@pytest.mark.slow
def test_a_stopped_run_resumes_to_the_same_losses(tmp_path, capsys, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command.main(["--out", str(tmp_path / "straight"), *SMALL]) == 0
    step, count = command._step, []

    def interrupted(*arguments):
        count.append(1)
        if len(count) == 6:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(command, "_step", interrupted)
    halves = ["--out", str(tmp_path / "halves"), *SMALL, "--save-every", "3"]
    assert command.main(halves) == 1
    assert (
        "Stopped at step 5: interrupted. Nothing before the last checkpoint is lost"
        in capsys.readouterr().err
    )
    monkeypatch.setattr(command, "_step", step)
    assert command.main([*halves, "--resume"]) == 0
    assert "resumed at step 3 of 10" in capsys.readouterr().out
    straight, halves = report(tmp_path / "straight"), report(tmp_path / "halves")
    assert straight == halves


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--batch", "999"], "--batch 999 is more than the 320 pictures there are"),
        (["--epochs", "0"], "must be at least 1"),
        (["--resume"], "no checkpoint at"),
        (
            ["--data", "cifar10"],
            "cifar-10-python.tar.gz is not on this machine. The course is offline. .*CVLAB_ONLINE=1",
        ),
        (["--lr", "1e9"], "the loss is .* at step .*the steps are too large"),
    ],
)
def test_a_run_that_cannot_start_says_why(tmp_path, capsys, monkeypatch, arguments, text):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("CVLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CVLAB_ONLINE", raising=False)
    assert command.main(["--out", str(tmp_path), *SMALL, *arguments]) == 1
    import re

    assert re.search(text, capsys.readouterr().err)
