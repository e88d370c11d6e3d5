"""TFLite's metadata: what a file's inputs and outputs mean, and where it comes from, inside the file itself.

The standard form (https://ai.google.dev/edge/litert/models/metadata): a flatbuffer ``ModelMetadata`` of its own in a
buffer called "TFLITE_METADATA", and the files that it names, here the classes' labels, in a ZIP archive behind the
model, so that ``unzip`` reads them and interpreters do not see them. Google's package for it is not maintained any
more; the few tables that an image classifier needs are written and read here, by the numbers that their fields have in
``metadata_schema.fbs``.

What the standard has no field for stands in another file of the archive, ``bnext.json``: which way up the file wants
its images, the checkpoint's hash and the version of this project.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from bnext_keras.errors import ConversionError
from bnext_keras.preprocessing import Normalization

import flatbuffers

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.tables import TableReader, write_floats, write_table, write_tables

#: Name of the buffer, and the first bytes of the metadata in it.
BUFFER, IDENTIFIER = "TFLITE_METADATA", b"M001"
LABELS_FILE, PROJECT_FILE = "labels.txt", "bnext.json"
#: Largest file that is read from an archive.
MAX_BYTES = 2**24

# Fields of the tables, by their places in metadata_schema.fbs.
_MODEL = {"name": 0, "description": 1, "version": 2, "subgraphs": 3, "min_parser_version": 7}
_SUBGRAPH = {"inputs": 2, "outputs": 3}
_TENSOR = {"name": 0, "description": 1, "content": 3, "process_units": 4, "stats": 5, "files": 6}
_FILE = {"name": 0, "description": 1, "type": 2}
_UNION = {"type": 0, "value": 1}
_NORMALIZATION = {"mean": 0, "std": 1}
_STATS = {"max": 0, "min": 1}
_IMAGE = {"color_space": 0}
# Their enumerations.
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES, _NORMALIZATION_OPTIONS, _AXIS_LABELS = 1, 2, 1, 2
_RGB, _GRAYSCALE = 1, 2


class InputOrientation(str, Enum):
    """Which way up a file wants its images.

    The values stand in files and reports, which people read, too. They never change: files of all versions have them.
    """

    UPRIGHT = "upright"  #: It turns them itself, if they have to be turned.
    ROTATED_180 = "rotated by 180 degrees"  #: The caller turns them.
    AS_MODEL = "as the Keras model"  #: As the model was trained; the file turns nothing.

    # As in enum.StrEnum, which Python 3.10 does not have.
    __str__ = str.__str__


@dataclass(frozen=True)
class Metadata:
    """What a file says about itself.

    Attributes:
        name: The model's name.
        input_orientation: Which way up it wants its images.
        channels: Channels of an image: 3 for RGB, 1 for grey.
        labels: The classes' names in the order of the outputs, None if they are not known.
        mean: What is subtracted from each channel of an image of values in [0, 1], None if it is not known.
        std: What each channel's difference is divided by, None if it is not known.
        source_sha256: Digest of the file that was converted, "" for a model in memory.
        version: This project's version that wrote the file.
        inputs: Names of the file's inputs.
        outputs: Names of its outputs.
    """

    name: str
    input_orientation: InputOrientation
    channels: int
    labels: Sequence[str] | None = field(default=None, repr=False)
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    source_sha256: str = ""
    version: str = ""
    inputs: Sequence[str] = ("image",)
    outputs: Sequence[str] = ("logits",)

    @property
    def normalization(self) -> Normalization | None:
        """``mean`` and ``std`` together, None if they are not known.

        Raises:
            ValueError: if they are none, in a damaged file.
        """
        return None if self.mean is None else Normalization(tuple(self.mean), tuple(self.std or ()))


def write_metadata(flatbuffer: Flatbuffer, metadata: Metadata) -> bytes:
    """The whole file: the flatbuffer with metadata, and the archive behind it.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> from converter.tflite.metadata import read_metadata
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=2)
        >>> read_metadata(convert(model, labels=["cat", "dog"]).content).labels
        ['cat', 'dog']
    """
    flatbuffer.set_metadata(BUFFER, _model_metadata(metadata, flatbuffer))
    flatbuffer.set_signature(metadata.inputs, metadata.outputs)
    stream = io.BytesIO()
    stream.write(flatbuffer.pack())
    project = {
        "input_orientation": metadata.input_orientation.value,
        "source_sha256": metadata.source_sha256,
        "version": metadata.version,
    }
    files = {PROJECT_FILE: json.dumps(project, indent=2)}
    if metadata.labels is not None:
        files[LABELS_FILE] = "\n".join(metadata.labels)
    # Stored as they are, because the readers on Android do not decompress; without a date, to be repeatable.
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode() + b"\n")
    return stream.getvalue()


def read_metadata(content: bytes, parsed: Flatbuffer | None = None) -> Metadata | None:
    """Reads what `write_metadata` wrote, and of others' metadata what there is of it; None if there is none.

    Args:
        content: A file's bytes.
        parsed: The same, if it has been parsed already.

    Raises:
        ConversionError: if it is damaged.
    """
    buffer = (parsed or Flatbuffer(content)).metadata(BUFFER)
    if buffer is None:
        return None
    try:
        return _read(buffer, content)
    # Whatever struct, zipfile or a decoder raise where a number does not fit.
    except Exception as error:
        raise ConversionError(f"the file's metadata is damaged ({type(error).__name__})") from error


def _read_archive(content, names):
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return {}
    files = {}
    with zipfile.ZipFile(stream) as archive:
        for name in names:
            if name in archive.namelist():
                with archive.open(name) as file:
                    files[name] = file.read(MAX_BYTES).decode()
    return files


def _labels_file(graph):
    """What the file of the classes' names is called in the archive: others than this project call it as they like."""
    files = [file for scores in graph.tables(_SUBGRAPH["outputs"]) for file in scores.tables(_TENSOR["files"])]
    return next((file.string(_FILE["name"]) for file in files if file.byte(_FILE["type"]) == _AXIS_LABELS), LABELS_FILE)


