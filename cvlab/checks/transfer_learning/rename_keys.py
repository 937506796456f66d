"""The exercise of lesson 04 that makes a file's names fit: unpack, take off a prefix, rename by rules."""

import functools
import re

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.transfer_learning import weight_files

__all__ = ["RENAME_KEYS"]


def _tensors(*names):
    return {name: torch.arange(n + 1.0) + n for n, name in enumerate(names)}


def _cases() -> list[Case]:
    nested = {"state_dict": _tensors("stem.weight", "fc.bias"), "epoch": 9}
    both = {"epoch": 2, "state_dict": _tensors("module._blocks._fc.weight", "module._fc.bias")}
    numbered = [("_blocks.1.", "blocks.1.0."), ("_blocks.10.", "blocks.4.2.")]
    return [
        Case(_tensors("fc.bias"), [("fc", "head")]),
        Case(_tensors("scale"), [("scale", "gain")]),
        Case(_tensors("stem.weight", "fc.bias"), [("fc", "head")]),
        Case(_tensors("module.stem.weight", "module.fc.bias"), [("fc", "head")]),
        Case(nested, [("fc", "head")]),
        Case(_tensors("module.model.weight", "module.fc.bias"), [("fc", "head")]),
        Case(_tensors("submodule.weight", "body.module.fc.bias"), [("fc", "head")]),
        Case(both, [("_blocks", "blocks"), ("_fc", "head")]),
        Case(_tensors("bn0.weight", "bn1.weight"), [("bn1", "bn2"), ("bn0", "bn1")]),
        Case(_tensors("layer_1.layer_2.weight"), [("layer_", "block")]),
        Case(_tensors("_blocks.1.weight", "_blocks.10.weight"), numbered),
        Case(_tensors("module.body.weight", "body.bias"), [("body", "module")]),
    ]


def _other(checkpoint, rules):
    """Build it as one dict; cut and join in place of `replace`."""
    if "state_dict" in checkpoint:
        checkpoint = checkpoint["state_dict"]

    def new_name(name):
        name = name[7:] if name.startswith("module.") else name
        return functools.reduce(lambda text, rule: rule[1].join(text.split(rule[0])), rules, name)

    return {new_name(name): tensor for name, tensor in checkpoint.items()}


def _unpacked(checkpoint):
    return checkpoint.get("state_dict", checkpoint)


def _stripped(name):
    return name.removeprefix("module.")


def _replaced(name, rules):
    for old, new in rules:
        name = name.replace(old, new)
    return name


def _renamed(*, unpack=_unpacked, strip=_stripped, replace=_replaced):
    """Return a `rename_keys` with the slips that the arguments say."""
    return lambda checkpoint, rules: {
        replace(strip(name), rules): tensor for name, tensor in unpack(checkpoint).items()
    }


def _first_that_fits(name, rules):
    for old, new in rules:
        if old in name:
            return name.replace(old, new)
    return name


def _each_from_the_start(name, rules):
    result = name
    for old, new in rules:
        result = name.replace(old, new)
    return result


def _whole(name, rules):
    return dict(rules).get(name, name)


def _in_front(name, rules):
    for old, new in rules:
        name = new + name.removeprefix(old) if name.startswith(old) else name
    return name


def _pattern(name, rules):
    for old, new in rules:
        name = re.sub(old, new, name)
    return name


def _once(name, rules):
    for old, new in rules:
        name = name.replace(old, new, 1)
    return name


def _changed_only(checkpoint, rules):
    return {
        new: tensor
        for name, tensor in _unpacked(checkpoint).items()
        if (new := _replaced(_stripped(name), rules)) != name
    }


def _beside(checkpoint, rules):
    renamed = {}
    for name, tensor in _unpacked(checkpoint).items():
        name = _stripped(name)
        renamed[name] = tensor
        renamed[_replaced(name, rules)] = tensor
    return renamed


def _in_place(checkpoint, rules):
    stored = _unpacked(checkpoint)
    for name in list(stored):
        stored[_replaced(_stripped(name), rules)] = stored.pop(name)
    return stored


def _first_tensor(checkpoint, rules):
    return dict([*_renamed()(checkpoint, rules).items()][:1])


def _names(checkpoint, rules):
    return list(_renamed()(checkpoint, rules))


def _old_to_new(checkpoint, rules):
    return {name: _replaced(_stripped(name), rules) for name in _unpacked(checkpoint)}


def _prefix_last(checkpoint, rules):
    return {_stripped(_replaced(name, rules)): tensor for name, tensor in _unpacked(checkpoint).items()}


def _packed_again(checkpoint, rules):
    renamed = _renamed()(checkpoint, rules)
    return {**checkpoint, "state_dict": renamed} if "state_dict" in checkpoint else renamed


