"""The accuracy of models on labelled images, side by side."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras.data import BrokenImages, Examples
from bnext_keras.data.examples import fingerprint
from bnext_keras.errors import PredictionError
from bnext_keras.labels import IMAGENET_CLASSES, choose_labels, imagenet_labels, without_synsets
from bnext_keras.preprocessing import Normalization, choose_normalization, default_crop

import numpy as np
import tensorflow as tf

from converter.evaluation.classes import Matching, match
from converter.evaluation.data import PreparedImages, open_examples
from converter.evaluation.images import Preparation, batches
from converter.evaluation.result import Evaluation, ModelAccuracy
from converter.predict.classifier import Classifier, from_keras, load_classifier
from converter.source.loading import digest

#: Images that are prepared, and shown to a Keras model, at a time.
BATCH = 32


def evaluate(
    models: "str | Path | tf.keras.Model | Sequence[str | Path | tf.keras.Model]",
    data: str | Path | Examples,
    *,
    labels: Sequence[str] | None = None,
    normalization: Normalization | None = None,
    crop: float | None = None,
    rotate: bool = False,
    split: str = "",
    label_offset: int = 0,
    architecture: str | None = None,
    input_size: int | None = None,
    num_classes: int = 1000,
    threads: int | None = None,
    runner: str = "",
    trusted: bool = False,
    broken: BrokenImages | None = None,
    progress: Callable[[int, int], None] = lambda done, images: None,
) -> Evaluation:
    """Measures how many images models classify rightly.

    Args:
        models: A model or several: ``.tflite``, ``.h5`` and ``.keras`` files, SavedModel folders, Keras models.
        data: Labelled images; or where they are, see `converter.evaluation.data.open_examples`.
        labels: Names of the models' classes. By default those that a model states, or else the data's.
        normalization: How images are normalized. By default what a model states, or else like ImageNet's.
        crop: Share of an image's shorter side that is looked at; by default 0.95, as published, and all of images for
            models that take up to 64 pixels.
        rotate: Whether images are turned by 180 degrees for every model; files of ``bnext-convert`` say so themselves.
        split: Another part of the data than that for validation.
        label_offset: The number of the first class in TFRecord files.
        architecture: For a file that holds weights only, the name of the network.
        input_size: Height and width of that network's input; or of images, for a model of any size.
        num_classes: Number of its classes.
        threads: Threads of models, and images that are read at the same time; by default one per core.
        runner: What runs ``.tflite`` files: ``bnext``, this project's engine, ``lce``, or empty for the engine where it
            can.
        trusted: Whether whoever made a Keras file may run code here.
        broken: Collects the names of images that cannot be read; they are left out.
        progress: Called with how many of the images have been looked at.

    Raises:
        PredictionError: if a model or the data cannot be used, or do not fit together.
        ConversionError: if a file cannot be read as a Keras model.

    Example:
        >>> import bnext_keras
        >>> from bnext_keras import data
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
        >>> found = evaluate(model, data.from_arrays(images, [0, 1, 0, 1]))
        >>> found.images, found.models[0].top1 in (0, 0.25, 0.5, 0.75, 1), found.models[0].confusion.sum()
        (4, True, 4)
    """
    threads = threads or os.cpu_count() or 1
    if isinstance(models, str | Path | tf.keras.Model):
        models = [models]
    options = {"input_size": input_size, "num_classes": num_classes, "trusted": trusted}
    candidates = [_candidate(model, runner, threads, architecture=architecture, **options) for model in models]
    if not candidates:
        raise PredictionError("there is no model to evaluate")
    source = data
    if not isinstance(source, Examples):
        classes = min(candidate.classifier.num_classes for candidate in candidates)
        source = open_examples(str(data), num_classes=classes, split=split, label_offset=label_offset)
    ready = isinstance(source, PreparedImages)
    candidates = [each.prepared(source, labels, normalization, crop, rotate, ready) for each in candidates]
    broken = BrokenImages() if broken is None else broken
    answers = _run(candidates, source, threads, broken, progress)
    if not len(answers[0].labels):
        raise PredictionError("none of the images can be read", where=str(data), remedy=broken.summary())
    return Evaluation(
        data=repr(source) if source is data else str(data),
        sha256=str(fingerprint(source)["sha256"]),
        broken=broken.errors,
        models=tuple(answers),
        assumed=tuple(f"{each.name}: {text}" for each in candidates for text in each.assumed),
        notes=tuple(f"{each.name}: {each.classifier.note}" for each in candidates if each.classifier.note),
    )


@dataclass(frozen=True)
class _Candidate:
    """A model that has been read, and what is going to be done with it."""

    name: str
    classifier: Classifier
    runs_in: str
    sha256: str = ""
    size: int = 0
    preparation: Preparation | None = None
    matching: Matching | None = None
    assumed: tuple[str, ...] = ()

    def prepared(self, examples, labels, normalization, crop, rotate, ready):
        """Itself with all that depends on data and options."""
        classifier, in_data = self.classifier, examples.class_names
        shape = classifier.input_shape
        scale, of_scale = choose_normalization(shape[-1], normalization, classifier.normalization)
        own = classifier.metadata and classifier.metadata.labels
        names, of_names = _names(classifier.num_classes, labels, own, in_data)
        try:
            matching = match(classifier.num_classes, names, examples.num_classes, in_data)
        except PredictionError as error:
            raise PredictionError(error.what, where=self.name, remedy=error.remedy) from error
        share = default_crop(shape) if crop is None else crop
        preparation = Preparation(shape, scale, share, rotate or classifier.wants_rotated_images)
        assumed = tuple(filter(None, ("" if ready else of_scale, of_names, matching.assumed)))
        return replace(self, preparation=preparation, matching=matching, assumed=assumed)

    def answers(self, images):
        """The outputs for a batch, ``(images, classes)``."""
        run = self.classifier.run
        # Files take one image at a time.
        parts = [images] if self.runs_in == "Keras" else [image[np.newaxis] for image in images]
        try:
            found = np.concatenate([run(part) for part in parts])
        except PredictionError as error:
            raise PredictionError(str(error), where=self.name) from error
        if not np.isfinite(found).all():
            raise PredictionError("the model's answers are not finite (infinite or NaN)", where=self.name)
        return found


def _candidate(model, runner, threads, **options):
    if isinstance(model, tf.keras.Model):
        return _Candidate(model.name, from_keras(model), "Keras")
    path = Path(model)
    is_converted = path.suffix.lower() == ".tflite"
    if is_converted:
        # What is said of files of weights beside them is not for these.
        is_about_others = options["architecture"] is not None
        options = {"trusted": options["trusted"], "input_size": None if is_about_others else options["input_size"]}
    classifier = load_classifier(path, threads=threads, runner=runner, **options)
    runs_in = "Keras" if not is_converted else "LCE" if runner == "lce" or classifier.note else "engine"
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return _Candidate(str(model), classifier, runs_in, digest(path), sum(file.stat().st_size for file in files))


def _names(classes, given, own, in_data):
    """What a model's classes are called, None if nobody says so, and what of that is assumed."""
    if given is None and not own:
        known = without_synsets(in_data or ())
        if classes != IMAGENET_CLASSES or (in_data and set(known).isdisjoint(imagenet_labels())):
            return None, ""
    return choose_labels(classes, given, "--labels", own)


