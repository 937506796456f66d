"""`python -m cvlab.cnn_training`: the lesson's loop as a program, in one process or, under torchrun, in many.

Each process holds the whole model and takes every world-th picture of each batch. DistributedDataParallel makes
the mean of their gradients, so all take the same step, the one that a single process takes for the whole batch.
Order and random changes depend on the seed and the step alone: neither the number of processes nor a resume
changes them. Several machines: start `torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d
--rdzv-endpoint HOST:29500 -m cvlab.cnn_training ...` on each, with the same HOST and a folder for --out that all see.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from cvlab.cnn_training import batches, nets
from cvlab.cnn_training.augmentation import augment
from cvlab.cnn_training.loop import accuracy, cross_entropy, stop_if_not_finite
from cvlab.store import checkpoint
from cvlab.store.download import DataUnavailable
from cvlab.store.files import write_whole

__all__ = ["main"]


@dataclass(frozen=True)
class World:
    """Which process this is, of how many, and where it computes."""

    rank: int
    size: int
    device: torch.device


class Lost(Exception):
    """Another process of this training is gone."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m cvlab.cnn_training", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for checkpoint.pt, losses.json, net.safetensors"
    )
    parser.add_argument("--net", choices=list(nets.NETS), default="lenet")
    parser.add_argument("--data", choices=["stickers", "cifar10"], default="stickers")
    parser.add_argument("--pictures", type=int, default=4000, help="training pictures (stickers)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64, help="pictures a step, over all processes together")
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=50, metavar="STEPS")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Train as the arguments say; return 0, or 1 after a failure that was told in one line."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _stopped)
    world = _join()
    at = {"step": 0}  # where a message says it stopped
    try:
        _run(options, world, at)
    except (
        ValueError,
        OSError,
        DataUnavailable,
        FloatingPointError,
        Lost,
        KeyboardInterrupt,
        SystemExit,
    ) as error:
        _say(world, _ending(error, at["step"], options.out), always=True)
        if dist.is_initialized():  # the threads of a broken group would abort an ordinary exit
            os._exit(1)
        return 1
    finally:
        if dist.is_initialized():
            with contextlib.suppress(Exception):  # the others may be gone
                dist.destroy_process_group()
    return 0


def _ending(error: BaseException, step: int, out: Path) -> str:
    """Say why a training ended and from where it can go on."""
    why = {KeyboardInterrupt: "interrupted", SystemExit: "told to stop (another process died, or was killed)"}
    text = why.get(type(error)) or str(error)
    file = out / "checkpoint.pt"
    rescue = (
        f" Nothing before the last checkpoint is lost: go on with --resume ({file})."
        if file.is_file()
        else ""
    )
    return f"Stopped at step {step}: {text.rstrip('.')}.{rescue}"


def _stopped(*_) -> None:
    raise SystemExit(1)


def _say(world: World, text: str, *, always: bool = False) -> None:
    if always or world.rank == 0:
        print(
            f"[{world.rank}] {text}" if world.size > 1 else text,
            file=sys.stderr if always else sys.stdout,
            flush=True,
        )


def _join() -> World:
    """Meet the other processes that torchrun started; alone when it did not."""
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    if size > 1:
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(seconds=120))
    return World(rank, size, device)


def _data(options):
    """Return the training and the test pictures, each as (N, H, W, 3) uint8 and N labels."""
    if options.data == "stickers":
        from cvlab.world.datasets import Stickers10

        train = Stickers10("train", options.pictures, options.seed)
        return train.arrays(), Stickers10("test", 1000).arrays()
    from cvlab.world import cifar10

    return cifar10.load()


def _judge(options, world: World, labels) -> None:
    if options.batch < 1 or options.epochs < 1 or options.save_every < 1:
        raise ValueError("--batch, --epochs and --save-every must be at least 1")
    if options.batch % world.size:
        raise ValueError(f"--batch {options.batch} must be a multiple of the {world.size} processes")
    if len(labels) < options.batch:
        raise ValueError(f"--batch {options.batch} is more than the {len(labels)} pictures there are")


def _run(options, world: World, at: dict) -> None:
    (images, labels), (test_images, test_labels) = _data(options)
    _judge(options, world, labels)
    images, labels = batches.to_tensor(images), torch.as_tensor(labels)
    model = nets.make(options.net, options.seed).to(world.device)
    if world.size > 1 and world.device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    per_epoch = len(images) // options.batch
    total = per_epoch * options.epochs
    optimizer = torch.optim.SGD(
        model.parameters(), options.lr, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=total)
    losses = []
    if options.resume:
        losses = checkpoint.load_checkpoint(options.out / "checkpoint.pt", model, optimizer, schedule)[
            "losses"
        ]
        _say(world, f"resumed at step {len(losses)} of {total}")
    wrapped = DistributedDataParallel(model) if world.size > 1 else model
    for step in range(len(losses), total):
        at["step"] = step
        batch = _batch(images, labels, options, step, per_epoch)
        with _watching():
            losses.append(_step(wrapped, batch, optimizer, schedule, world, step))
        if world.rank == 0 and ((step + 1) % options.save_every == 0 or step + 1 == total):
            checkpoint.save_checkpoint(
                options.out / "checkpoint.pt", model, optimizer, schedule, losses=losses
            )
        if (step + 1) % per_epoch == 0:
            _say(world, f"epoch {(step + 1) // per_epoch}: loss {sum(losses[-per_epoch:]) / per_epoch:.4f}")
    if world.rank == 0:
        _finish(
            options,
            model,
            losses,
            batches.Batches(batches.to_tensor(test_images), test_labels, 256, every=True),
        )


def _batch(images, labels, options, step: int, per_epoch: int):
    """Return the whole batch of a step: the same for every process and after every resume."""
    epoch, k = divmod(step, per_epoch)
    order = torch.randperm(len(images), generator=_dice(options.seed, 0, epoch))
    picked = order[k * options.batch : (k + 1) * options.batch]
    return augment(images[picked], _dice(options.seed, 1, step)), labels[picked]


def _dice(*numbers: int) -> torch.Generator:
    """Return a generator for these numbers alone."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % 2**62
    return torch.Generator().manual_seed(seed)


def _step(model, batch, optimizer, schedule, world: World, step: int) -> float:
    """Take one step on this process's share; return the loss of the whole batch."""
    images, labels = (part[world.rank :: world.size].to(world.device) for part in batch)
    model.train()
    optimizer.zero_grad()
    loss = cross_entropy(model(images), labels)
    whole = loss.detach().clone()
    if world.size > 1:
        dist.all_reduce(whole)
        whole /= world.size
    stop_if_not_finite(whole.item(), images, step, optimizer.param_groups[0]["max_lr"])
    loss.backward()
    optimizer.step()
    schedule.step()
    return whole.item()


@contextlib.contextmanager
def _watching():
    """Turn the ways in which a dead process shows into one."""
    try:
        yield
    except RuntimeError as error:
        if not dist.is_initialized() or isinstance(error, torch.OutOfMemoryError):
            raise
        raise Lost(f"another process died or was killed ({str(error).splitlines()[0][-80:]})") from error


def _finish(options, model, losses: list[float], test) -> None:
    """Leave the weights and the losses, and say how good the net is."""
    checkpoint.save_weights(options.out / "net.safetensors", model)
    right = accuracy(model.cpu(), test)
    report = {"net": options.net, "accuracy": right, "losses": losses}
    write_whole(options.out / "losses.json", json.dumps(report).encode())
    print(f"accuracy {right:.3f} on the test split; weights in {options.out / 'net.safetensors'}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
