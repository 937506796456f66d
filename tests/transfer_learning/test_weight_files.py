"""Files of weights that fit after renaming, and those that must be refused in clear words."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from cvlab.store import weights
from cvlab.transfer_learning.weight_files import load_into, rename_keys

RULES = [("body", "conv"), ("fc", "head")]


def network(classes=3):
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(1, 2, 3))
    net.add_module("head", nn.Linear(2, classes))
    return net


@pytest.fixture
def stored():
    """The tensors of a trained network, under the names of another library."""
    torch.manual_seed(3)
    tensors = network().state_dict()
    return {name.replace("conv", "body").replace("head", "fc"): tensor for name, tensor in tensors.items()}


def same(net, stored):
    return all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), stored.values(), strict=True))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_is_loaded_under_new_names(tmp_path, stored, suffix):
    path = tmp_path / f"net.{suffix}"
    save_file(stored, path) if suffix == "safetensors" else torch.save(stored, path)
    net = network()
    load_into(net, path, RULES)
    assert same(net, stored)


def test_a_training_on_several_gpus_is_loaded(tmp_path, stored):
    packed = {"state_dict": {f"module.{name}": t for name, t in stored.items()}, "epoch": 7}
    torch.save(packed, tmp_path / "last.pth")
    net = network()
    load_into(net, tmp_path / "last.pth", dict(RULES))
    assert same(net, stored)


def test_data_parallel_writes_the_prefix():
    net = network()
    names = list(rename_keys(nn.DataParallel(net).state_dict(), []))
    assert names == list(net.state_dict())


def test_the_checkpoint_is_left_alone(stored):
    before = list(stored)
    renamed = rename_keys(stored, RULES)
    assert list(stored) == before
    assert renamed["head.bias"] is stored["fc.bias"]


def refused(source, words, rules=RULES, classes=3):
    net = network(classes)
    before = [tensor.clone() for tensor in net.state_dict().values()]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words follow
        load_into(net, source, rules)
    for word in words:
        assert word in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, net.state_dict().values(), strict=True))


def test_both_shapes_are_named(stored):
    refused(
        stored,
        ["head.bias is (3,) in the file, (10,) in the model", "(3, 2)", "(10, 2)"],
        classes=10,
    )


def test_names_that_fit_nowhere_are_told_apart_from_a_few_that_lack(stored):
    refused(stored, ["none of its 4 names is the model's", "'body.weight'", "'conv.weight'"], rules=[])
    refused(stored, ["head.weight is missing in the file", "fc.weight is not in the model"], rules=RULES[:1])


def test_another_architecture_is_refused():
    resnet = timm.create_model("resnet18", num_classes=2).state_dict()
    refused(resnet, ["of another architecture", f"none of its {len(resnet)} names"], rules=[])


@pytest.mark.parametrize("keep", [0.0, 0.4, 0.99])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_cut_short_is_refused(tmp_path, stored, suffix, keep):
    path = tmp_path / f"net.{suffix}"
    save_file(stored, path) if suffix == "safetensors" else torch.save(stored, path)
    body = path.read_bytes()
    path.write_bytes(body[: int(keep * len(body))])
    refused(path, [f"{path.name} is damaged, or not a file of weights"])


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_that_would_run_code_is_refused_by_name(tmp_path, stored):
    trace = tmp_path / "trace"
    torch.save({"state_dict": stored, "extra": Evil(trace)}, tmp_path / "evil.pth")
    refused(tmp_path / "evil.pth", ["evil.pth is refused", "could run code", "open"])
    assert not trace.exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.pth"):
        load_into(network(), tmp_path / "nowhere.pth")


@pytest.mark.parametrize(
    ("checkpoint", "error", "words"),
    [
        (nn.Linear(1, 1), TypeError, r"checkpoint must be a dict .* A model\? Pass its state_dict\(\)"),
        ([torch.zeros(1)], TypeError, "checkpoint must be a dict of tensors by name; got list"),
        ({}, ValueError, "checkpoint must hold at least one tensor; got none"),
        ({"state_dict": 3}, ValueError, r"checkpoint\['state_dict'\] must be a dict of tensors; got int"),
        ({"model": {"a": torch.zeros(1)}}, ValueError, r"deeper\? Pass checkpoint\['model'\]"),
    ],
)
def test_what_is_no_checkpoint_is_refused(checkpoint, error, words):
    with pytest.raises(error, match=words):
        rename_keys(checkpoint, RULES)


@pytest.mark.parametrize("rules", [[("a",)], [("a", 1)], ["fcx"], [("", "x")]])
def test_rules_are_pairs_of_texts(stored, rules):
    with pytest.raises(ValueError, match="rules must"):
        rename_keys(stored, rules)


def test_the_real_file_needs_names_and_then_fits():
    net = timm.create_model("tf_efficientnet_lite0")
    with pytest.raises(ValueError, match="'_conv_stem.weight', the model's 'conv_stem.weight'"):
        load_into(net, "efficientnet_lite0")
    assert len(weights.read("efficientnet_lite0")) == len(net.state_dict())
