"""A new head on real networks, what freezing leaves free, BatchNorm that stands still, and bad input."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from cvlab.transfer_learning import heads

FEATURES, LABELS = torch.eye(4), torch.tensor([0, 1, 2, 2])


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: torchvision.models.resnet18(weights=None), "fc"),
        (lambda: timm.create_model("tf_efficientnet_lite0", pretrained=False), "classifier"),
        (lambda: timm.create_model("regnetx_002", pretrained=False), "head.fc"),
    ],
)
def test_a_new_head_on_a_real_network(make, name):
    network = make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert heads.replace_head(network, 10) == name
    after = network.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert list(after) == list(before)
    assert changed == {f"{name}.weight", f"{name}.bias"}
    assert network.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 10)
    assert [tuple(p.shape) for p in heads.freeze(network, [name])] == [
        (10, before[name + ".weight"].shape[1]),
        (10,),
    ]


def test_freeze_forgets_what_was_frozen_before():
    network = net()
    assert heads.freeze(network, []) == []
    assert len(heads.freeze(network, ["0", "3"])) == 4
    assert [p.requires_grad for p in network.parameters()] == [True, True, False, False, True, True]


def test_frozen_parameters_get_no_gradient():
    network = net()
    heads.freeze(network, ["3"])
    network(torch.rand(2, 3, 2, 2)).sum().backward()
    assert [p.grad is not None for p in network.parameters()] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("free", [[], ["1"]])
def test_only_a_batchnorm_that_learns_looks_at_the_batch(free):
    network = net()
    heads.freeze(network, [*free, "3"])
    heads.training_mode(network)
    assert [part.training for part in network] == [True, bool(free), True, True]
    network(torch.rand(8, 3, 2, 2) + 5)
    assert torch.equal(network[1].running_mean, torch.zeros(4)) == (not free)


def test_plain_train_moves_a_frozen_batchnorm():
    network = net()
    heads.freeze(network, ["3"])
    network.train()(torch.rand(8, 3, 2, 2) + 5)
    assert not torch.equal(network[1].running_mean, torch.zeros(4))


def test_a_trained_head_tells_the_classes_apart():
    torch.manual_seed(0)
    head = nn.Linear(4, 3)
    heads.train_head(head, FEATURES.repeat(20, 1), LABELS.repeat(20), lr=0.05)
    assert head(FEATURES).argmax(dim=1).tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 1)), ValueError, "net must have a linear layer; Sequential has none"),
        (nn.Linear(3, 4), ValueError, "net must hold its head as a part; got the bare layer Linear"),
        (
            nn.Sequential,
            TypeError,
            r"net must be a network \(nn.Module\); got type. Its class\? Call it first",
        ),
        ({"fc.weight": FEATURES}, TypeError, r"net must be a network \(nn.Module\); got dict$"),
    ],
)
def test_what_has_no_head_is_refused(network, error, message):
    with pytest.raises(error, match=message):
        heads.replace_head(network, 10)


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        (0, ValueError, "classes must be at least 1; got 0"),
        (2.0, TypeError, r"classes must be a whole number; got 2.0. Round it first: int\(2.0\)"),
        (["cat", "dog"], TypeError, "classes must be a whole number; got"),
    ],
)
def test_a_wrong_number_of_classes_is_refused(classes, error, message):
    network = net()
    with pytest.raises(error, match=message):
        heads.replace_head(network, classes)
    assert network[3].out_features == 5


@pytest.mark.parametrize(
    ("but", "error", "message"),
    [
        ("fc", TypeError, r"but must be a list of names; got 'fc'. One part\? Pass \['fc'\]"),
        (["layer5"], ValueError, r"but must name parts of the network; got 'layer5'. Did you mean 'layer\d'"),
        (["fc.weight"], ValueError, r"got 'fc.weight'. A parameter\? Its part is 'fc'"),
        (["fc", "zzz"], ValueError, "but must name parts of the network; got 'zzz'$"),
        ([""], ValueError, "but must name parts of the network; got ''"),
    ],
)
def test_unknown_parts_are_refused_before_anything_is_frozen(but, error, message):
    network = torchvision.models.resnet18(weights=None)
    with pytest.raises(error, match=message):
        heads.freeze(network, but)
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("function", [lambda net: heads.freeze(net, []), heads.training_mode])
def test_a_class_is_no_network(function):
    with pytest.raises(TypeError, match=r"net must be a network .*Its class\? Call it first"):
        function(nn.Sequential)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"x": torch.eye(5)[:4]},
            r"x must have shape \(N, 4\), because the head has in_features=4; got \(4, 5\)",
        ),
        ({"x": FEATURES[0]}, r"x must have shape \(N, 4\), .*; got \(4,\)"),
        ({"labels": LABELS[:3]}, r"labels must have shape \(4,\), one a row; got \(3,\)"),
        ({"labels": LABELS + 1}, "labels must be 0 to 2, because the head has out_features=3; got 1 to 3"),
        ({"labels": LABELS - 1}, "labels must be 0 to 2, .*; got -1 to 1"),
    ],
)
def test_features_and_labels_that_do_not_fit_the_head_are_refused(change, message):
    right = {"head": nn.Linear(4, 3), "x": FEATURES, "labels": LABELS}
    with pytest.raises(ValueError, match=message):
        heads.train_head(**right | change)
