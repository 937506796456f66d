"""From the bytes of a picture file to upright 8-bit RGB; what is damaged is refused, what is lost is told."""

import warnings
from typing import BinaryIO

import numpy as np

from cvlab.world import intact

__all__ = ["FORMATS", "MAX_PIXELS", "decode"]

MAX_PIXELS = 90_000_000  # a larger picture is refused before it is unpacked (a "decompression bomb")
FORMATS = (
    *("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF", "JPEG2000"),
    *("PSD", "DDS", "SGI", "QOI", "SUN", "TGA"),
)
_READ = f"the kinds that are read are {', '.join(FORMATS)}"
_TGA_FOOT = b"TRUEVISION-XFILE.\0"


def decode(stream: BinaryIO, name: str, ending: str = "") -> np.ndarray:
    """Turn a picture file into upright RGB; warn once of what is lost.

    A file that was cut short is refused, and so is every wrong bit of a PNG. Most other kinds keep no checksum of their
    pixels: a wrong bit among them is refused only where the file no longer makes sense.

    Args:
        stream: the file, open for reading bytes.
        name: what messages call it.
        ending: of the file's name; old TGA files say nowhere else what they are.

    Returns:
        (H, W, 3) uint8 RGB, 0 to 255, a fresh array.

    Raises:
        ValueError: empty, damaged, too large, not a picture, or of a kind that is not read.

    Example:
        >>> import io
        >>> decode(io.BytesIO(b"P1 3 1 1 0 1"), "a row")[0, :, 0]
        array([  0, 255,   0], dtype=uint8)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own remarks on odd files; the losses are told below
        image = _open(stream, name, ending)
        bits = max((_bits(tile) for tile in image.tile or ()), default=8)
        losses = _load(image, stream, name)
        pixels = _to_rgb(image, bits, name, losses)
    if losses:
        warnings.warn(f"{name}: {'; '.join(losses)}", UserWarning, stacklevel=3)
    return pixels


def _open(stream: BinaryIO, name: str, ending: str):
    """Open a file whose kind is read; its pixels are still packed."""
    from PIL import Image

    Image.init()
    stream.seek(0)
    head = stream.read(512)
    stream.seek(max(0, stream.seek(0, 2) - len(_TGA_FOOT)))
    foot = stream.read()
    if not head:
        raise ValueError(f"{name} is empty (0 bytes): copy or download it again")
    kind = next((kind for kind in FORMATS if _accepts(kind, head)), "TGA" if ending.lower() == ".tga" else "")
    if foot == _TGA_FOOT:
        kind = "TGA"
    if not kind:
        raise ValueError(f"{name} {_foreign(head)}")
    try:
        image = Image.open(stream, formats=[kind])
    except Image.DecompressionBombError:
        raise ValueError(f"{name} is too large: at most {MAX_PIXELS:,} pixels are unpacked") from None
    except Exception as error:  # Pillow raises a dozen kinds on broken headers
        slip = _foreign(head) if _is_text(head) or _is_heic(head) else _nonsense(kind)
        raise ValueError(f"{name} {slip}") from error
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height}"
        raise ValueError(f"{name} is too large: {size}, at most {MAX_PIXELS:,} pixels are unpacked")
    return image


def _accepts(kind: str, head: bytes) -> bool:
    """Tell whether a file that starts so says that it is of this kind."""
    from PIL import Image

    _, accepts = Image.OPEN.get(kind, (None, None))
    return accepts is not None and accepts(head[:16].ljust(16, b"\0")) is True


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r" for byte in head)


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1")


def _foreign(head: bytes) -> str:
    """Say what a file is that is none of the pictures that are read."""
    from PIL import Image

    if _is_heic(head):
        return "is a HEIC picture, as phones make them: save it as JPEG first"
    other = next((kind for kind in sorted(Image.OPEN.keys() - set(FORMATS)) if _accepts(kind, head)), None)
    if other:
        return f"is of the kind {other}, which is not read: save it as PNG first ({_READ})"
    if _is_text(head):
        start = head[:20].decode("utf-8", "replace")
        return f"is not a picture: it holds text, starting {start!r}; the ending of a name does not change the kind"
    return f"is not a picture: its first bytes are {head[:4].hex(' ')} ({_READ})"


def _nonsense(kind: str) -> str:
    return (
        f"is damaged or cut short, or of a rare kind: it starts like a {kind} picture and then makes no sense"
    )


def _load(image, stream: BinaryIO, name: str) -> list[str]:
    """Unpack the pixels and say what is left out.

    Once only: after a failure Pillow lets a second attempt pass, with half of the picture black.
    """
    try:
        intact.check(image.format, stream, getattr(image, "tag_v2", {}))
    except intact.Damaged as damage:
        raise ValueError(f"{name} is damaged or cut short: {damage}") from damage
    try:
        frames = getattr(image, "n_frames", 1)
        image.load()
    except Exception as error:  # the same dozen kinds, this time in the pixels
        raise ValueError(f"{name} {_nonsense(image.format)}") from error
    merged = image.format == "PSD"  # its frames are layers, and the picture is all of them
    return [f"first of {frames} frames kept"] if frames > 1 and not merged else []


def _to_rgb(image, bits: int, name: str, losses: list[str]) -> np.ndarray:
    """Convert an unpacked Pillow image; what is lost on the way is added to `losses`."""
    from PIL import Image, ImageOps

    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # a broken note on the rotation is no reason to refuse the pixels
        losses.append("a broken note on its rotation is left out")
    if image.mode.startswith("I;16") or (image.mode == "I" and bits > 8):
        bits = bits if bits > 8 else 16
        image = Image.fromarray(_high_byte(np.asarray(image), bits, name))
    if image.mode in ("I", "F"):
        raise ValueError(
            f"{name} holds 32-bit numbers; 8 or 16 bits a channel are read. Rescale it yourself first"
        )
    if bits > 8:
        losses.append(f"{bits} bits cut to 8")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            losses.append("see-through parts laid on white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    try:
        return np.array(image.convert("RGB"))
    except ValueError as error:
        raise ValueError(
            f"{name} holds {image.mode} colours, which are not read: save it as RGB first"
        ) from error


def _high_byte(numbers: np.ndarray, bits: int, name: str) -> np.ndarray:
    if numbers.min() < 0:
        raise ValueError(f"{name} holds negative numbers, down to {numbers.min()}. Rescale it yourself first")
    return (numbers.astype(np.int64) >> (bits - 8)).astype(np.uint8)


def _bits(tile: tuple) -> int:
    """Return how many bits a channel has in the file, 8, 12 or 16, as Pillow describes one of its tiles."""
    decoder, *_, arguments = tile
    first, *rest = (arguments,) if isinstance(arguments, str) else arguments or ("",)
    if decoder.startswith("ppm"):
        return 16 if rest and isinstance(rest[-1], int) and rest[-1] > 255 else 8
    return 12 if ";12" in str(first) else 16 if ";16" in str(first) else 8
