"""The whole way from a Keras model to a file that is known to be right."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bnext_keras.errors import ConversionError, UserError, VerificationError
from bnext_keras.files import check_outputs, check_suffix, file_errors_as, write_atomically
from bnext_keras.models import count
from bnext_keras.orientation import is_rotating, remove_rotation
from bnext_keras.preprocessing import Normalization
from bnext_keras.recalibration import recalibrated

import numpy as np
import tensorflow as tf

from converter import passes
from converter.advice import advise, notes
from converter.compiler import lce, preflight
from converter.compiler._tensorflow import eagerly
from converter.compiler.freeze import freeze
from converter.compiler.trace import trace
from converter.graph import ANSWER, IMAGE
from converter.inspection.inspection import inspect
from converter.options import Data, Options
from converter.quantization.activations import quantize_activations
from converter.quantization.precision import parse_weights
from converter.quantization.quantize import compare, quantize
from converter.quantization.trained import store_trained
from converter.result import ConversionResult
from converter.runtimes import find_runtime
from converter.runtimes.cost import measure
from converter.source import camera
from converter.source.binary_layers import signs_moved_into_convolutions
from converter.source.description import describe
from converter.source.interface import index_bound, input_names, output_names
from converter.source.loading import load
from converter.source.rebuilding import of_size, taken_as_float32
from converter.tflite.interpreter import Opener
from converter.tflite.metadata import InputOrientation, write_metadata
from converter.verification.samples import synthetic_count, users_inputs
from converter.verification.synthetic import choose
from converter.verification.verify import verify

_ONE_AT_A_TIME = threading.RLock()


@eagerly
def convert(
    model: tf.keras.Model | str | Path,
    output: str | Path | None = None,
    *,
    verify_data: Data | None = None,
    architecture: str | None = None,
    input_size: int | None = None,
    num_classes: int = 1000,
    rotation: bool = True,
    simplify: bool = True,
    harden: bool = False,
    recalibrate: np.ndarray | str | Path | None = None,
    float32: bool = False,
    weights: str | Mapping[str, str] = "float32",
    activations: str = "float32",
    calibration_data: Data | None = None,
    labels: Sequence[str] | None = None,
    normalization: Normalization | None = None,
    trusted: bool = False,
    engines: Mapping[str, Opener] | None = None,
    target: str = "lce",
    input_type: str = "float32",
    softmax: bool = False,
    batch: int = 1,
    write: bool = True,
    progress: Callable[[str], None] = lambda step: None,
) -> ConversionResult:
    """Converts a Larq model for Larq Compute Engine and verifies the result before anything is written.

    Conversions in several threads take turns. Until one ends, the model computes something else in parts: no other
    thread may predict with it meanwhile.

    Args:
        model: A Keras model; or the path of a ``.h5`` or ``.keras`` file or of a SavedModel folder.
        output: File to write. By default beside the input file, with the ending ``.tflite``; nothing for a model in
            memory.
        verify_data: Inputs to compare on, besides images made on the spot: an array ``(samples, height, width,
            channels)``, or the path of a ``.npy`` file or a folder of images (see
            `converter.verification.samples.read_samples`). For a model of several inputs, arrays in their order or by
            name, or an ``.npz`` file of them.
        architecture: For a file that holds weights only, the name of the model in `bnext_keras.models`.
        input_size: Height and width of that model's input, 224 by default; or of a whole model's that takes images of
            any size.
        num_classes: Number of its classes.
        rotation: Whether an imported model's first layer, which turns images by 180 degrees, becomes part of the file.
            Without it the file wants turned images, and an operator less runs on the device.
        simplify: Whether `converter.passes` rewrite the model's operators, exactly up to rounding, to fewer.
        harden: Whether a model whose training ended before its kernels were binary is converted with their signs, which
            is what Keras evaluates it with. The report tells so. The model itself stays what it is; see
            `bnext_keras.quantizers.harden`.
        recalibrate: Images to measure the statistics of batch normalizations anew on, before anything else: an array of
            them as the model takes them, the path of a ``.npy`` file of such, or a folder of images
            (`bnext_keras.recalibration.read_batches`). Worth it with ``harden``, or where the model is to see other
            images. The model itself stays what it is, and the report tells how many images it were.
        float32: Whether a model of float64 or float16 is converted, and compared, as one of float32. One that was
            trained in mixed precision, whose weights are float32, is in any case. The report tells so.
        weights: Type of the weights of float layers, ``"float32"``, ``"int8"`` or, for this project's engine,
            ``"int4"``, for all or by role; or bits as in training, ``"8/4/8"``
            (`converter.quantization.precision.parse_weights`). Anything but float32 changes the answers: the float file
            is verified first, then the quantized one is compared with it. Weights that were trained in few bits
            (`bnext_keras.weight_bits`) are in the file as they were trained, whatever is said here.
        activations: ``"int8"`` for a file whose float operators compute in 8 bits, weights and activations
            (`converter.quantization.activations`). That is an approximation: the float file is verified first, then the
            quantized one is compared with it, signs included.
        calibration_data: Some hundred inputs like those that the network will see, whose values decide on the ranges of
            int8 activations; given as ``verify_data`` are. On these the comparison is made unless there are
            ``verify_data``.
        labels: Names of the classes, which become part of the file (`converter.tflite.metadata`). By default those that
            the model states (`bnext_keras.classes.annotate`), as models of ``bnext-train`` do; the published variants
            with 1000 classes state ImageNet's.
        normalization: How the model's images are normalized, which becomes part of the file too, and holds for a folder
            of images in ``verify_data``. By default what the model states, likewise.
        trusted: Whether whoever made the model's file may run code here, as Lambda layers do: for files of one's own
            (`bnext_keras.model_files`).
        engines: What else runs such files, by the name that errors give it: each is given the file's bytes, returns an
            interpreter with the interface of LCE's, and is verified on the same inputs as LCE.
        target: What the file is for, one of `converter.runtimes.RUNTIMES`: ``"lce"``; ``"engine"``, this project's
            engine alone, which reads weights of 4 bits, so that those trained in so few take no more; or ``"tflite"``,
            any runtime of TensorFlow Lite's own operators, in which binary convolutions are exact, larger and slower.
        input_type: ``"uint8"`` for a file that takes pixels from 0 to 255 as they are and normalizes them itself; a
            model whose own input is uint8 makes such a file anyway. ``verify_data`` are pixels then.
        softmax: Whether the file gives probabilities though the model gives logits.
        batch: How many images the file takes at once.
        write: Whether to write the file; without it, that is the caller's, who has other files to write with it, say.
        progress: Called with the name of each step as it begins.

    Returns:
        The file's content and what was found out about it.

    Raises:
        ConversionError: if the model cannot be read or has no exact form in LCE, or the file cannot be written.
        VerificationError: if the converted file differs from the model beyond rounding, or a binary convolution stayed
            float, or quantization made the answers useless. Nothing is written then.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> result = convert(bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10))
        >>> result.verification.passed
        True
    """
    clock = _Clock(progress)
    source = None
    options = Options(
        runtime=find_runtime(target),
        weights=parse_weights(weights),
        activations=activations,
        calibration_data=calibration_data,
        verify_data=verify_data,
        engines=engines or {},
        rotation=rotation,
        simplify=simplify,
        harden=harden,
        labels=labels,
        normalization=normalization,
        input_type=input_type,
        softmax=softmax,
        batch=batch,
    )
    options.check()
    if isinstance(model, str | Path):
        source = Path(model)
        output = Path(output) if output is not None else source.with_suffix(options.runtime.suffix)
        clock.start("load")
        model = load(source, architecture, input_size, num_classes, trusted=trusted)
    elif isinstance(model, tf.keras.Model):
        model = of_size(model, input_size)
    else:
        raise TypeError(
            f"the model must be a tf.keras.Model of TensorFlow's Keras 2, or a file's path, not {model!r:.60}"
        )
    model, precision = taken_as_float32(model, on_demand=float32)
    if output is not None:
        with file_errors_as(ConversionError):
            check_outputs([Path(output)], [] if source is None else [source])
            check_suffix(Path(output), options.runtime.suffix)
    # Layers are patched while they are traced and compared; TensorFlow's names are global, too.
    with (
        _ONE_AT_A_TIME,
        _recalibrated(model, recalibrate, normalization) as recalibrated_on,
        signs_moved_into_convolutions(model),
    ):
        preflight.check(model, harden=harden)
        changes = [
            *notes.hardened(model),
            *notes.recalibrated(model, recalibrated_on),
            *notes.in_float32(model, precision),
        ]
        result = _convert(model, source, options, clock, changes)
    if write and output is not None:
        with file_errors_as(ConversionError):
            write_atomically(Path(output), result.content)
        result.path = Path(output)
    return result


@contextmanager
def _recalibrated(model, data, normalization):
    """A model with the statistics of some images, if there are any; gives their number."""
    if data is None:
        yield 0
        return
    with ExitStack() as stack:
        try:
            images = stack.enter_context(recalibrated(model, data, normalization))
        except UserError as error:
            raise ConversionError(f"recalibration: {error}") from error
        yield images


def _convert(model, source, options, clock, changes):
    """The file of a model that nobody else uses meanwhile.

    Args:
        model: The model.
        source: Where it was read; None for a model in memory.
        options: What the file is to be.
        clock: Measures the steps.
        changes: Notes on what has become of the model already.
    """
    runtime = options.runtime
    metadata = describe(model, options.labels, options.normalization, source)
    if not options.rotation:
        model, metadata = _without_rotation(model), replace(metadata, input_orientation=InputOrientation.ROTATED_180)
    trained = model
    model, metadata = _with_ends(model, metadata, options)
    names, answers = input_names(model), output_names(model)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    kinds = zip(shapes, (tensor.dtype.name for tensor in model.inputs), strict=True)
    specs = dict(zip(names, kinds, strict=True))
    inputs = users_inputs(specs, options.verify_data, metadata.normalization)
    calibration = users_inputs(specs, options.calibration_data, metadata.normalization, purpose="calibration")

    clock.start("trace")
    graph = trace(model, options.batch)
    preflight.check_graph(graph, model)
    pass_reports = passes.simplify(graph) if options.simplify else []
    frozen = freeze(graph)
    clock.start("compile")
    compiled = lce.to_flatbuffer(frozen)
    preflight.check_operators(compiled, graph, model)
    flatbuffer, trained_weights = store_trained(compiled, model, 4 if runtime.is_engine else 8)
    clock.start("verify")
    scale = metadata.normalization and (metadata.normalization.mean, metadata.normalization.std)
    made = choose(flatbuffer, min(map(synthetic_count, shapes)), scale, index_bound(model))
    samples = [np.concatenate(pair) for pair in zip(inputs, made, strict=True)]
    verified = partial(verify, model, flatbuffer, frozen.conv_names, samples, clock.progress)
    verification = verified(runtime.interpreters)
    others = {name: verified({name: engine}) for name, engine in options.engines.items()}
    if (names, answers) != ([IMAGE], [ANSWER]):
        flatbuffer.name_interface(names, answers)
    quantization = None
    if verification.passed and options.quantizes:
        clock.start("quantize")
        # Where there are the user's inputs, they alone tell what became of the answers.
        users = next((values for values in (inputs, calibration) if len(values[0])), made)
        flatbuffer, quantization = _quantize(flatbuffer, options, calibration, users, clock.progress)

    rewritten = runtime.rewrite(flatbuffer)
    content, cost = write_metadata(flatbuffer, metadata), None
    size_notes = notes.large_floats(model, flatbuffer, len(content)) if quantization is None else []
    if not runtime.is_lce:
        lce_content, content = content, runtime.encode(rewritten, metadata)
        if verification.passed:
            cost = measure(lce_content, content, runtime.make, [values[:1] for values in samples])
        flatbuffer = rewritten
    result = ConversionResult(
        content=content,
        path=None,
        name=model.name,
        input_shape=(options.batch, *shapes[0]),
        input_orientation=metadata.input_orientation,
        operators=runtime.count(content),
        theoretical_size=count(model).bytes,
        verification=verification,
        engines=others,
        on_random_inputs_only=options.verify_data is None,
        seconds=clock.seconds,
        advice=[
            *changes,
            *notes.left_float(trained_weights),
            *advise(trained, target=runtime.name),
            *size_notes,
        ],
        passes=pass_reports,
        quantization=quantization,
        trained_weights=trained_weights,
        users_inputs=len(inputs[0]),
        source="" if source is None else source.name,
        normalization=metadata.normalization,
        named_classes=len(metadata.labels or ()),
        inputs={name: (options.batch, *shape) for name, shape in zip(names, shapes, strict=True)},
        input_type=model.inputs[0].dtype.name,
        runtime=runtime,
        cost=cost,
        has_int4=flatbuffer.has_int4,
    )
    result.inspection = inspect(model, flatbuffer, result.binary_convs, len(content))
    clock.stop()
    if errors := result.errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise VerificationError(f"model '{model.name}': {errors[0]}{more}", result)
    return result


def _with_ends(model, metadata, options):
    """The model that takes and gives what the file does, and what the file says of that."""
    if options.input_type == "uint8":
        model = camera.of_pixels(model, metadata.normalization)
    if camera.takes_pixels(model):
        pixels = Normalization.of_scale(255).of_channels(metadata.channels)
        metadata = replace(metadata, mean=pixels.mean, std=pixels.std)
    if options.softmax:
        model = camera.giving_probabilities(model)
    if camera.ends_in_softmax(model) and metadata.outputs == ("logits",):
        metadata = replace(metadata, outputs=("probabilities",))
    return model, metadata


def _quantize(float_file, options, calibration, inputs, progress):
    """The file in fewer bits, and what came of it on some inputs in the runtime that it is for."""
    if options.activations == "int8":
        file, result = quantize_activations(float_file, calibration, progress)
    else:
        file, result = quantize(float_file, options.weights)
    make = None if options.runtime.is_lce else next(iter(options.runtime.interpreters.values()))
    compare(result, float_file, file, inputs, make)
    return file, result


class _Clock:
    """Seconds of each step, the names of which it tells as they begin."""

    def __init__(self, progress):
        self.seconds = {}
        self.progress = progress
        self._step = None

    def start(self, step):
        self.stop()
        self._step, self._since = step, time.perf_counter()
        self.progress(step)

    def stop(self):
        if self._step is not None:
            self.seconds[self._step] = round(time.perf_counter() - self._since, 3)
            self._step = None


def _without_rotation(model):
    if not is_rotating(model):
        raise ConversionError(
            "it does not turn its images, so there is no rotation to leave out (only imported models have one)",
            where=f"model '{model.name}'",
        )
    return remove_rotation(model)
