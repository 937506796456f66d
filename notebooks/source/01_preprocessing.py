# minimum: code 90, check 7, widget 5
# %% [markdown]
# # 01 · Images and preprocessing
#
# **What is a picture to a program, and why do two libraries disagree about the same file?**
#
# You open one photo with four libraries and find where they disagree about the same file. You learn to repair each
# disagreement, and you measure what each slip, and each way of resizing, costs a real network: from nothing at all to nearly every answer.
#
# *136 minutes, in three sittings: sections 1 to 3 (50 min), 4 and 5 (40 min), 6 to 8 (46 min). You need lesson 00. Nothing later needs
# the parts marked "skip at a first reading".*

# %% tags=["setup", "fold"]

# %% tags=["fold"]
# Import the libraries
import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from cvlab import check, draw, hint, photo, progress
from cvlab import show, show_many, solution
from cvlab.preprocessing import preprocess
from cvlab.world import photos

draw.theme("light")

# %% [markdown]
# Two libraries shrink one cat by one method. The map *difference* is blue where OpenCV's number is the lower, red where it is the higher.
# Try the five methods: on which do the two agree?

# %%
from cvlab.widgets import ResizeExplorer

cat = photo("chelsea")
ResizeExplorer(
    cat, source="photo", size=60, reference="Pillow, same method",
    task="Find a method by which both agree to within 1.",
    goal=lambda v: "OpenCV" in v["name"] and v["worst"] <= 1,
)

# %% [markdown]
# The next picture is the one you will be able to explain: the same photo, made 224 x 224 by two libraries with the same
# method, "bilinear". To the eye they are equal. Blue and red say where OpenCV's number is lower and higher: at every hair.

# %%
by_cv2 = cv2.resize(cat, (224, 224))  # bilinear by default
pillow_cat = Image.fromarray(cat)
bilinear = Image.Resampling.BILINEAR
by_pillow = np.asarray(pillow_cat.resize((224, 224), bilinear))
difference = by_cv2.astype(int) - by_pillow
differ, most = (difference != 0).mean(), np.abs(difference).max()

# %% tags=["fold"]
# Show both, and where they differ
figure, axes = plt.subplots(
    1, 3, figsize=(7.6, 2.9), layout="constrained")
show(by_cv2, title="OpenCV, bilinear", ax=axes[0])
show(by_pillow, title="Pillow, bilinear", ax=axes[1])
show(difference[..., 1], signed=True, limits=(-9, 9),
     title="OpenCV minus Pillow", ax=axes[2])
finding = f"{differ:.0%} of the numbers differ, by up to {most} of 255"
figure.suptitle(finding, x=0.01, ha="left")
draw.describe(figure, "One cat by two libraries, alike to the eye, and "
              f"their difference, at every hair. {finding}.")

# %% tags=["author"]
assert 0.3 < differ < 0.95
assert most > 20

# %% [markdown]
# ## 1 · A picture is an array *(12 min)*
#
# Two kinds of program take a picture. **Image processing** gives back another picture; **computer vision** gives an answer about it. The same photo
# of coins, both ways:

# %%
coins = photo("coins")[..., 0]
blurred = cv2.GaussianBlur(coins, (0, 0), 2)
square = np.ones((61, 61), np.uint8)
even = cv2.morphologyEx(blurred, cv2.MORPH_TOPHAT, square)
_, bright = cv2.threshold(even, 0, 255, cv2.THRESH_OTSU)
count = cv2.connectedComponents(bright)[0] - 1  # less the ground

# %% tags=["fold"]
# Show the photo and the processed one
titles = ["A picture goes in", "Another comes out"]
figure, axes = plt.subplots(
    1, 2, figsize=(6.4, 2.8), layout="constrained")
for i, picture in enumerate((coins, bright)):
    show(picture, title=titles[i], ax=axes[i])
print("Vision: there are", count, "coins")

# %% tags=["author"]
assert count == 24

# %% [markdown]
# This lesson is about what both begin with. Three questions to ask of every picture: what **shape**, what **dtype**, what **range**?

# %%
def facts(array):
    return {"shape": array.shape, "dtype": array.dtype,
            "lowest": array.min(), "highest": array.max()}

gray = cv2.cvtColor(cat, cv2.COLOR_RGB2GRAY)
draw.table([{"array": "cat", **facts(cat)},
            {"array": "gray", **facts(gray)}])

# %% [markdown]
# The shape is (rows, columns, channels). Cut out the corner of the cat's eye and the numbers become visible: one number a
# pixel in the grey picture, three in colour: red, green, blue, from top to bottom.

# %%
rows, cols = slice(112, 118), slice(160, 166)
titles = ["Colour: three numbers a pixel",
          "Grey: one number a pixel"]
corners = [cat[rows, cols], gray[rows, cols]]
show_many(corners, numbers=True, titles=titles);

# %% [markdown]
# **Rows and columns, or x and y?** An array is indexed `[row, column]`: down first. Geometry says (x, y): right first.
# Pillow's `getpixel` and `size`, and the sizes you pass to OpenCV, are x first. Here is one pixel, asked for three ways.

# %%
row, col = 112, 160
answers = {
    "cat[row, col]": cat[row, col],
    "Pillow's getpixel((x, y))": pillow_cat.getpixel((col, row)),
    "cat[col, row]: swapped by mistake": cat[col, row],
}
draw.table([{"asked": asked, "red, green, blue": tuple(map(int, rgb))}
            for asked, rgb in answers.items()])

# %% tags=["author"]
assert len({tuple(map(int, answer)) for answer in answers.values()}) == 2

# %% [markdown]
# Walk through the photo, pixel by pixel. **Predict:** which slider moves you to the right, and which number of the point changes?

# %% tags=["cover"]
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
blended = alpha * rgb + (1 - alpha) * petals
blended = blended.round().astype(np.uint8)
titles = ["Alpha dropped", "Alpha: white is opaque",
          "Blended over a photo"]
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
found = {
    "OpenCV": (bgr, bgr.shape, bgr[0, 0]),
    "Pillow": (pillow, pillow.size, pillow.getpixel((0, 0))),
    "scikit-image": (scikit, scikit.shape, scikit[0, 0]),
    "torchvision": (tensor, tensor.shape, tensor[:, 0, 0]),
}
draw.table([
    {"library": name, "type": type(what).__name__,
     "shape or size": tuple(size), "first pixel": list(map(int, pixel))}
    for name, (what, size, pixel) in found.items()
])

# %% [markdown]
# About this PNG they disagree three times: Pillow says (width, height), torchvision puts the channels first, and OpenCV has
# **blue first**: BGR. Swap once, move the axes, and all four hold the same numbers. **Predict:** what do you get when
# you swap twice?

# %%
swapped = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
twice = cv2.cvtColor(swapped, cv2.COLOR_BGR2RGB)
others = [pillow, scikit, tensor.permute(1, 2, 0)]
equal = [np.array_equal(swapped, other) for other in others]
print("Swapped once, equal to the other three:", all(equal))
near = np.s_[50:200, 110:335]
titles = ["OpenCV: a blue cat", "Swapped once: right",
          "Trap: swapped twice"]
show_many([bgr[near], swapped[near], twice[near]], titles=titles);

# %% tags=["author"]
assert all(equal)

# %% [markdown]
# **The trap:** nothing in an array says which order it is in. A helper that already swapped, and a caller that swaps
# "to be safe", give you blue back, without an error. Convert once, where you read the file.

# %% [markdown]
# **Exercise.** Do what `cvtColor` did, with NumPy alone.

# %% tags=["exercise"]
def to_rgb(image_bgr):
    """Return a copy of `image_bgr`, (H, W, 3), in RGB order."""
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
note[0x0112] = 6  # orientation: "turn me by 90 degrees, clockwise"
lying = Image.fromarray(np.rot90(cat))  # and saying so
lying.save(folder / "phone.jpg", exif=note)
Image.fromarray(rgba).save(folder / "sticker.png")
deep = gray.astype(np.uint16) * 16  # 12 of 16 bits in use
cv2.imwrite(str(folder / "scan.png"), deep)
deep_rgb = cat.astype(np.uint16) * 16
cv2.imwrite(str(folder / "colour_scan.png"), deep_rgb);

