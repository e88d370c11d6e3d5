"""What several published runs have in common; their recipes derive from these and state what differs."""

from bnext_keras.recipes._recipe import Recipe
from bnext_keras.recipes._sections import Data, Distillation, Optimizer, Schedule

#: The released training code of BNext (arXiv 2211.12933), on ImageNet.
BNEXT = Recipe(
    model="BNextTiny",
    data=Data(num_classes=1000, image_size=224, batch_size=512, normalization="imagenet", augmentation="imagenet"),
    optimizer=Optimizer(
        "two_group_adamw", learning_rate=1e-3, weight_decay=1e-3, kernel_weight_decay=1e-8, clip_norm=5.0
    ),
    schedule=Schedule(
        epochs=512,
        warmup_epochs=5,
        warmup_learning_rate=1e-5,
        final_learning_rate=1e-7,
        weight_temperature=True,
    ),
    distillation=Distillation(label_weight=0.0, per_example=True),
)

#: MeliusNet on ImageNet (arXiv 2001.05936): labels alone, and kernels that are binary from the first step.
MELIUSNET = Recipe(
    model="MeliusNet22",
    data=Data(num_classes=1000, image_size=224, batch_size=256, normalization="imagenet", augmentation="crop_and_flip"),
    optimizer=Optimizer("rectified_adam", learning_rate=2e-3, clip_norm=0.0),
    schedule=Schedule(epochs=120, warmup_epochs=0, final_learning_rate=0.0),
)
