# minimum: code 76, check 7, widget 4
# not yet: banner, lines, places, live, last, cover
# %% [markdown]
# # 01 · Images and preprocessing
#
# **What is a picture to a program, and why do two libraries disagree about the same file?**
#
# You open one photo with four libraries and find where they disagree about the same file. You learn to repair each
# disagreement, and you measure what the slips, and the ways of resizing, cost a real network: from nothing at all to nearly every answer.
#
# *136 minutes, in three sittings: sections 1 to 3 (50 min), 4 and 5 (40 min), 6 to 8 (46 min). You need lesson 00. What says "skip at a
# first reading" nothing later needs.*

# %% tags=["setup"]

# %%
import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.preprocessing import preprocess
from cvlab.world import photos

draw.theme("light")

# %% [markdown]
# This is the picture you will be able to explain: the same photo, made 224 x 224 by two libraries with the same
# method, "bilinear". To the eye they are equal. Blue and red say where OpenCV's number is lower and higher: at every hair.

# %%
cat = photo("chelsea")
by_cv2 = cv2.resize(cat, (224, 224), interpolation=cv2.INTER_LINEAR)
by_pillow = np.asarray(Image.fromarray(cat).resize((224, 224), Image.Resampling.BILINEAR))
difference = by_cv2.astype(int) - by_pillow

figure, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained", dpi=80)
show(by_cv2, title="OpenCV, bilinear", ax=axes[0])
show(by_pillow, title="Pillow, bilinear", ax=axes[1])
show(difference[..., 1], signed=True, limits=(-9, 9), title="OpenCV minus Pillow, green", ax=axes[2])
print(f"{(difference != 0).mean():.0%} of the numbers differ, by up to {np.abs(difference).max()} of 255")

# %% [markdown]
# ## 1 · A picture is an array *(12 min)*
#
# Two kinds of program take a picture. **Image processing** gives back another picture; **computer vision** gives an answer about it. The same photo
# of coins, both ways:

# %%
coins = photo("coins")[..., 0]
even = cv2.morphologyEx(cv2.GaussianBlur(coins, (0, 0), 2), cv2.MORPH_TOPHAT, np.ones((61, 61), np.uint8))
_, bright = cv2.threshold(even, 0, 255, cv2.THRESH_OTSU)
show_many([coins, bright], titles=["A picture goes in", "Processing: another picture comes out"])
print("Vision: there are", cv2.connectedComponents(bright)[0] - 1, "coins")  # label 0 is the background

# %% [markdown]
# This lesson is about what both begin with. Three questions to ask of every picture: what **shape**, what **dtype**, what **range**?

# %%
print(cat.shape, cat.dtype, cat.min(), cat.max())
gray = cv2.cvtColor(cat, cv2.COLOR_RGB2GRAY)
print(gray.shape, gray.dtype, gray.min(), gray.max())

# %% [markdown]
# The shape is (rows, columns, channels). Cut out the corner of the cat's eye and the numbers become visible: one number a
# pixel in the grey picture, three in colour: red, green, blue, from top to bottom.

# %%
rows, cols = slice(112, 118), slice(160, 166)
titles = ["Colour: three numbers a pixel", "Grey: one number a pixel"]
show_many([cat[rows, cols], gray[rows, cols]], numbers=True, titles=titles);

# %% [markdown]
# **Rows and columns, or x and y?** An array is indexed `[row, column]`: down first. Geometry says (x, y): right first.
# Pillow's `getpixel` and `size`, and the sizes you pass to OpenCV, are x first. Here is one pixel, asked for three ways.

# %%
row, col = 112, 160
print("cat[row, col]             ", cat[row, col].tolist())
print("Pillow's getpixel((x, y)) ", list(Image.fromarray(cat).getpixel((col, row))))
print("swapped by mistake        ", cat[col, row].tolist())

# %% [markdown]
# Walk through the photo, pixel by pixel. **Predict:** which slider moves you to the right, and which number of the point changes?

# %%
from cvlab.widgets import PixelGrid

PixelGrid(cat)

# %% [markdown]
# Some files carry a fourth channel, **alpha**: how opaque each pixel is. Drop it carelessly, and colours that were meant
# to be invisible appear. Blend instead: `alpha * colour + (1 - alpha) * background`.

# %%
from cvlab.world import stickers

rgba = stickers.load("dog", "noto", 1)
rgb, alpha = rgba[..., :3], rgba[..., 3:] / 255
petals = photo("flower")[150:246, 300:396]
blended = (alpha * rgb + (1 - alpha) * petals).round().astype(np.uint8)
titles = ["Alpha dropped", "Alpha: white is opaque", "Blended over a photo"]
show_many([rgb, alpha, blended], titles=titles);

# %% [markdown]
# ## 2 · One file, four objects *(18 min)*
#
# Read the same PNG file with OpenCV, Pillow, scikit-image and torchvision, and look at the type, the shape and the
# first pixel of each.

# %%
import skimage.io
import torchvision
from PIL import ImageOps

path = str(photos.info("chelsea").path)
bgr = cv2.imread(path)
pillow = Image.open(path)
scikit = skimage.io.imread(path)
tensor = torchvision.io.decode_image(path)
print("OpenCV      ", type(bgr).__name__, bgr.shape, bgr[0, 0].tolist())
print("Pillow      ", type(pillow).__name__, pillow.size, list(pillow.getpixel((0, 0))))
print("scikit-image", type(scikit).__name__, scikit.shape, scikit[0, 0].tolist())
print("torchvision ", type(tensor).__name__, tuple(tensor.shape), tensor[:, 0, 0].tolist())

# %% [markdown]
# About this PNG they disagree three times: Pillow says (width, height), torchvision puts the channels first, and OpenCV has
# **blue first**: BGR. Swap once, move the axes, and all four hold the same numbers. **Predict:** what do you get when
# you swap twice?

# %%
swapped = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
twice = cv2.cvtColor(swapped, cv2.COLOR_BGR2RGB)
titles = ["As OpenCV read it: a blue cat", "Swapped once: right", "Trap: swapped twice"]
show_many([bgr, swapped, twice], titles=titles)
all(np.array_equal(swapped, other) for other in (pillow, scikit, tensor.permute(1, 2, 0)))

# %% [markdown]
# **The trap:** nothing in an array says which order it is in. A helper that already swapped, and a caller that swaps
# "to be safe", give you blue back, without an error. Convert once, where you read the file.
#
# **Exercise 1 · `to_rgb`** *(3 minutes, easy)*. Do what `cvtColor` did, with NumPy alone.

# %% tags=["exercise"]
def to_rgb(image_bgr):
    """Return a copy of `image_bgr`, (H, W, 3), with its channels in the order red, green, blue."""
    ### BEGIN SOLUTION
    return image_bgr[:, :, ::-1].copy()
    ### END SOLUTION

# %%
check(to_rgb)

# %% [markdown]
# ### Who turns, who drops, who cuts down?
#
# Other files start other quarrels. A phone may save a picture lying on its side, with a note that says how to turn it: the **EXIF orientation**. A
# sticker has alpha. A scan may have 16 bits a number. Write one of each.

# %%
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
note = Image.Exif()
note[0x0112] = 6  # the orientation tag: "turn me clockwise by 90 degrees"
Image.fromarray(np.rot90(cat)).save(folder / "phone.jpg", exif=note)  # lying on its side, and saying so
Image.fromarray(rgba).save(folder / "sticker.png")
deep = gray.astype(np.uint16) * 16  # 12 of 16 bits in use, as many medical pictures are
cv2.imwrite(str(folder / "scan.png"), deep)
cv2.imwrite(str(folder / "colour_scan.png"), cat.astype(np.uint16) * 16);

