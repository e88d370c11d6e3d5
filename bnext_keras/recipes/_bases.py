"""What several published runs have in common; their recipes derive from these and state what differs."""

from bnext_keras.recipes._method import Distillation, Optimizer, Schedule
from bnext_keras.recipes._recipe import Recipe
from bnext_keras.recipes._sections import Data

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

#: What most other networks on ImageNet share: crops and flips, Adam, no clipping, no warm-up, a rate that falls to 0.
PLAIN = Recipe(
    model="BiRealNet",
    data=Data(num_classes=1000, image_size=224, batch_size=256, normalization="imagenet", augmentation="crop_and_flip"),
    optimizer=Optimizer("adam", weight_decay=0.0, kernel_weight_decay=0.0, clip_norm=0.0),
    schedule=Schedule(epochs=128, warmup_epochs=0, final_learning_rate=0.0),
)

#: ReActNet (arXiv 2003.03488): both steps, without what a step is for.
REACTNET = PLAIN.derive(
    model="ReActNetA",
    optimizer={"learning_rate": 1.25e-3},
    schedule={"decay": "linear"},
    distillation={"strong_teacher": "ResNet34"},
)

#: Real-to-Binary (arXiv 2003.11535): its steps with a teacher, as Larq Zoo has them.
REAL_TO_BINARY = PLAIN.derive(
    model="RealToBinaryNet",
    optimizer={"learning_rate": 1e-3},
    schedule={
        "epochs": 75,
        "warmup_epochs": 5,
        "warmup_learning_rate": 1e-4,
        "decay": "steps",
        "decay_epochs": (40, 60, 70),
        "decay_factor": 0.3,
    },
    # Larq Zoo multiplies the mean of eight distances with 30.
    distillation={"label_weight": 1.0, "teacher_weight": 3.0, "attention_weight": 30 / 8, "attention_scale": "largest"},
)

#: PokeBNN (arXiv 2112.00133): both parts of its run, whose learning rate falls from 6.4e-4 to 0 in 750 epochs.
POKEBNN = PLAIN.derive(
    model="PokeBNN",
    data={"batch_size": 8192},
    optimizer={"name": "two_group_adam", "learning_rate": 6.4e-4, "kernel_weight_decay": 5e-5, "beta_2": 0.99},
    schedule={"decay": "linear"},
    distillation={"strong_teacher": "ResNet50"},
)