def _run(candidates, examples, threads, broken, progress):
    """What became of each candidate."""
    labels, found, done = [], [[] for _ in candidates], 0
    preparations = list(dict.fromkeys(candidate.preparation for candidate in candidates))
    progress(0, len(examples))
    for batch in batches(examples, preparations, BATCH, threads, broken):
        labels.append(batch.labels)
        for candidate, parts in zip(candidates, found, strict=True):
            if len(batch.labels):
                outputs = candidate.answers(batch.images[candidate.preparation])
                parts.append(_ranked(outputs, candidate.matching.outputs[batch.labels]))
        done += batch.read
        progress(done, len(examples))
    all_labels = np.concatenate(labels)
    return [
        ModelAccuracy(
            name=each.name,
            sha256=each.sha256,
            size=each.size,
            runs_in=each.runs_in,
            preparation=each.preparation,
            matching=each.matching,
            num_classes=each.classifier.num_classes,
            labels=each.matching.outputs[all_labels],
            answers=np.concatenate([answers for answers, _ in parts] or [np.zeros(0, np.int64)]),
            ranks=np.concatenate([ranks for _, ranks in parts] or [np.zeros(0, np.int64)]),
        )
        for each, parts in zip(candidates, found, strict=True)
    ]


def _ranked(outputs, labels):
    """The largest output of each image, and how many stand before the right one; the first of equals goes first."""
    own = np.take_along_axis(outputs, labels[:, np.newaxis], axis=1)
    is_earlier = np.arange(outputs.shape[1]) < labels[:, np.newaxis]
    ranks = ((outputs > own) | ((outputs == own) & is_earlier)).sum(axis=1)
    return outputs.argmax(axis=1), ranks