# %%
readers = {
    "OpenCV": cv2.imread,
    "Pillow": lambda file: np.asarray(Image.open(file)),
    "scikit-image": skimage.io.imread,
    "torchvision": lambda file: torchvision.io.decode_image(file).permute(1, 2, 0).numpy(),
}
for file in ("phone.jpg", "sticker.png", "scan.png", "colour_scan.png"):
    for name, read in readers.items():
        found = read(str(folder / file))
        print(f"{file:15} {name:12} {str(found.shape):13} {found.dtype!s:6} {found.min()} to {found.max()}")

# %% [markdown]
# The grey scan was written with numbers up to 3104, the colour one up to 3696. So:
#
# | | OpenCV | Pillow | scikit-image | torchvision |
# |---|---|---|---|---|
# | turned as noted? | **turns** | no | no | no |
# | alpha | **drops** | keeps | keeps | keeps |
# | 16 bits, grey | **keeps the high byte** | keeps | keeps | keeps |
# | 16 bits, colour | **high byte** | **high byte** | **high byte** | keeps |
#
# The repairs. OpenCV's `IMREAD_UNCHANGED` keeps alpha and 16 bits, but then no longer turns. And Pillow's `convert("L")` does not scale 16 bits: it
# *clips* them.

# %%
phone, scan, sticker = (str(folder / name) for name in ("phone.jpg", "scan.png", "sticker.png"))
upright = np.asarray(ImageOps.exif_transpose(Image.open(phone)))
print("Pillow, exif_transpose:    ", upright.shape)
print("torchvision, when asked:   ", tuple(torchvision.io.decode_image(phone, apply_exif_orientation=True).shape))
unchanged = {name: cv2.imread(file, cv2.IMREAD_UNCHANGED) for name, file in [("phone", phone), ("sticker", sticker), ("scan", scan)]}
print("OpenCV, IMREAD_UNCHANGED:  ", {name: found.shape for name, found in unchanged.items()}, unchanged["scan"].max())
clipped = np.asarray(Image.open(scan).convert("L"))
titles = ["Pillow: lying", "OpenCV: upright", "OpenCV: 0 to 12", "Pillow: clipped", "by its maximum"]
by_opencv = [cv2.imread(file)[..., ::-1] for file in (phone, scan)]
show_many([np.asarray(Image.open(phone)), *by_opencv, clipped, deep / deep.max()], titles=titles, cols=5);

# %% [markdown]
# ### A picture from an address *(skip at a first reading)*
#
# From the web you get bytes, and nothing promises that they are a picture. Ask with a time limit, look at the status, read no more
# than you mean to, then decode.

# %% tags=["core"]
import requests

def fetch_picture(address, most=20_000_000):
    """Return the picture at a web address as (H, W, 3) uint8 RGB, upright."""
    with requests.get(address, stream=True, timeout=20) as response:
        response.raise_for_status()  # "404 not found" is an answer, but no picture
        data = response.raw.read(most + 1, decode_content=True)
    if len(data) > most:
        raise ValueError(f"{address} sends more than {most} bytes")
    return photos.load(data)

# %% [markdown]
# The course is offline unless you say otherwise, so this machine plays the web: it serves its own folder to itself. *Real:* with
# `cvlab.settings.online()`, the same function gets a photo of COCO; put in an address of yours.

# %%
from cvlab import settings
from cvlab.preprocessing import fetch

with fetch.serving(Path(path).parent) as here:
    print("the cat, over HTTP, pixel by pixel:", np.array_equal(fetch_picture(f"{here}/chelsea.png"), cat))
    try:
        fetch_picture(f"{here}/dog.png")
    except requests.HTTPError as error:
        print("no such file:", error.response.status_code, error.response.reason)
ADDRESS = "http://images.cocodataset.org/val2017/000000039769.jpg"
if settings.is_online():
    show(fetch_picture(ADDRESS), title="From the web")
else:
    print("skipped, because offline:", ADDRESS)

# %% [markdown]
# ## 3 · Cut, turn, save *(20 min)*
#
# With arrays, half of image editing is indexing.

# %%
face = cat[:, 100:400]  # 300 x 300
yy, xx = np.mgrid[:300, :300]  # row and column of every pixel
disc = (yy - 150) ** 2 + (xx - 150) ** 2 < 130**2
pictures = {
    "Crop": face[60:200, 40:180],
    "Mask": np.where(disc[..., None], face, 255),
    "Flip": face[:, ::-1],
    "Rotate by 20 degrees": np.asarray(Image.fromarray(face).rotate(20, Image.Resampling.BILINEAR)),
    "Scale to a tenth": cv2.resize(face, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA),
    "Turn by 90 degrees": np.rot90(face),
}
show_many(list(pictures.values()), titles=list(pictures), cols=3);

# %% [markdown]
# **Exercise 2 · `center_crop`** *(4 minutes, easy)*. Networks want squares. Cut the square in the middle; when one pixel is left over,
# it stays at the bottom or right.

# %% tags=["exercise"]
def center_crop(image, size):
    """Return a copy of the middle `size` x `size` pixels of `image`, (H, W) or (H, W, C)."""
    ### BEGIN SOLUTION
    height, width = image.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size].copy()
    ### END SOLUTION

# %%
check(center_crop)

# %% [markdown]
# torchvision has it too, and even here two programs part. Cut squares out of 20 x 20 pixels: where does each start?

# %%
from torchvision.transforms.v2 import functional as F

ramp = np.tile(np.arange(20), (20, 1))  # each number is its column
left_over = range(1, 12)
ours = [preprocess.center_crop(ramp, 20 - n)[0, 0] for n in left_over]
theirs = [F.center_crop(torch.from_numpy(ramp)[None], [20 - n])[0, 0, 0] for n in left_over]
for name, values in {"left over": left_over, "ours": ours, "v2.CenterCrop": theirs}.items():
    print(f"{name:14}", *(f"{value:3d}" for value in values))

# %% [markdown]
# With 3, 7, 11 pixels left over it starts one later: torchvision rounds 1.5 to 2, but 2.5 to 2 as well, because Python rounds halves to the even number.

# %% [markdown]
# ### Saved, and read back
#
# Is a saved picture the same picture? It depends on the format. Encode the cat in memory as PNG and as JPEG, decode it, and compare.

# %%
def through(image, extension, *options):
    """Encode and decode a picture in memory; return it with its size in bytes."""
    ok, data = cv2.imencode(extension, image[..., ::-1], options)  # OpenCV wants BGR
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], len(data)

png, png_bytes = through(cat, ".png")
jpeg, jpeg_bytes = through(cat, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 90)
print("PNG equal:", np.array_equal(cat, png), "| JPEG equal:", np.array_equal(cat, jpeg))
print(f"JPEG is {png_bytes / jpeg_bytes:.1f} times smaller; {(cat != jpeg).mean():.0%} of the numbers changed")

# %% [markdown]
# PNG is exact; JPEG throws away what the eye hardly sees. How much was lost? The usual number is the **peak
# signal-to-noise ratio**, in decibels: $10 \log_{10}(\text{peak}^2 / \text{mean squared difference})$. On paper first:
# a picture of two pixels (0, 10) and another (0, 20) differ by 0 and by 10, the mean square is 50, and 10 log10(255² / 50) = 31.1 dB.
#
# ### Trap: `uint8` wraps around
#
# To get there you subtract two pictures. Look at what `uint8` does with 10 - 20, and with 250 + 10.

