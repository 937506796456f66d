"""The exercise of lesson 04 that lets only some parts of a network learn."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.checks.transfer_learning import small_nets
from cvlab.transfer_learning import heads

__all__ = ["FREEZE"]


class _Seen(NamedTuple):
    parameters_that_learn: list
    parameters_returned: Any
    numbers_afterwards: torch.Tensor


def _apply(function, kind, but, frozen_before):
    """Return the names of what learns and of what was returned, and the net's numbers."""
    net = small_nets.make(kind)
    for name in frozen_before:
        net.get_submodule(name).requires_grad_(False)
    given = function(net, list(but))
    names = {id(p): name for name, p in net.named_parameters()}
    if isinstance(given, list | tuple) and all(id(p) in names for p in given):
        given = sorted(names[id(p)] for p in given)
    elif isinstance(given, nn.Module):
        given = "the network itself" if given is net else "a layer itself"
    elif isinstance(given, Iterator):
        given = "gone through once, then empty"
    learning = [name for name, p in net.named_parameters() if p.requires_grad]
    return _Seen(learning, given, torch.cat([p.detach().flatten() for p in net.parameters()]))


def _cases() -> list[Case]:
    plans = [
        ("resnet", ["fc"], []),  # gate.fc is another
        ("vgg", ["classifier.3"], []),
        ("convnext", ["head.fc"], []),
        ("efficientnet", ["blocks.1", "classifier"], []),  # blocks.10 and blocks.11 are others
        ("resnet", ["layer1", "fc"], ["conv1", "bn1", "layer1", "fc"]),  # frozen whole by somebody before
        ("vgg", ["features", "classifier.3"], []),  # the first parameter of all learns, too
        ("resnet", [], []),
    ]
    return [_shown(*plan) for plan in plans]


def _shown(kind, but, frozen_before) -> Case:
    before = ", all of it frozen before" if frozen_before else ""
    return Case(kind, but, frozen_before).shown_as(f"freeze(net like a {kind}{before}, {but})")


def _learning(net):
    return [p for p in net.parameters() if p.requires_grad]


def _other(net, but):
    """Go through the parameters by name; a part's parameters begin with its name and a dot."""
    beginnings = tuple(name + "." for name in but)
    for name, p in net.named_parameters():
        p.requires_grad = name.startswith(beginnings)
    return list(filter(lambda p: p.requires_grad, net.parameters()))


def _by_name(belongs, gives=_learning):
    """Return a `freeze` that lets a parameter learn where `belongs(its name, but)`."""

    def freeze(net, but):
        for name, p in net.named_parameters():
            p.requires_grad = bool(belongs(name, but))
        return gives(net)

    return freeze


def _parts(*, off=lambda net: net.requires_grad_(False), some=lambda but: but, on=True, gives=_learning):
    """Return a `freeze` that first does `off`, then sets some of the parts to `on`."""

    def freeze(net, but):
        off(net)
        for name in some(but):
            net.get_submodule(name).requires_grad_(on)
        return gives(net)

    return freeze


def _only_switched_off(net, but):
    for name, p in net.named_parameters():
        if not name.startswith(tuple(part + "." for part in but)):
            p.requires_grad = False
    return _learning(net)


def _by_getattr(net, but):
    net.requires_grad_(False)
    for name in but:
        getattr(net, name).requires_grad_(True)
    return _learning(net)


def _children(net, but):
    for name, part in net.named_children():
        part.requires_grad_(name in but)
    return _learning(net)


def _under_no_grad(net, but):
    with torch.no_grad():
        return [p for name in but for p in net.get_submodule(name).parameters()]


def _weights_only(net, but):
    net.requires_grad_(False)
    for name in but:
        for part in net.get_submodule(name).modules():
            if hasattr(part, "weight"):
                part.weight.requires_grad_(True)
    return _learning(net)


def _set_to_zero(net):
    for p in net.requires_grad_(False).parameters():
        p.zero_()


def _kind(part):
    return isinstance(part, nn.Linear)


def _all_linear(net, but):
    net.requires_grad_(False)
    for part in filter(_kind, net.modules()):
        part.requires_grad_(True)
    return _learning(net)


def _inside(name, but):
    return any(name.startswith(part + ".") for part in but)


