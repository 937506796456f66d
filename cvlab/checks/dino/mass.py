"""The exercise of lesson 08b that makes a mask of attention: mass_mask."""

import torch

from cvlab.checks._engine.exercise import Case, Exercise, Mistake
from cvlab.dino import masks

__all__ = ["MASS_MASK"]


def _apply(function, attention, share):
    return function(attention, share)


def _case(attention, share) -> Case:
    text = f"mass_mask(torch.tensor({attention}), share={share})"
    return Case(attention=torch.tensor(attention), share=share).shown_as(text)


def _random(*shape: int, seed: int, share: float) -> Case:
    dice = torch.Generator().manual_seed(seed)
    attention = (2 * torch.randn(shape, generator=dice)).softmax(dim=-1)
    text = f"mass_mask(attention, share={share})  # of shape {shape}"
    return Case(attention=attention, share=share).shown_as(text)


def _cases() -> list[Case]:
    return [
        _case([0.75, 0.25], 0.5),
        _case([0.125, 0.5, 0.25, 0.125], 0.7),
        _case([0.25, 0.5, 0.25], 0.75),  # reached exactly; of two equal ones the first
        _case([0.0, 0.5, 0.5], 1.0),
        _case([[0.5, 0.25, 0.25], [0.0, 0.125, 0.875]], 0.6),
        _case([0.25] * 4, 0.5),
        _random(2, 3, 25, seed=1, share=0.6),
        _random(3, 16, seed=2, share=0.05),
        _random(1, 144, seed=3, share=0.95),
    ]


def _other(attention, share):
    """Row by row, take the largest that is left until there is enough."""
    rows = attention.reshape(-1, attention.shape[-1])
    mask = torch.zeros(rows.shape, dtype=torch.bool)
    for row, kept in zip(rows, mask, strict=True):
        left, held = row.clone(), 0.0
        while held < share - 1e-7 and not kept.all():
            place = int(left.argmax())
            kept[place], held = True, held + float(row[place])
            left[place] = -1
    return mask.reshape(attention.shape)


def _made(
    *, descending=True, stable=True, held="before", keeps=lambda held, share: held < share, dim=-1, back=True
):
    """Return a `mass_mask` that differs from the right one as the arguments say."""

    def mass_mask(attention, share):
        ranked = attention.sort(dim=-1, descending=descending, stable=stable)
        sums = ranked.values.cumsum(dim=-1)
        if held == "before":
            sums = sums - ranked.values
        kept = keeps(sums, share)
        return torch.zeros_like(kept).scatter(-1, ranked.indices, kept) if back else kept

    return mass_mask


def _flat(attention, share):
    whole = attention.flatten() / attention.sum()
    return masks.mass_mask(whole, share).reshape(attention.shape)


def _gathered(attention, share):
    ranked = attention.sort(dim=-1, descending=True, stable=True)
    kept = ranked.values.cumsum(dim=-1) - ranked.values < share
    return kept.gather(-1, ranked.indices)


def _later(attention, share):
    return masks.mass_mask(attention.flip(-1), share).flip(-1)


def _count(attention, share):
    many = max(1, round(share * attention.shape[-1]))
    best = attention.sort(dim=-1, descending=True, stable=True).indices[..., :many]
    return torch.zeros_like(attention, dtype=torch.bool).scatter(-1, best, True)


MASS_MASK = Exercise(
    name="mass_mask",
    lesson="08b",
    minutes=8,
    difficulty="medium",
    reference=masks.mass_mask,
    other=_other,
    cases=_cases,
    apply=_apply,
    mistakes=[
        Mistake("the last one is left out", _made(held="with", keeps=lambda held, share: held <= share), "The place that crosses the share is missing, so your mask holds less than asked. Compare what the places *ahead* hold."),
        Mistake("one too many", _made(keeps=lambda held, share: held <= share), "When the places ahead hold exactly the share, you still take one more. Stop there: `<`, not `<=`."),
        Mistake("least first", _made(descending=False), "You gather the weakest places first, so the mask is large and beside the thing. Sort `descending=True`."),
        Mistake("in the order of the ranking", _made(back=False), "Your True and False stand in the order of the ranking. Put them back to the places they came from."),
        Mistake("gathered back", _gathered, "`gather` reads at the sorted places once more. To undo a sorting, *write* there: `scatter`."),
        Mistake("a threshold on the weights", lambda attention, share: attention >= share, "You compare each weight with the share. It is the *sum* of the largest weights that must reach it."),
        Mistake("a share of the strongest", lambda attention, share: attention >= share * attention.amax(-1, keepdim=True), "You compare with the strongest weight. It is the *sum* of the largest weights that must reach the share."),
        Mistake("a share of the places", _count, "You keep a share of the *places*. Keep as many as it takes to hold a share of the attention."),
        Mistake("all rows as one", _flat, "All rows together hold the share, single rows do not. Each row is a head of its own: go along the last axis."),
        Mistake("the rest", lambda attention, share: ~masks.mass_mask(attention, share), "Those are the places to leave out. Turn it round."),
        Mistake("not sorted", lambda attention, share: attention.cumsum(-1) - attention < share, "You add up in the order of the places. Then it is not the *fewest* that hold the share: sort first."),
        Mistake("of equal ones the last", _later, "Of equally strong places you keep the last. Keep the first: sort `stable=True`, and no turning round."),
        Mistake("weights in place of a mask", lambda attention, share: attention * masks.mass_mask(attention, share), "You return weights. Return a mask: True and False."),
    ],
    hints=[
        "By hand: write the weights down, the largest first. Cross them off until enough is together. What did you ask each time?",
        "Sort, and see what all places ahead of one hold:\n"
        "    ranked = attention.sort(dim=-1, descending=True, stable=True)\n"
        "    before = ranked.values.cumsum(dim=-1) - ranked.values",
        "A place is kept where less than the share stands ahead of it. Then back to where the weights came from:\n"
        "    kept = before < share\n"
        "    torch.zeros_like(kept).scatter(-1, ranked.indices, kept)",
    ],
    equivalent={
        "ranked = attention.sort(descending=True, stable=True)": "the last axis is the one that is sorted anyway",
        "ranked = attention.sort(dim=-1, descending=True)": "on a CPU torch leaves equal weights in their order anyway",
        "ranked = attention.sort(dim=-1, descending=True, stable=False)": "on a CPU torch leaves equal weights in their order anyway",
        "return kept.scatter(-1, ranked.indices, kept)": "every place is written once, so nothing of what was there stays",
    },
    note="The mask adapts: a head that looks at one spot gets few places, a head that looks everywhere gets many.",
)  # fmt: skip
