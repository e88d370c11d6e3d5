"""Images with their classes, to measure the accuracy with on a device: arrays in a file, or a folder of pictures."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Union

from bnext_keras.array_files import read_labelled
from bnext_keras.data.broken import BrokenImages
from bnext_keras.errors import BenchmarkError, UserError
from bnext_keras.files import file_errors_as
from bnext_keras.image_files import walk_images

if TYPE_CHECKING:
    from bnext_keras.preprocessing import Normalization

    import numpy as np

    from converter.tflite.flatbuffer import Flatbuffer

#: Images as they are when they are needed, or files that become such.
Images = Union["np.ndarray", "Pictures"]

#: What is told beside an accuracy.
_ASSUMED = "the model does not say how its images are normalized; ImageNet's mean and deviation were taken"


@dataclass(frozen=True)
class LabelledImages:
    """Images with their classes.

    Attributes:
        images: float32 ``(images, height, width, channels)``, just as the network takes them; or files of such.
        labels: Numbers of their classes ``(images,)``.
        classes: Which of the numbers that the network answers with are those of classes.
        assumed: What of the images the model's file does not say, for people.
        broken: Those that could not be read so far.
    """

    images: Images
    labels: "np.ndarray"
    classes: slice = field(default_factory=lambda: slice(None))
    assumed: str = ""
    broken: BrokenImages = field(default_factory=BrokenImages)

    def portions(self, count: int) -> "Iterator[tuple[np.ndarray, np.ndarray]]":
        """Images with their labels, up to so many at a time; those that cannot be read are left out."""
        for start in range(0, len(self.labels), count):
            part = slice(start, start + count)
            images, labels = self.images, self.labels[part]
            if isinstance(images, Pictures):
                found, places = images.read(part)
                yield found, labels[places]
            else:
                yield images[part], labels


class LabelledData(Protocol):
    """Images that models can be measured with."""

    def fitted_to(self, model: Path) -> LabelledImages:
        """Those images as a ``.tflite`` file takes them.

        Raises:
            BenchmarkError: if they do not fit it.
        """


def read_test_data(path: Path) -> LabelledData:
    """Opens an ``.npz`` file of ``images`` and ``labels``, or a folder that has a folder of pictures for each class.

    Raises:
        BenchmarkError: if it is neither, or the two do not fit together.
    """
    return _open_folder(path) if path.is_dir() else _read_arrays(path)


@dataclass(frozen=True)
class _Arrays:
    path: Path
    data: LabelledImages

    def fitted_to(self, model: Path) -> LabelledImages:
        """The arrays as they are; raises BenchmarkError if the model takes other images."""
        from converter.tflite.flatbuffer import Flatbuffer

        flatbuffer = Flatbuffer(model.read_bytes())
        if len(flatbuffer.inputs) != 1:
            raise BenchmarkError(f"{model}: has {len(flatbuffer.inputs)} inputs; accuracy is measured with one")
        classes = _classes_in(flatbuffer, model)
        expected = flatbuffer.shape(flatbuffer.inputs[0])[1:]
        if self.data.images.shape[1:] != tuple(expected):
            raise BenchmarkError(
                f"{model}: takes images of shape {expected}, not {self.data.images.shape[1:]} as the test data has"
            )
        return replace(self.data, classes=classes)


def _read_arrays(path):
    import numpy as np

    with file_errors_as(BenchmarkError):
        arrays = read_labelled(path)
    return _Arrays(path, LabelledImages(np.ascontiguousarray(arrays.images, np.float32), arrays.labels))


def _classes_in(flatbuffer: "Flatbuffer", model: Path) -> slice:
    """Which of the numbers that a file answers with are those of classes: all of a single output.

    Raises:
        BenchmarkError: if of several outputs not just one has a number for each class.
    """
    shapes = [flatbuffer.shape(tensor) for tensor in flatbuffer.outputs]
    if len(shapes) == 1:
        return slice(None)
    of_classes = [place for place, shape in enumerate(shapes) if len(shape) == 2]
    if len(of_classes) != 1:
        raise BenchmarkError(
            f"{model}: has {len(shapes)} outputs, {len(of_classes)} of them of classes; accuracy is measured of one"
        )
    start = sum(math.prod(shape) for shape in shapes[: of_classes[0]])
    return slice(start, start + math.prod(shapes[of_classes[0]]))


@dataclass(frozen=True)
class _Folder:
    path: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    #: Number of each file's folder among `classes`.
    places: tuple[int, ...]
    #: One for all models, so that a picture is told of once.
    broken: BrokenImages = field(default_factory=BrokenImages)

    def fitted_to(self, model: Path) -> LabelledImages:
        """The pictures resized, cropped and normalized as the model's file says, as bnext-predict does it."""
        from bnext_keras.preprocessing import choose_normalization

        import numpy as np

        from converter.tflite.classification import check_shapes, stated_normalization, wants_rotated_images
        from converter.tflite.flatbuffer import Flatbuffer
        from converter.tflite.metadata import read_metadata

        content = model.read_bytes()
        try:
            flatbuffer = Flatbuffer(content)
            metadata = read_metadata(content, flatbuffer)
            graph = flatbuffer.model.subgraphs[0]
            ends = (tuple(flatbuffer.shape(int(tensors[0]))[1:]) for tensors in (graph.inputs, graph.outputs))
            shape, count = check_shapes(*ends)
            stated = stated_normalization(metadata, shape[-1])
            scale, _ = choose_normalization(shape[-1], None, stated)
        except UserError as error:
            raise BenchmarkError(f"{model}: {error}") from error
        numbers = self._numbers(model, count, metadata.labels if metadata else None)
        turned = wants_rotated_images(metadata)
        images = Pictures(self.files, shape, scale.of_channels(shape[-1]), turned, self.broken)
        labels = np.array([numbers[place] for place in self.places])
        assumed = "" if stated else _ASSUMED
        return LabelledImages(images, labels, _classes_in(flatbuffer, model), assumed, self.broken)

    def _numbers(self, model, count, labels):
        """The number of each folder's class: by name where the model's file has these names, or else by their order."""
        names = {name: number for number, name in enumerate(labels or ())}
        if all(name in names for name in self.classes):
            return [names[name] for name in self.classes]
        # ImageNet's folders are called otherwise than its classes; folders of which some are, are not all there.
        if len(self.classes) == count and not any(name in names for name in self.classes):
            return list(range(count))
        raise BenchmarkError(
            f"{self.path}: its {len(self.classes)} folders are called otherwise than the {count} classes in {model}; "
            "name each folder as the model names the class"
        )


