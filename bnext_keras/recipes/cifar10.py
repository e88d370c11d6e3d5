"""BNext-T on CIFAR-10, trained on labels alone.

    bnext-train cifar10 --data cifar-10-batches-bin/ --out runs/cifar

The folder is what the archive of CIFAR-10's binary version unpacks to. Or ``--data tfds:cifar10``, which downloads it;
or a folder that has the folders ``train`` and ``val`` with one folder of images per class. CIFAR-100 is
``--data cifar-100-binary/ num_classes=100``.

Normalization, shifts and flips, batch and optimizer are those of the released code. The 256
epochs are this project's choice; at that code's default of 128 its kernels would not quite become binary, whereas here
they harden within any number of epochs.

Hardware and time: not published, and not measured by this project.
Expected accuracy: none is published with the released code, and none was measured by this project.

Reference: the training code of arXiv 2211.12933.
"""

from bnext_keras.recipes._bases import BNEXT

RECIPE = BNEXT.derive(
    model="BNextTiny",
    data={"num_classes": 10, "image_size": 32, "normalization": "cifar", "augmentation": "cifar"},
    schedule={"epochs": 256},
)
