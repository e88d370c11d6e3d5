"""The engine in an app on a phone: from the command to the results, with stand-ins for Android's programs."""

import pytest

from android_demo.cli import main
from android_demo.results import load

pytest_plugins = ["device_fixtures"]

#: Android's programs: packages are folders here, and the activity is what its package's app does, see smali/ there.
_PROGRAMS = {
    "pm": """#!/bin/bash
echo "pm $*" >> "$PHONE/said"
case "$1" in
  install) [ -e "$PHONE/refuses" ] && { echo "Failure [$(cat "$PHONE/refuses")]"; exit 1; }
    id="$(basename "$3" .apk)"; id="${id#*-}"
    mkdir -p "$PHONE/apps/$id" && cd "$PHONE/apps/$id" && python3 -m zipfile -e "$3" . && echo Success ;;
  uninstall) rm -r "$PHONE/apps/$2" && echo Success ;;
esac
""",
    "am": """#!/bin/bash
echo "am $*" >> "$PHONE/said"
[ -e "$PHONE/crashes" ] && { echo "Error: Activity not started"; exit 0; }
cd "$PHONE/apps/${4%/*}" && chmod +x lib/arm64-v8a/libbnext_runner.so
{ qemu-aarch64-static lib/arm64-v8a/libbnext_runner.so --graph=assets/plan --num_threads="$7" --min_secs=0
  echo "INFO: Status: $?"; echo END; } > "$PHONE/log" 2>&1 &
echo "Status: ok"
""",
    "logcat": """#!/bin/bash
case "$*" in
  *"-m 1"*) until grep -q '^END$' "$PHONE/log" 2>/dev/null; do sleep 0.05; done ;;
  *) cat "$PHONE/log" ;;
esac
""",
}


@pytest.fixture
def app_phone(need, phone):
    for program in ("apksigner", "aapt"):
        need(program, program)
    for name, text in _PROGRAMS.items():
        phone.write(f"/bin/{name}", text).chmod(0o755)
    return phone


@pytest.fixture
def benchmark(tmp_path, capfd):
    def run(*arguments):
        common = ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--cool-down", 0, "--repetitions", 2]
        status = main([str(argument) for argument in (*arguments, *common)])
        return status, load(tmp_path / "out" / "results.json").measurements, capfd.readouterr().out

    return run


@pytest.mark.exhaustive
def test_an_app_is_installed_started_read_and_removed(app_phone, benchmark, binary_model):
    status, (measurement,), printed = benchmark(binary_model, "--app", "--threads", 2)
    assert status == 0, printed
    assert measurement.tool.kind == "bnext_engine_app"
    assert measurement.settings.pinned_mask == ""
    assert measurement.latency.count == 2 * 50
    assert measurement.kernels == "neon"
    assert "engine in an app, 2 threads" in " ".join(printed.split())
    said = (app_phone.root / "said").read_text().splitlines()
    id = said[-1].removeprefix("pm uninstall ")
    assert id.startswith("bnext.measured.m")
    start = f"am start -W -n {id}/bnext.app.Main --ei threads 2 --ei seconds 1"
    assert [line for line in said if not line.startswith("pm install")] == [start, f"pm uninstall {id}"] * 2
    assert list((app_phone.root / "apps").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("refuses", "Android does not take the app (Failure [INSTALL_FAILED_USER_RESTRICTED])"),
        ("crashes", "Android does not start the app (Error: Activity not started)"),
    ],
)
def test_what_android_refuses_is_told(app_phone, benchmark, binary_model, fault, message):
    app_phone.write(f"/{fault}", "INSTALL_FAILED_USER_RESTRICTED")
    status, (measurement,), _ = benchmark(binary_model, "--app")
    assert status == 1
    assert message in measurement.reason
    assert not any((app_phone.root / "apps").glob("*"))


def test_apps_are_for_phones(binary_model, capfd, tmp_path):
    assert main([str(binary_model), "--app", "--device", "host", "--out", str(tmp_path)]) == 2
    assert "host: runs no apps; --app is for phones, --device adb" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        main([str(binary_model), "--app", "--runs", "7"])
    assert "--app: --runs is not for apps; leave it out" in capfd.readouterr().err