def _open_folder(path):
    try:
        folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        found = [(file, place) for place, folder in enumerate(folders) for file in walk_images(folder)[0]]
    except OSError as error:
        raise BenchmarkError(f"{error.filename or path}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise BenchmarkError(f"{path}: has no folders with images in them, one for each class")
    files, places = zip(*found, strict=True)
    return _Folder(path, tuple(folder.name for folder in folders), files, places)


class Pictures:
    """Pictures in files, of which only those that are asked for are read.

    Args:
        files: The pictures.
        shape: ``(height, width, channels)`` of an image.
        normalization: How they are normalized, for each channel.
        turned: Whether they are turned by 180 degrees.
        broken: Is told of those that cannot be read.
    """

    def __init__(
        self,
        files: Sequence[Path],
        shape: tuple[int, int, int],
        normalization: "Normalization",
        turned: bool,
        broken: BrokenImages,
    ):
        self._files = files
        self._normalization = normalization
        self._turned = turned
        self._broken = broken
        self.shape = (len(files), *shape)

    def read(self, part: slice) -> "tuple[np.ndarray, list[int]]":
        """Those of a part that can be read, float32, and their places in that part."""
        from bnext_keras.data.pictures import read_pictures

        import numpy as np

        images, places = np.empty((len(self._files[part]), *self.shape[1:]), np.float32), list[int]()
        for place, image in read_pictures(
            self._files[part], self.shape[1:], self._normalization, self._broken, upright=True
        ):
            images[len(places)] = image[::-1, ::-1] if self._turned else image
            places.append(place)
        return images[: len(places)], places