FREEZE = Exercise(
    name="freeze",
    lesson="04",
    minutes=5,
    difficulty="easy",
    reference=heads.freeze,
    other=_other,
    cases=_cases,
    apply=_apply,
    mistakes=[
        Mistake("nothing frozen", _parts(off=lambda net: None), "Nothing is frozen: every parameter still asks for a gradient. First switch all off: `net.requires_grad_(False)`. Without its last underscore the line only gives the net a new attribute."),
        Mistake("evaluation mode", _parts(off=lambda net: net.eval(), gives=lambda net: list(net.parameters())), "Everything still learns, and you return it all. `eval()` is another switch, for BatchNorm and dropout; it stops no learning. `net.requires_grad_(False)` does."),
        Mistake("under no_grad", _under_no_grad, "You return the right parameters, but the others still ask for gradients: `torch.no_grad()` lasts only as long as its block. Switch them off: `net.requires_grad_(False)`."),
        Mistake("all frozen", _parts(on=False), "Everything is frozen, the named parts too. Switch those on by the method with the underscore, `net.get_submodule(name).requires_grad_(True)`. No parameter is called `fc`, only `fc.weight` and `fc.bias`."),
        Mistake("the other way round", _by_name(lambda name, but: not _inside(name, but)), "You froze the named parts and let the rest learn. `but` names what stays free."),
        Mistake("only switched off", _only_switched_off, "What somebody froze before stays frozen, named or not. Switch the named parts on: `requires_grad_(True)`."),
        Mistake("a name inside a name", _by_name(lambda name, but: any(part in name for part in but)), "A name may be part of another: `fc` stands in `gate.fc`, too. Ask for the part itself: `net.get_submodule(name)`."),
        Mistake("beginning without the dot", _by_name(lambda name, but: name.startswith(tuple(but))), "`blocks.10` begins with `blocks.1`, too. Compare with the dot behind the name, or ask for the part: `net.get_submodule(name)`."),
        Mistake("outermost word only", _by_name(lambda name, but: any(name.split(".")[0] == part.split(".")[0] for part in but)), "You compare only the word before the first dot, so `classifier.3` frees all of `classifier`. Use the whole name: `net.get_submodule(name)`."),
        Mistake("getattr", _by_getattr, "`getattr` does not follow dots, and a name such as `classifier.3` has one. `net.get_submodule(name)` does."),
        Mistake("outer parts only", _children, "`named_children` lists the outermost parts only, and `but` may name one that lies deeper. `net.get_submodule(name)` finds it."),
        Mistake("first name only", _parts(some=lambda but: but[:1]), "Only the first name of `but` is freed. Does the loop end too early?"),
        Mistake("last name only", _by_name(lambda name, but: bool(but) and name.startswith(but[-1] + ".")), "Only the last name of `but` is freed: each turn of your loop undoes the one before. Switch all off once, before the loop."),
        Mistake("last part always", lambda net, but: [net.requires_grad_(False), list(net.children())[-1].requires_grad_(True)] and _learning(net), "You always free the last part. `but` says which ones, and may name none."),
        Mistake("every linear layer", _all_linear, "You free every linear layer, whatever its name. `but` says which parts learn."),
        Mistake("weights without biases", _weights_only, "The biases of the named parts stay frozen. Switch on the whole part: `requires_grad_(True)` of a module reaches all its parameters."),
        Mistake("numbers set to zero", torch.no_grad()(_parts(off=_set_to_zero)), "You overwrote the weights. To freeze is to keep them: only their `requires_grad` changes."),
        Mistake("returns all", _parts(gives=lambda net: list(net.parameters())), "You return all parameters, the frozen ones too. Only those with `requires_grad` are for the optimizer."),
        Mistake("returns the frozen ones", _parts(gives=lambda net: [p for p in net.parameters() if not p.requires_grad]), "You return the frozen ones. The optimizer wants those that learn."),
        Mistake("returns the network", _parts(gives=lambda net: net), "You return the network, which the caller has already. Return the list of the parameters that learn."),
        Mistake("returns names", _parts(gives=lambda net: [name for name, p in net.named_parameters() if p.requires_grad]), "You return names, and an optimizer moves tensors. Return the parameters themselves."),
        Mistake("returns pairs", _parts(gives=lambda net: [pair for pair in net.named_parameters() if pair[1].requires_grad]), "`named_parameters` gives pairs of name and parameter. Return the parameters alone: `net.parameters()`."),
        Mistake("returns a filter", _parts(gives=lambda net: filter(lambda p: p.requires_grad, net.parameters())), "A filter or a generator can be gone through once and is empty afterwards. Return a list."),
    ],
    equivalent={"net.get_submodule(name).requires_grad_()": "True is what the method does unless told otherwise"},
    hints=[
        "Switch everything off first, then the named parts on. Both are done by one method of a module, `requires_grad_`.",
        "The first line, and how to find a part by its name:\n"
        "    net.requires_grad_(False)\n"
        "    part = net.get_submodule(name)",
        "In the loop, and in the end:\n"
        "    for name in but:\n"
        "        net.get_submodule(name).requires_grad_(True)\n"
        "    return [p for p in net.parameters() if p.requires_grad]",
    ],
    note="A frozen parameter still does its work in the forward pass: it only gets no gradient.",
)  # fmt: skip
