# minimum: code 40, check 7, widget 4
# %% [markdown]
# # 01 · Images and preprocessing
#
# **What is a picture to a program, and why do two libraries disagree about the same file?**
#
# You open one photo with four libraries, shrink it two ways and find that most of its numbers differ. You learn why, write
# the fix in nine lines, and measure what such a difference costs a real network.
#
# *90 minutes, or two sittings of 45: section 4 ends the first. You need lesson 00.*

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
# ## 1 · A picture is an array *(10 min)*
#
# Three questions to ask of every picture: what **shape**, what **dtype**, what **range**?

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
# ## 2 · One file, four objects *(10 min)*
#
# Read the same PNG file with OpenCV, Pillow, scikit-image and torchvision, and look at the type, the shape and the
# first pixel of each.

# %%
import skimage.io
import torchvision

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
# Same file, three disagreements: Pillow says (width, height), torchvision puts the channels first, and OpenCV has
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
# ## 3 · Cut, turn, save *(15 min)*
#
# With arrays, half of image editing is indexing.

# %%
yy, xx = np.mgrid[:300, :451]  # row and column of every pixel
disc = (yy - 145) ** 2 + (xx - 225) ** 2 < 120**2
pictures = {
    "Crop": cat[50:200, 120:345],
    "Mask": np.where(disc[..., None], cat, 255),
    "Flip": cat[:, ::-1],
    "Rotate by 20 degrees": np.asarray(Image.fromarray(cat).rotate(20, Image.Resampling.BILINEAR)),
    "Scale to a tenth": cv2.resize(cat, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA),
    "Turn by 90 degrees": np.rot90(cat),
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
# two pixels (0, 10) and (0, 20) differ by 0 and 10, the mean square is 50, and 10 log10(255² / 50) = 31.1 dB.
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
# From here on, the lesson uses the package's copy, `preprocess.psnr`. It agrees with scikit-image's.

# %%
from skimage.metrics import peak_signal_noise_ratio

qualities = range(5, 101, 5)
sizes, decibels = [], []
for quality in qualities:
    decoded, size = through(cat, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)
    sizes.append(size / 1000)
    decibels.append(preprocess.psnr(cat, decoded))
assert np.isclose(decibels[-1], peak_signal_noise_ratio(cat, decoded))

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
# ## 4 · Resizing: where libraries part *(20 min)*
#
# Every network wants one size, so every picture is resized. On paper: shrink the row `1 2 3 4` to two pixels. Each new
# pixel covers two old ones. *Nearest* takes the one under its centre; *average* takes their mean: 1.5 and 3.5.
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
# difference between OpenCV and Pillow is one question: when a picture *shrinks*, does that triangle grow with the step
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
    assert min(gaps) < 0.01

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
# How much do the libraries' own defaults differ on this photo? Each row is one pair, at 224 x 224.

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

# %% [markdown]
# No pair agrees, and no error is raised. **The rule: pick one, write it down, and use the same one in training and in use.**
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
# A network trains best on numbers around 0 with a spread around 1. Two steps: divide by 255, then, channel by channel,
# subtract a **mean** and divide by a **standard deviation**. Whose mean? There are three, and they are not the same.

# %%
unit = cat / 255  # (300, 451, 3) floats in [0, 1]
album = ["chelsea", "coffee", "rocket", "astronaut", "china", "flower"]  # a data set of six
pixels = np.concatenate([photo(name).reshape(-1, 3) for name in album]) / 255
print("this image's mean", unit.mean(axis=(0, 1)).round(3), "std", unit.std(axis=(0, 1)).round(3))
print("data set's   mean", pixels.mean(axis=0).round(3), "std", pixels.std(axis=0).round(3))
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
# Subtracting each picture's *own* mean looks harmless. It erases brightness: day and night become the same picture.

# %%
night = unit * 0.25
own = [preprocess.normalize(p, p.mean(axis=(0, 1)), p.std(axis=(0, 1))) for p in (unit, night)]
fixed = [preprocess.normalize(p, preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD) for p in (unit, night)]
show_many([unit, night], titles=["Day", "Night"])
print(f"own mean and std: largest difference {np.abs(own[0] - own[1]).max():.6f}")
print(f"ImageNet's:       largest difference {np.abs(fixed[0] - fixed[1]).max():.2f}")

# %% [markdown]
# ## 6 · Into the network *(15 min)*
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
# This network learnt ImageNet's 1000 classes. Its `pretrained_cfg` is its recipe: size, interpolation, crop, mean,
# std. Note the 0.5: *not* ImageNet's numbers.

# %%
from cvlab.store import weights

model = weights.efficientnet_lite0()
config = model.pretrained_cfg
{key: config[key] for key in ("input_size", "interpolation", "crop_pct", "mean", "std")}

# %% [markdown]
# Build its preprocessing from that recipe with `torchvision.transforms.v2`: resize the shorter side to 224 / 0.875 = 256,
# crop the middle, scale to [0, 1], normalise.

# %% tags=["core"]
def pipeline_for(config):
    """Build the preprocessing that a timm model's `pretrained_cfg` asks for."""
    import torch
    from torchvision.transforms import InterpolationMode, v2

    size = config["input_size"][1]
    method = InterpolationMode(config["interpolation"])
    return v2.Compose([
        v2.ToImage(),  # (H, W, C) array or Pillow picture -> (C, H, W) tensor
        v2.Resize(int(size / config["crop_pct"]), method, antialias=True),
        v2.CenterCrop(size),
        v2.ToDtype(torch.float32, scale=True),  # uint8 -> [0, 1]
        v2.Normalize(config["mean"], config["std"]),
    ])

# %%
import timm

prepare = pipeline_for(config)
library = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
ours, theirs = prepare(image), library(image)
print(tuple(ours.shape), "as timm's own pipeline:", torch.allclose(ours, theirs, atol=0.05))
with torch.inference_mode():
    scores = model(ours[None]).softmax(dim=1)[0]
for name, probability in weights.top5(scores):
    print(f"{probability:4.0%}  {name}")

# %% [markdown]
# ### What does a wrong step cost?
#
# Take 56 random crops of seven photos whose content we know, spoil one step at a time, and count right answers. **Predict**
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
crops, answers = [], []
for name in 8 * list(TRUTH):
    whole = photo(name)
    side = int(min(whole.shape[:2]) * rng.uniform(0.7, 1))
    y, x = (rng.integers(length - side + 1) for length in whole.shape[:2])
    crop = Image.fromarray(whole[y : y + side, x : x + side])
    crops.append(np.array(crop.resize((224, 224), Image.Resampling.BICUBIC)))
    answers.append(TRUTH[name])

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
accepted = torch.tensor([[name in answer for name in classes] for answer in answers])  # (56, 1000)

def judge(spoil):
    """Return the share of right answers, and the mean probability given to right answers."""
    batches = torch.stack([spoil(crop) for crop in crops]).split(8)
    with torch.inference_mode():
        scores = torch.cat([model(batch).softmax(dim=1) for batch in batches])  # (56, 1000)
    right = accepted.gather(1, scores.argmax(dim=1, keepdim=True))
    return right.float().mean().item(), (scores * accepted).sum(dim=1).mean().item()

results = {name: judge(spoil) for name, spoil in slips.items()}
for name, (accuracy, sure) in results.items():
    print(f"{name:25} {accuracy:4.0%} right, {sure:4.0%} sure of it")

# %%
accuracy, sure = np.array(list(results.values())).T
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.barh(list(results), accuracy, color=[draw.PALETTE[2]] + [draw.PALETTE[0]] * 7, label="right answers")
ax.plot(sure, list(results), "k|", markersize=16, label="probability given to them")
ax.set(xlim=(0, 1), title="One wrong step: from quiet to fatal")
ax.invert_yaxis()
ax.legend(loc="lower right")

assert accuracy[0] == accuracy.max() > 0.85 and sure[0] > sure[1:4].max()
assert accuracy[5] < accuracy[0] - 0.2 and accuracy[6] < 0.4 and accuracy[7] < 0.1

# %% [markdown]
# The worst slips are loud: the network is lost, and you go looking. The dangerous ones are quiet: swapped channels or a
# forgotten mean cost a few points and some certainty, raise no error, and can stay in a product for years. Fifty-six crops of
# seven photos are a small test: remember the order of the bars, not their percents.

# %% [markdown]
# ## 7 · Before networks: edges and matches *(8 min)*
#
# Much of computer vision needs no training. Edges, in one line: how fast does brightness change here?

# %%
from skimage import filters

coins = photo("coins")[..., 0]
show_many([coins, filters.sobel(coins) * 3], titles=["Coins", "Sobel: bright where brightness jumps"]);

# %% [markdown]
# And matching two views: find corners that can be recognised (*keypoints*), describe the patch round each (*descriptors*),
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
# How do we know it worked? These two views come from a stereo camera whose rows are aligned: a right match lies in the
# **same row** of both pictures. Count those.

# %%
share = []
for name, matches in [("nearest", nearest), ("+ ratio test", kept), ("+ RANSAC", agreed)]:
    here, there = ends(matches)
    share.append(np.mean(np.abs(here[:, 1] - there[:, 1]) < 2))
    print(f"{name:13} {len(matches):5} matches, {share[-1]:.0%} in the same row")
assert share[0] < share[1] < share[2] and share[2] > 0.95

# %%
some = agreed[:: len(agreed) // 25]
lines = cv2.DRAW_MATCHES_FLAGS_NOT_DRAW_SINGLE_POINTS
drawn = cv2.drawMatches(views[0], points_l, views[1], points_r, some, None, flags=lines, matchesThickness=2)
show(drawn, title="After RANSAC every match runs level: the same row in both views");

# %% [markdown]
# ## 8 · Which library is fast? *(5 min)*
#
# One pipeline, four libraries, this machine, now: read the PNG, resize to 224 x 224, scale, normalise, channels first. The
# table is the median of 15 runs after a warm-up; your numbers will differ, so read the ratios.

# %%
mean, std = (np.float32(values) for values in (preprocess.IMAGENET_MEAN, preprocess.IMAGENET_STD))
mean_t, std_t = (torch.tensor(values)[:, None, None] for values in (mean, std))

def finish(image):
    return ((image.astype(np.float32) / 255 - mean) / std).transpose(2, 0, 1)

contest = {
    "OpenCV": lambda: finish(cv2.resize(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), (224, 224))),
    "Pillow": lambda: finish(np.asarray(Image.open(path).resize((224, 224), Image.Resampling.BILINEAR))),
    "torchvision": lambda: (F.resize(torchvision.io.decode_image(path), [224, 224]) / 255 - mean_t) / std_t,
    "scikit-image": lambda: finish(255 * skimage_resize(skimage.io.imread(path), (224, 224))),
}

# %% tags=["nbval-ignore-output"]
from time import perf_counter

def seconds(function):
    start = perf_counter()
    function()
    return perf_counter() - start

medians = {name: np.median([seconds(run) for _ in range(16)][1:]) for name, run in contest.items()}
fastest = min(medians, key=medians.get)
for name, median in sorted(medians.items(), key=lambda item: item[1]):
    print(f"{name:13} {1000 * median:6.1f} ms   {median / medians[fastest]:5.1f} times {fastest}")

# %%
outputs = {name: np.asarray(run()) for name, run in contest.items()}
for name, output in outputs.items():
    gap = np.abs(output - outputs["Pillow"]).mean()
    print(f"{name:13} {output.shape} mean gap to Pillow {gap:.2f} standard deviations")

# %% [markdown]
# The last cell keeps the race honest: all four make the same array, up to the resizing you now understand.
#
# | Use | when |
# |---|---|
# | **OpenCV** | video, cameras, classical vision, speed; mind BGR and `INTER_AREA` for shrinking |
# | **Pillow** | reading any file, good resizing, simple edits; what most models were trained with |
# | **scikit-image** | measuring and analysing: floats, many algorithms, slower |
# | **torchvision v2** | inside a training pipeline: tensors, batches, boxes and masks moved along with the picture |
# | **Kornia** | classical vision on the graphics card, with gradients |
# | **Albumentations** | many augmentations on CPU arrays, boxes and masks included |

# %% [markdown]
# ## Recap
#
# - Shape, dtype, range, channel order: four things a file does not tell you and every library chooses for itself.
# - Convert BGR to RGB once, where you read. Subtract pictures as floats, never as `uint8`.
# - Resizing differs mostly by antialiasing. Pick one and keep to it; masks only with nearest.
# - Normalise with the numbers the model was trained with, not the picture's own.
# - `transpose`, not `reshape`. Quiet mistakes cost more than loud ones.
#
# **In the library.** `to_rgb` is `cv2.cvtColor`; `center_crop`, `normalize` and the resizing are `v2.CenterCrop`, `v2.Normalize`,
# `v2.Resize(antialias=True)`; `psnr` is `skimage.metrics.peak_signal_noise_ratio`; the whole recipe is
# `timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))`.
#
# **Your own photo.** `photo("path/to/my photo.jpg")` reads any format, upright, as RGB. Try it in the widgets above.

# %% [markdown]
# **Where it breaks.** PSNR does not see as you do: one pixel's shift of a sharp picture scores worse than a blur. `uint8` resizing rounds, so
# even equal methods differ by 1. Medical and satellite pictures have 12 or 16 bits and more than three channels; dividing by 255 ruins
# them. And a mean taken over photos of one hospital or one city carries that place into the model.

# %%
shifted, blurred = np.roll(cat, 1, axis=1), cv2.GaussianBlur(cat, (0, 0), 1.5)
print(f"shifted by one pixel: {preprocess.psnr(cat, shifted):.1f} dB")
print(f"blurred:              {preprocess.psnr(cat, blurred):.1f} dB")

# %% [markdown]
# **Sources.** [OpenCV: geometric transformations](https://docs.opencv.org/4.x/da/d54/group__imgproc__transform.html) ·
# [Pillow: filters](https://pillow.readthedocs.io/en/stable/handbook/concepts.html#filters) ·
# [torchvision transforms v2](https://docs.pytorch.org/vision/stable/transforms.html) ·
# Parmar, Zhang, Zhu, [On Aliased Resizing and Surprising Subtleties in GAN Evaluation](https://arxiv.org/abs/2104.11222), 2022 ·
# Rublee et al., ORB, ICCV 2011 · Lowe, SIFT and the ratio test, IJCV 2004 · the stereo pair: Middlebury 2014.
#
# **In one line:** a picture is an array plus four conventions, and two libraries disagree because they choose different ones.
