"""QuickNet on ImageNet, trained on labels alone.

    bnext-train quicknet --data imagenet/ --out runs/quicknet

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. The same settings trained the others: ``model=QuickNetSmall`` (59.4% top-1) and
``model=QuickNetLarge`` (66.9%).

Binary kernels learn by Adam, everything else by gradient descent with momentum, at ten times the rate. Larq Zoo's code
warms up and cools down step by step and to 0, this recipe epoch by epoch, and its cosine ends five epochs behind the
run: the last epoch's rates are a four-thousandth of the largest.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 63.3% top-1, 84.6% top-5, as published by Larq Zoo; not measured by this project.

Reference: arXiv 2011.09398; Larq Zoo's training code, release 2.4.0 (``sota_experiments.py``).
"""

from bnext_keras.recipes._bases import PLAIN

RECIPE = PLAIN.derive(
    model="QuickNet",
    data={"batch_size": 2048},
    optimizer={"name": "adam_and_momentum", "learning_rate": 0.1, "kernel_learning_rate": 1e-2},
    schedule={"epochs": 600, "warmup_epochs": 5, "warmup_learning_rate": 1e-2},
)
