"""Random graphs: whatever operators stand beside each other, the engine answers as LCE's reference kernels do."""

import numpy as np
import pytest
from engines import KERNELS, engine_or_skip
from hypothesis import HealthCheck, given, settings
from random_graphs import graphs

from android_demo.runner import compile_plan
from converter.tflite.interpreter import lite_interpreter


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs())
def test_answers_are_those_of_lces_reference_kernels(kernels, graph):
    expected = lite_interpreter(graph.content, use_reference_bconv=True).predict([graph.image])
    expected = expected if isinstance(expected, list) else [expected]
    plan = compile_plan(graph.content)
    answers = engine_or_skip(plan, kernels=kernels).run([graph.image])
    for answer, right, exact in zip(answers, expected, graph.exact, strict=True):
        assert answer.dtype == right.dtype
        right = right.reshape(answer.shape)
        if exact:
            np.testing.assert_array_equal(answer, right)
        else:
            np.testing.assert_allclose(answer, right, rtol=1e-5, atol=1e-5 * max(1e-30, np.abs(right).max()))
    for threads in (2, 3):
        engine = engine_or_skip(plan, kernels=kernels, num_threads=threads)
        for _ in range(2):
            for answer, again in zip(answers, engine.run([graph.image]), strict=True):
                np.testing.assert_array_equal(answer, again)