# %%
a, b = np.array([[10, 250]], dtype=np.uint8), np.array([[20, 10]], dtype=np.uint8)
print("a - b       ", a - b, "       right:", a.astype(int) - b)
print("a + b       ", a + b, "        right:", a.astype(int) + b)
print("cv2.add     ", cv2.add(a, b), "clips:  a third answer")

# %% [markdown]
# **Exercise 3 · `psnr`** *(6 minutes, medium)*. Mind the trap. Equal pictures have no error: return infinity.

# %% tags=["exercise"]
def psnr(a, b, peak=255):
    """Return the peak signal-to-noise ratio of two pictures of one shape, in dB, as a float."""
    ### BEGIN SOLUTION
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))
    ### END SOLUTION

# %%
check(psnr)

# %% [markdown]
# From here on, the lesson uses the package's copy, `preprocess.psnr`. Its last number and OpenCV's:

# %%
qualities = range(5, 101, 5)
sizes, decibels = [], []
for quality in qualities:
    decoded, size = through(cat, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)
    sizes.append(size / 1000)
    decibels.append(preprocess.psnr(cat, decoded))
print(f"quality 100: ours {decibels[-1]:.6f} dB, cv2.PSNR {cv2.PSNR(cat, decoded):.6f} dB")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
left.plot(qualities, decibels, marker=".")
left.set(xlabel="JPEG quality", ylabel="PSNR, dB", title="Quality buys decibels slowly")
right.plot(qualities, sizes, marker=".", color="C1")
right.set(xlabel="JPEG quality", ylabel="kilobytes", title="and bytes fast, above 90");

# %% [markdown]
# Lower the quality until you see the difference at normal size. Where in the picture does it show first, and what shape
# does it have in the zoomed window?

# %%
from cvlab.widgets import JpegQuality

JpegQuality(cat)

# %% [markdown]
# ### A video is pictures in a row
#
# Write 48 views that pan over the cat, 12 a second, and read them back one by one. OpenCV again wants blue first, and the width before the height.
# **Trap:** `read` raises no error, neither at the end nor when there is no film at all. Count your frames.

# %%
film = str(folder / "pan.avi")
frames = [cat[60:240, 4 * i : 4 * i + 240] for i in range(48)]  # each (180, 240, 3)
writer = cv2.VideoWriter(film, cv2.VideoWriter_fourcc(*"MJPG"), 12, (240, 180))
for frame in frames:
    writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
writer.release()  # without it the film has no end

reader, back = cv2.VideoCapture(film), []
while (answer := reader.read())[0]:  # (True, frame), and (False, None) after the last
    back.append(cv2.cvtColor(answer[1], cv2.COLOR_BGR2RGB))
reader.release()
print(len(back), "frames, every one a JPEG:", f"{preprocess.psnr(frames[0], back[0]):.1f} dB")
print("a film that is not there:", cv2.VideoCapture(str(folder / "none.avi")).read())
show_many(back[::15], titles=[f"{n / 12:.2f} s" for n in range(0, 48, 15)]);

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import cv2, torch, matplotlib.pyplot as plt, numpy as np
from PIL import Image
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.preprocessing import preprocess
draw.theme("light")
cat = photo("chelsea")

# %% [markdown]
# ## 4 · Resizing: where libraries part *(28 min)*
#
# Every network wants one size, so every picture is resized. On paper: shrink the row `1 2 6 4 5 9` to two pixels. Each new
# pixel covers three old ones. *Nearest* takes the one under its centre: 2 and 5. *Average* takes their mean: 3 and 6.
#
# The only subtle point is where the centre lies. Old pixel `j` covers the stretch from `j` to `j + 1`. New pixel `i` has its
# centre at `(i + 0.5) * old / new`, and takes the old pixel whose stretch that falls in; exactly between two, the right one.
#
# **Exercise 4 · `resize_nearest`** *(8 minutes, medium)*. Work out which row and which column each new pixel takes; one
# index expression then does the rest.

# %% tags=["exercise"]
def resize_nearest(image, height, width):
    """Return `image`, (H, W) or (H, W, C), resized to `height` x `width` by taking nearest pixels, dtype kept."""
    ### BEGIN SOLUTION
    rows = (2 * np.arange(height) + 1) * image.shape[0] // (2 * height)
    cols = (2 * np.arange(width) + 1) * image.shape[1] // (2 * width)
    return image[rows[:, None], cols]  # (height, width) or (height, width, C)
    ### END SOLUTION

# %%
check(resize_nearest)

# %%
ours = preprocess.resize_nearest(cat, 100, 150)
by_library = {
    "Pillow NEAREST": Image.fromarray(cat).resize((150, 100), Image.Resampling.NEAREST),
    "OpenCV INTER_NEAREST_EXACT": cv2.resize(cat, (150, 100), interpolation=cv2.INTER_NEAREST_EXACT),
    "OpenCV INTER_NEAREST": cv2.resize(cat, (150, 100), interpolation=cv2.INTER_NEAREST),
}
{name: np.array_equal(ours, theirs) for name, theirs in by_library.items()}

# %% [markdown]
# OpenCV's plain `INTER_NEAREST` rounds from the corner, not from the centre: already there two libraries part.
#
# **Bilinear** mixes the nearest old pixels: a weight of 1 at the new pixel's centre, falling in a straight line to 0. The whole
# difference between OpenCV's and Pillow's is one question: when a picture *shrinks*, does that triangle grow with the step
# between new pixels? If it does, every old pixel counts: this is **antialiasing**.

# %% tags=["core"]
def resize_weights(old, new, antialias):
    """Return (new, old) weights: row i says how much each old pixel counts in new pixel i."""
    centers = (np.arange(new) + 0.5) * old / new - 0.5
    reach = max(old / new, 1) if antialias else 1
    distance = np.abs(np.arange(old) - centers[:, None]) / reach  # (new, old)
    weights = np.maximum(0, 1 - distance)
    return weights / weights.sum(axis=1, keepdims=True)


def resize_bilinear(image, height, width, antialias=True):
    """Return `image`, (H, W, C), resized to (height, width, C) floats."""
    down = resize_weights(image.shape[0], height, antialias)  # (height, H)
    across = resize_weights(image.shape[1], width, antialias)  # (width, W)
    return np.einsum("hH,HWc,wW->hwc", down, image, across, optimize=True)

# %% [markdown]
# See it on a row of 8 shrunk to 2. Without antialiasing each new pixel looks at two old ones and is blind to the rest.

# %%
both = [resize_weights(8, 2, antialias) for antialias in (False, True)]
titles = ["No antialiasing: 4 of 8 pixels are ignored", "Antialiasing: every pixel counts"]
show_many(both, titles=titles, numbers=True, cols=1);

# %% [markdown]
# Now the libraries. Ours without antialiasing is OpenCV; ours with it is Pillow; torchvision has a switch.

# %%
from torchvision.transforms.v2 import functional as F