# %%
def by_torchvision(file):
    tensor = torchvision.io.decode_image(file)
    return tensor.permute(1, 2, 0).numpy()

readers = {
    "OpenCV": cv2.imread,
    "Pillow": lambda file: np.asarray(Image.open(file)),
    "scikit-image": skimage.io.imread,
    "torchvision": by_torchvision,
}
files = [str(folder / file) for file in (
    "phone.jpg", "sticker.png", "scan.png", "colour_scan.png")]
found = [
    {"file": Path(file).name, "library": name, **facts(read(file))}
    for file in files for name, read in readers.items()
]
draw.table(found, title="Four files, four readers")

# %% tags=["author"]
got = {(row["file"], row["library"]): row for row in found}
sideways = [name for name in readers if got["phone.jpg", name]["shape"][:2] == (451, 300)]
assert sideways == ["Pillow", "scikit-image", "torchvision"]
assert [got["sticker.png", name]["shape"][2] for name in readers] == [3, 4, 4, 4]
assert [got["scan.png", name]["shape"][2:] for name in readers] == [(3,), (), (), (1,)]
assert [got["scan.png", name]["highest"] for name in readers] == [12, 3104, 3104, 3104]
assert [int(got["colour_scan.png", name]["highest"]) for name in readers] == [14, 14, 14, 3696]

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
phone, sticker, scan, _ = files

def unchanged(file):
    return cv2.imread(file, cv2.IMREAD_UNCHANGED)

turned = torchvision.io.decode_image(
    phone, apply_exif_orientation=True)
by_exif = ImageOps.exif_transpose(Image.open(phone))
clipped = np.asarray(Image.open(scan).convert("L"))
repairs = {
    ("phone", "Pillow, exif_transpose"): by_exif,
    ("phone", "torchvision, when asked"): turned.permute(1, 2, 0),
    ("phone", "OpenCV, IMREAD_UNCHANGED"): unchanged(phone),
    ("sticker", "OpenCV, IMREAD_UNCHANGED"): unchanged(sticker),
    ("scan", "OpenCV, IMREAD_UNCHANGED"): unchanged(scan),
    ("scan", 'Pillow, convert("L")'): clipped,
}
draw.table([
    {"file": file, "read by": how, **facts(np.asarray(image))}
    for (file, how), image in repairs.items()
])

# %% tags=["fold"]
# Show the phone's photo and the scan, as they are read
read_lying = np.asarray(Image.open(phone))
by_opencv = [cv2.imread(file)[..., ::-1] for file in (phone, scan)]
seen = [read_lying, *by_opencv, clipped, deep / deep.max()]
titles = ["Pillow: lying", "OpenCV: upright", "OpenCV: 0 to 12",
          "Pillow: clipped", "Scaled by its maximum"]
show_many(seen, titles=titles, cols=5);

# %% [markdown]
# ### A picture from an address *(skip at a first reading)*
#
# From the web you get bytes, and nothing promises that they are a picture. Ask with a time limit, look at the status, read no more
# than you mean to, then decode.

# %% tags=["core"]
import requests

def fetch_picture(address, most=20_000_000):
    """Return the picture at a web address: (H, W, 3) uint8 RGB."""
    with requests.get(address, stream=True, timeout=20) as response:
        response.raise_for_status()  # "404 not found" is no picture
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
    fetched = fetch_picture(f"{here}/chelsea.png")
    print("the cat, equal:", np.array_equal(fetched, cat))
    try:
        fetch_picture(f"{here}/dog.png")
    except requests.HTTPError as error:
        answer = error.response
        print("no such file:", answer.status_code, answer.reason)
ADDRESS = "http://images.cocodataset.org/val2017/000000039769.jpg"
if settings.is_online():
    show(fetch_picture(ADDRESS), title="From the web")
else:
    print("skipped, because offline:", ADDRESS)

# %% tags=["author"]
assert np.array_equal(fetched, cat)
assert answer.status_code == 404

# %% [markdown]
# ## 3 · Cut, turn, save *(20 min)*
#
# With arrays, half of image editing is indexing.

# %%
face = cat[:, 100:400]  # 300 x 300
yy, xx = np.mgrid[:300, :300]  # row and column of every pixel
disc = (yy - 150) ** 2 + (xx - 150) ** 2 < 130**2
tilted = Image.fromarray(face).rotate(20, bilinear)
tenth = cv2.resize(face, (30, 30), interpolation=cv2.INTER_AREA)
pictures = {
    "Crop": face[60:200, 40:180],
    "Mask": np.where(disc[..., None], face, 255),
    "Flip": face[:, ::-1],
    "Turn by 20°": np.asarray(tilted),
    "A tenth": tenth,
    "Turn by 90°": np.rot90(face),
}
show_many(list(pictures.values()), titles=list(pictures), cols=6);

# %% [markdown]
# **Exercise.** Networks want squares. Cut the square in the middle; when one pixel is left over, it stays at the bottom or right.

# %% tags=["exercise"]
def center_crop(image, size):
    """Return a copy of the middle `size` x `size` pixels.

    `image` is (H, W) or (H, W, C).
    """
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

ramp = np.tile(np.arange(20), (20, 1))  # a number is its column
tensor_ramp = torch.from_numpy(ramp)[None]  # (1, 20, 20)
spare = range(1, 12)  # pixels left over
ours = {n: preprocess.center_crop(ramp, 20 - n)[0, 0] for n in spare}
theirs = {n: F.center_crop(tensor_ramp, [20 - n])[0, 0, 0]
          for n in spare}
draw.table([{"pixels left over": "ours", **ours},
            {"pixels left over": "v2.CenterCrop", **theirs}])

# %% tags=["author"]
assert [n for n in spare if ours[n] != theirs[n]] == [3, 7, 11]

# %% [markdown]
# With 3, 7 or 11 pixels left over torchvision starts one later: it divides them by two and rounds as Python does, halves to the even number: 1.5
# to 2, but 2.5 to 2 as well.

# %% [markdown]
# ### Saved, and read back
#
# Is a saved picture the same picture? It depends on the format. Encode the cat in memory as PNG and as JPEG, decode it, and compare.

# %%
def through(image, extension, *options):
    """Encode and decode a picture; return it and its bytes."""
    bgr = image[..., ::-1]  # what OpenCV wants
    ok, data = cv2.imencode(extension, bgr, options)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return decoded[..., ::-1], len(data)

quality_90 = cv2.IMWRITE_JPEG_QUALITY, 90
saved = {
    "PNG": through(cat, ".png"),
    "JPEG, quality 90": through(cat, ".jpg", *quality_90),
}
draw.table([
    {"format": name, "size": size / 1000,
     "numbers changed": np.mean(cat != image)}
    for name, (image, size) in saved.items()
], units={"size": "kB"}, digits={"size": 0, "numbers changed": ".0%"})

# %% tags=["author"]
assert np.array_equal(cat, saved["PNG"][0])
assert (cat != saved["JPEG, quality 90"][0]).mean() > 0.5

# %% [markdown]
# PNG is exact; JPEG throws away what the eye hardly sees. How much was lost? The usual number is the **peak
# signal-to-noise ratio**, in decibels: $10 \log_{10}(\text{peak}^2 / \text{mean squared difference})$. On paper first:
# a picture of two pixels (0, 10) and another (0, 20) differ by 0 and by 10, the mean square is 50, and 10 log10(255² / 50) = 31.1 dB.
#
# ### Trap: `uint8` wraps around
#
# To get there you subtract two pictures. Look at what `uint8` does with 10 - 20, and with 250 + 10.

# %%
a = np.array([[10, 250]], dtype=np.uint8)
b = np.array([[20, 10]], dtype=np.uint8)
answers = {
    "a - b": a - b,
    "a.astype(int) - b: right": a.astype(int) - b,
    "a + b": a + b,
    "a.astype(int) + b: right": a.astype(int) + b,
    "cv2.add(a, b): it clips": cv2.add(a, b),
}
draw.table([
    {"asked": asked, "10 and 20": first, "250 and 10": second}
    for asked, [[first, second]] in answers.items()
])

