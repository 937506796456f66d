"""Schedules by hand give torch's rates."""

import pytest
import torch
from torch.optim import lr_scheduler

from cvlab.transfer_learning import schedules


def rates_of_torch(make, total, peak):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    schedule, rates = make(optimizer), []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("total", [2, 5, 10, 33, 100])
@pytest.mark.parametrize(("warmup", "div", "final_div"), [(0.3, 25, 1e4), (0.45, 10, 7)])
def test_one_cycle_is_torchs(total, warmup, div, final_div):
    def make(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer, 0.2, total + 1, pct_start=warmup, div_factor=div, final_div_factor=final_div
        )

    ours = [schedules.one_cycle(step, total + 1, 0.2, warmup, div, final_div) for step in range(total)]
    assert ours == pytest.approx(rates_of_torch(make, total, 0.2), abs=1e-12)


def test_cosine_and_steps_are_torchs():
    ours = [schedules.cosine(step, 30, 0.2) for step in range(30)]
    assert ours == pytest.approx(rates_of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, 30), 30, 0.2))
    ours = [schedules.step_down(step, 30, 0.2) for step in range(30)]
    assert ours == pytest.approx(rates_of_torch(lambda o: lr_scheduler.StepLR(o, 10), 30, 0.2))


def test_warm_up_grows_in_a_straight_line_and_then_is_the_cosine():
    rates = [schedules.warmed_cosine(step, 100, 1.0, warmup=0.2) for step in range(100)]
    plain = [schedules.cosine(step, 100, 1.0) for step in range(100)]
    assert rates[:20] == pytest.approx([(step + 1) / 20 * plain[step] for step in range(20)])
    assert rates[19:] == plain[19:]


@pytest.mark.parametrize("name", schedules.__all__)
def test_a_step_outside_the_training_is_refused(name):
    schedule = getattr(schedules, name)
    for step in (-1, 10):
        with pytest.raises(ValueError, match=f"step must be 0 to 9, since total is 10; got {step}"):
            schedule(step, 10, 0.1)
    with pytest.raises(ValueError, match="peak must be a learning rate above 0; got 0"):
        schedule(0, 10, 0)
    with pytest.raises(ValueError, match="total must be at least 1; got 0"):
        schedule(0, 0, 0.1)


@pytest.mark.parametrize("name", ["one_cycle", "warmed_cosine"])
def test_warmup_is_a_share(name):
    with pytest.raises(ValueError, match="warmup must be a share of all steps, between 0 and 1; got 20"):
        getattr(schedules, name)(0, 100, 0.1, warmup=20)
