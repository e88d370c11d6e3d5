"""What can be learned about a training: how complex a teacher's knowledge is, loss landscapes, and figures.

>>> from bnext_keras.analysis import KnowledgeComplexity, cross_entropy_of_accuracy
>>> b0 = KnowledgeComplexity("EfficientNetB0", 5_288_548, cross_entropy_of_accuracy(0.771, 1000), 1000)
>>> round(b0.value, 2)
1.1
"""

from bnext_keras.analysis.complexity import (
    KnowledgeComplexity,
    cross_entropy_of_accuracy,
    knowledge_complexity,
    rank_teachers,
)
from bnext_keras.analysis.landscape import LossLandscape, loss_landscape, read_landscape

__all__ = [
    "KnowledgeComplexity",
    "LossLandscape",
    "cross_entropy_of_accuracy",
    "knowledge_complexity",
    "loss_landscape",
    "rank_teachers",
    "read_landscape",
]
