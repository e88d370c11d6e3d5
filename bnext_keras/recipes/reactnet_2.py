"""ReActNet-A on ImageNet, the second of two steps: the binary network.

    bnext-train reactnet_2 --data imagenet/ --out runs/reactnet_2 --teacher-weights teachers/

It begins with what `reactnet_1` ended with, ``runs/reactnet_1/final.h5``, whose description tells of data and teacher;
``init=`` names another file. There is no penalty on kernels in this step.

So does the released code of its ResNet-18. That of ReActNet-A calls kernels ``weight`` in one step and ``weights`` in
the other, and skips what it does not find, so that its kernels begin anew, and everything else goes on.

Hardware and time: not published, and not measured by this project.
Expected accuracy: 69.5% top-1, as published with the released code (69.4% in the paper); with ``model=ReActResNet18``
65.9% (65.5%). Not measured by this project.

Reference: arXiv 2003.03488, section 4.3, and its released training code.
"""

from bnext_keras.recipes._bases import REACTNET

RECIPE = REACTNET.derive(start={"init": "runs/reactnet_1/final.h5"})