# %% [markdown]
# **Exercise.** Write the peak signal-to-noise ratio. Mind the trap. Equal pictures have no error: return infinity.

# %% tags=["exercise"]
def psnr(a, b, peak=255):
    """Return the peak signal-to-noise ratio in dB, a float.

    `a` and `b` are two pictures of one shape.
    """
    ### BEGIN SOLUTION
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))
    ### END SOLUTION

# %%
check(psnr)

# %% [markdown]
# From here on, the lesson uses the package's copy, `preprocess.psnr`. Save the cat at twenty qualities and measure each. For the last one, 100,
# OpenCV is asked too:

# %%
qualities = range(5, 101, 5)
sizes, decibels = [], []
for quality in qualities:
    option = cv2.IMWRITE_JPEG_QUALITY, quality
    decoded, size = through(cat, ".jpg", *option)
    sizes.append(size / 1000)
    decibels.append(preprocess.psnr(cat, decoded))
print(f"quality 100, ours:     {decibels[-1]:.6f} dB")
print(f"quality 100, cv2.PSNR: {cv2.PSNR(cat, decoded):.6f} dB")

# %% tags=["author"]
assert abs(decibels[-1] - cv2.PSNR(cat, decoded)) < 1e-6

# %% tags=["fold"]
# Draw decibels and bytes against the quality
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3), layout="constrained")
left.plot(qualities, decibels, marker=".")
left.set(xlabel="JPEG quality", ylabel="PSNR, dB",
         title="Decibels rise slowly from 20 to 80")
right.plot(qualities, sizes, marker=".")
right.set(xlabel="JPEG quality", ylabel="kilobytes",
          title="Bytes rise fast above 90")
draw.describe(figure, "From quality 5 to 100, PSNR grows from "
              f"{decibels[0]:.0f} to {decibels[-1]:.0f} dB, the size "
              f"from {sizes[0]:.0f} to {sizes[-1]:.0f} kilobytes, half "
              "of it above quality 95.")

# %% tags=["author"]
assert sizes[-1] > 2 * sizes[-3]
assert sizes[-1] / 2 > 0.95 * sizes[-2]

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
frames = [cat[60:240, 4 * i : 4 * i + 240] for i in range(48)]
code = cv2.VideoWriter_fourcc(*"MJPG")  # every frame a JPEG
writer = cv2.VideoWriter(film, code, 12, (240, 180))
for frame in frames:
    writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
writer.release()  # without it the film has no end

reader, back = cv2.VideoCapture(film), []
while (answer := reader.read())[0]:  # at the end (False, None)
    back.append(cv2.cvtColor(answer[1], cv2.COLOR_BGR2RGB))
reader.release()
first = preprocess.psnr(frames[0], back[0])
print(f"{len(back)} frames, {first:.1f} dB")
nothing = cv2.VideoCapture(str(folder / "none.avi")).read()
print("a film that is not there:", nothing)
titles = [f"{n / 12:.2f} s" for n in range(0, 48, 15)]
show_many(back[::15], titles=titles);

# %% tags=["author"]
assert len(back) == 48
assert nothing == (False, None)

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from here; nothing of what came before is needed.

# %% tags=["again", "fold"]
# Import what sections 4 and 5 need
import cv2, torch, matplotlib.pyplot as plt, numpy as np
from PIL import Image
from cvlab import check, draw, hint, photo, show, show_many, solution
from cvlab.preprocessing import preprocess
cat, _ = photo("chelsea"), draw.theme("light")

# %% [markdown]
# ## 4 · Resizing: where libraries part *(28 min)*
#
# A network is trained on pictures of one size, so every picture is resized. On paper: shrink the row `1 2 6 4 5 9` to two pixels. Each new
# pixel covers three old ones. *Nearest* takes the one under its centre: 2 and 5. *Average* takes their mean: 3 and 6.
#
# The only subtle point is where the centre lies. Old pixel `j` covers the stretch from `j` to `j + 1`. New pixel `i` has its
# centre at `(i + 0.5) * old / new`, and takes the old pixel whose stretch that falls in; exactly between two, the right one.

# %% [markdown]
# **Exercise.** Work out which row and which column each new pixel takes; one index expression then does the rest.

# %% tags=["exercise"]
def resize_nearest(image, height, width):
    """Return `image` resized by taking nearest pixels.

    (H, W, C) or (H, W); two sides change, C and the dtype stay.
    """
    ### BEGIN SOLUTION
    rows = (2 * np.arange(height) + 1) * image.shape[0] // (2 * height)
    cols = (2 * np.arange(width) + 1) * image.shape[1] // (2 * width)
    return image[rows[:, None], cols]
    ### END SOLUTION

# %%
check(resize_nearest)

# %%
pillow_cat, small = Image.fromarray(cat), (150, 100)
nearest = Image.Resampling.NEAREST
exact, plain = cv2.INTER_NEAREST_EXACT, cv2.INTER_NEAREST
by_library = {
    "Pillow NEAREST": pillow_cat.resize(small, nearest),
    "OpenCV INTER_NEAREST_EXACT":
        cv2.resize(cat, small, interpolation=exact),
    "OpenCV INTER_NEAREST":
        cv2.resize(cat, small, interpolation=plain),
}
ours = preprocess.resize_nearest(cat, 100, 150)
unlike = {name: np.mean(ours != theirs)
          for name, theirs in by_library.items()}
draw.table([{"nearest by": name, "numbers unlike ours": share}
            for name, share in unlike.items()], digits=".0%")

# %% tags=["author"]
assert list(unlike.values())[:2] == [0, 0]
assert unlike["OpenCV INTER_NEAREST"] > 0.5

# %% [markdown]
# OpenCV's plain `INTER_NEAREST` rounds from the corner, not from the centre: already there two libraries part.
#
# **Bilinear** mixes the nearest old pixels: a weight of 1 at the new pixel's centre, falling in a straight line to 0. The whole
# difference between OpenCV's and Pillow's is one question: when a picture *shrinks*, does that triangle grow with the step
# between new pixels? If it does, every old pixel counts: this is **antialiasing**.

# %% tags=["core"]
def resize_weights(old, new, antialias):
    """Return (new, old): how much each old pixel counts."""
    centers = (np.arange(new) + 0.5) * old / new - 0.5
    reach = max(old / new, 1) if antialias else 1
    distance = np.abs(np.arange(old) - centers[:, None]) / reach
    weights = np.maximum(0, 1 - distance)  # (new, old)
    return weights / weights.sum(axis=1, keepdims=True)


def resize_bilinear(image, height, width, antialias=True):
    """Return `image`, (H, W, C), as (height, width, C) floats."""
    down = resize_weights(image.shape[0], height, antialias)  # (height, H)
    across = resize_weights(image.shape[1], width, antialias)  # (width, W)
    return np.einsum("hH,HWc,wW->hwc", down, image, across, optimize=True)

# %% [markdown]
# See it on a row of 8 shrunk to 2: a line for each new pixel, a column for each old one. Without antialiasing each new pixel looks at two old
# ones and is blind to the rest.

# %%
both = [resize_weights(8, 2, switch) for switch in (False, True)]
titles = ["No antialiasing: 4 of 8 pixels are ignored",
          "Antialiasing: every pixel counts"]
show_many(both, titles=titles, numbers=True, cols=1);

# %% [markdown]
# Now the libraries. Ours without antialiasing is OpenCV; ours with it is Pillow; torchvision has a switch.

# %%
from torchvision.transforms.v2 import functional as F

floats = cat.astype(np.float32)
channels = torch.from_numpy(floats).permute(2, 0, 1)
bilinear = Image.Resampling.BILINEAR

def by_pillow(plane):  # it resizes floats one channel at a time
    return Image.fromarray(plane).resize(small, bilinear)

def by_torchvision(antialias):
    resized = F.resize(channels, [100, 150], antialias=antialias)
    return resized.permute(1, 2, 0)  # (100, 150, 3)

libraries = {
    "OpenCV": cv2.resize(floats, small),
    "Pillow": np.dstack([by_pillow(c) for c in channels.numpy()]),
    "torchvision, antialias=False": by_torchvision(False),
    "torchvision, antialias=True": by_torchvision(True),
}
ours = {f"gap to ours, antialias={switch}":
        resize_bilinear(floats, 100, 150, switch)
        for switch in (False, True)}

