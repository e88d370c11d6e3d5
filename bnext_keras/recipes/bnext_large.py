"""BNext-L on ImageNet.

    bnext-train bnext_large --data imagenet/ --out runs/bnext_large --teacher-weights teachers/

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, in the order of ImageNet's synset names,
or is ``tfrecord:PATTERN`` or ``tfds:imagenet2012``. The weak teacher is EfficientNet-B0,
then B4, then ConvNeXt-Tiny, a third of the run each; the strong one is ConvNeXt-Tiny.

Hardware: the released scripts share a batch of 128 among the GPUs of one machine; how many is not published.
Time: not published, and not measured by this project.
Expected accuracy: 80.57% top-1, as published with the released code; not measured by this project.

Reference: arXiv 2211.12933 and its released training code.
"""

from bnext_keras.recipes._bases import BNEXT

RECIPE = BNEXT.derive(
    model="BNextLarge",
    data={"batch_size": 128},
    distillation={
        "weak_teachers": ("EfficientNetB0", "EfficientNetB4", "ConvNeXtTiny"),
        "strong_teacher": "ConvNeXtTiny",
    },
)
