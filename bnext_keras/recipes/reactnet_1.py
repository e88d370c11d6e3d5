"""ReActNet-A on ImageNet, the first of two steps: binary activations, float kernels.

    bnext-train reactnet_1 --data imagenet/ --out runs/reactnet_1 --teacher-weights teachers/

``imagenet/`` has the folders ``train`` and ``val`` with one folder per class, or is ``tfrecord:PATTERN`` or
``tfds:imagenet2012``. ``teachers/`` has torchvision's ``resnet34-b627a593.pth``: its ResNet-34 teaches, without labels
(the paper's distributional loss). `reactnet_2` is the second step. ReActNet in the shape of ResNet-18 is
``model=ReActResNet18 batch_size=512 learning_rate=2.5e-3`` in both.

Adam, its penalty of 1e-5 on kernels and thresholds, batch, epochs and rates are those of the released code
(``mobilenet/1_step1``), of its shorter setting; the longer one, ``epochs=256 learning_rate=5e-4``, is said to be as
good. Two things are not the same: that code changes the light of images a little (AlexNet's, 0.1), which does not exist
here; and its learning rate is one epoch ahead, so that its last epoch trains with 0.

Hardware and time: not published, and not measured by this project.
Expected accuracy: of this step none is published; 69.5% top-1 after the second one.

Reference: arXiv 2003.03488, section 4.3, and its released training code.
"""

from bnext_keras.recipes._bases import REACTNET

RECIPE = REACTNET.derive(signs="activations", optimizer={"name": "two_group_adam", "kernel_weight_decay": 1e-5})