def _read(buffer, content):
    if buffer[4:8] != IDENTIFIER:
        raise ValueError("it is not of TFLite's kind")
    model = TableReader.root(buffer)
    mean = std = None
    channels = 3
    graphs = model.tables(_MODEL["subgraphs"])
    # Of several images the first counts.
    for image in graphs[0].tables(_SUBGRAPH["inputs"])[::-1] if graphs else []:
        for unit in image.tables(_TENSOR["process_units"]):
            if unit.byte(_UNION["type"]) == _NORMALIZATION_OPTIONS:
                options = unit.table(_UNION["value"])
                mean = [value / 255 for value in options.floats(_NORMALIZATION["mean"])]
                std = [value / 255 for value in options.floats(_NORMALIZATION["std"])]
        kind = image.table(_TENSOR["content"])
        if kind is not None and kind.byte(_UNION["type"]) == _IMAGE_PROPERTIES:
            channels = 1 if kind.table(_UNION["value"]).byte(_IMAGE["color_space"]) == _GRAYSCALE else 3
    labels_file = _labels_file(graphs[0]) if graphs else LABELS_FILE
    files = _read_archive(content, (labels_file, PROJECT_FILE))
    project = json.loads(files.get(PROJECT_FILE, "{}"))
    labels = files.get(labels_file)
    return Metadata(
        name=model.string(_MODEL["name"]),
        input_orientation=InputOrientation(project.get("input_orientation", InputOrientation.AS_MODEL)),
        channels=channels,
        labels=None if labels is None else labels.replace("\r\n", "\n").rstrip("\n").split("\n"),
        mean=mean,
        std=std,
        source_sha256=str(project.get("source_sha256", "")),
        version=str(project.get("version", "")),
        inputs=_names_of(graphs, "inputs"),
        outputs=_names_of(graphs, "outputs"),
    )