floats = cat.astype(np.float32)
channels = torch.from_numpy(floats).permute(2, 0, 1)  # (3, 300, 451)
pillow_bilinear = Image.Resampling.BILINEAR
planes = [Image.fromarray(plane).resize((150, 100), pillow_bilinear) for plane in channels.numpy()]
libraries = {
    "OpenCV": cv2.resize(floats, (150, 100)),
    "Pillow": np.stack(planes, axis=2),
    "torchvision, antialias=False": F.resize(channels, [100, 150], antialias=False).permute(1, 2, 0),
    "torchvision, antialias=True": F.resize(channels, [100, 150], antialias=True).permute(1, 2, 0),
}
plain, smooth = (resize_bilinear(floats, 100, 150, antialias) for antialias in (False, True))
for name, theirs in libraries.items():
    gaps = [np.abs(np.asarray(theirs) - ours).max() for ours in (plain, smooth)]
    print(f"{name:29} gap to ours plain {gaps[0]:5.2f}, antialiased {gaps[1]:5.2f}")

# %% [markdown]
# What does blindness look like? **Aliasing**: fine stripes turn into coarse ones that were never there.

# %%
position = np.linspace(0, 1, 480)
wave = 0.5 + 0.5 * np.cos(2 * np.pi * 110 * position**2)  # ever finer to the right
stripes = np.tile(wave, (64, 1))[..., None]
blind, seeing = (resize_bilinear(stripes, 16, 120, antialias) for antialias in (False, True))
titles = ["480 pixels wide", "120 wide: false coarse stripes", "120 wide, antialiased: honest grey"]
show_many([stripes, blind, seeing], titles=titles, cols=1);

# %% [markdown]
# Here you can try every combination. Stripes first; then choose the photo. **Predict:** which method differs most from the
# exact average?

# %%
from cvlab.widgets import ResizeExplorer

ResizeExplorer(cat)

# %% [markdown]
# ### Five methods, two libraries
#
# The same names, on the same photo: first half as large, then twice as large. **Predict:** which method agrees when the picture *grows*?

# %%
methods = {
    "nearest": (cv2.INTER_NEAREST, Image.Resampling.NEAREST),
    "bilinear": (cv2.INTER_LINEAR, Image.Resampling.BILINEAR),
    "bicubic": (cv2.INTER_CUBIC, Image.Resampling.BICUBIC),
    "area, box": (cv2.INTER_AREA, Image.Resampling.BOX),
    "Lanczos": (cv2.INTER_LANCZOS4, Image.Resampling.LANCZOS),
}
for size in ((225, 150), (902, 600)):
    print(f"{cat.shape[1]} x {cat.shape[0]} to {size[0]} x {size[1]}: OpenCV against Pillow")
    for name, (one, other) in methods.items():
        by_pillow = np.asarray(Image.fromarray(cat).resize(size, other))
        gap = cv2.absdiff(cv2.resize(cat, size, interpolation=one), by_pillow)  # cv2 subtracts bytes without wrapping
        print(f"   {name:9} {np.mean(gap > 0):4.0%} differ, by {gap.mean():.2f} on average, {gap.max()} at most")

# %% [markdown]
# When a picture grows, nothing is left out and antialiasing has nothing to do: the two bilinears agree but for rounding, which is worth 1. This is what they do
# to two letters: nearest keeps the blocks, bilinear blurs, bicubic and Lanczos draw a light rim round the ink.

# %%
letters = Image.fromarray(photo("page")[98:116, 150:174])
grown = [np.asarray(letters.resize((240, 180), other)) for _, other in methods.values()]
show_many([grown[i] for i in (0, 1, 2, 4)], titles=["Nearest", "Bilinear", "Bicubic", "Lanczos"]);

# %% [markdown]
# ### Why do two bicubics differ? *(skip at a first reading)*
#
# Bicubic weighs four old pixels by a curve with a free number, $a$: the lower, the sharper, and the more it overshoots at an edge. OpenCV
# takes -0.75, Pillow -0.5. Enlarge a step from 0 to 1 by hand, then by library.

# %%
def cubic_weight(t, a):
    t = np.abs(t)
    near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0))

edge = np.float32([[0, 0, 0, 0, 1, 1, 1, 1]])
at = (np.arange(32) + 0.5) / 4 - 0.5  # centres of the 32 new pixels, among the old ones

def by_hand(a):
    return cubic_weight(at[:, None] - np.arange(-2, 10), a) @ np.pad(edge[0], 2, mode="edge")  # (32,)

bicubic = F.InterpolationMode.BICUBIC
rows = {"by hand, a = -0.75": by_hand(-0.75), "OpenCV": cv2.resize(edge, (32, 1), interpolation=cv2.INTER_CUBIC)[0]}
rows["torchvision, antialias=False"] = F.resize(torch.tensor(edge)[None], [1, 32], bicubic, antialias=False)[0, 0].numpy()
rows["by hand, a = -0.5"] = by_hand(-0.5)
rows["Pillow"] = np.asarray(Image.fromarray(edge).resize((32, 1), Image.Resampling.BICUBIC))[0]
rows["torchvision, antialias=True"] = F.resize(torch.tensor(edge)[None], [1, 32], bicubic, antialias=True)[0, 0].numpy()
for name, row in rows.items():
    print(f"{name:29}", *(f"{value:6.3f}" for value in row[12:20]))

# %% [markdown]
# So torchvision's switch changes the curve too, although nothing shrinks here.
#
# ### And if you name no method?
#
# Each row is one pair of libraries with their defaults, at 224 x 224.

# %%
from skimage.transform import resize as skimage_resize

image = Image.fromarray(cat)
defaults = {
    "OpenCV": cv2.resize(cat, (224, 224)),
    "Pillow": np.asarray(image.resize((224, 224))),
    "torchvision": F.resize(torch.from_numpy(cat).permute(2, 0, 1), [224, 224]).permute(1, 2, 0).numpy(),
    "scikit-image": (skimage_resize(cat, (224, 224)) * 255).round().astype(np.uint8),
}
names = list(defaults)
for i, one in enumerate(names):
    for other in names[i + 1 :]:
        gap = np.abs(defaults[one].astype(int) - defaults[other])
        print(f"{one:11} {other:12} {(gap > 0).mean():.0%} differ, mean {gap.mean():.2f}, most {gap.max()}")

# %%
unblurred = (skimage_resize(cat, (224, 224), anti_aliasing=False) * 255).round()
print("Pillow's default is its bicubic:", np.array_equal(image.resize((224, 224), Image.Resampling.BICUBIC), defaults["Pillow"]))
print("torchvision's is bilinear, antialiased; to Pillow's bilinear", np.abs(defaults["torchvision"].astype(int) - image.resize((224, 224), Image.Resampling.BILINEAR)).max(), "at most")
print("scikit-image, its blur switched off, to OpenCV's bilinear: ", np.abs(unblurred - defaults["OpenCV"]).max(), "at most")

# %% [markdown]
# So these are not four bilinears: OpenCV's is plain, torchvision's antialiased, Pillow took its bicubic, and scikit-image first blurs with a Gaussian. No pair agrees, and no
# error is raised. **The rule: pick one, write it down, and use the same one in training and in use.** Section 6 measures what the choice costs.
#
# ### Trap: a mask is not a photo
#
# A mask holds class numbers. Mixing class 0 and class 4 gives 1 or 3: classes that are not in the picture.

# %%
mask = np.zeros((6, 6), dtype=np.uint8)
mask[1:5, 2:6] = 4
mixed = cv2.resize(mask, (4, 4), interpolation=cv2.INTER_LINEAR)
kept = preprocess.resize_nearest(mask, 4, 4)
titles = ["Classes 0 and 4", "Bilinear invents classes", "Nearest keeps them"]
show_many([mask, mixed, kept], numbers=True, limits=(0, 4), titles=titles)
np.unique(mask), np.unique(mixed), np.unique(kept)