# %%
def largest_gap(one, other):
    return np.abs(np.asarray(one) - other).max()

gaps = [
    {"library": name, **{head: largest_gap(theirs, mine)
                         for head, mine in ours.items()}}
    for name, theirs in libraries.items()
]
draw.table(gaps, digits=2, title="The largest gap between two numbers, of 255")

# %% tags=["author"]
for row, equal in zip(gaps, (0, 1, 0, 1), strict=True):
    assert list(row.values())[1 + equal] < 0.01 < 5 < list(row.values())[2 - equal]

# %% [markdown]
# What does blindness look like? **Aliasing**: fine stripes turn into coarse ones that were never there.

# %%
position = np.linspace(0, 1, 480)
wave = 0.5 + 0.5 * np.cos(2 * np.pi * 110 * position**2)
stripes = np.tile(wave, (48, 1))[..., None]  # finer and finer
blind, seeing = (resize_bilinear(stripes, 12, 120, antialias)
                 for antialias in (False, True))
titles = ["480 pixels wide", "120 wide: false coarse stripes",
          "120 wide, antialiased: honest grey"]
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
found = []
for size in ((225, 150), (902, 600)):
    for name, (one, other) in methods.items():
        by_cv2 = cv2.resize(cat, size, interpolation=one)
        by_pillow = np.asarray(pillow_cat.resize(size, other))
        gap = cv2.absdiff(by_cv2, by_pillow)  # it does not wrap
        found.append({
            "to": f"{size[0]} x {size[1]}", "method": name,
            "numbers that differ": np.mean(gap > 0),
            "mean gap": gap.mean(), "largest gap": gap.max()})
draw.table(found, title="OpenCV against Pillow, from 451 x 300",
           digits={"numbers that differ": ".0%", "mean gap": 2})

# %% tags=["author"]
bilinear_grown = next(row for row in found if row["method"] == "bilinear" and row["to"] == "902 x 600")
assert bilinear_grown["largest gap"] == 1
assert next(row for row in found if row["method"] == "bilinear")["largest gap"] > 20
assert all(row["largest gap"] > 1 for row in found if row["method"] in ("bicubic", "Lanczos"))

# %% [markdown]
# When a picture grows, nothing is left out and antialiasing has nothing to do: nearest and area agree exactly, the two bilinears but for rounding, which
# is worth 1. Bicubic and Lanczos still differ. This is what the methods do to a few letters: nearest keeps the blocks, bilinear blurs, bicubic
# and Lanczos draw a light rim round the ink.

# %%
letters = Image.fromarray(photo("page")[98:116, 150:174])
chosen = ["nearest", "bilinear", "bicubic", "Lanczos"]
grown = [np.asarray(letters.resize((240, 180), methods[name][1]))
         for name in chosen]
show_many(grown, titles=[name.capitalize() for name in chosen]);

# %% [markdown]
# ### Why do two bicubics differ? *(skip at a first reading)*
#
# Bicubic weighs four old pixels by a curve with a free number, $a$: the lower, the sharper, and the more it overshoots at an edge. OpenCV
# takes -0.75, Pillow -0.5. Enlarge a step from 0 to 1 by hand, then by library.

# %%
def cubic_weight(t, a):
    t = np.abs(t)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0))

edge = np.float32([[0, 0, 0, 0, 1, 1, 1, 1]])
at = (np.arange(32) + 0.5) / 4 - 0.5  # new centres, among the old

def by_hand(a):
    weights = cubic_weight(at[:, None] - np.arange(-2, 10), a)
    return weights @ np.pad(edge[0], 2, mode="edge")  # (32,)

# %%
def by_torchvision(antialias):
    method = F.InterpolationMode.BICUBIC
    step = torch.tensor(edge)[None]  # (1, 1, 8)
    return F.resize(step, [1, 32], method, antialias=antialias)

bicubic, size = Image.Resampling.BICUBIC, (32, 1)
steps = {
    "OpenCV": cv2.resize(edge, size, interpolation=cv2.INTER_CUBIC),
    "torchvision, antialias=False": by_torchvision(False),
    "Pillow": Image.fromarray(edge).resize(size, bicubic),
    "torchvision, antialias=True": by_torchvision(True),
}
steps = {name: np.ravel(step) for name, step in steps.items()}  # (32,)
gaps = [
    {"library": name, **{f"gap to a = {a}": largest_gap(step, by_hand(a))
                         for a in (-0.75, -0.5)}}
    for name, step in steps.items()
]
draw.table(gaps, digits=3)

# %% tags=["author"]
for row, other in zip(gaps, (0, 0, 1, 1), strict=True):
    assert list(row.values())[1 + other] < 1e-3 < 0.02 < list(row.values())[2 - other]

# %% tags=["fold"]
# Draw where the two curves overshoot, and the libraries on them
places = np.linspace(3.5, 4.66, 100)
taps = places[:, None] - np.arange(-2, 10)  # (100, 12) distances
curves = {a: cubic_weight(taps, a) @ np.pad(edge[0], 2, mode="edge")
          for a in (-0.75, -0.5)}
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
ax.axhline(1, color="#8c959f", linewidth=1)
hues, near = (draw.PALETTE[4], draw.PALETTE[0]), (at > 3.5) & (at < 4.66)
for hue, maker, a in zip(hues, ("OpenCV", "Pillow"), curves, strict=True):
    label = f"{maker}: a = {a}".replace("-", "−")
    ax.plot(places, curves[a], color=hue, label=label)
style = {"markersize": 9, "fillstyle": "none"}
for name, hue in zip(steps, np.repeat(hues, 2), strict=True):
    mark = "x" if "torch" in name else "o"
    ax.plot(at[near], steps[name][near], mark, color=hue, **style)
ax.text(4.1, 0.68, "○ OpenCV and Pillow\n"
        "× torchvision, antialias=False and True")
ax.set(xlabel="place among the old pixels", ylabel="brightness",
       ylim=(0.6, 1.14), title="Behind the step, OpenCV's bicubic "
       "overshoots further than Pillow's")
draw.label_lines(ax)
tops = " and ".join(f"{curve.max():.3f}" for curve in curves.values())
draw.describe(ax, f"The curves of a = -0.75 and -0.5 reach {tops}; "
              "OpenCV lies on the first, Pillow on the second.");

# %% [markdown]
# So torchvision's switch changes the curve too, although nothing shrinks here.
#
# ### And if you name no method?
#
# Each row is one pair of libraries with their defaults, at 224 x 224.

# %%
from itertools import combinations

from skimage.transform import resize as skimage_resize

tensor = torch.from_numpy(cat).permute(2, 0, 1)  # (3, 300, 451)
by_torchvision = F.resize(tensor, [224, 224])
by_skimage = skimage_resize(cat, (224, 224)) * 255
defaults = {
    "OpenCV": cv2.resize(cat, (224, 224)),
    "Pillow": np.asarray(pillow_cat.resize((224, 224))),
    "torchvision": by_torchvision.permute(1, 2, 0).numpy(),
    "scikit-image": by_skimage.round().astype(np.uint8),
}
pairs = []
for one, other in combinations(defaults, 2):
    gap = cv2.absdiff(defaults[one], defaults[other])
    pairs.append({
        "one": one, "other": other, "differ": np.mean(gap > 0),
        "mean gap": gap.mean(), "largest gap": gap.max()})
draw.table(pairs, digits={"differ": ".0%", "mean gap": 2},
           title="Numbers that differ, and by how much")

# %%
sharp = skimage_resize(cat, (224, 224), anti_aliasing=False) * 255
by_bicubic, by_bilinear = (
    np.asarray(pillow_cat.resize((224, 224), method)).astype(int)
    for method in (Image.Resampling.BICUBIC, bilinear))
suspects = {  # (default, compared with): two pictures
    ("Pillow", "its own bicubic"): (defaults["Pillow"], by_bicubic),
    ("torchvision", "Pillow's bilinear"):
        (defaults["torchvision"], by_bilinear),
    ("scikit-image, its blur off", "OpenCV's bilinear"):
        (sharp.round(), defaults["OpenCV"]),
}
culprits = [
    {"default of": one, "compared with": other,
     "largest gap": int(largest_gap(*pair))}
    for (one, other), pair in suspects.items()
]
draw.table(culprits)

