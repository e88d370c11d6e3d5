"""Parameters of tests that look at many things alike."""

import pytest


def with_more(first, more):
    """The first in every run, the others where there is time for them: ``make test-exhaustive``.

    A tuple is one value for each of several parameters.
    """
    values = [value if isinstance(value, tuple) else (value,) for value in more]
    return [*first, *[pytest.param(*value, marks=pytest.mark.exhaustive) for value in values]]