# %% [markdown]
# ## 5 · Numbers a network likes *(12 min)*
#
# Networks are usually fed numbers around 0 with a spread around 1. Two steps: divide by 255, then, channel by channel,
# subtract a **mean** and divide by a **standard deviation**. Whose mean? There are three, and they are not the same.

# %%
unit = cat / 255  # (300, 451, 3) floats in [0, 1]
album = ["chelsea", "coffee", "rocket", "astronaut", "china", "flower"]  # a data set of six
pixels = np.concatenate([photo(name).reshape(-1, 3) for name in album])
print("this image's mean", unit.mean(axis=(0, 1)).round(3), "std", unit.std(axis=(0, 1)).round(3))
print("data set's   mean", (pixels.mean(axis=0) / 255).round(3), "std", (pixels.std(axis=0) / 255).round(3))
print("ImageNet's   mean", preprocess.IMAGENET_MEAN, "std", preprocess.IMAGENET_STD)

# %% [markdown]
# **Exercise 5 · `normalize` and `denormalize`** *(6 minutes, easy)*. `mean` and `std` hold one number a channel. The second undoes the first,
# so that you can look at what the network is fed.

# %% tags=["exercise"]
def normalize(image, mean, std):
    """Return (H, W, C) floats: each channel minus its mean, divided by its standard deviation."""
    ### BEGIN SOLUTION
    return (image - mean) / std
    ### END SOLUTION

# %% tags=["exercise"]
def denormalize(image, mean, std):
    """Undo `normalize`: return (H, W, C) floats, every number as it was before."""
    ### BEGIN SOLUTION
    return image * std + mean
    ### END SOLUTION

# %%
check(normalize)

# %%
check(denormalize)

# %% [markdown]
# The photo arrives as OpenCV reads it. Put it right, then read each channel's range under every normalisation. Red is above
# zero, blue below.

# %%
from cvlab.widgets import ChannelExplorer

ChannelExplorer(cat)

# %% [markdown]
# ### Trap: the image's own mean
#
# Subtracting each picture's *own* mean leaves its contrast: this night has a quarter of the day's. Dividing by its own std as well erases
# brightness: day and night become one picture.

# %%
night = unit * 0.25

def gap(prepare):
    return np.abs(prepare(unit) - prepare(night)).max()

def own(p):
    return preprocess.normalize(p, p.mean(axis=(0, 1)), p.std(axis=(0, 1)))

def imagenets(p):
    return preprocess.normalize(p, preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD)

show_many([unit, night], titles=["Day", "Night"])
print(f"own mean only: day's spread is {(unit - unit.mean((0, 1))).std() / (night - night.mean((0, 1))).std():.2f} times night's")
print(f"own mean and std: largest difference {gap(own):.6f}; ImageNet's: {gap(imagenets):.2f}")

# %% [markdown]
# Some networks are trained on just that, and then it is right. For one that learnt with fixed numbers it is a slip, and section 6 measures it.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on below; nothing above is needed.

# %% tags=["again"]
import cv2, skimage.io, torch, torchvision, matplotlib.pyplot as plt, numpy as np
import PIL.Image as Image, torchvision.transforms.v2.functional as F, cvlab.world.photos as photos
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.preprocessing import preprocess
cat, coins, path = photo("chelsea"), photo("coins")[..., 0], str(photos.info("chelsea").path)
image, _ = Image.fromarray(cat), draw.theme("light")

# %% [markdown]
# ## 6 · Into the network *(24 min)*
#
# PyTorch wants channels first, and a batch in front: (H, W, C) → (C, H, W) → (N, C, H, W). The tempting
# mistake is `reshape`. It keeps the numbers in their order in memory and only cuts the row elsewhere; `transpose` moves
# whole axes. **Predict** what the three planes look like after `reshape`.

# %%
wrong = cat.reshape(3, 300, 451)
right = cat.transpose(2, 0, 1)
titles = ["reshape: plane 0", "plane 1", "plane 2", "transpose: red", "green", "blue"]
show_many([*wrong, *right], titles=titles, cols=3);

# %% [markdown]
# `transpose` costs nothing, because only the **strides** change: how many bytes to jump for the next row, column,
# channel. Some functions want the bytes in order: `np.ascontiguousarray` copies them so.

# %%
print("H, W, C strides", cat.strides, "-> C, H, W strides", right.strides)
print("same memory:", np.shares_memory(cat, right), "| in order:", right.flags["C_CONTIGUOUS"])
batch = torch.from_numpy(np.ascontiguousarray(right))[None]
batch.shape

# %% [markdown]
# **Exercise 6 · `hwc_to_chw`** *(3 minutes, easy)*. Which axis of the old picture comes first, second, third in the new one?

# %% tags=["exercise"]
def hwc_to_chw(image):
    """Return `image`, (H, W, C), with its channels first: (C, H, W)."""
    ### BEGIN SOLUTION
    return image.transpose(2, 0, 1)  # (C, H, W)
    ### END SOLUTION

# %%
check(hwc_to_chw)

# %% [markdown]
# ### A real network says what it wants
#
# A network learnt from pictures of one kind, and its weights come with the recipe: timm calls it `pretrained_cfg`. Here is the recipe of a small
# network that knows ImageNet's 1000 classes, and, beside it, a large one's; reading needs no weights. Note the 0.5: *not* ImageNet's numbers.

# %%
import timm
from cvlab.store import weights

model = weights.efficientnet_lite0()
config = model.pretrained_cfg
large = timm.get_pretrained_cfg("maxvit_large_tf_384").to_dict()
print(f"{'':17} {config['architecture']:22} {large['architecture']}")
for key in ("tag", "input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std"):
    print(f"{key:17} {config[key]!s:22} {large[key]!s}")

# %% [markdown]
# `tag` says how the weights were trained: `in1k` is ImageNet with 1000 classes. `fixed_input_size` says whether the network refuses every other size. That another
# size *runs* does not mean that it still answers well, as you will see below.

# %%
small = torch.zeros(1, 3, 160, 160)
rigid = timm.create_model("vit_tiny_patch16_224", depth=1).eval()  # random weights, one block: only the size matters
with torch.inference_mode():
    print("fixed_input_size", model.pretrained_cfg["fixed_input_size"], "at 160 x 160:", tuple(model(small).shape))
    try:
        rigid(small)
    except AssertionError as error:
        print("fixed_input_size", rigid.pretrained_cfg["fixed_input_size"], "at 160 x 160:", error)

# %% [markdown]
# Build the preprocessing from the recipe with `torchvision.transforms.v2`. `center`: the *shorter* side becomes 224 / 0.875 = 256, then the middle
# 224 x 224 are cut out. `squash`: *both* sides become that size, so nothing is cut off and the shape suffers.

# %% tags=["core"]
def pipeline_for(config):
    """Build the preprocessing that a timm model's `pretrained_cfg` asks for: crop mode center or squash."""
    import torch
    from torchvision.transforms import InterpolationMode, v2

    size = config["input_size"][1]
    scaled = int(size / config["crop_pct"])
    if config["crop_mode"] == "squash":
        scaled = (scaled, scaled)  # both sides, so the shape changes; else the shorter side
    return v2.Compose([
        v2.ToPILImage(),  # an array becomes a Pillow picture, which timm resizes too
        v2.Resize(scaled, InterpolationMode(config["interpolation"])),
        v2.CenterCrop(size),
        v2.ToImage(),  # (C, H, W) tensor, uint8
        v2.ToDtype(torch.float32, scale=True),  # to [0, 1]
        v2.Normalize(config["mean"], config["std"]),
    ])