# %% tags=["author"]
assert [row["largest gap"] for row in culprits][0] == 0
assert max(row["largest gap"] for row in culprits) <= 1
assert min(row["largest gap"] for row in pairs) > 10

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
titles = ["Classes 0 and 4", "Bilinear: 1, 3 too",
          "Nearest: 0 and 4"]
show_many([mask, mixed, kept], titles=titles, numbers=True,
          limits=(0, 4));

# %% tags=["author"]
assert np.unique(mixed).tolist() == [0, 1, 3, 4]
assert np.unique(kept).tolist() == [0, 4]

# %% [markdown]
# ## 5 · Numbers a network likes *(12 min)*
#
# Networks are usually fed numbers around 0 with a spread around 1. Two steps: divide by 255, then, channel by channel,
# subtract a **mean** and divide by a **standard deviation**. Whose mean? There are three, and they are not the same.

# %%
unit = cat / 255  # (300, 451, 3) floats in [0, 1]
album = ["chelsea", "coffee", "rocket",
         "astronaut", "china", "flower"]
pixels = [photo(name).reshape(-1, 3) for name in album]
pixels = np.concatenate(pixels)  # a data set of six
statistics = {
    "this image's": (unit.mean((0, 1)), unit.std((0, 1))),
    "the data set's": (pixels.mean(0) / 255, pixels.std(0) / 255),
    "ImageNet's":
        (preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD),
}
heads = [f"{what} of {channel}" for what in ("mean", "std")
         for channel in "RGB"]
draw.table([
    {"whose": whose,
     **dict(zip(heads, [*mean, *std], strict=True))}
    for whose, (mean, std) in statistics.items()
], digits=3)

# %% [markdown]
# **Exercise.** `mean` and `std` hold one number a channel. Subtract, then divide.

# %% tags=["exercise"]
def normalize(image, mean, std):
    """Return (H, W, C) floats, each channel normalised.

    Its mean is subtracted; it is then divided by its standard
    deviation.
    """
    ### BEGIN SOLUTION
    return (image - mean) / std
    ### END SOLUTION

# %%
check(normalize)

# %% [markdown]
# **Exercise.** Undo it, so that you can look at what the network is fed.

# %% tags=["exercise"]
def denormalize(image, mean, std):
    """Undo `normalize`: return (H, W, C) floats as they were."""
    ### BEGIN SOLUTION
    return image * std + mean
    ### END SOLUTION

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
# Make it night: a quarter of every number. Subtracting each picture's *own* mean leaves its contrast, its spread: the night has a quarter of the
# day's. Dividing by its own std as well erases that too: day and night become one picture.

# %%
night = unit * 0.25

def own_mean(picture):
    return picture - picture.mean(axis=(0, 1))

def own_mean_and_std(picture):
    return own_mean(picture) / picture.std(axis=(0, 1))

def imagenets(picture):
    mean, std = preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD
    return preprocess.normalize(picture, mean, std)

ways = [
    {"prepared by": way.__name__,
     "day's spread": way(unit).std(),
     "night's spread": way(night).std(),
     "largest gap": np.abs(way(unit) - way(night)).max()}
    for way in (own_mean, own_mean_and_std, imagenets)
]
draw.table(ways, digits=2, title="Day and night, prepared")

# %% tags=["author"]
assert abs(ways[0]["night's spread"] / ways[0]["day's spread"] - 0.25) < 1e-9
assert ways[1]["largest gap"] < 1e-9
assert ways[2]["largest gap"] > 1

# %% tags=["fold"]
# Show day and night
figure, axes = plt.subplots(
    1, 2, figsize=(6, 2.4), layout="constrained")
show(unit, title="Day", ax=axes[0])
show(night, title="Night: a quarter of it", ax=axes[1]);

# %% [markdown]
# Some networks are trained on just that, and then it is right. For one that learnt with fixed numbers it is a slip, and section 6 measures it.

# %% [markdown]
# **Start here again.** A new sitting: if you closed the notebook since, run the next cell and go on from here; nothing of what came before is needed.

# %% tags=["again", "fold"]
# Import what sections 6 to 8 need
import cv2, skimage.io, torch, torchvision, matplotlib.pyplot as plt, numpy as np
import PIL.Image as Image, torchvision.transforms.v2.functional as F
from cvlab import check, draw, hint, photo, progress, show, show_many, solution
from cvlab.preprocessing import preprocess
from cvlab.world import photos
cat, coins, _ = photo("chelsea"), photo("coins")[..., 0], draw.theme("light")

# %% [markdown]
# ## 6 · Into the network *(24 min)*
#
# PyTorch wants channels first, and a batch in front: (H, W, C) → (C, H, W) → (N, C, H, W). The tempting
# mistake is `reshape`. It keeps the numbers in their order in memory and only cuts the row elsewhere; `transpose` moves
# whole axes. **Predict** what the three planes look like after `reshape`.

# %%
small = cv2.resize(cat, (120, 80), interpolation=cv2.INTER_AREA)
wrong = small.reshape(3, 80, 120)
right = small.transpose(2, 0, 1)
titles = ["reshape: plane 0", "plane 1", "plane 2",
          "transpose: red", "green", "blue"]
show_many([*wrong, *right], titles=titles, cols=3);

# %% [markdown]
# `transpose` costs nothing, because only the **strides** change: how many bytes to jump for the next row, column,
# channel. Some functions want the bytes in order: `np.ascontiguousarray` copies them so.

# %%
in_order = np.ascontiguousarray(right)
arrays = {"small": small, "right": right, "in_order": in_order}
draw.table([
    {"array": name, "shape": array.shape,
     "strides": array.strides,
     "shares small's memory": np.shares_memory(array, small),
     "in order": array.flags["C_CONTIGUOUS"]}
    for name, array in arrays.items()
])

# %%
batch = torch.from_numpy(in_order)[None]
batch.shape

# %% [markdown]
# **Exercise.** Which axis of the old picture comes first, second, third in the new one?

# %% tags=["exercise"]
def hwc_to_chw(image):
    """Return `image`, (H, W, C), as (C, H, W)."""
    ### BEGIN SOLUTION
    return image.transpose(2, 0, 1)  # (C, H, W)
    ### END SOLUTION

# %%
check(hwc_to_chw)

# %% [markdown]
# ### A real network says what it wants
#
# A network learnt from pictures of one kind, and its weights come with the recipe: timm calls it `pretrained_cfg`. Here is the recipe of a small
# network that knows ImageNet's 1000 classes, and a large one's; reading needs no weights. Note the 0.5: *not* ImageNet's numbers.

# %%
import timm
from cvlab.store import weights

model = weights.efficientnet_lite0()
config = model.pretrained_cfg
large = timm.get_pretrained_cfg("maxvit_large_tf_384").to_dict()
keys = ["tag", "input_size", "fixed_input_size", "interpolation",
        "crop_pct", "crop_mode", "mean", "std"]
draw.table({
    "recipe": keys,
    config["architecture"]: [str(config[key]) for key in keys],
    large["architecture"]: [str(large[key]) for key in keys],
})

# %% [markdown]
# `tag` says how the weights were trained: `in1k` is ImageNet with 1000 classes. `fixed_input_size` says whether the network refuses every other size. That another
# size *runs* does not mean that it still answers well, as you will see further on.

# %%
small = torch.zeros(1, 3, 160, 160)
# random weights, one block: only the size matters
rigid = timm.create_model("vit_tiny_patch16_224", depth=1).eval()
with torch.inference_mode():
    print("fixed_input_size", config["fixed_input_size"])
    print("   at 160 x 160:", tuple(model(small).shape))
    its_config = rigid.pretrained_cfg
    print("fixed_input_size", its_config["fixed_input_size"])
    try:
        rigid(small)
    except AssertionError as error:
        print("   at 160 x 160:", error)

# %% [markdown]
# Build the preprocessing from the recipe with `torchvision.transforms.v2`. `center`: the *shorter* side becomes 224 / 0.875 = 256, then the middle
# 224 x 224 are cut out. `squash`: *both* sides become that size, so nothing is cut off and the shape suffers.

