"""The layers of published networks along their longest path, as (kernel, stride, dilation).

Only layers whose kernel or stride is above 1 change a receptive field; 1 x 1 layers are left out. The order
and the strides are those of the models that Araujo, Norris and Sim measured (Computing Receptive Fields of
Convolutional Neural Networks, Distill, 2019): TensorFlow's slim models, up to the last layer before the
classifier.
"""

__all__ = ["PUBLISHED", "PUBLISHED_FIELDS", "RESNET50_CAFFE", "RESNET50_TORCHVISION"]

STEM = [(7, 2, 1), (3, 2, 1)]  # ResNet: a 7 x 7 convolution, a 3 x 3 pooling
TWICE = [(2, 2, 1)]  # VGG's pooling
ONE, HALVE = (3, 1, 1), (3, 2, 1)


def _resnet(where: str) -> list[tuple[int, int, int]]:
    """ResNet-50's 16 blocks of one 3 x 3 layer each; `where` the three later stages put their stride."""
    layers = list(STEM)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        convs = [ONE] * blocks
        if where == "last block" and stage < 3:  # slim: the 3 x 3 of a stage's last block
            convs[-1] = HALVE
        if where == "first block" and stage > 0:  # torchvision: the 3 x 3 of a stage's first block
            convs[0] = HALVE
        if where == "1 x 1" and stage > 0:  # the paper: the 1 x 1 before the first 3 x 3
            convs = [(1, 2, 1), *convs]
        layers += convs
    return layers


PUBLISHED = {
    "AlexNet": [(11, 4, 1), HALVE, (5, 1, 1), HALVE, ONE, ONE, ONE, HALVE],
    "VGG-16": ([ONE] * 2 + TWICE) * 2 + ([ONE] * 3 + TWICE) * 3,
    "ResNet-50": _resnet("last block"),
    "MobileNet v1": [HALVE, ONE, HALVE, ONE, HALVE, ONE, HALVE, *[ONE] * 5, HALVE, ONE],
    "Inception v2": [
        (7, 2, 1),
        HALVE,
        ONE,
        HALVE,
        *[ONE] * 4,
        ONE,
        HALVE,
        *[ONE] * 8,
        ONE,
        HALVE,
        *[ONE] * 4,
    ],
}
PUBLISHED_FIELDS = {
    "AlexNet": 195,
    "VGG-16": 212,
    "ResNet-50": 483,
    "MobileNet v1": 315,
    "Inception v2": 699,
}
RESNET50_TORCHVISION = _resnet("first block")
RESNET50_CAFFE = _resnet("1 x 1")