# %% [markdown]
# Is it timm's own? Compare every number, for both recipes.

# %%
fed = {}
for recipe in (config, large):
    library = timm.data.create_transform(**timm.data.resolve_data_config({}, pretrained_cfg=recipe))
    ours, theirs = pipeline_for(recipe)(cat), library(image)
    fed[recipe["crop_mode"]] = preprocess.denormalize(ours.permute(1, 2, 0).numpy(), recipe["mean"], recipe["std"]).clip(0, 1)
    print(f"{recipe['crop_mode']:7} {tuple(ours.shape)}, largest difference to timm's {(ours - theirs).abs().max():.0e}")
titles = ["The photo", "center: the sides are lost", "squash: all there, but narrower"]
show_many([cat, *fed.values()], titles=titles)
with torch.inference_mode():
    scores = model(pipeline_for(config)(cat)[None]).softmax(dim=1)[0]
for name, probability in weights.top5(scores):
    print(f"{probability:4.0%}  {name}")

# %% [markdown]
# ### What does a wrong step cost?
#
# Take 28 random crops of seven photos whose content we know, spoil one step at a time, and count right answers. **Predict**
# which slip is the worst, and which nobody would notice.

# %%
TRUTH = {
    "chelsea": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso", "cup", "coffee mug"},
    "rocket": {"missile", "projectile", "space shuttle"},
    "china": {"palace", "monastery", "bell cote"},
    "motorcycle_left": {"moped", "motor scooter"},
    "motorcycle_right": {"moped", "motor scooter"},
    "camera": {"tripod", "reflex camera"},
}
rng = np.random.default_rng(0)
whole = {name: photo(name) for name in TRUTH}
squares = []  # four of each photo, sides of 247 to 511 pixels
for name in 4 * list(TRUTH):
    side = int(min(whole[name].shape[:2]) * rng.uniform(0.7, 1))
    y, x = (rng.integers(length - side + 1) for length in whole[name].shape[:2])
    squares.append(whole[name][y : y + side, x : x + side])

def resized(square, size, method=Image.Resampling.BICUBIC):
    return np.array(Image.fromarray(square).resize((size, size), method))

crops = [resized(square, 224) for square in squares]

# %% [markdown]
# Each slip is one line: a (224, 224, 3) crop goes in, a (3, H, W) tensor comes out.

# %%
def unit_tensor(crop):
    return torch.from_numpy(crop.copy()).permute(2, 0, 1) / 255  # (3, 224, 224) in [0, 1]

def own_mean(crop):
    t = unit_tensor(crop)
    return (t - t.mean((1, 2), keepdim=True)) / t.std((1, 2), keepdim=True)

slips = {
    "right": lambda crop: unit_tensor(crop) * 2 - 1,  # mean 0.5, std 0.5
    "blue first (BGR)": lambda crop: unit_tensor(crop[..., ::-1]) * 2 - 1,
    "only divided by 255": unit_tensor,
    "the crop's own mean": own_mean,
    "rows and columns swapped": lambda crop: unit_tensor(crop).transpose(1, 2) * 2 - 1,
    "64 x 64 instead of 224": lambda crop: F.resize(unit_tensor(crop), [64, 64]) * 2 - 1,
    "left at 0 to 255": lambda crop: unit_tensor(crop) * 255,
    "reshape for transpose": lambda crop: torch.from_numpy(crop).reshape(3, 224, 224) / 127.5 - 1,
}

# %%
classes = weights.imagenet_classes()
accepted = torch.tensor([[name in TRUTH[key] for name in classes] for key in 4 * list(TRUTH)])  # (28, 1000)

def judge(pictures, spoil=slips["right"]):
    """Return, for each of the 28 pictures, whether the answer was right, and the probability given to right ones."""
    parts = [pictures[i : i + 2] for i in range(0, 28, 2)]
    with torch.inference_mode():
        scores = [model(torch.stack([spoil(picture) for picture in part])).softmax(dim=1) for part in parts]
    scores = torch.cat(scores)  # (28, 1000)
    right = accepted.gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]  # (28,)
    return right.float().numpy(), (scores * accepted).sum(dim=1).numpy()

results = {name: judge(crops, spoil) for name, spoil in slips.items()}

# %% [markdown]
# How sure may we be? Four crops of one photo are not four photos. So compare each slip with the right way *on the same crops*, then draw seven photos at random,
# with repeats, two thousand times: between which values do 95% of the draws put the share of answers lost?

# %%
def by_photo(values):
    return values.reshape(4, 7).mean(axis=0)  # the crops go round the seven photos: (7,)

def interval(values):
    draws = np.random.default_rng(0).integers(7, size=(2000, 7))
    return np.percentile(by_photo(values)[draws].mean(axis=1), [2.5, 97.5])

def report(results, best):
    print(f"{'':25} right of 28   lost, with 95% interval   sure   less sure on")
    for name, (right, sure) in results.items():
        low, high = interval(best[0] - right)
        lost, less = np.mean(best[0] - right), np.sum(by_photo(sure) < by_photo(best[1]))
        print(f"{name:25} {right.sum():6.0f}        {lost:4.0%}, {low:4.0%} to {high:4.0%}      {sure.mean():4.0%}    {less} of 7 photos")

report(results, results["right"])

# %%
losses = [results["right"][0] - right for right, _ in results.values()][1:]
lost = np.array([loss.mean() for loss in losses])
ends_of = np.array([interval(loss) for loss in losses]).T  # (2, 7): low, high
figure, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
ax.barh(list(results)[1:], lost, color=[draw.PALETTE[0]] * 3 + [draw.PALETTE[5]] * 4)
ax.errorbar(lost, range(7), xerr=np.abs(ends_of - lost), fmt="none", color="black", capsize=3)
ax.set(xlim=(-0.12, 1), xlabel="answers lost, with 95% interval", title="One wrong step: three losses that may be none, four that are not")
ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
ax.invert_yaxis();

# %% [markdown]
# The lower four are loud: the network is lost, and you go looking. The first three are **quiet**: none to two crops of 28, and the intervals reach down to 0, so this test can neither count
# their cost nor rank them. It does see the network less sure, on four or five of the seven photos. No error is raised, so they may stay in a product for years:
# quiet mistakes live longer.
#
# ### And what does the resizing cost?
#
# The lesson's question. The same 28 squares, to 224 by four ways; then to 48, five to eleven times smaller, as in thumbnails or far-away objects, and back to 224 for the
# network. The first two rows are one method, bilinear, with and without antialiasing (section 4). **Predict** how many answers each loses.

# %%
resizers = {
    "Pillow bilinear": lambda square, size: resized(square, size, Image.Resampling.BILINEAR),
    "OpenCV bilinear": lambda square, size: cv2.resize(square, (size, size)),
    "OpenCV area": lambda square, size: cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA),
    "OpenCV nearest": lambda square, size: cv2.resize(square, (size, size), interpolation=cv2.INTER_NEAREST),
}
gentle = {name: judge([resize(square, 224) for square in squares]) for name, resize in resizers.items()}
report(gentle, gentle["Pillow bilinear"])

