"""Real-to-Binary on ImageNet, the last of four steps: the binary network.

    bnext-train r2b_4 --data imagenet/ --out runs/r2b_4

It begins with what `r2b_3` has learned, ``runs/r2b_3/best.h5``, which teaches too, by labels and soft labels alone.

This is Larq Zoo's code for the paper's step. For its own weights it has a cosine with a longer warm-up, ``decay=cosine
decay_epochs= warmup_epochs=10``, and its maintainers report 100 epochs (larq/zoo, issue 196).

Hardware and time: not published, and not measured by this project.
Expected accuracy: 65.0% top-1, 85.7% top-5, Larq Zoo's; 65.4% in the paper. Not measured by this project.

Reference: arXiv 2003.11535, section 4.2; Larq Zoo's training code, release 2.4.0.
"""

from bnext_keras.recipes._bases import REAL_TO_BINARY

RECIPE = REAL_TO_BINARY.derive(
    optimizer={"learning_rate": 2e-4},
    schedule={"warmup_learning_rate": 2e-5},
    start={"init": "runs/r2b_3/best.h5"},
    distillation={"strong_teacher": "runs/r2b_3/best.h5", "teacher_weight": 0.8},
)
