"""``bnext-convert``: from a trained Keras file to a verified ``.tflite``.

Nothing heavy is imported before the arguments are known to be good.
"""

import json
import os
import sys
from functools import partial

from bnext_keras.cli._tool import complain, dispatch, normalization, quiet_tensorflow, renamed, run, silenced
from bnext_keras.errors import ConversionError, VerificationError
from bnext_keras.files import check_exists, check_outputs, check_suffix, write_all
from bnext_keras.labels import read_labels

from converter.cli._arguments import TOOL, read_advise_arguments, read_arguments, suffix
from converter.quantization.precision import check_activations, check_weights, parse_weights

#: The target whose operators nothing times, one by one.
_NOT_PROFILED = "onnx"


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return dispatch({"": _main_convert, "advise": _main_advise}, argv)


def _main_convert(argv):
    arguments = read_arguments(argv)
    if arguments.advise:
        renamed(TOOL, "--advise", "bnext-convert advise MODEL")
        return run(TOOL, _advise, arguments)
    return run(TOOL, _convert, arguments)


def _main_advise(argv):
    return run(TOOL, _advise, read_advise_arguments(argv))


def _convert(arguments):
    quiet_tensorflow()
    from bnext_keras.console import SafeConsole

    console, messages = SafeConsole(), SafeConsole(stderr=True)
    try:
        return _convert_verified(arguments, console, messages)
    except VerificationError as error:
        from converter.report.terminal import print_report

        print_report(error.result, console)
        write_all(_reports(arguments, error.result))
        complain(TOOL, f"{error}; nothing has been written")
        return error.exit_code


def _convert_verified(arguments, console, messages):
    if arguments.profile and arguments.target == _NOT_PROFILED:
        raise ConversionError(
            f"--profile times operators of .tflite files, not of --target {_NOT_PROFILED}", remedy="leave it out"
        )
    if arguments.no_engine and arguments.target == "engine":
        raise ConversionError(
            "--no-engine: files of --target engine are timed in the engine alone", remedy="leave it out"
        )
    weights = parse_weights(arguments.weights)
    check_weights(weights, arguments.target)
    check_activations(
        arguments.activations,
        weights,
        is_calibrated=arguments.calibration_data is not None,
        target=arguments.target,
        engine=arguments.verify_engine,
    )
    labels, scale = read_labels(arguments.labels) if arguments.labels else None, normalization(arguments)
    read = (arguments.input, arguments.verify_data, arguments.calibration_data, arguments.recalibrate)
    for path in filter(None, read):
        check_exists(path)
    output = arguments.output or arguments.input.with_suffix(suffix(arguments.target))
    outputs = [output, arguments.json, arguments.report]
    # A .tflite file as the model is refused when it is read, with a better reason.
    if arguments.output is None and arguments.input.suffix == ".tflite":
        outputs.remove(output)
    check_outputs(filter(None, outputs), filter(None, (*read, arguments.labels)))
    if arguments.output is not None:
        check_suffix(arguments.output, suffix(arguments.target))
    with messages.status("starting TensorFlow") as status:
        with silenced():
            from converter import convert
            from converter.report.terminal import print_report
        result = convert(
            arguments.input,
            arguments.output,
            verify_data=arguments.verify_data,
            architecture=arguments.model,
            input_size=arguments.input_size,
            num_classes=arguments.num_classes,
            rotation=not arguments.no_rotation,
            simplify=not arguments.no_simplify,
            harden=arguments.harden,
            recalibrate=arguments.recalibrate,
            float32=arguments.float32,
            weights=weights,
            activations=arguments.activations,
            calibration_data=arguments.calibration_data,
            labels=labels,
            normalization=scale,
            trusted=arguments.trust,
            engines=_engines(arguments),
            target=arguments.target,
            input_type=arguments.input_type,
            softmax=arguments.softmax,
            batch=arguments.batch,
            write=False,
            progress=lambda step: status.update(f"{arguments.input.name}: {step}"),
        )
        if (arguments.profile or arguments.report) and arguments.target != _NOT_PROFILED:
            result.profile = _profile(result, not arguments.no_engine, status)
    result.path = output
    write_all({output: result.content, **_reports(arguments, result)})
    print_report(result, console)
    return 0


def _profile(result, engine, status):
    """How long each operator takes: in the engine if the file is for it, otherwise in LCE's interpreter."""
    from converter import profile, profile_engine

    def progress(step):
        status.update(f"{result.name}: {step}")

    if result.runtime.is_engine:
        return profile_engine(result.content, progress=progress)
    return profile(result.content, progress=progress, engine=engine)


def _engines(arguments):
    """What else is to be verified, as `converter.convert` takes it."""
    if not arguments.verify_engine:
        return {}
    from converter.tflite.engine import open_engine

    return {"the engine": partial(open_engine, threads=os.cpu_count() or 1)}


def _advise(arguments):
    quiet_tensorflow()
    from bnext_keras.console import SafeConsole

    check_exists(arguments.input)
    console = SafeConsole()
    with SafeConsole(stderr=True).status("starting TensorFlow"):
        with silenced():
            from converter import passes
            from converter.advice import advise
            from converter.compiler import lce, preflight
            from converter.compiler.freeze import freeze
            from converter.compiler.trace import trace
            from converter.report.terminal import print_advice
            from converter.source.binary_layers import signs_moved_into_convolutions
            from converter.source.loading import load
            from converter.source.rebuilding import taken_as_float32
        model = load(
            arguments.input,
            arguments.model,
            arguments.input_size,
            arguments.num_classes,
            trusted=arguments.trust,
        )
    model, _ = taken_as_float32(model, on_demand=False)
    found = advise(model, refusals=True)
    if found:
        print_advice(found, console)
    with signs_moved_into_convolutions(model):
        preflight.check(model)
        graph = trace(model)
        preflight.check_graph(graph, model)
        passes.simplify(graph)
        preflight.check_operators(lce.to_flatbuffer(freeze(graph)), graph, model)
    if not found:
        # Of a model that is refused this could not be said.
        print_advice(found, console)
    return 0


def _reports(arguments, result):
    reports = {}
    if arguments.json is not None:
        reports[arguments.json] = (json.dumps(result.to_dict(), indent=2) + "\n").encode()
    if arguments.report is not None:
        from converter.report.html import render_html

        reports[arguments.report] = render_html(result).encode()
    return reports


if __name__ == "__main__":
    sys.exit(main())
