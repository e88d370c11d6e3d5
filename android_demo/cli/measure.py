"""``bnext-benchmark MODEL ...``: measures models on devices and writes the results and a page about them."""

from contextlib import closing
from dataclasses import replace

from bnext_keras.cli._tool import complain, renamed, run
from bnext_keras.errors import BenchmarkError, DeviceLost

from android_demo.cli import TOOL
from android_demo.cli.arguments import open_targets, read_arguments
from android_demo.cli.clean import clean
from android_demo.results import State


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    arguments = read_arguments(argv)
    if arguments.clean and not arguments.models:
        renamed(TOOL, "--clean without a model", "bnext-benchmark clean")
        return run(TOOL, clean, arguments)
    return run(TOOL, _measure, arguments)


def _measure(arguments):
    from bnext_keras.console import SafeConsole

    from android_demo.session.labelled import read_test_data
    from android_demo.session.store import open_store
    from android_demo.tools.choice import Runner, Tools, find_model
    from android_demo.tools.downloads import RELEASE_URL, Downloads

    # Whatever can be wrong with the command is found before anything is measured.
    requests = [find_model(text, arguments.top1) for text in arguments.models]
    if strangers := arguments.top1.keys() - {request.path.name for request in requests}:
        raise BenchmarkError(f"--top1: {', '.join(sorted(strangers))} is none of the models to measure")
    if arguments.accuracy:
        requests = _with_accuracies(requests, arguments.accuracy)
    if arguments.test_file:
        data = read_test_data(arguments.test_file)
        for request in requests:
            data.fitted_to(request.path)
        arguments.procedure = replace(arguments.procedure, test_data=data)
    downloads = Downloads(arguments.cache / "tools", arguments.release_url)
    # Who says something about LCE's tool wants it.
    is_about_lce = bool(arguments.kernels) or arguments.release_url != RELEASE_URL
    runner = Runner(arguments.runner) if arguments.runner else Runner.LCE if is_about_lce else None
    own = (arguments.tool, arguments.tool_sha256 or "", arguments.rival_tool)
    tools = Tools(downloads, *own, runner=runner, plans=arguments.cache / "plans", app=arguments.app)
    messages = SafeConsole(stderr=True)
    targets = [
        (target, [model for request in requests for model in tools.models(request, target, messages.print)])
        for target in open_targets(arguments)
    ]
    with open_store(arguments.out, arguments.resume) as store:
        return _measure_all(arguments, targets, store)


def _with_accuracies(requests, file):
    """The models with what was evaluated of them, where the user has not stated an accuracy."""
    from android_demo.results.accuracies import read_accuracies, with_accuracy

    accuracies = read_accuracies(file)
    found = [
        request
        if request.record.top1_percent is not None
        else replace(request, record=with_accuracy(request.record, accuracies))
        for request in requests
    ]
    if all(request.record.top1_percent is None for request in found):
        evaluated = ", ".join(model.name for model in accuracies) or "nothing"
        raise BenchmarkError(f"--accuracy {file}: is about {evaluated}, none of the models to measure")
    return found


def _measure_all(arguments, targets, store):
    from bnext_keras.console import SafeConsole

    from android_demo.session.session import Session

    messages = SafeConsole(stderr=True)
    before = store.results

    def warn(text):
        messages.print(text, soft_wrap=True)

    with messages.status("") as status:
        session = Session(arguments.settings, arguments.procedure, store, lambda text: status.update(text), warn)
        states: set[State] = set()
        complaints: list[str] = []
        try:
            for target, models in targets:
                complaints += _measure_on(target, models, session, states, messages)
                if arguments.clean:
                    target.clean()
        except BenchmarkError as error:
            complaints.append(str(error))
        except KeyboardInterrupt:
            complaints.append("interrupted from the keyboard; --resume goes on with what is missing")
    if store.results.measurements:
        _show(store, SafeConsole())
    for complaint in complaints:
        complain(TOOL, complaint)
    if complaints and store.results is before:
        return 2
    return 1 if complaints or not states <= {State.OK, State.THROTTLED} else 0


def _measure_on(target, models, session, states, messages):
    """Measures on one device, adds to `states`, and returns what went wrong beyond single measurements."""
    from android_demo.report.table import summary

    reason = ""
    try:
        with closing(session.run(target, models)) as measurements:
            for measurement in measurements:
                reason = measurement.reason
                states.add(measurement.state)
                messages.print(f"{target.name}: {summary(measurement)}", soft_wrap=True)
    except DeviceLost as error:
        # The measurement that it interrupted has said so already.
        return [] if reason == str(error) else [str(error)]
    except BenchmarkError as error:
        return [str(error)]
    return []


def _show(store, console):
    from bnext_keras.files import write_atomically

    from android_demo.report import render
    from android_demo.report.table import print_table

    page = store.file.with_name("index.html")
    write_atomically(page, render(store.results).encode())
    print_table(store.results.measurements, console)
    earlier = f"; earlier results are in {store.kept}" if store.kept else ""
    console.print(f"{store.file} and {page} have the details{earlier}", soft_wrap=True)
