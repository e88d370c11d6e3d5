"""MeliusNet22 on ImageNet, trained on labels alone.

    bnext-train meliusnet22 --data imagenet/ --out runs/meliusnet22

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. The same settings trained the others but MeliusNet59: ``bnext-train meliusnet22
model=MeliusNet29 ...`` (65.8% top-1), ``MeliusNet42`` (69.2%), ``MeliusNetA`` (63.4%), ``MeliusNetB`` (65.7%) and
``MeliusNetC`` (64.1%).

Kernels are binary from the first step. The published recipe does not say how large a batch is and whether the cosine
moves by steps or by epochs: 256 and epochs are this project's choice.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 63.6% top-1, 84.7% top-5, as published by hpi-xnor/BMXNet-v2; not measured by this project.

Reference: arXiv 2001.05936.
"""

from bnext_keras.recipes._bases import MELIUSNET

RECIPE = MELIUSNET.derive(model="MeliusNet22")
