"""Real-to-Binary on ImageNet, the first of four steps: a float ResNet-18, which teaches in the second.

    bnext-train r2b_1 --data imagenet/ --out runs/r2b_1

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. This step may be left out: torchvision's ResNet-18 is as good, see `r2b_2`.

Larq Zoo's code names gradient descent with a rate of 0.1 here; its maintainers trained with a rate of 1e-3 and a weight
decay of 1e-5 (larq/zoo, issue 233), which this recipe takes. The optimizer that these belong to is this project's
choice.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 70.3% top-1, as Larq Zoo's maintainers report of their ResNet-18, whose blocks are a little
different; torchvision's has 69.8%. Not measured by this project.

Reference: arXiv 2003.11535, section 4.2; Larq Zoo's training code, release 2.4.0.
"""

from bnext_keras.recipes._bases import PLAIN

RECIPE = PLAIN.derive(
    model="ResNet18",
    data={"batch_size": 512},
    optimizer={"name": "two_group_adamw", "learning_rate": 1e-3, "weight_decay": 1e-5, "kernel_weight_decay": 1e-5},
    schedule={"epochs": 100, "warmup_epochs": 5, "warmup_learning_rate": 1e-4},
)