# %%
harsh = {name: judge([resized(resize(square, 48), 224) for square in squares]) for name, resize in resizers.items()}
report(harsh, harsh["Pillow bilinear"])
rider = squares[4]  # the left motorcycle
titles = ["The square", *(f"{name} to 48" for name in list(resizers)[:2])]
show_many([rider, *(resize(rider, 48) for resize in list(resizers.values())[:2])], titles=titles);

# %% [markdown]
# The honest answer has two halves. Shrunk a little, the choice costs **nothing that could be counted** here: one answer of 28 at most. Shrunk five to eleven times, what sees
# every old pixel (antialiasing, or OpenCV's area) keeps three answers in four; what looks at four old pixels, or at one, keeps **fewer than two in five**. So when you shrink
# much, shrink with antialiasing, whatever the library.

# %% [markdown]
# ## 7 · Before networks: edges, colours, matches *(14 min)*
#
# Much of computer vision needs no training. Edges, in one line: how fast does brightness change here?

# %%
from PIL import ImageFilter
from skimage import filters

found = image.convert("L").filter(ImageFilter.FIND_EDGES)  # Pillow has a few filters ready
nine = np.reshape(ImageFilter.FIND_EDGES.filterargs[3], (3, 3))
by_cv2 = cv2.filter2D(np.asarray(image.convert("L")), -1, nine.astype(float))
inside = np.s_[1:-1, 1:-1]
print(nine, "\nPillow's FIND_EDGES is these nine numbers:", np.array_equal(np.asarray(found)[inside], by_cv2[inside]))
pillow_coins = Image.fromarray(coins)
filtered = [np.asarray(pillow_coins.filter(kind)) for kind in (ImageFilter.FIND_EDGES, ImageFilter.CONTOUR)]
titles = ["Coins", "scikit-image: sobel", "Pillow: FIND_EDGES", "Pillow: CONTOUR"]
show_many([coins, filters.sobel(coins) * 3, *filtered], titles=titles);

# %% [markdown]
# How nine numbers do this is lesson 02.
#
# ### Other colour spaces *(skip at a first reading)*
#
# Red, green and blue are how a screen mixes. **HSV** tells hue, saturation and brightness apart: a flower in the shade has other RGB numbers, but the
# same hue. **Trap:** OpenCV stores hue in bytes as half degrees, 0 to 179.

# %%
flower = photo("flower")
dim = (flower * 0.5).astype(np.uint8)  # every number halved

def by_hue(rgb):
    hue, saturation, _ = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    return ((hue < 20) | (hue > 160)) & (saturation > 120)

def by_red(rgb):
    return rgb[..., 0] > 140

print("hue goes up to", cv2.cvtColor(photo("colorwheel"), cv2.COLOR_RGB2HSV)[..., 0].max())
for rule in (by_red, by_hue):
    both, either = (combine(rule(flower), rule(dim)).sum() for combine in (np.logical_and, np.logical_or))
    print(f"{rule.__name__}: {both / either:.0%} of the pixels chosen in either picture are chosen in both")
titles = ["Every number halved", "Red above 140: lost", "Hue and saturation: found"]
show_many([dim, by_red(dim), by_hue(dim)], titles=titles);

# %% [markdown]
# **Lab** measures how different two colours *look*: equal steps in RGB are not equal to the eye. And **gamma**: the numbers are not amounts of light. A screen
# gives about $(v/255)^{2.2}$, so the mean of black and white, 127.5, is much less than half the light.

# %%
from skimage import color

for one, other in [((255, 255, 0), (255, 200, 0)), ((0, 0, 255), (0, 55, 255))]:
    lab = color.rgb2lab(np.uint8([[one, other]]))[0]  # (2, 3): lightness, green to red, blue to yellow
    by_cv2 = cv2.cvtColor(np.float32([[one, other]]) / 255, cv2.COLOR_RGB2LAB)[0]
    print(one, other, f"RGB distance 55, Lab distance {np.linalg.norm(lab[0] - lab[1]):.0f} (OpenCV {np.linalg.norm(by_cv2[0] - by_cv2[1]):.0f})")
board = np.indices((64, 64)).sum(axis=0) % 2 * 255  # black and white, half of each
print(f"the mean of its numbers, {board.mean()}, gives {(board.mean() / 255) ** 2.2:.0%} of white's light")
print("half of white's light is the number", round(255 * np.mean((board / 255) ** 2.2) ** (1 / 2.2)))

# %% [markdown]
# ### Two views, one motorcycle
#
# To match two views, find corners that can be recognised (*keypoints*), describe the patch round each (*descriptors*),
# and pair those that look alike. Many pairs are wrong. The **ratio test** keeps a pair only when its second choice
# is clearly worse; **RANSAC** then keeps the pairs that agree on one geometry.

# %%
views = [cv2.cvtColor(photo(f"motorcycle_{side}"), cv2.COLOR_RGB2GRAY) for side in ("left", "right")]
orb = cv2.ORB_create(nfeatures=1500)
(points_l, words_l), (points_r, words_r) = (orb.detectAndCompute(view, None) for view in views)
pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(words_l, words_r, k=2)  # the two nearest of each
nearest = [best for best, _ in pairs]
kept = [best for best, second in pairs if best.distance < 0.75 * second.distance]

def ends(matches):
    """Return two (N, 2) arrays: x, y of each match in the left and in the right view."""
    here = [points_l[match.queryIdx].pt for match in matches]
    there = [points_r[match.trainIdx].pt for match in matches]
    return np.float32(here), np.float32(there)

cv2.setRNGSeed(0)
_, inlier = cv2.findFundamentalMat(*ends(kept), cv2.FM_RANSAC, 1.0)
agreed = [match for match, good in zip(kept, inlier.ravel(), strict=True) if good]

# %% [markdown]
# How do we know it worked? These two views come from a stereo camera whose rows are aligned, so a right match lies in the **same row**. But for such a pair
# "the same row" *is* the one geometry that RANSAC kept matches by: it cannot fail that test. This pair also comes with its truth: how many pixels each point really moves to the left, measured with structured light.

# %%
truth = np.load(photos.info("motorcycle_left").path.with_name("motorcycle_disp.npz"))["arr_0"]  # (500, 741)

def judged(matches):
    """Return three (N,) bool arrays: in the same row, right within 2 pixels, and whether the truth is known."""
    here, there = ends(matches)
    x, y = here.round().astype(int).T
    moved = here[:, 0] - there[:, 0]
    return np.abs(here[:, 1] - there[:, 1]) < 2, np.abs(moved - truth[y, x]) < 2, np.isfinite(truth[y, x])

for name, matches in {"nearest": nearest, "+ ratio test": kept, "+ RANSAC": agreed}.items():
    level, correct, known = judged(matches)
    print(f"{name:13} {len(matches):5} matches, {level.mean():4.0%} in the same row, {correct[known].mean():4.0%} right within 2 pixels")

# %%
level, correct, known = judged(agreed)
drawn = None
for good, rgb in ((True, (0, 158, 115)), (False, (213, 94, 0))):
    some = [match for match, c, k in zip(agreed, correct, known, strict=True) if k and c == good][::6]
    flags = cv2.DRAW_MATCHES_FLAGS_NOT_DRAW_SINGLE_POINTS | (0 if good else cv2.DRAW_MATCHES_FLAGS_DRAW_OVER_OUTIMG)
    drawn = cv2.drawMatches(views[0], points_l, views[1], points_r, some, drawn, matchColor=rgb, flags=flags, matchesThickness=3)
