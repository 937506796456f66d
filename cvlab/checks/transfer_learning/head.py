"""The exercise of lesson 04 that gives a network a new last layer."""

from typing import NamedTuple

import torch
from torch import nn

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.transfer_learning import small_nets
from cvlab.transfer_learning import heads

__all__ = ["REPLACE_HEAD"]


class _Seen(NamedTuple):
    name_returned: str
    names_of_all_parameters: list
    shape_of_the_new_weight: tuple
    out_features_of_the_head: int
    count_of_old_numbers_in_the_head: int
    numbers_of_the_rest: torch.Tensor
    answer: torch.Tensor
    count_of_parameters_that_learn: int


def _apply(function, kind, classes):
    """Return what the function returns, and what the net is afterwards; the new head gets fixed numbers first."""
    net, head = small_nets.make(kind), small_nets.HEADS[kind]
    old = dict(net.named_parameters())
    given = function(net, classes)
    if isinstance(given, nn.Module):
        given = "the network itself" if given is net else "a layer itself"
    now = dict(net.named_parameters())
    new = [p for n, p in now.items() if n.startswith(head + ".")]
    rest = [p.detach().flatten() for n, p in now.items() if not n.startswith(head + ".")]
    weight = now.get(head + ".weight", torch.empty(0))
    kept = torch.isin(weight.detach(), old[head + ".weight"].detach()).sum().item()
    outputs = getattr(dict(net.named_modules()).get(head), "out_features", 0)
    small_nets.fill(new)
    with torch.no_grad():
        answer = net.eval()(torch.arange(96.0).reshape(2, 3, 4, 4).cos())
    learning = sum(p.requires_grad for p in net.parameters())
    return _Seen(given, list(now), tuple(weight.shape), outputs, kept, torch.cat(rest), answer, learning)


def _cases() -> list[Case]:
    plans = [("resnet", 3), ("efficientnet", 2), ("vgg", 3), ("convnext", 4), ("regnet", 2), ("resnet", 9)]
    text = "replace_head({}-like net, {})"
    return [Case(kind, classes).shown_as(text.format(kind, classes)) for kind, classes in plans]


def _linear(net):
    return [name for name, part in net.named_modules() if isinstance(part, nn.Linear)]


def _other(net, classes):
    """Walk down to the head's parent and set the attribute there."""
    name = _linear(net).pop()
    *above, own = name.split(".")
    parent = net
    for step in above:
        parent = getattr(parent, step)
    width = getattr(parent, own).weight.shape[1]
    setattr(parent, own, nn.Linear(width, classes, bias=True))
    return name


def _answer(*, pick=lambda net: _linear(net)[-1], new=lambda old, classes: nn.Linear(old.in_features, classes), after=None, gives=lambda net, name: name):  # fmt: skip
    """Return a `replace_head` that picks, makes or returns something else."""

    def replace_head(net, classes):
        name = pick(net)
        net.set_submodule(name, new(net.get_submodule(name), classes))
        if after:
            after(net, name)
        return gives(net, name)

    return replace_head


def _only_the_number(net, classes):
    name = _linear(net)[-1]
    net.get_submodule(name).out_features = classes
    return name


def _always_fc(net, classes):
    old = net.get_submodule(_linear(net)[-1])
    net.fc = nn.Linear(old.in_features, classes)
    return "fc"


def _set_by_dotted_name(net, classes):
    name = _linear(net)[-1]
    setattr(net, name, nn.Linear(net.get_submodule(name).in_features, classes))
    return name


def _only_outer_parts(net, classes):
    name = [name for name, part in net.named_children() if isinstance(part, nn.Linear)][-1]
    setattr(net, name, nn.Linear(getattr(net, name).in_features, classes))
    return name


def _last_child_whole(net, classes):
    name, old = list(net.named_children())[-1]
    width = next(part for part in old.modules() if isinstance(part, nn.Linear)).in_features
    setattr(net, name, nn.Linear(width, classes))
    return name


def _old_rows(old, classes):
    new = nn.Linear(old.in_features, classes)
    rows = min(classes, old.out_features)
    with torch.no_grad():
        new.weight[:rows], new.bias[:rows] = old.weight[:rows], old.bias[:rows]
    return new


def _frozen_rest(net, name):
    net.requires_grad_(False)
    net.get_submodule(name).requires_grad_(True)


def _all_anew(net, name):
    for part in net.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()


