"""Real-to-Binary on ImageNet, the second of four steps: the network with tanh for signs, and float kernels.

    bnext-train r2b_2 --data imagenet/ --out runs/r2b_2

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. The teacher is that of `r2b_1`, ``runs/r2b_1/best.h5``; or torchvision's,
``strong_teacher=ResNet18 --teacher-weights teachers/``. The loss has three parts: labels, soft labels, and the
attention maps behind each residual block.

The weights 1, 3 and 30 of these parts, rates, steps, batch and epochs are Larq Zoo's, and so is what attention maps are
divided by, their largest value (the paper: their length, ``attention_scale=length``). The paper's own weights of the
parts could not be verified. Larq Zoo's code warms up step by step, this recipe epoch by epoch.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 71.2% top-1, as Larq Zoo's maintainers report (larq/zoo, issue 196); they say as well that the code
is not exactly what they trained with. Not measured by this project.

Reference: arXiv 2003.11535, section 4.2; Larq Zoo's training code, release 2.4.0.
"""

from bnext_keras.recipes._bases import REAL_TO_BINARY

RECIPE = REAL_TO_BINARY.derive(
    signs="tanh",
    distillation={
        "strong_teacher": "runs/r2b_1/best.h5",
        # Two of its blocks, of one convolution each, are one of the teacher's.
        "attention": tuple(
            f"stage{stage}_block{2 * i + 1}_add:stage{stage}_block{i}_out" for stage in range(4) for i in range(2)
        ),
    },
)
