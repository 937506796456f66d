"""Groups that nobody named: k-means, and how well its clusters agree with groups that somebody named."""

import torch
from scipy.optimize import linear_sum_assignment

from cvlab._validate import arguments, positive_int

__all__ = ["cluster_accuracy", "contingency", "k_means", "mutual_information", "purity", "spread_start"]


def _vectors(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.ndim != 2 or not value.is_floating_point():
        got = (
            f"{tuple(value.shape)} {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        )
        raise ValueError(f"{name} must be a tensor (N, D) of floats, a row a picture; got {got}")
    return value


def _fewer(x, k, seed) -> None:
    if k > len(x):
        raise ValueError(f"k must be at most {len(x)}, the number of rows; got {k}")


def _same_width(x, centers, rounds) -> None:
    if x.shape[1] != centers.shape[1]:
        raise ValueError(f"centers must have {x.shape[1]} numbers a row, as x does; got {centers.shape[1]}")


@arguments(_fewer, x=_vectors, k=positive_int)
def spread_start(x: torch.Tensor, k: int, seed: int = 0) -> torch.Tensor:
    """Choose k of x's rows, each drawn by its squared distance to the nearest that was chosen: k-means++.

    Args:
        x: (N, D) float.
        k: how many, 1 to N.
        seed: of the draw.

    Returns:
        (k, D), rows of x.

    Raises:
        ValueError: more rows are asked for than there are.

    Example:
        >>> spread_start(torch.tensor([[0.0], [0.0], [9.0]]), 2).sum()
        tensor(9.)

    Source: Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007.
    """
    dice = torch.Generator().manual_seed(seed)
    centers = x[torch.randint(len(x), (1,), generator=dice)]
    while len(centers) < k:
        far = torch.cdist(x, centers).amin(1).square()  # (N,)
        far = far if far.sum() > 0 else torch.ones(len(x))
        drawn = torch.multinomial(far, 1, generator=dice)
        centers = torch.cat([centers, x[drawn]])
    return centers


@arguments(_same_width, x=_vectors, centers=_vectors, rounds=positive_int)
def k_means(x: torch.Tensor, centers: torch.Tensor, rounds: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    """Give each row to the nearest centre, move each centre into the midst of its rows, and again, until nothing changes.

    Args:
        x: (N, D) float.
        centers: (k, D) float, where the centres begin.
        rounds: at most.

    Returns:
        (N,) int64, whose each row is, and (k, D) centres; one that nobody is near stays where it is.

    Example:
        >>> mine, centers = k_means(torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([[0.0], [9.0]]))
        >>> mine, centers.flatten()
        (tensor([0, 0, 1]), tensor([1., 9.]))

    Source: Lloyd, Least Squares Quantization in PCM, 1982; MacQueen gave it its name in 1967.
    """
    for _ in range(rounds):
        mine = torch.cdist(x, centers).argmin(1)  # (N,)
        moved = centers.clone()
        for j in mine.unique():
            moved[j] = x[mine == j].mean(0)
        if torch.equal(moved, centers):
            break
        centers = moved
    return mine, centers


def _numbers(value, name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.is_floating_point() or value.ndim != 1:
        got = (
            f"{tuple(value.shape)} {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        )
        raise ValueError(f"{name} must be a tensor (N,) of whole numbers, one for each picture; got {got}")
    if len(value) and value.min() < 0:
        raise ValueError(
            f"{name} must be 0 and more; got {int(value.min())}. Leave out pictures without a group"
        )
    return value


def _pairs(clusters, groups) -> None:
    if len(clusters) != len(groups) or not len(groups):
        raise ValueError(
            f"clusters and groups must tell of the same pictures, one at least; got {len(clusters)} and {len(groups)}"
        )


_labels = arguments(_pairs, clusters=_numbers, groups=_numbers)


@_labels
def contingency(clusters: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Count the pictures of each cluster and group.

    Args:
        clusters: (N,) int64, 0 and more.
        groups: (N,) int64, 0 and more.

    Returns:
        (clusters, groups) int64.

    Example:
        >>> contingency(torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0]))
        tensor([[0, 2],
                [1, 0]])
    """
    rows, columns = int(clusters.max()) + 1, int(groups.max()) + 1
    pairs = clusters * columns + groups  # (N,) one number for each pair
    return pairs.bincount(minlength=rows * columns).reshape(rows, columns)


@_labels
def cluster_accuracy(clusters: torch.Tensor, groups: torch.Tensor) -> float:
    """Share of pictures whose cluster is matched with their group, each with one of the other at most, as well as can be.

    Args:
        clusters: (N,) int64, 0 and more; the numbers themselves mean nothing.
        groups: (N,) int64, 0 and more.

    Returns:
        0 to 1.

    Example:
        >>> cluster_accuracy(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 1]))
        0.75

    Source: Kuhn, The Hungarian Method for the Assignment Problem, 1955.
    """
    table = torch.zeros(int(clusters.max()) + 1, int(groups.max()) + 1)
    for cluster, group in zip(clusters, groups, strict=True):
        table[cluster, group] += 1
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum()) / len(groups)


@_labels
def purity(clusters: torch.Tensor, groups: torch.Tensor) -> float:
    """Share of pictures that belong to the commonest group of their cluster: 0 to 1, and 1 when each is a cluster of its own.

    Args:
        clusters: (N,) int64, 0 and more.
        groups: (N,) int64, 0 and more.

    Example:
        >>> purity(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 1, 1]))
        1.0
    """
    return contingency(clusters, groups).amax(1).sum().item() / len(groups)


@_labels
def mutual_information(clusters: torch.Tensor, groups: torch.Tensor) -> float:
    """How much clusters and groups tell of each other, as a share of the mean of their entropies: NMI, 0 to 1.

    Args:
        clusters: (N,) int64, 0 and more.
        groups: (N,) int64, 0 and more.

    Example:
        >>> round(mutual_information(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0])), 3)
        1.0

    Source: Vinh, Epps and Bailey, Information Theoretic Measures for Clusterings Comparison, JMLR 2010.
    """
    both = contingency(clusters, groups).double() / len(groups)
    rows, columns = both.sum(1), both.sum(0)
    a, b, all_ = (-torch.xlogy(p, p).sum() for p in (rows, columns, both))
    return float(2 * (a + b - all_) / (a + b)) if a + b > 0 else 1.0