# %% tags=["core"]
def pipeline_for(config):
    """Build what a timm model's `pretrained_cfg` asks for."""
    import torch
    from torchvision.transforms import InterpolationMode, v2

    size = config["input_size"][1]
    scaled = int(size / config["crop_pct"])
    if config["crop_mode"] == "squash":
        scaled = (scaled, scaled)  # else the shorter side
    return v2.Compose([
        v2.ToPILImage(),  # timm resizes Pillow pictures too
        v2.Resize(scaled, InterpolationMode(config["interpolation"])),
        v2.CenterCrop(size),
        v2.ToImage(),  # (C, H, W) tensor, uint8
        v2.ToDtype(torch.float32, scale=True),  # to [0, 1]
        v2.Normalize(config["mean"], config["std"]),
    ])

# %% [markdown]
# Is it timm's own? Compare every number, for both recipes.

# %%
from timm.data import create_transform, resolve_data_config

fed, most = {}, {}
for recipe in (config, large):
    asked = resolve_data_config({}, pretrained_cfg=recipe)
    theirs = create_transform(**asked)(Image.fromarray(cat))
    ours = pipeline_for(recipe)(cat)
    mode = recipe["crop_mode"]
    most[mode] = (ours - theirs).abs().max().item()
    seen = ours.permute(1, 2, 0).numpy()
    mean, std = recipe["mean"], recipe["std"]
    fed[mode] = preprocess.denormalize(seen, mean, std).clip(0, 1)
for mode, gap in most.items():
    print(f"{mode:6} largest difference to timm's: {gap:.0e}")

# %% tags=["author"]
assert max(most.values()) < 1e-6

# %% tags=["fold"]
# Show the photo, and what the two recipes make of it
titles = ["The photo", "center: sides cut", "squash: narrower"]
figure, axes = plt.subplots(1, 3, figsize=(7.6, 2.5),
    width_ratios=(451 / 300, 1, 1), layout="constrained")
for i, picture in enumerate((cat, *fed.values())):
    show(picture, title=titles[i], ax=axes[i])

# %%
with torch.inference_mode():
    answer = model(pipeline_for(config)(cat)[None])
scores = answer.softmax(dim=1)[0]
draw.table([{"class": name, "probability": probability}
            for name, probability in weights.top5(scores)],
           digits={"probability": ".0%"})

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
    height, width = whole[name].shape[:2]
    side = int(min(height, width) * rng.uniform(0.7, 1))
    y, x = (rng.integers(n - side + 1) for n in (height, width))
    squares.append(whole[name][y : y + side, x : x + side])

def resized(square, size, method=Image.Resampling.BICUBIC):
    picture = Image.fromarray(square)
    return np.array(picture.resize((size, size), method))

crops = [resized(square, 224) for square in squares]

# %% [markdown]
# Each slip is one line: a (224, 224, 3) crop goes in, a (3, H, W) tensor comes out.

# %%
def unit_tensor(crop):  # (3, 224, 224) in [0, 1]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1) / 255

def own_mean(crop):
    t = unit_tensor(crop)
    std = t.std((1, 2), keepdim=True)
    return (t - t.mean((1, 2), keepdim=True)) / std

slips = {  # right: mean 0.5, std 0.5
    "right": lambda c: unit_tensor(c) * 2 - 1,
    "blue first (BGR)":
        lambda c: unit_tensor(c[..., ::-1]) * 2 - 1,
    "only divided by 255": unit_tensor,
    "the crop's own mean": own_mean,
    "rows and columns swapped":
        lambda c: unit_tensor(c).mT * 2 - 1,
    "64 x 64 instead of 224":
        lambda c: F.resize(unit_tensor(c), [64, 64]) * 2 - 1,
    "left at 0 to 255": lambda c: unit_tensor(c) * 255,
    "reshape for transpose":
        lambda c: torch.tensor(c.reshape(3, 224, 224)) / 127.5 - 1,
}

# %%
accepted = torch.tensor([  # (28, 1000)
    [name in TRUTH[key] for name in weights.imagenet_classes()]
    for key in 4 * list(TRUTH)])

def judge(pictures, spoil=slips["right"]):
    """Return two (28,) arrays: right or not, and how sure."""
    parts = [pictures[i : i + 2] for i in range(0, 28, 2)]
    with torch.inference_mode():
        scores = torch.cat([
            model(torch.stack([spoil(crop) for crop in part]))
            for part in parts]).softmax(dim=1)  # (28, 1000)
    best = scores.argmax(dim=1, keepdim=True)
    right = accepted.gather(1, best)[:, 0]
    sure = (scores * accepted).sum(dim=1)
    return right.float().numpy(), sure.numpy()

results = {name: judge(crops, slip) for name, slip in slips.items()}

# %% [markdown]
# How sure may we be? Four crops of one photo are not four photos. So compare each slip with the right way *on the same crops*, then draw seven photos at random,
# with repeats, two thousand times: between which values do 95% of the draws put the share of answers lost? *Sure* is the mean probability that the network gives to right answers.

# %%
def by_photo(values):  # the crops go round the seven photos
    return values.reshape(4, 7).mean(axis=0)  # (7,)

def interval(values):
    draws = np.random.default_rng(0).integers(7, size=(2000, 7))
    means = by_photo(values)[draws].mean(axis=1)  # (2000,)
    return np.percentile(means, [2.5, 97.5])

def compared(results, best):
    rows = []
    for name, (right, sure) in results.items():
        low, high = interval(best[0] - right)
        less = (by_photo(sure) < by_photo(best[1])).sum()
        rows.append({
            "way": name, "right of 28": int(right.sum()),
            "lost": np.mean(best[0] - right),
            "95% interval": f"{low:.0%} to {high:.0%}",
            "sure": sure.mean(),
            "less sure on": f"{less} of 7 photos"})
    return rows

rows = compared(results, results["right"])
draw.table(rows, digits={"lost": ".0%", "sure": ".0%"})

# %% tags=["fold"]
# Draw the answers lost, with their intervals
right, _ = results["right"]
wrong = {name: right - answers for name, (answers, _) in results.items()}
del wrong["right"]
lost = np.array([loss.mean() for loss in wrong.values()])
ends = np.array([interval(loss) for loss in wrong.values()]).T
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
colors = [draw.PALETTE[5]] * 3 + [draw.ERROR] * 4
ax.barh(list(wrong), lost, color=colors, height=0.66)
ax.errorbar(lost, range(7), xerr=np.abs(ends - lost), fmt="none",
            color="#1f2328", capsize=3)
ax.set(xlim=(-0.12, 1.02), title="Three quiet slips, four loud ones",
       xlabel="answers lost, with 95% interval")
ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
ax.grid(False, axis="y")
ax.invert_yaxis()
each = [f"{row['way']} {row['lost']:.0%} ({row['95% interval']})"
        for row in rows[1:]]
draw.describe(ax, "Bars of the answers lost: " + "; ".join(each))

# %% tags=["author"]
lost = [row["lost"] for row in rows][1:]
assert max(lost[:3]) * 28 < 2.5
assert min(lost[3:]) > 0.3
for row in rows[1:4]:
    assert row["95% interval"].startswith(("0%", "-"))
    assert row["less sure on"][0] in "45"
lows = [interval(right - answers)[0] for answers, _ in results.values()]
assert max(lows[1:4]) <= 0 < min(lows[4:])

# %% [markdown]
# Four slips are loud (the orange bars): the network is lost, and you go looking. The first three are **quiet**: none to two crops of 28, and the intervals reach down to 0, so this test can neither count
# their cost nor rank them. It does see the network less sure, on four or five of the seven photos. No error is raised, so they may stay in a product for years:
# quiet mistakes live longer.
#
# ### And what does the resizing cost?
#
# The lesson's question. The same 28 squares, to 224 by four ways; then to 48, five to eleven times smaller, as in thumbnails or far-away objects, and back to 224 for the
# network. The first two rows are one method, bilinear, with and without antialiasing (section 4). **Predict** how many answers each loses.

