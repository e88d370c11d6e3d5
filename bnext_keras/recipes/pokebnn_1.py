"""PokeBNN on ImageNet, the first 50 of 750 epochs: binary activations, float kernels.

    bnext-train pokebnn_1 --data imagenet/ --out runs/pokebnn_1 --teacher-weights teachers/

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. Other sizes are ``model_options.width=0.5``, say. `pokebnn_2` is the rest of the run, at whose
beginning kernels become binary and the bounds of layers of 8 and 4 bits are measured. In the published run both happen
in passing, here there are two runs, so that Adam begins anew. Kernels of 8 and 4 bits are rounded from the start here.

The teacher is a ResNet-50, without labels; the published one is of 8 bits, and its file was not at hand. Batch, rate,
penalty and Adam's 0.99 are those of the released code. It is for 128 cores of TPU; ``batch_size=256 learning_rate=2e-5
final_learning_rate=1.867e-5`` is the same by its rule that a rate is proportional to the batch.

Hardware: a TPU v3-128, says the released script. Time: not published, and not measured by this project.
Expected accuracy: of this step none is published; 73.4% top-1 after the second one.

Reference: arXiv 2112.00133, and its released training code (google/aqt, ``pokebnn_config.py``).
"""

from bnext_keras.recipes._bases import POKEBNN

RECIPE = POKEBNN.derive(signs="activations", schedule={"epochs": 50, "final_learning_rate": 6.4e-4 * 700 / 750})
