"""Real-to-Binary on ImageNet, the third of four steps: binary activations, float kernels.

    bnext-train r2b_3 --data imagenet/ --out runs/r2b_3

It begins with fresh weights. The network of `r2b_2`, ``runs/r2b_2/best.h5``, teaches; everything else is as there, and
so is what could be verified of it.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 67.1% top-1, as Larq Zoo's maintainers report (larq/zoo, issue 196). Not measured by this project.

Reference: arXiv 2003.11535, section 4.2; Larq Zoo's training code, release 2.4.0.
"""

from bnext_keras.recipes._bases import REAL_TO_BINARY

RECIPE = REAL_TO_BINARY.derive(
    signs="activations",
    distillation={
        "strong_teacher": "runs/r2b_2/best.h5",
        "attention": tuple(f"stage{stage}_block{i}_add" for stage in range(4) for i in (1, 3)),
    },
)