# %%
def by_cv2(method):
    return lambda square, size: cv2.resize(
        square, (size, size), interpolation=method)

def by_pillow(square, size):
    return resized(square, size, Image.Resampling.BILINEAR)

resizers = {
    "Pillow bilinear": by_pillow,
    "OpenCV bilinear": by_cv2(cv2.INTER_LINEAR),
    "OpenCV area": by_cv2(cv2.INTER_AREA),
    "OpenCV nearest": by_cv2(cv2.INTER_NEAREST),
}
gentle = {
    name: judge([resize(square, 224) for square in squares])
    for name, resize in resizers.items()}
mild = compared(gentle, gentle["Pillow bilinear"])
draw.table(mild, digits={"lost": ".0%", "sure": ".0%"},
           title="Shrunk to 224")

# %%
harsh = {
    name: judge([resized(resize(s, 48), 224) for s in squares])
    for name, resize in resizers.items()}
strong = compared(harsh, harsh["Pillow bilinear"])
draw.table(strong, digits={"lost": ".0%", "sure": ".0%"},
           title="Shrunk to 48, and back to 224")

# %% tags=["author"]
assert max(abs(row["lost"]) * 28 for row in mild) < 1.5
kept = {row["way"]: row["right of 28"] / 28 for row in strong}
least = [{name: interval(size["Pillow bilinear"][0] - got)[0] for name, (got, _) in size.items()} for size in (gentle, harsh)]
assert max(least[0].values()) <= 0
assert [name for name, low in least[1].items() if low > 0] == ["OpenCV bilinear", "OpenCV nearest"]
assert min(kept["Pillow bilinear"], kept["OpenCV area"]) > 0.7
assert max(kept["OpenCV bilinear"], kept["OpenCV nearest"]) < 0.4

# %% tags=["fold"]
# Show one square, and what two ways of shrinking leave of it
rider = squares[4]  # the left motorcycle
small = {name: resize(rider, 48) for name, resize in resizers.items()}
figure, axes = plt.subplots(
    1, 3, figsize=(6.6, 2.5), layout="constrained")
show(rider, title="The square", ax=axes[0])
for ax, library in zip(axes[1:], ("Pillow", "OpenCV"), strict=True):
    picture = small[f"{library} bilinear"]
    show(picture, title=f"{library}, to 48", ax=ax)

# %% tags=["fold"]
# Draw the right answers of both sizes
names = list(resizers)[0::2] + list(resizers)[1::2]
after = {"to 224": gentle, "to 48": harsh}
counts = {size: [found[name][0].sum() for name in names]
          for size, found in after.items()}
figure, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
ax.hlines(names, *counts.values(), color="#8c959f", linewidth=1.5)
hues = draw.PALETTE[0], draw.PALETTE[4]
for (size, found), hue in zip(counts.items(), hues, strict=True):
    ax.plot(found, names, "o", color=hue, markersize=9)
    ax.text(found[0], -0.32, size, color=draw.readable(hue),
            ha="center", va="bottom")
ax.set(xlim=(0, 28.5), ylim=(3.5, -0.9), xlabel="right answers of 28",
       title="Shrunk to 48, what sees every old pixel keeps "
       "three answers in four")
ax.grid(axis="x")
each = [f"{name} {a:.0f} and {b:.0f}"
        for name, a, b in zip(names, *counts.values(), strict=True)]
draw.describe(ax, "Right answers of 28, shrunk to 224 and to 48: "
              + "; ".join(each))

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

grey_cat = Image.fromarray(cat).convert("L")
found = np.asarray(grey_cat.filter(ImageFilter.FIND_EDGES))
nine = np.reshape(ImageFilter.FIND_EDGES.filterargs[3], (3, 3))
print(nine)
again = cv2.filter2D(np.asarray(grey_cat), -1, nine.astype(float))
inside = np.s_[1:-1, 1:-1]
equal = np.array_equal(found[inside], again[inside])
print("Pillow's FIND_EDGES is these nine numbers:", equal)

# %% tags=["author"]
assert equal

# %%
some = coins[:150, :190]
pillow_coins = Image.fromarray(some)
edges, contour = (
    np.asarray(pillow_coins.filter(kind))
    for kind in (ImageFilter.FIND_EDGES, ImageFilter.CONTOUR))
titles = ["Coins", "scikit-image: sobel", "Pillow: FIND_EDGES",
          "Pillow: CONTOUR"]
sobel = filters.sobel(some) * 3
show_many([some, sobel, edges, contour], titles=titles);

# %% [markdown]
# How nine numbers do this is lesson 02.
#
# ### Other colour spaces *(skip at a first reading)*
#
# Red, green and blue are how a screen mixes. **HSV** tells hue, saturation and brightness apart: a flower in the shade has other RGB numbers, but the
# same hue. **Trap:** OpenCV stores hue in bytes as half degrees, 0 to 179. Find the flower in the light and in the dim: of the pixels that a rule
# chooses in either, how many does it choose in both?

# %%
flower = photo("flower")
dim = (flower * 0.5).astype(np.uint8)  # every number halved

def by_hue(rgb):
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    hue, saturation, _ = cv2.split(hsv)
    return ((hue < 20) | (hue > 160)) & (saturation > 120)

def by_red(rgb):
    return rgb[..., 0] > 140

def shared(rule):  # of the pixels chosen in either, chosen in both
    one, other = rule(flower), rule(dim)
    return (one & other).sum() / (one | other).sum()

wheel = cv2.cvtColor(photo("colorwheel"), cv2.COLOR_RGB2HSV)
print("hue goes up to", wheel[..., 0].max())
titles = ["Every number halved",
          f"Red above 140: {shared(by_red):.0%}",
          f"Hue and saturation: {shared(by_hue):.0%}"]
show_many([dim, by_red(dim), by_hue(dim)], titles=titles);

# %% tags=["author"]
assert wheel[..., 0].max() == 179
assert shared(by_red) < 0.01 < 0.9 < shared(by_hue)

# %% [markdown]
# **Lab** measures how different two colours *look*: equal steps in RGB are not equal to the eye. And **gamma**: the numbers are not amounts of light. A screen
# gives about $(v/255)^{2.2}$, so the mean of black and white, 127.5, is much less than half the light.

# %%
from skimage import color

def lab_distances(one, other):  # by scikit-image, by OpenCV
    pair = np.float32([[one, other]]) / 255
    by_cv2 = cv2.cvtColor(pair, cv2.COLOR_RGB2LAB)
    labs = color.rgb2lab(pair)[0], by_cv2[0]  # (2, 3) each
    return [np.linalg.norm(lab[0] - lab[1]) for lab in labs]

pairs = {"two yellows": ((255, 255, 0), (255, 200, 0)),
         "two blues": ((0, 0, 255), (0, 55, 255))}
far = {name: lab_distances(*pair) for name, pair in pairs.items()}
draw.table([
    {"colours": name, "one": one, "other": other,
     "in RGB": np.linalg.norm(np.subtract(one, other)),
     "in Lab": far[name][0], "in Lab, by OpenCV": far[name][1]}
    for name, (one, other) in pairs.items()
], digits=0)

# %%
board = np.indices((64, 64)).sum(axis=0) % 2 * 255  # black, white
light = (board.mean() / 255) ** 2.2
half = 255 * np.mean((board / 255) ** 2.2) ** (1 / 2.2)
print(f"its mean, {board.mean()}, gives {light:.0%} of white's light")
print("half of white's light is the number", round(half))

# %% tags=["author"]
assert light < 0.25
assert abs(far["two yellows"][0] - far["two blues"][0]) > 10

# %% [markdown]
# ### Two views, one motorcycle
#
# To match two views, find corners that can be recognised (*keypoints*), describe the patch round each (*descriptors*),
# and pair those that look alike. Many pairs are wrong. The **ratio test** keeps a pair only when its second choice
# is clearly worse; **RANSAC** then keeps the pairs that agree on one geometry.

# %%
views = [
    cv2.cvtColor(photo(f"motorcycle_{side}"), cv2.COLOR_RGB2GRAY)
    for side in ("left", "right")]
orb = cv2.ORB_create(nfeatures=1500)
(points_l, words_l), (points_r, words_r) = (
    orb.detectAndCompute(view, None) for view in views)
matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
pairs = matcher.knnMatch(words_l, words_r, k=2)  # the two nearest
nearest = [best for best, _ in pairs]
kept = [best for best, second in pairs
        if best.distance < 0.75 * second.distance]

def ends(matches):
    """Return two (N, 2) arrays: x, y in either view."""
    here = [points_l[match.queryIdx].pt for match in matches]
    there = [points_r[match.trainIdx].pt for match in matches]
    return np.float32(here), np.float32(there)

cv2.setRNGSeed(0)
_, inlier = cv2.findFundamentalMat(*ends(kept), cv2.FM_RANSAC, 1.0)
agreed = [kept[i] for i in np.flatnonzero(inlier)]

# %% [markdown]
# How do we know it worked? These two views come from a stereo camera whose rows are aligned, so a right match lies in the **same row**. But for such a pair
# "the same row" *is* the one geometry that RANSAC kept matches by: it cannot fail that test. This pair also comes with its truth: how many pixels each point really moves to the left, measured with structured light.

# %%
file = photos.info("motorcycle_left").path
truth = np.load(file.with_name("motorcycle_disp.npz"))["arr_0"]

def judged(matches):
    """Return (N,) bools: in the same row; right; truth known."""
    here, there = ends(matches)
    x, y = here.round().astype(int).T
    level = np.abs(here[:, 1] - there[:, 1]) < 2
    moved = here[:, 0] - there[:, 0]
    correct = np.abs(moved - truth[y, x]) < 2
    return level, correct, np.isfinite(truth[y, x])

steps = {"nearest": nearest, "+ ratio test": kept,
         "+ RANSAC": agreed}
rows = []
for name, matches in steps.items():
    level, correct, known = judged(matches)
    rows.append({"kept": name, "matches": len(matches),
                 "in the same row": level.mean(),
                 "right within 2 pixels": correct[known].mean()})
draw.table(rows, digits={"in the same row": ".0%",
                         "right within 2 pixels": ".0%"})

# %% tags=["author"]
assert rows[0]["in the same row"] < rows[1]["in the same row"] < rows[2]["in the same row"]
assert rows[0]["right within 2 pixels"] < rows[1]["right within 2 pixels"]
assert rows[2]["in the same row"] > 0.99
assert 0.85 < rows[2]["right within 2 pixels"] < 0.95

# %% tags=["fold"]
# Draw one match in six over the two views
level, correct, known = judged(agreed)
pair = np.hstack([view[60:460] for view in views])
figure, ax = plt.subplots(figsize=(9, 2.9), layout="constrained")
show(128 + pair // 2, ax=ax, title="After RANSAC all matches run level."
     " Green: right. Orange: wrong all the same")
here, there = ends(agreed)
for good, hue in ((True, draw.TRUTH), (False, draw.ERROR)):
    some = np.flatnonzero(known & (correct == good))[::6]
    x = [here[some, 0], there[some, 0] + 741]
    y = [here[some, 1] - 60, there[some, 1] - 60]
    ax.plot(x, y, ".-", color=hue, linewidth=1.6)

# %% [markdown]
# One match in ten lies in the right row and at the wrong place. "Same row" is **necessary, not sufficient**. Before you trust a test, ask whether it could have failed.

# %% [markdown]
# ## 8 · Which library is fast? *(8 min)*
#
# One pipeline, every library, this machine, now: read the PNG, resize to 224 x 224, scale, normalise, channels first. You will
# see the median of 15 runs after a warm-up; your numbers will differ, so read the ratios.

# %%
from skimage.transform import resize as skimage_resize

path, size = str(photos.info("chelsea").path), (224, 224)
mean = np.float32(preprocess.IMAGENET_MEAN)
std = np.float32(preprocess.IMAGENET_STD)

def finish(image):
    unit = image.astype(np.float32) / 255
    return ((unit - mean) / std).transpose(2, 0, 1)

# %%
def by_opencv():
    rgb = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    return finish(cv2.resize(rgb, size))

def by_pillow():
    bilinear = Image.Resampling.BILINEAR
    return finish(np.asarray(Image.open(path).resize(size, bilinear)))

def by_torchvision():
    image = F.resize(torchvision.io.decode_image(path), size)
    return F.normalize(image / 255, mean, std)

def by_skimage():
    image = skimage_resize(skimage.io.imread(path), size)
    return finish(255 * image)

contest = {
    "OpenCV": by_opencv, "Pillow": by_pillow,
    "torchvision": by_torchvision, "scikit-image": by_skimage,
}

# %% [markdown]
# Two more take part where they are installed (`pip install kornia albumentations`). **Kornia** is computer vision written in torch: batches, graphics card, gradients through
# every step. **Albumentations** changes arrays, masks and boxes together; it has been archived since June 2025, and its successor AlbumentationsX is under the AGPL or a commercial
# licence. It also asks the web for news when imported, unless you forbid it.

# %%
from importlib.util import find_spec

if find_spec("kornia"):
    import kornia

    mean_t, std_t = torch.tensor(mean), torch.tensor(std)

    def by_kornia():
        batch = torchvision.io.decode_image(path)[None] / 255
        batch = kornia.geometry.resize(
            batch, size, antialias=True)
        return kornia.enhance.normalize(batch, mean_t, std_t)[0]

    contest["Kornia"] = by_kornia

# %%
import os

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
if find_spec("albumentations"):
    import albumentations as A

    album = A.Compose([A.Resize(*size), A.Normalize(mean, std)])

    def by_album():
        rgb = cv2.imread(path)[..., ::-1]
        return album(image=rgb)["image"].transpose(2, 0, 1)

    contest["Albumentations"] = by_album
list(contest)

# %% tags=["nbval-ignore-output"]
from time import perf_counter

def milliseconds(function):
    start = perf_counter()
    function()
    return 1000 * (perf_counter() - start)

medians = {
    name: np.median([milliseconds(run) for _ in range(16)][1:])
    for name, run in contest.items()}
fastest = min(medians, key=medians.get)
draw.table([
    {"library": name, "median": median,
     f"times {fastest}": median / medians[fastest]}
    for name, median in medians.items()
], units={"median": "ms"}, digits=1, sort="median")

# %%
made = {name: np.asarray(run()) for name, run in contest.items()}
draw.table([
    {"library": name, "shape": array.shape, **{
        f"mean gap to {other}": np.abs(array - made[other]).mean()
        for other in ("OpenCV", "Pillow")}}
    for name, array in made.items()
], digits=3, title="What each makes, in standard deviations")

# %% tags=["author"]
far = {name: np.abs(array - made["OpenCV"]).mean() for name, array in made.items()}
assert {array.shape for array in made.values()} == {(3, 224, 224)}
assert far["Albumentations"] < 5e-4
assert abs(far["Kornia"] - far["scikit-image"]) < 5e-4 < far["Kornia"]

# %% [markdown]
# These gaps keep the race honest: all make the same array, up to the resizing you now understand. Albumentations *is* OpenCV inside; Kornia blurs with a Gaussian, then
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
# **Your own photo.** `photo("path/to/my photo.jpg")` reads any format, upright, as RGB. Give it to the widgets of this lesson.

# %% [markdown]
# **Where it breaks.** PSNR does not see as you do: one pixel's shift of a sharp picture scores worse than a blur. `uint8` resizing rounds, so
# even equal methods differ by 1. Pictures with 12 or 16 bits or more than three channels need their own range: dividing by 255 is wrong for
# them. And a mean taken over photos of one hospital or one city carries that place into the model.

# %%
shifted = np.roll(cat, 1, axis=1)  # to the eye, nothing
blurred = cv2.GaussianBlur(cat, (0, 0), 1.5)
spoilt = {"Shifted by one": shifted, "Blurred": blurred}
eye = np.s_[60:170, 120:285]
titles = ["The cat", *(
    f"{name}: {preprocess.psnr(cat, picture):.1f} dB"
    for name, picture in spoilt.items())]
show_many([cat[eye], shifted[eye], blurred[eye]], titles=titles);

# %% tags=["author"]
assert preprocess.psnr(cat, shifted) < preprocess.psnr(cat, blurred)

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

# %%
progress("01")
