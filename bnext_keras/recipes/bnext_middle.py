"""BNext-M on ImageNet.

    bnext-train bnext_middle --data imagenet/ --out runs/bnext_middle --teacher-weights teachers/

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, in the order of ImageNet's synset names,
or is ``tfrecord:PATTERN`` or ``tfds:imagenet2012``. The weak teacher is EfficientNet-B0
in the first half of the run and B2 in the second, the strong one EfficientNet-B4.

Hardware: the released scripts share a batch of 512 among the GPUs of one machine; how many is not published.
Time: not published, and not measured by this project.
Expected accuracy: 78.3% top-1, as published with the released code; not measured by this project.

Reference: arXiv 2211.12933 and its released training code.
"""

from bnext_keras.recipes._bases import BNEXT

RECIPE = BNEXT.derive(
    model="BNextMiddle",
    distillation={"weak_teachers": ("EfficientNetB0", "EfficientNetB2"), "strong_teacher": "EfficientNetB4"},
)
