"""What the long recipes of lessons 05 and 06 share: rates that rise and fall, averaged weights, a state to go on from."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cvlab.store.checkpoint import save_weights

SAVE = 25  # steps between two saved states


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn."""

    steps: int
    warm: int  # the first of them, with rising rates
    slower: int  # the last of them, with falling rates
    every: int  # steps between two judgings
    keep: float  # of the averaged weights, a step


def learning(parts: list[tuple[nn.Module, float]]) -> list[dict]:
    """Let parts of a frozen network learn, each at its rate, and return them as groups for the optimizer."""
    groups = []
    for part, rate in parts:
        part.requires_grad_(True)
        groups.append({"params": list(part.parameters()), "lr": rate, "rate": rate})
    return groups


def train(
    plan: Plan,
    weights: Path,
    net: nn.Module,
    averaged: nn.Module,
    groups: list[dict],
    rng: torch.Generator,
    losses_of: Callable[[int], list[torch.Tensor]],
    judged: Callable[[bool], dict],
) -> dict:
    """Train from where the state beside `weights` says, and return the record.

    Args:
        plan: lengths and rates.
        weights: the file of the averaged weights, written whenever they are judged; `state.pt` lies beside it.
        net: what learns.
        averaged: the same network, whose weights become the running mean of `net`'s.
        groups: from `learning`.
        rng: what `losses_of` draws from; kept in the state.
        losses_of: the terms of the loss of one step, by the step's number.
        judged: the scores of `averaged`; is told whether it is the last time.

    Returns:
        "seconds" of processor time, "losses" (steps, terms), "curve": scores by step.
    """
    optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
    averaged.load_state_dict(net.state_dict())
    record, step, state = {"seconds": 0.0, "losses": [], "curve": []}, 0, weights.with_name("state.pt")
    if state.exists():
        saved = torch.load(state, weights_only=True)
        net.load_state_dict(saved["net"]), averaged.load_state_dict(saved["averaged"])
        optimizer.load_state_dict(saved["optimizer"]), rng.set_state(saved["rng"])
        record, step = json.loads(saved["record"]), saved["step"]
    begin = time.process_time()
    while step < plan.steps:
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * min(1, (step + 1) / plan.warm, (plan.steps - step) / plan.slower)
        losses = losses_of(step)
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        step += 1
        record["losses"].append([round(loss.item(), 3) for loss in losses])
        keep = min(plan.keep, step / (step + 10))
        for mean, new in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
            mean.lerp_(new, 1 - keep) if mean.is_floating_point() else mean.copy_(new)
        if step % SAVE == 0:
            record["seconds"] = round(record["seconds"] + time.process_time() - begin, 1)
            print(step, record["seconds"], np.mean(record["losses"][-SAVE:], 0).round(3), flush=True)
            if step % plan.every == 0 or step == plan.steps:
                scores = judged(step == plan.steps)
                record["curve"].append({"step": step, "seconds": record["seconds"], **scores})
                print(record["curve"][-1], flush=True)
                save_weights(weights, averaged, half=True)
            saved = {"net": net.state_dict(), "averaged": averaged.state_dict()}
            saved |= {"optimizer": optimizer.state_dict(), "rng": rng.get_state()}
            saved |= {"record": json.dumps(record), "step": step}
            torch.save(saved, state.with_suffix(".new")), state.with_suffix(".new").replace(state)
            begin = time.process_time()
    return record