def _names_of(graphs, kind):
    return tuple(table.string(_TENSOR["name"]) for graph in graphs[:1] for table in graph.tables(_SUBGRAPH[kind]))


def _model_metadata(metadata, flatbuffer):
    builder = flatbuffers.Builder(1024)
    inputs: list[int] = []
    outputs: list[int] = []
    for name, tensor in zip(metadata.inputs, flatbuffer.inputs, strict=True):
        shape = flatbuffer.shape(tensor)
        is_image = len(metadata.inputs) == 1 or (len(shape) == 4 and shape[-1] == metadata.channels)
        inputs.append(_image(builder, metadata, name) if is_image else _numbers(builder, name))
    for name, tensor in zip(metadata.outputs, flatbuffer.outputs, strict=True):
        shape, classes = flatbuffer.shape(tensor), len(metadata.labels or ())
        is_labelled = len(metadata.outputs) == 1 or (len(shape) == 2 and shape[-1] == classes)
        outputs.append(_numbers(builder, name, metadata.labels if is_labelled else None))
    subgraph = write_table(
        builder, _SUBGRAPH, inputs=write_tables(builder, inputs), outputs=write_tables(builder, outputs)
    )
    model = write_table(
        builder,
        _MODEL,
        name=builder.CreateString(metadata.name),
        description=builder.CreateString(f"binary neural network for {_reader(flatbuffer, metadata)}"),
        version=builder.CreateString(metadata.source_sha256),
        subgraphs=write_tables(builder, [subgraph]),
        min_parser_version=builder.CreateString("1.0.0"),
    )
    builder.Finish(model, file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _reader(flatbuffer, metadata):
    if flatbuffer.has_int4:
        return f"the engine of bnext-keras {metadata.version} alone: it has weights of 4 bits, which LCE does not read"
    return f"Larq Compute Engine, by bnext-keras {metadata.version}"


def _image(builder, metadata, name):
    """An input that is an image."""
    normalization = _normalization(builder, metadata) if metadata.mean is not None else None
    properties = write_table(builder, _IMAGE, color_space=("Int8", {3: _RGB, 1: _GRAYSCALE}.get(metadata.channels, 0)))
    content = write_table(builder, _UNION, type=("Uint8", _IMAGE_PROPERTIES), value=properties)
    return write_table(
        builder,
        _TENSOR,
        name=builder.CreateString(name),
        description=builder.CreateString(f"input image, {metadata.input_orientation}"),
        content=content,
        process_units=normalization and write_tables(builder, [normalization[0]]),
        stats=normalization and normalization[1],
    )


def _numbers(builder, name, labels=None):
    """An output, or an input that is no image; labels are the names of its classes, None if they are not known."""
    files = None
    if labels is not None:
        table = write_table(
            builder,
            _FILE,
            name=builder.CreateString(LABELS_FILE),
            description=builder.CreateString("names of the classes"),
            type=("Int8", _AXIS_LABELS),
        )
        files = write_tables(builder, [table])
    features = write_table(builder, _UNION, type=("Uint8", _FEATURE_PROPERTIES), value=write_table(builder, {}))
    return write_table(builder, _TENSOR, name=builder.CreateString(name), content=features, files=files)


def _normalization(builder, metadata):
    """The normalization of pixels from 0 to 255, and the smallest and largest value that comes of them."""
    mean, std = ([255.0 * value for value in values] for values in (metadata.mean, metadata.std))
    limits = {
        name: write_floats(builder, [(pixel - m) / s for m, s in zip(mean, std, strict=True)])
        for name, pixel in (("max", 255.0), ("min", 0.0))
    }
    options = write_table(builder, _NORMALIZATION, mean=write_floats(builder, mean), std=write_floats(builder, std))
    unit = write_table(builder, _UNION, type=("Uint8", _NORMALIZATION_OPTIONS), value=options)
    return unit, write_table(builder, _STATS, **limits)
