"""Write `training/autoencoder.json` and `weights/autoencoder.safetensors`: autoencoders of small stickers; lesson 05.

    python data/make_autoencoder.py              # two minutes on one core
    python data/make_stickers.py --hashes        # then bring the table of data/README.md up to date

PSNR is a mean over 500 pictures of the val split, whose drawing styles were not trained on. One seed. PCA gets the same pictures.
"""

import json
import platform
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import nn

from cvlab.segmentation.autoencoder import Autoencoder, small_stickers
from cvlab.store.files import write_whole

FOLDER, STEPS, BATCH, RATE, NOISE = Path(__file__).parent, 1200, 50, 4e-3, 0.4


def train(net, pictures, noise: float = 0.0):
    """Teach `net` to give back what it was shown, without the noise."""
    dice = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        x = pictures[torch.randint(len(pictures), (BATCH,), generator=dice)]
        loss = F.mse_loss(net(x + noise * torch.randn(x.shape, generator=dice)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval().requires_grad_(False)


def psnr(found, wanted) -> float:
    """Return the mean over pictures of 10 log10(1 / mean squared error), in dB."""
    return round((-10 * ((found - wanted) ** 2).mean((1, 2, 3)).log10()).mean().item(), 2)


def main() -> None:
    """Train, measure, write."""
    torch.set_num_threads(1)
    pictures, judged = small_stickers(2000), small_stickers(500, "val")
    found: dict = {"autoencoder": {}, "relu": {}, "pca": {}}
    kept = {}
    for width in (4, 16, 64):
        torch.manual_seed(0)
        net = train(Autoencoder(width), pictures)
        found["autoencoder"][width] = psnr(net(judged), judged)
        if width > 4:
            kept[str(width)] = net
        print(width, found["autoencoder"][width], flush=True)
    torch.manual_seed(0)
    spoilt = train(Autoencoder(16, nn.ReLU()), pictures)
    found["relu"][16] = psnr(spoilt(judged), judged)
    dead = int((spoilt.encode(pictures) == 0).all(0).sum())
    torch.manual_seed(0)
    kept["denoise"] = train(Autoencoder(64), pictures, NOISE)
    flat, mean = pictures.flatten(1), pictures.flatten(1).mean(0)
    axes = torch.pca_lowrank(flat - mean, q=80, center=False, niter=4)[2].T
    for width in (4, 16, 64):
        part = axes[:width]
        again = (judged.flatten(1) - mean) @ part.T @ part + mean
        found["pca"][width] = psnr(again.reshape(judged.shape), judged)
    tensors = {f"{name}.{key}": t.half() for name, net in kept.items() for key, t in net.state_dict().items()}
    write_whole(FOLDER / "weights" / "autoencoder.safetensors", lambda file: file.write(save(tensors)))
    made = {
        "psnr": found, "never used of 16": dead, "noise": NOISE, "pictures": len(pictures), "steps": STEPS,
        "batch": BATCH, "rate": RATE, "seed": 0, "torch": torch.__version__, "machine": platform.machine(),
    }  # fmt: skip
    text = json.dumps(made, indent=1) + "\n"
    write_whole(FOLDER / "training" / "autoencoder.json", lambda file: file.write(text.encode()))
    print(text)


if __name__ == "__main__":
    main()
