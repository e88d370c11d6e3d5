"""Teachers for distillation: networks that are frozen, cached, measured and ranked.

>>> import bnext_keras
>>> teacher = bnext_keras.teachers.keras_teacher("EfficientNetB0", weights=None)
>>> teacher.name, teacher.num_classes
('efficientnetb0', 1000)
"""

from bnext_keras.teachers.cache import cache_logits, with_cached_logits
from bnext_keras.teachers.keras_models import keras_teacher
from bnext_keras.teachers.small import convnet
from bnext_keras.teachers.teacher import CachedTeacher, Teacher

_NETWORKS = ("ResNet18", "ResNet34")
_MEASURES = ("KnowledgeComplexity", "cross_entropy_of_accuracy", "knowledge_complexity", "rank_teachers")

__all__ = [
    "CachedTeacher",
    "KnowledgeComplexity",
    "ResNet18",
    "ResNet34",
    "Teacher",
    "cache_logits",
    "convnet",
    "cross_entropy_of_accuracy",
    "keras_teacher",
    "knowledge_complexity",
    "rank_teachers",
    "with_cached_logits",
]


def __getattr__(name):
    # The analysis of teachers imports teachers; so it is found here when somebody asks, and not before.
    if name in _MEASURES:
        from bnext_keras import analysis

        return getattr(analysis, name)
    # Layers and models, which these are made of, are not needed by whoever wraps a model of his own.
    if name in _NETWORKS:
        from bnext_keras.teachers import resnet

        return getattr(resnet, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
