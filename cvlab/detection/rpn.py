"""The first stage of Faster R-CNN: a small network that says of every anchor whether an object is there, and where."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import nms

from cvlab._validate import arguments
from cvlab.detection.anchors import match_anchors
from cvlab.detection.offsets import decode_boxes, encode_boxes
from cvlab.regions.geometry import checked_boxes

__all__ = ["RATIOS", "SIZES", "STRIDE", "Rpn", "propose", "rpn_losses", "sampled"]

STRIDE = 16  # pixels from one place of the map to the next
SIZES, RATIOS = (48, 80, 112), (0.5, 1, 2)  # of the anchors


class Rpn(nn.Module):
    """One 3 x 3 convolution that looks, two of 1 x 1 that answer: is it an object, and how far off is the anchor?

    Args:
        channels: of the map.
        anchors: how many stand at each place.
        width: channels between.

    Example:
        >>> [tuple(answer.shape) for answer in Rpn()(torch.zeros(2, 112, 12, 12))]
        [(2, 1296), (2, 1296, 4)]

    Source: Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.
    """

    def __init__(self, channels: int = 112, anchors: int = 9, width: int = 128):
        super().__init__()
        self.look = nn.Conv2d(channels, width, 3, padding=1)
        self.score = nn.Conv2d(width, anchors, 1)
        self.offset = nn.Conv2d(width, 4 * anchors, 1)

    def forward(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = F.relu(self.look(maps))
        scores = self.score(x).permute(0, 2, 3, 1)  # (B, H, W, A)
        offsets = self.offset(x).permute(0, 2, 3, 1)  # (B, H, W, 4A)
        return scores.flatten(1), offsets.reshape(len(x), -1, 4)


def sampled(match: torch.Tensor, n: int, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Pick anchors to learn from, at random: few positives, and negatives to fill up.

    Args:
        match: (N,) as `match_anchors` gives it.
        n: how many in all, at most.
        share: the most of them that may be positive, 0 to 1.

    Returns:
        The places in `match` of the positive ones and of the negative ones.

    Example:
        >>> [len(part) for part in sampled(torch.tensor([0, 0, -1, -1, -1, -2]), n=4, share=0.25)]
        [1, 3]
    """
    positive = (match >= 0).nonzero()[:, 0]
    negative = (match == -1).nonzero()[:, 0]
    some = torch.randperm(len(positive))[: int(n * share)]
    positive = positive[some]
    others = torch.randperm(len(negative))[: n - len(positive)]
    return positive, negative[others]


@arguments(boxes=checked_boxes)
def rpn_losses(
    scores: torch.Tensor, offsets: torch.Tensor, anchors: torch.Tensor, boxes: torch.Tensor, n: int = 64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Judge what the RPN says of one scene at a sample of its anchors.

    Args:
        scores: (N,) logits.
        offsets: (N, 4) as `encode_boxes` writes them.
        anchors: (N, 4) x0, y0, x1, y1.
        boxes: (M, 4) the truths; M may be 0.
        n: anchors in the sample, half of them positive at most.

    Returns:
        Cross-entropy of object or not, and Huber of the positive ones' offsets; finite without any object too.

    Source: Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.2.
    """
    match = match_anchors(anchors, boxes)
    positive, negative = sampled(match, n, share=0.5)
    both = torch.cat([positive, negative])
    wanted = (match[both] >= 0).float()
    which = F.binary_cross_entropy_with_logits(scores[both], wanted)
    goal = encode_boxes(boxes[match[positive]], anchors[positive])
    far = F.smooth_l1_loss(offsets[positive], goal, reduction="sum", beta=1 / 9)
    return which, far / len(both)


@torch.no_grad()
def propose(
    scores: torch.Tensor,
    offsets: torch.Tensor,
    anchors: torch.Tensor,
    n: int = 20,
    overlap: float = 0.7,
    side: int = 192,
) -> torch.Tensor:
    """Turn what the RPN says of one scene into proposals: moved, cut to the scene, thinned out, the best first.

    Args:
        scores: (N,) logits.
        offsets: (N, 4).
        anchors: (N, 4).
        n: proposals at most.
        overlap: IoU above which the worse of two goes.
        side: pixels a side of the scene.

    Returns:
        (n, 4) x0, y0, x1, y1, none narrower than 2 pixels.

    Example:
        >>> anchors = torch.tensor([[0.0, 0, 20, 20], [1, 1, 20, 20], [90, 90, 120, 120]])
        >>> propose(torch.tensor([2.0, 1.0, 0.0]), torch.zeros(3, 4), anchors)
        tensor([[  0.,   0.,  20.,  20.],
                [ 90.,  90., 120., 120.]])
    """
    best = scores.topk(min(200, len(scores))).indices
    boxes = decode_boxes(offsets[best], anchors[best])
    boxes = boxes.clamp(0, side)
    large = (boxes[:, 2:] - boxes[:, :2]).amin(1) > 2
    boxes, best = boxes[large], best[large]
    return boxes[nms(boxes, scores[best], overlap)[:n]]
