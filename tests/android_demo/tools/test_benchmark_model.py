"""The command line and the output of lce_benchmark_model, of every format that its versions have printed."""

from bnext_keras.errors import BenchmarkError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from android_demo.results import Settings
from android_demo.tools.benchmark_model import Delegate, Operator, Statistics, ToolOutput, check_flags, command, parse

RECENT = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [4]
INFO: Graph: [/data/local/tmp/model.tflite]
INFO: #threads used for CPU inference: [4]
INFO: Loaded model /data/local/tmp/model.tflite
INFO: Explicitly applied XNNPACK delegate, and the model graph will be partially executed by the delegate w/ 63 delegate kernels.
INFO: The input model file size (MB): 13.9343
INFO: Initialized session in 42.185ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=13 first=45401 curr=38772 min=38499 max=45401 avg=39580.3 std=1819 p5=38499 median=38894 p95=45401

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=50 first=38622 curr=38726 min=38268 max=39464 avg=38708.7 std=193 p5=38407 median=38705 p95=39062

INFO: Inference timings in us: Init: 42185, First inference: 45401, Warmup (avg): 39580.3, Inference (avg): 38708.7
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at your discretion.
INFO: Memory footprint delta from the start of the tool (MB): init=22.0273 overall=34.8281
INFO: Overall peak memory footprint (MB) via periodic monitoring: 41.5625
"""  # noqa: E501

OLD = """\
STARTING!
Initialized session in 38.467ms.
count=5 first=85231 curr=82011 min=82011 max=85231 avg=83235 std=1200
count=50 first=79449 curr=81350 min=77385 max=88213 avg=79760.9 std=1929

Average inference timings in us: Warmup: 83235, Init: 38467, Inference: 79760.9
"""

PROFILE = """\
INFO: Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t ModifyGraphWithDelegate\t   14.842\t   14.842\t 99.317%\t 99.317%\t  3428.000\t        1\tModifyGraphWithDelegate/0
\t         AllocateTensors\t    0.102\t    0.102\t  0.683%\t100.000%\t     0.000\t        1\tAllocateTensors/0

============================== Top by Computation Time ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t ModifyGraphWithDelegate\t   14.842\t   14.842\t 99.317%\t 99.317%\t  3428.000\t        1\tModifyGraphWithDelegate/0

Number of nodes executed: 2
============================== Summary by node type ==============================
\t             [Node type]\t  [count]\t  [avg ms]\t    [avg %]\t    [cdf %]\t  [mem KB]\t[times called]
\t ModifyGraphWithDelegate\t        1\t    14.842\t    99.317%\t    99.317%\t  3428.000\t        1
\t         AllocateTensors\t        1\t     0.102\t     0.683%\t   100.000%\t     0.000\t        1

Timings (microseconds): count=1 curr=14944
Memory (bytes): count=0
2 nodes observed



INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 CONV_2D\t    4.269\t    4.100\t 41.000%\t 41.000%\t     0.000\t        1\t[model/stem/Conv2D]:0
\t             LceQuantize\t    0.420\t    0.400\t  4.000%\t 45.000%\t     0.000\t        1\t[]:1
\t              LceBconv2d\t    5.600\t    5.500\t 55.000%\t100.000%\t     0.000\t        1\t[model/a, model/b;model/c]:2

============================== Top by Computation Time ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t              LceBconv2d\t    5.600\t    5.500\t 55.000%\t 55.000%\t     0.000\t        1\t[model/a, model/b;model/c]:2

Number of nodes executed: 3
============================== Summary by node type ==============================
\t             [Node type]\t  [count]\t  [avg ms]\t    [avg %]\t    [cdf %]\t  [mem KB]\t[times called]
\t              LceBconv2d\t        1\t     5.500\t    55.000%\t    55.000%\t     0.000\t        1
\t                 CONV_2D\t        1\t     4.100\t    41.000%\t    96.000%\t     0.000\t        1
\t             LceQuantize\t        1\t     0.400\t     4.000%\t   100.000%\t     0.000\t        1

Timings (microseconds): count=50 first=10289 curr=9997 min=9912 max=10301 avg=10000.5 std=81
Memory (bytes): count=50 curr=128366400(all same)
3 nodes observed