show(cv2.resize(drawn, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), title="After RANSAC, one match in six: all run level. Green: right. Orange: wrong all the same");

# %% [markdown]
# One match in ten lies in the right row and at the wrong place. "Same row" is **necessary, not sufficient**. Before you trust a test, ask whether it could have failed.

# %% [markdown]
# ## 8 · Which library is fast? *(8 min)*
#
# One pipeline, every library, this machine, now: read the PNG, resize to 224 x 224, scale, normalise, channels first. The
# table is the median of 15 runs after a warm-up; your numbers will differ, so read the ratios.

# %%
from skimage.transform import resize as skimage_resize

mean, std = (np.float32(values) for values in (preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD))
mean_t, std_t = (torch.tensor(values) for values in (mean, std))

def finish(image):
    return ((image.astype(np.float32) / 255 - mean) / std).transpose(2, 0, 1)

contest = {
    "OpenCV": lambda: finish(cv2.resize(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), (224, 224))),
    "Pillow": lambda: finish(np.asarray(Image.open(path).resize((224, 224), Image.Resampling.BILINEAR))),
    "torchvision": lambda: F.normalize(F.resize(torchvision.io.decode_image(path), [224, 224]) / 255, mean, std),
    "scikit-image": lambda: finish(255 * skimage_resize(skimage.io.imread(path), (224, 224))),
}

# %% [markdown]
# Two more take part where they are installed (`pip install kornia albumentations`). **Kornia** is computer vision written in torch: batches, graphics card, gradients through
# every step. **Albumentations** changes arrays, masks and boxes together; it has been archived since June 2025, and its successor AlbumentationsX is under the AGPL or a commercial
# licence. It also asks the web for news when imported, unless you forbid it.

# %%
import os
from importlib.util import find_spec

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
if find_spec("kornia"):
    import kornia

    def by_kornia():
        batch = torchvision.io.decode_image(path)[None] / 255  # (1, 3, 300, 451)
        return kornia.enhance.normalize(kornia.geometry.resize(batch, (224, 224), antialias=True), mean_t, std_t)[0]

    contest["Kornia"] = by_kornia
if find_spec("albumentations"):
    import albumentations

    album = albumentations.Compose([albumentations.Resize(224, 224), albumentations.Normalize(mean, std)])
    contest["Albumentations"] = lambda: album(image=cv2.imread(path)[..., ::-1])["image"].transpose(2, 0, 1)
list(contest)

# %% tags=["nbval-ignore-output"]
from time import perf_counter

def seconds(function):
    start = perf_counter()
    function()
    return perf_counter() - start

medians = {name: np.median([seconds(run) for _ in range(16)][1:]) for name, run in contest.items()}
fastest = min(medians, key=medians.get)
for name, median in sorted(medians.items(), key=lambda item: item[1]):
    print(f"{name:15} {1000 * median:6.1f} ms   {median / medians[fastest]:5.1f} times {fastest}")

# %%
outputs = {name: np.asarray(run()) for name, run in contest.items()}
print("mean gap, in standard deviations, to   OpenCV   Pillow")
for name, output in outputs.items():
    gaps = [np.abs(output - outputs[other]).mean() for other in ("OpenCV", "Pillow")]
    print(f"{name:15} {output.shape!s:20} {gaps[0]:8.3f} {gaps[1]:8.3f}")

# %% [markdown]
# The last cell keeps the race honest: all make the same array, up to the resizing you now understand. Albumentations *is* OpenCV inside; Kornia blurs with a Gaussian, then
# resizes.
#
# | Use | when |
# |---|---|
# | **OpenCV** | video, cameras, classical vision; mind BGR, and `INTER_AREA` when you shrink much |
# | **Pillow** | reading any file, antialiased resizing, simple edits; what timm's pipeline resizes with |
# | **scikit-image** | measuring and analysing: floats, many algorithms, slower |
# | **torchvision v2** | inside a training pipeline: tensors, batches, boxes and masks moved along with the picture |
# | **Kornia** | classical vision and augmentation on the graphics card, in batches, with gradients |
# | **Albumentations** | in projects that have it; for new ones prefer torchvision v2 or Kornia |

# %% [markdown]
# ## Recap
#
# - Shape, dtype, range, channel order, and which way up: every library chooses for itself. Look, whenever you read.
# - Convert BGR to RGB once, where you read. Subtract pictures as floats, never as `uint8`.
# - Resizing differs by antialiasing and by the curve. Shrink much only with antialiasing; pick one and keep to it; masks only with nearest.
# - Take the whole recipe from the weights: size, crop mode, interpolation, mean, std.
# - `transpose`, not `reshape`. Loud mistakes get mended; quiet ones live longer.
#
# **In the library.** `to_rgb` is `cv2.cvtColor`; `normalize` and the resizing are `v2.Normalize` and `v2.Resize(antialias=True)`;
# `center_crop` is `v2.CenterCrop` but for the roundings of section 3; `psnr` is `cv2.PSNR`; the whole recipe is
# `timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))`.
#
# **Your own photo.** `photo("path/to/my photo.jpg")` reads any format, upright, as RGB. Try it in the widgets above.

# %% [markdown]
# **Where it breaks.** PSNR does not see as you do: one pixel's shift of a sharp picture scores worse than a blur. `uint8` resizing rounds, so
# even equal methods differ by 1. Pictures with 12 or 16 bits or more than three channels need their own range: dividing by 255 is wrong for
# them. And a mean taken over photos of one hospital or one city carries that place into the model.

# %%
shifted, blurred = np.roll(cat, 1, axis=1), cv2.GaussianBlur(cat, (0, 0), 1.5)
print(f"shifted by one pixel: {preprocess.psnr(cat, shifted):.1f} dB")
print(f"blurred:              {preprocess.psnr(cat, blurred):.1f} dB")

# %% [markdown]
# **Sources.** [OpenCV: geometric transformations](https://docs.opencv.org/5.x/da/d54/group__imgproc__transform.html) ·
# [Pillow: filters](https://pillow.readthedocs.io/en/stable/handbook/concepts.html#filters) ·
# [torchvision transforms v2](https://docs.pytorch.org/vision/stable/transforms.html) · [timm](https://huggingface.co/docs/timm) ·
# Parmar, Zhang, Zhu, [On Aliased Resizing and Surprising Subtleties in GAN Evaluation](https://arxiv.org/abs/2104.11222), CVPR 2022 ·
# Keys, [Cubic Convolution Interpolation for Digital Image Processing](https://doi.org/10.1109/TASSP.1981.1163711), 1981 ·
# Rublee, Rabaud, Konolige, Bradski, [ORB: An Efficient Alternative to SIFT or SURF](https://doi.org/10.1109/ICCV.2011.6126544), ICCV 2011 ·
# Lowe, [Distinctive Image Features from Scale-Invariant Keypoints](https://doi.org/10.1023/B:VISI.0000029664.99615.94), IJCV 2004 ·
# Scharstein et al., [High-Resolution Stereo Datasets with Subpixel-Accurate Ground Truth](https://doi.org/10.1007/978-3-319-11752-2_3), GCPR 2014 ·
# [Albumentations: its maintainers' notice](https://github.com/albumentations-team/albumentations).
#
# **In one line:** a picture is an array plus four conventions, and two libraries disagree because they choose different ones.
