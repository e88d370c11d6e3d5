"""BNext-T on photos of one's own, from weights that exist.

    bnext-train fine_tuning --data photos/ --out runs/mine init=bnext_tiny.h5 num_classes=37

The weights are those of ``bnext-import``, of a run of one's own, or a published checkpoint. The classifier is fresh
where the classes are others; the stem, which looks for edges and colours, stays as it is; the rest learns from labels
with a tenth of the usual learning rate. Kernels are binary from the first step: softened, the network would forget at
once what it knows. With few images ``freeze=backbone`` trains the classifier alone, in a fraction of the
time; another network is ``model=BNextSmall``, say, or ``model=BNext widths=32,64``.

Hardware: one GPU, or patience.
Time: not measured; an epoch of n images takes what one of n images of ImageNet does.
Expected accuracy: unknown. It depends on the photos, and the published weights were not at hand. How much fine-tuning
helps is shown on digits by examples/fine_tuning.py.
"""

from bnext_keras.recipes._bases import BNEXT

RECIPE = BNEXT.derive(
    model="BNextTiny",
    data={"batch_size": 32, "augmentation": "crop_and_flip"},
    optimizer={"learning_rate": 1e-4},
    schedule={"epochs": 20, "warmup_epochs": 1, "warmup_learning_rate": 1e-6, "final_learning_rate": 0.0},
    start={"freeze": ("stem",)},
)
