"""Measure what more drawing styles teach: `python bench/world.py` (about four minutes on one core).

Pictures of one thing each (the 17 classes that COCO and VOC share) are painted in some styles; EfficientNet-Lite0, as it
came from ImageNet, describes them (pooled output of its blocks 2, 4 and 6); a linear classifier learns from those
descriptions and is judged on Twemoji drawings before photos never seen. Only the styles to learn from change: as many
pictures, the same photos. Seeds change the pictures of both sides.

2026-11-24, one of two shared x86_64 cores, torch 2.15, three seeds: two Noto styles (133 drawings) 0.718 (from 0.707 to
0.731), all four (236 drawings) 0.789 (from 0.769 to 0.806). In the world before this one, with fewer photos and grey ones
left grey, the two Noto styles reached 0.707 (from 0.681 to 0.722).
"""

import argparse
import platform
import statistics

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvlab.store import weights
from cvlab.world import paint, stickers

SIZE, TRAIN, TEST, BLOCKS = 160, 1700, 680, (2, 4, 6)
ARMS = {
    "two Noto styles": ("noto", "noto2017"),
    "all four": paint.SPLITS["train"][0],
}


def picture(index: int, split: str, styles: tuple[str, ...], seed: int) -> np.ndarray:
    """Paint picture `index`, its class by turns: (SIZE, SIZE, 3) uint8, one sticker on a photo of the split."""
    dice = paint.Dice(seed, list(paint.SPLITS).index(split), index, SIZE)
    image = paint.background(dice, split, SIZE)
    cls = stickers.COCO_VOC[index % len(stickers.COCO_VOC)]
    path = dice.choose([path for style in styles for path in stickers.drawings(cls, style)])
    drawn = paint.sticker(path, dice.between(80, 140), dice.between(-20, 20), dice.between(0, 1) == 1)
    top, left = ((SIZE - side) // 2 + dice.between(-15, 15) for side in drawn.shape[:2])
    paint.draw_on(image, drawn, top, left)
    return image


@torch.inference_mode()
def described(net, pictures: np.ndarray) -> np.ndarray:
    """Describe (N, H, W, 3) uint8 pictures by the mean of each channel after each of BLOCKS: (N, D)."""
    rows = []
    for part in np.array_split(pictures, max(1, len(pictures) // 50)):
        x = torch.from_numpy(part).permute(0, 3, 1, 2).float() / 127.5 - 1  # (B, 3, H, W), mean = std = 0.5
        x, pooled = net.bn1(net.conv_stem(x)), []
        for number, block in enumerate(net.blocks):
            x = block(x)
            if number in BLOCKS:
                pooled.append(x.mean((2, 3)))
        rows.append(torch.cat(pooled, 1))
    return torch.cat(rows).numpy()


def side(net, n: int, split: str, styles: tuple[str, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return descriptions (n, D) and labels (n,) of painted pictures."""
    pictures = np.stack([picture(index, split, styles, seed) for index in range(n)])
    return described(net, pictures), np.arange(n) % len(stickers.COCO_VOC)


def accuracy(net, styles: tuple[str, ...], seed: int) -> float:
    """Learn from `styles`, and return the share of the unseen style that is named right."""
    judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    judge.fit(*side(net, TRAIN, "train", styles, seed))
    return judge.score(*side(net, TEST, "test", paint.SPLITS["test"][0], seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    net = weights.efficientnet_lite0()
    for name, styles in ARMS.items():
        scores = [accuracy(net, styles, seed) for seed in seeds]
        drawings = sum(len(stickers.drawings(c, s)) for c in stickers.COCO_VOC for s in styles)
        print(
            f"{name:16} {drawings:4} drawings: {statistics.mean(scores):.3f} of the unseen style right"
            f" (from {min(scores):.3f} to {max(scores):.3f}, {len(scores)} seeds)",
            flush=True,
        )
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
