"""Data sets that `tensorflow-datasets` has prepared: ImageNet, CIFAR and others."""

from pathlib import Path
from typing import TYPE_CHECKING

from bnext_keras.data.records import index
from bnext_keras.data.sources.tfrecords import TFRecordExamples
from bnext_keras.data.tf_example import Layout
from bnext_keras.extras import how_to_install

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


def from_tfds(
    dataset: "str | tfds.core.DatasetBuilder",
    split: str = "train",
    *,
    data_dir: str | Path | None = None,
    download: bool = False,
    image_key: str = "image",
    label_key: str = "label",
    shuffle_buffer: int = 10_000,
) -> TFRecordExamples:
    """Examples out of a data set of `tensorflow-datasets`, which must be installed: ``pip install '.[tfds]'``.

    Its TFRecord files are read as `from_tfrecords` reads them, so that shuffling, workers and broken images are alike.

    Args:
        dataset: A name, such as ``"imagenet2012"`` or ``"cifar10:3.0.2"``, or a builder.
        split: A whole one: ``"train"``, not ``"train[:10%]"``.
        data_dir: Where it has been prepared; default: the library's, ``~/tensorflow_datasets``.
        download: Whether to download and prepare it if that has not been done.
        image_key: Feature that is the image.
        label_key: Feature that is the label.
        shuffle_buffer: As in `from_tfrecords`.

    Raises:
        ImportError: if `tensorflow-datasets` is not installed.
        FileNotFoundError: if the data set has not been prepared and is not to be downloaded, or if its files are not on
            a disk of this machine.
        ValueError: if it has no such split or features, or not in TFRecord files, or these are not whole.
    """
    tfds = _library()
    builder = tfds.builder(dataset, data_dir=data_dir) if isinstance(dataset, str) else dataset
    if download:
        builder.download_and_prepare()
    name = f"{builder.info.full_name}"
    if split not in builder.info.splits:
        prepared = ", ".join(builder.info.splits)
        if not prepared:
            raise FileNotFoundError(f"{name}: has not been prepared in {builder.data_dir}; download=True does that")
        raise ValueError(f"{name}: has no split {split!r}; it has {prepared}")
    if builder.info.file_format is not tfds.core.FileFormat.TFRECORD:
        raise ValueError(f"{name}: is kept as {builder.info.file_format.value}; prepare it as tfrecord")
    features = builder.info.features
    for key, kind in ((image_key, tfds.features.Image), (label_key, tfds.features.ClassLabel)):
        if key not in features or not isinstance(features[key], kind):
            raise ValueError(f"{name}: has no {kind.__name__} {key!r} among its features {', '.join(features)}")
    info = builder.info.splits[split]
    label = features[label_key]
    files = [str(file) for file in info.filepaths]
    starts = index(files)
    for file, each, length in zip(files, starts, info.shard_lengths, strict=True):
        if len(each) - 1 != length:
            raise ValueError(f"{file}: has {len(each) - 1} records and should have {length}; prepare {name} anew")
    return TFRecordExamples(
        files,
        starts,
        Layout(image_key, label_key, label_offset=0, num_classes=label.num_classes),
        class_names=tuple(label.names),
        shuffle_buffer=shuffle_buffer,
    )


def _library():
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(f"tensorflow-datasets is not installed: {how_to_install('tfds')}") from error
    return tfds
