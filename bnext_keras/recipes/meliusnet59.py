"""MeliusNet59 on ImageNet, trained on labels alone.

    bnext-train meliusnet59 --data imagenet/ --out runs/meliusnet59

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``.

Kernels are binary from the first step. The published recipe does not say how large a batch is and whether the cosine
moves by steps or by epochs: 256 and epochs are this project's choice.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 70.7% top-1, 89.2% top-5, as published by hpi-xnor/BMXNet-v2; not measured by this project.

Reference: arXiv 2001.05936.
"""

from bnext_keras.recipes._bases import MELIUSNET

RECIPE = MELIUSNET.derive(
    model="MeliusNet59",
    optimizer={"name": "adam", "learning_rate": 3e-3},
)
