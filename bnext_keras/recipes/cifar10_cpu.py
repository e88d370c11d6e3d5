"""A narrow BNext on CIFAR-10, trained on labels alone: half an hour of one processor core.

    bnext-train cifar10_cpu --data cifar10/ --out runs/cifar10

The data are those of the recipe ``cifar10``: the folder that the binary version unpacks to, or one with the folders
``train`` and ``test`` of one folder of images per class. MeliusNet and the same network in float layers learn by the
same settings:

    bnext-train cifar10_cpu --data cifar10/ --out runs/melius model=MeliusNet widths= \\
      model_options.blocks=1,1,1 model_options.transitions=64,96
    bnext-train cifar10_cpu --data cifar10/ --out runs/float float_twin=true

The stem halves the images, which leaves a quarter of the operations. Kernels are soft in the first three of the ten
epochs. Of two learning rates, 1e-3 and 3e-3, the second one had 40.8% of its training images right in the third epoch
on a fifth of them, the first one 38.3%; nothing else was tuned.

Hardware: two cores of an x86-64 processor.
Time: 26 minutes of processor time, on one thread.
Expected accuracy: 71.0% of the test images after the last epoch (one seed), as measured by this project on a copy of
CIFAR-10 that was saved as JPEGs of quality 75, slightly harder than the original; MeliusNet 76.3%, the float network
80.9%.
"""

from bnext_keras.recipes._bases import BNEXT

RECIPE = BNEXT.derive(
    model="BNext",
    model_options={"widths": (32, 64, 128, 128, 256), "stem_stride": 2},
    data={
        "num_classes": 10,
        "image_size": 32,
        "batch_size": 128,
        "normalization": "cifar",
        "augmentation": "cifar",
    },
    optimizer={"learning_rate": 3e-3},
    schedule={"epochs": 10, "warmup_epochs": 0, "final_learning_rate": 0.0},
)