RENAME_KEYS = Exercise(
    name="rename_keys",
    lesson="04",
    minutes=7,
    difficulty="easy",
    reference=weight_files.rename_keys,
    other=_other,
    cases=_cases,
    mistakes=[
        Mistake("not unpacked", _renamed(unpack=dict), "A training's checkpoint keeps its tensors one level deeper. Where there is a key `\"state_dict\"`, go on with what lies under it."),
        Mistake("always unpacked", _renamed(unpack=lambda c: c["state_dict"]), "A plain file of tensors has no key `\"state_dict\"`. Take it only where it is there: `checkpoint.get(\"state_dict\", checkpoint)`."),
        Mistake("packed again", _packed_again, "You give back the whole checkpoint. `load_state_dict` wants only the tensors by name: return what lay under `\"state_dict\"`."),
        Mistake("prefix kept", _renamed(strip=str), "`module.` is still there. `nn.DataParallel` puts it in front of each name: take it off with `name.removeprefix(\"module.\")`."),
        Mistake("prefix removed everywhere", _renamed(strip=lambda name: name.replace("module.", "")), "You remove `module.` in the middle of a name, too: `submodule.weight` becomes `subweight`. Only at the front: `removeprefix`."),
        Mistake("lstrip", _renamed(strip=lambda name: name.lstrip("module.")), "`lstrip(\"module.\")` takes off any of the letters m, o, d, u, l, e and the dot, as many as come. One text at the front: `removeprefix`."),  # noqa: B005
        Mistake("seven letters always", _renamed(strip=lambda name: name[7:]), "You cut seven letters off every name, also where there is no `module.` in front. Ask first: `startswith`, or use `removeprefix`."),
        Mistake("first part always", _renamed(strip=lambda name: name.partition(".")[2]), "You cut off whatever stands before the first dot. Only `module.` goes."),
        Mistake("prefix last", _prefix_last, "A rule wrote `module.` on purpose, and you took it off again. First the front of the file's name, then the rules."),
        Mistake("first rule that fits", _renamed(replace=_first_that_fits), "You stop at the first rule that fits. A name may need several: go through all of them."),
        Mistake("each rule from the start", _renamed(replace=_each_from_the_start), "Each rule begins with the old name again, so only the last one counts. Let it change what the rule before left."),
        Mistake("rules backwards", _renamed(replace=lambda name, rules: _replaced(name, rules[::-1])), "You apply the rules from last to first. Here two names then became one, and a tensor was lost. Keep their order."),
        Mistake("rules turned round", _renamed(replace=lambda name, rules: _replaced(name, [(new, old) for old, new in rules])), "You put the old text where the new one is. A rule is `(old, new)`: `name.replace(old, new)`."),
        Mistake("whole names only", _renamed(replace=_whole), "You change a name only where the rule is the whole name. A rule is a part of it: `name.replace(old, new)`."),
        Mistake("only in front", _renamed(replace=_in_front), "You apply a rule only at the front of a name. It counts anywhere in it: `name.replace(old, new)`."),
        Mistake("patterns", _renamed(replace=_pattern), "In `re.sub` a dot stands for any letter, so `_blocks.1.` also fits `_blocks.10`. Plain text: `name.replace(old, new)`."),
        Mistake("one place only", _renamed(replace=_once), "A rule changed only the first place in the name. Without a count, `replace` changes all of them."),
        Mistake("no rule applied", _renamed(replace=lambda name, rules: name), "The rules change nothing. A text is never changed in its place: keep what `replace` returns, `name = name.replace(old, new)`."),
        Mistake("untouched names lost", _changed_only, "Tensors that no rule touches are lost. Every tensor of the file comes back, renamed or not."),
        Mistake("old names kept", _beside, "The old names are still there beside the new ones. Keep each tensor once, under its final name."),
        Mistake("the caller's dict changed", _in_place, "You renamed inside the dict you were given. Put the tensors into a new one: `renamed = {}`."),
        Mistake("first tensor only", _first_tensor, "Only the first tensor comes back: is the `return` inside the loop?"),
        Mistake("list of names", _names, "You return the new names only. Return a dict: new name, and the tensor that belongs to it."),
        Mistake("old name to new name", _old_to_new, "Your dict goes from old name to new name. It must go from new name to tensor."),
    ],
    hints=[
        "Three steps: which dict holds the tensors? Then for each name: what goes off its front, and what do the rules make of it?",
        "`checkpoint.get(\"state_dict\", checkpoint)` is the inner dict where there is one. `name.removeprefix(\"module.\")` takes off that text, and only at the front.",
        "For each tensor:\n"
        "    name = name.removeprefix(\"module.\")\n"
        "    for old, new in rules:\n"
        "        name = name.replace(old, new)\n"
        "    renamed[name] = tensor",
    ],
    note="The order of the rules counts: a later rule also changes what an earlier one wrote.",
)  # fmt: skip