"""  # noqa: E501

OLD_PROFILE = """\
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t             [node type]\t  [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 CONV_2D\t    0.000\t    4.269\t    4.269\t  0.107%\t  0.107%\t     0.000\t        0\t[MobilenetV1/Conv2d_0/Relu6]
\t       DEPTHWISE_CONV_2D\t    4.270\t    2.150\t    2.151\t  0.054%\t  0.161%\t     0.000\t        0\t[MobilenetV1/Conv2d_1/Relu6]
"""  # noqa: E501


def test_everything_that_a_recent_version_prints():
    assert parse(RECENT) == ToolOutput(
        started=True,
        init_us=42185,
        first_inference_us=45401,
        warmup_avg_us=39580.3,
        inference_avg_us=38708.7,
        warmup=Statistics(
            count=13,
            first=45401,
            curr=38772,
            min=38499,
            max=45401,
            avg=39580.3,
            std=1819,
            p5=38499,
            median=38894,
            p95=45401,
        ),
        inference=Statistics(
            count=50,
            first=38622,
            curr=38726,
            min=38268,
            max=39464,
            avg=38708.7,
            std=193,
            p5=38407,
            median=38705,
            p95=39062,
        ),
        model_size_mb=13.9343,
        memory_init_mb=22.0273,
        memory_overall_mb=34.8281,
        memory_peak_mb=41.5625,
        delegates=(Delegate(name="XNNPACK", complete=False, kernels=63),),
    )


def test_everything_that_an_old_version_prints():
    assert parse(OLD) == ToolOutput(
        started=True,
        init_us=38467,
        warmup_avg_us=83235,
        inference_avg_us=79760.9,
        warmup=Statistics(count=5, first=85231, curr=82011, min=82011, max=85231, avg=83235, std=1200),
        inference=Statistics(count=50, first=79449, curr=81350, min=77385, max=88213, avg=79760.9, std=1929),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("STARTING!", {"started": True}),
        ("INFO: STARTING!", {"started": True}),
        ("Initialized session in 5.5ms.", {"init_us": 5500.0}),
        ("INFO: Initialized session in 1.2e+03ms.", {"init_us": 1_200_000.0}),
        ("INFO: The input model file size (MB): 4.56118", {"model_size_mb": 4.56118}),
        (
            "INFO: Inference timings in us: Init: 449051, First inference: 1.2834e+06, Warmup (avg): 1.13531e+06, "
            "Inference (avg): 1.23457e+06",
            {
                "init_us": 449051.0,
                "first_inference_us": 1_283_400.0,
                "warmup_avg_us": 1_135_310.0,
                "inference_avg_us": 1_234_570.0,
            },
        ),
        (
            "Average inference timings in us: Warmup: 83235, Init: 38467, Inference: 79760.9",
            {"warmup_avg_us": 83235.0, "init_us": 38467.0, "inference_avg_us": 79760.9},
        ),
        (
            "Memory footprint delta from the start of the tool (MB): init=8.23828 overall=62.3242",
            {"memory_init_mb": 8.23828, "memory_overall_mb": 62.3242},
        ),
        ("Peak memory footprint (MB): init=2.5 overall=10.25", {"memory_init_mb": 2.5, "memory_overall_mb": 10.25}),
        ("INFO: Overall peak memory footprint (MB) via periodic monitoring: 41", {"memory_peak_mb": 41.0}),
        (
            "Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.",
            {"delegates": (Delegate(name="XNNPACK", complete=True),)},
        ),
        (
            "INFO: Explicitly applied NNAPI delegate, and the model graph will be partially executed by the delegate "
            "w/ 2 delegate kernels.",
            {"delegates": (Delegate(name="NNAPI", complete=False, kernels=2),)},
        ),
        (
            "Though GPU delegate is explicitly applied, the model graph will not be executed by the delegate.",
            {"delegates": (Delegate(name="GPU", complete=False, kernels=0),)},
        ),
        (
            "WARN: Unconsumed cmdline flags: --use_bgemm=true --speed=9",
            {
                "warnings": ("Unconsumed cmdline flags: --use_bgemm=true --speed=9",),
                "unconsumed_flags": ("--use_bgemm=true", "--speed=9"),
            },
        ),
        ("Benchmarking failed.", {"failed": True}),
        ("ERROR: Benchmarking failed.", {"failed": True, "errors": ("Benchmarking failed.",)}),
        ("FATAL: no memory", {"errors": ("no memory",)}),
        ("INFO: Inference timings in us: Init: 1e999", {"init_us": None}),
        ("INFO: [./tools/benchmark_model.h:86] STARTING!", {"started": True}),
        ("Nothing that this version prints", {}),
        ("", {}),
    ],
)
def test_one_line(line, expected):
    assert parse(line + "\n") == ToolOutput(**expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count=0", Statistics(count=0)),
        ("count=1 curr=14944", Statistics(count=1, first=14944, curr=14944, min=14944, max=14944, avg=14944, std=0)),
        (
            "count=1 curr=14944 p5=14944 median=14944 p95=14944",
            Statistics(
                count=1,
                **dict.fromkeys(("first", "curr", "min", "max", "avg", "p5", "median", "p95"), 14944),
                std=0,
            ),
        ),
        (
            "count=9 curr=7(all same) p5=7 median=7 p95=7",
            Statistics(
                count=9, **dict.fromkeys(("first", "curr", "min", "max", "avg", "p5", "median", "p95"), 7), std=0
            ),
        ),
        ("count=0 p5=nan median=nan p95=nan", Statistics(count=0)),
        ("count=" + "9" * 5000, Statistics(count=0)),
        ("count=9 curr=7(all same)", Statistics(count=9, first=7, curr=7, min=7, max=7, avg=7, std=0)),
        ("count=9 curr=7 (all same)", Statistics(count=9, first=7, curr=7, min=7, max=7, avg=7, std=0)),
        (
            "count=2 first=1.23457e+06 curr=1e6 min=1e6 max=1.23457e+06 avg=1.11728e+06 std=117285",
            Statistics(count=2, first=1_234_570, curr=1e6, min=1e6, max=1_234_570, avg=1_117_280, std=117_285),
        ),
        ("count=2 first=3 curr=1 min=1 max=3 avg=nan std=-nan", Statistics(count=2, first=3, curr=1, min=1, max=3)),
    ],
)
def test_statistics_of_the_warm_up(text, expected):
    output = parse(f"INFO: {text}\n")
    assert output.warmup == expected
    assert output.inference is None


def test_a_profile_names_operators_in_run_order_and_sums_them_up():
    output = parse(RECENT + PROFILE)
    assert [entry.type for entry in output.init_profile.operators] == ["ModifyGraphWithDelegate", "AllocateTensors"]
    assert output.init_profile.timings_us.avg == 14944

    profile = output.profile
    assert profile.operators == (
        operator("CONV_2D", "[model/stem/Conv2D]:0", 4.269, 4.1, 41, 41),
        operator("LceQuantize", "[]:1", 0.42, 0.4, 4, 45),
        operator("LceBconv2d", "[model/a, model/b;model/c]:2", 5.6, 5.5, 55, 100),
    )
    assert [(row.type, row.count, row.avg_ms, row.percent) for row in profile.summary] == [
        ("LceBconv2d", 1, 5.5, 55.0),
        ("CONV_2D", 1, 4.1, 41.0),
        ("LceQuantize", 1, 0.4, 4.0),
    ]
    assert profile.nodes_executed == 3
    assert profile.timings_us == Statistics(count=50, first=10289, curr=9997, min=9912, max=10301, avg=10000.5, std=81)
    assert profile.memory_bytes.avg == 128_366_400


def operator(type_, name, first, average, percent, cdf):
    return Operator(
        type=type_,
        name=name,
        first_ms=first,
        avg_ms=average,
        percent=percent,
        cdf_percent=cdf,
        memory_kb=0.0,
        times_called=1,
    )


def test_columns_go_by_the_header_row():
    first, second = parse(OLD_PROFILE).profile.operators
    assert (first.type, first.start_ms, first.avg_ms, first.times_called) == ("CONV_2D", 0.0, 4.269, 0)
    assert (second.start_ms, second.first_ms, second.avg_ms, second.percent) == (4.27, 2.15, 2.151, 0.054)
    assert second.name == "[MobilenetV1/Conv2d_1/Relu6]"

    shuffled = "== Run Order ==\n\t[Name]\t[p95]\t[avg ms]\t[node type]\n\ta:0\t9.0\t1.5\tADD\n"
    assert parse(shuffled).profile.operators == (Operator(type="ADD", name="a:0", avg_ms=1.5),)


def test_rows_with_too_few_cells_are_left_out():
    text = "== Run Order ==\n\t[node type]\t[avg ms]\t[Name]\n\tADD\t1.5\n\tMUL\tslow\ta:0\n\tPAD\t2.5\tb:1\n"
    assert parse(text).profile.operators == (Operator(type="PAD", name="b:1", avg_ms=2.5),)


def test_tables_pasted_without_tabs_are_read_too():
    pasted = OLD_PROFILE.replace("\t", "   ")
    assert parse(pasted).profile.operators == parse(OLD_PROFILE).profile.operators


def test_types_with_spaces_are_those_of_xnnpack():
    text = (
        "== Run Order ==\n\t[node type]\t[avg ms]\t[Name]\n"
        "\tConvolution (NHWC, F32) IGEMM\t0.278\tDelegate/Convolution (NHWC, F32) IGEMM:0\n"
    )
    (found,) = parse(text).profile.operators
    assert found.type == "Convolution (NHWC, F32) IGEMM"


def test_tables_of_other_subgraphs_are_left_out():
    again = PROFILE[PROFILE.index("====") :].replace("ModifyGraph", "Other").replace("CONV_2D", "ELSE")
    assert parse(PROFILE + "Subgraph (index: 1):\n" + again) == parse(PROFILE)


@pytest.mark.parametrize("ending", ["\r\n", "\r\r\n"])
def test_line_ends_of_old_adb_shells(ending):
    text = RECENT + PROFILE
    assert parse(text.replace("\n", ending)) == parse(text)


def test_standard_error_in_the_middle_of_a_line():
    """Standard output arrives in blocks that end anywhere, standard error at once."""
    text = RECENT + PROFILE
    for place in (text.index("count=50") + 12, text.index("LceBconv2d") + 3, text.index("Init: 42185") + 8):
        mixed = (
            text[:place]
            + "ERROR: Didn't find op\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
            + text[place:]
        )
        found = parse(mixed)
        assert found.errors == ("Didn't find op",)
        assert found.inference == parse(text).inference
        assert found.init_us == 42185
        assert found.profile == parse(text).profile


def test_errors_of_a_separate_standard_error():
    output = parse("INFO: STARTING!\n", "ERROR: Failed to load model /x.tflite\nERROR: Benchmarking failed.")
    assert output.started
    assert output.failed
    assert not output.complete
    assert output.errors == ("Failed to load model /x.tflite", "Benchmarking failed.")


def test_a_number_that_was_cut_off_is_not_taken_for_a_whole_one():
    whole = "count=9 first=2000 curr=1500 min=1500 max=2000 avg=1520.5 std=250\n"
    for length in range(1, len(whole)):
        assert parse(whole[:length]).warmup is None
    assert parse(whole).warmup.std == 250


def test_a_profile_that_was_cut_off_keeps_its_whole_rows():
    text = PROFILE[: PROFILE.index("\t              LceBconv2d") + 60]
    assert [entry.type for entry in parse(text).profile.operators] == ["CONV_2D", "LceQuantize"]


def test_complete_means_measured_to_the_end():
    assert parse(RECENT).complete
    assert parse(OLD).complete
    assert not parse(RECENT[: RECENT.index("Inference timings")]).complete
    assert not parse(RECENT + "Benchmarking failed.\n").complete
    assert not parse("").complete


FULL = RECENT + PROFILE + OLD


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(FULL)))
def test_any_prefix_is_read(length):
    output = parse(FULL[:length])
    assert length < len(FULL) or output.complete


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(FULL.splitlines())), st.sampled_from(["\n", "\r\n"]))
def test_any_lines_in_any_order_are_read(lines, ending):
    output = parse(ending.join(lines) + ending)
    assert output.started == any("STARTING!" in line for line in lines)


@settings(max_examples=100, deadline=None)
@given(
    st.text() | st.lists(st.sampled_from([*FULL.split(), "\t", "\n", "count=", "9e9999", "[node type]"])).map("".join)
)
def test_garbage_is_read(text):
    assert isinstance(parse(text, text), ToolOutput)


def test_the_default_command_line():
    assert command("/tmp/tool", "/tmp/model.tflite", Settings(threads=1)) == [
        "/tmp/tool",
        "--graph=/tmp/model.tflite",
        "--num_threads=1",
        "--num_runs=50",
        "--warmup_runs=1",
    ]


def test_a_command_line_with_everything():
    settings = Settings(threads=4, runs=20, warmup_runs=0, flags=("--use_xnnpack=false", "--run_delay=0.1"))
    assert command("tool", "my model.tflite", settings, profiling=True) == [
        "tool",
        "--graph=my model.tflite",
        "--num_threads=4",
        "--num_runs=20",
        "--warmup_runs=0",
        "--enable_op_profiling=true",
        "--use_xnnpack=false",
        "--run_delay=0.1",
    ]


@pytest.mark.parametrize(
    "flag",
    [
        "--profiling_output_csv_file=/tmp/profile.csv",
        "--op_profiling_output_mode=csv",
        "--op_profiling_output_file=/tmp/profile",
        "--use_indirect_bgemm=false",
        "--label=caf\udce9",
    ],
)
def test_flags_that_results_could_not_be_trusted_with_are_refused(flag):
    with pytest.raises(BenchmarkError, match=r"cannot be used here|is no UTF-8"):
        check_flags(["--use_xnnpack=false", flag])


def test_other_flags_are_not_refused():
    check_flags(["--use_xnnpack=false", "--profiling_output_csv_file=", "--op_profiling_output_mode=stdout"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "num_threads is 0, but must be at least 1"),
        ({"runs": 0}, "num_runs is 0, but must be at least 1"),
        ({"warmup_runs": -1}, "warmup_runs is -1, but must be at least 0"),
    ],
)
def test_bad_command_lines_are_refused(options, message):
    with pytest.raises(BenchmarkError, match=message):
        command("tool", "model.tflite", Settings(**{"threads": 1, **options}))
