"""BoolNet on ImageNet, from a ResNet-34.

    bnext-train boolnet --data imagenet/ --out runs/boolnet --teacher-weights teachers/

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. ``teachers/`` has torchvision's ``resnet34-b627a593.pth``. BoolNet* is ``model=BoolNetStar
epochs=90`` (59.6% top-1). BaseNet, ``model=BaseNet epochs=120 temperature_decay=0.837`` (55.1%), had a ResNet-50 as a
second teacher of equal weight, which a recipe cannot say: in Python it is `bnext_keras.callbacks.Distillation` of both.

Kernels harden from floats to signs; activations are signs all the time. In the released code the temperature is
multiplied with 0.965 every 1,000 steps, with 0.837 in an epoch, and is 6e-7 after 80 epochs, where it evaluates the
signs all the same. Here kernels must be signs before the end: 0.815 makes them so in the last epoch. Crops are of its
ratios 3/4 to 4/3, where that code's are 4/5 to 5/4.

Hardware: four GPUs, says the released script. Time: not measured by this project.
Expected accuracy: 57.6% top-1, as published with the released code; not measured by this project.

Reference: arXiv 2106.06991, and its released training code.
"""

from bnext_keras.recipes._bases import PLAIN

RECIPE = PLAIN.derive(
    model="BoolNet",
    optimizer={"name": "rectified_adam", "learning_rate": 2e-3, "clip_norm": 2.5},
    schedule={"epochs": 80, "final_learning_rate": 1e-8, "temperature_decay": 0.815},
    distillation={"strong_teacher": "ResNet34"},
)