REPLACE_HEAD = Exercise(
    name="replace_head",
    lesson="04",
    minutes=6,
    difficulty="medium",
    reference=heads.replace_head,
    other=_other,
    cases=_cases,
    apply=_apply,
    tolerance=1e-4,
    mistakes=[
        Mistake("only the number", _only_the_number, "`out_features` is only a note of the layer's size: writing it changes no weight. Make a new `nn.Linear`."),
        Mistake("not put in", lambda net, classes: _linear(net)[-1], "The network still has its old head. Put the new layer where the old one was: `net.set_submodule(name, new)`."),
        Mistake("always fc", _always_fc, "You write to `net.fc`, but not every network calls its head so: there the new layer is never used. Find the name first."),
        Mistake("first linear layer", _answer(pick=lambda net: _linear(net)[0]), "You replaced the first linear layer. Hidden ones may come before the head, so take the last of the list: `[-1]`."),
        Mistake("dotted name set", _set_by_dotted_name, "`setattr` does not follow dots, and a name such as `classifier.3` has one. `net.set_submodule(name, new)` goes down to the right part."),
        Mistake("outer parts only", _only_outer_parts, "`named_children` lists the outermost parts only, and a head may lie deeper. `named_modules` lists all parts, with dotted names."),
        Mistake("last part whole", _last_child_whole, "You replaced the whole last part. Its other layers (a hidden layer, a norm) are trained: keep them, and change only the last linear layer."),
        Mistake("a layer on top", _answer(new=lambda old, classes: nn.Sequential(old, nn.Linear(old.out_features, classes))), "The old head is still there, with a new layer behind it. Replace it: the new one sees the features themselves."),
        Mistake("input and output exchanged", _answer(new=lambda old, classes: nn.Linear(classes, old.in_features)), "`nn.Linear` takes the number of inputs first: `nn.Linear(old.in_features, classes)`."),
        Mistake("as wide as the old answer", _answer(new=lambda old, classes: nn.Linear(old.out_features, classes)), "The new layer expects as many numbers as the old head gave. It stands in its place, so it gets what that got: `old.in_features`."),
        Mistake("width written down", _answer(new=lambda old, classes: nn.Linear(512, classes)), "The width that you wrote down is that of one network. Ask the old head for its own: `old.in_features`."),
        Mistake("softmax behind", _answer(new=lambda old, classes: nn.Sequential(nn.Linear(old.in_features, classes), nn.Softmax(dim=1))), "There is a softmax in the head. The loss takes it itself: a head gives logits, so a bare `nn.Linear`."),
        Mistake("old rows kept", _answer(new=_old_rows), "You copied rows of the old head: they belong to other classes. The new head begins at random, as `nn.Linear` makes it."),
        Mistake("no bias", _answer(new=lambda old, classes: nn.Linear(old.in_features, classes, bias=False)), "The new head lacks its bias, one number a class. `nn.Linear` has one unless told otherwise."),
        Mistake("rest frozen", _answer(after=_frozen_rest), "You froze the rest as well. Here only the head is changed; what may learn is decided next, by `freeze`."),
        Mistake("rest forgotten", _answer(after=_all_anew), "You set all layers back to random numbers, and what the network had learnt is gone. Change the head alone."),
        Mistake("returns the network", _answer(gives=lambda net, name: net), "You return the network, which the caller has already. Return the head's name."),
        Mistake("returns the head", _answer(gives=lambda net, name: net.get_submodule(name)), "You return the layer. Return its name: a text such as `fc`."),
        Mistake("last word of the name", _answer(gives=lambda net, name: name.rpartition(".")[2]), "You return only the last word of the name. The whole one is needed to find the part again: `classifier.3`, not `3`."),
        Mistake("name of the outer part", _answer(gives=lambda net, name: name.partition(".")[0]), "You return the name of the part around the head. Return the head's own, dots and all: `classifier.3`."),
    ],
    equivalent={
        "linear = [name for name, part in list(parts)[1:] if isinstance(part, nn.Linear)]": "the first part is the network itself, which is no linear layer",
    },
    hints=[
        "Three steps: find the last linear layer, make one of the same width, put it in its place.",
        "The names of all linear layers, in their order:\n"
        "    linear = [name for name, part in net.named_modules() if isinstance(part, nn.Linear)]",
        "With `name = linear[-1]`:\n"
        "    old = net.get_submodule(name)\n"
        "    net.set_submodule(name, nn.Linear(old.in_features, classes))\n"
        "    return name",
    ],
    note="The new head is random: until it is trained, the network answers by chance.",
)  # fmt: skip
