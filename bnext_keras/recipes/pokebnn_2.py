"""PokeBNN on ImageNet, the other 700 of 750 epochs: the binary network.

    bnext-train pokebnn_2 --data imagenet/ --out runs/pokebnn_2 --teacher-weights teachers/

It begins with what `pokebnn_1` ended with, ``runs/pokebnn_1/final.h5``, whose description tells of data, teacher and
batch. The bounds of layers of 8 and 4 bits are measured first; the published run measures them two epochs earlier. It
goes on for another 50 epochs with a rate of 0, which are left out.

Hardware: a TPU v3-128, says the released script. Time: not published, and not measured by this project.
Expected accuracy: 73.4% top-1, as published; ``model_options.width=0.5`` 65.2%, 0.75 70.5%. Not measured by this
project.

Reference: arXiv 2112.00133, and its released training code (google/aqt, ``pokebnn_config.py``).
"""

from bnext_keras.recipes._bases import POKEBNN

RECIPE = POKEBNN.derive(
    optimizer={"learning_rate": 6.4e-4 * 700 / 750},
    schedule={"epochs": 700},
    start={"init": "runs/pokebnn_1/final.h5", "measure_bounds": True},
)
