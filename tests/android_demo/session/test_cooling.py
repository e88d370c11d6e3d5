"""Cooling down to a temperature."""

import pytest

from android_demo.session import cooling
from android_demo.session.cooling import wait_until_cool
from android_demo.targets.facts import Sample


@pytest.fixture
def look(monkeypatch):
    """A device whose temperatures are those of a list; the last one stays. Each look takes ten seconds."""
    clock = [0.0]
    monkeypatch.setattr(cooling.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(cooling.time, "sleep", lambda seconds: None)

    def of(*celsius):
        left = list(celsius)

        def sample():
            clock[0] += 10
            value = left.pop(0) if len(left) > 1 else left[0]
            return Sample({} if value is None else {"cpu": value, "charger": 80.0}, {}, {}, None)

        return sample

    return of


def test_it_waits_until_the_device_is_cool(look):
    told = []
    assert wait_until_cool(35, look(45.0, 40.0, 34.9), told.append) == ""
    assert told == ["cooling down, cpu has 45.0 C", "cooling down, cpu has 40.0 C"]


def test_a_cool_device_need_not_wait(look):
    told = []
    assert wait_until_cool(35, look(35.0), told.append) == ""
    assert told == []


def test_it_gives_up_where_it_gets_no_cooler(look):
    why = wait_until_cool(20, look(30.0, 28.0, 27.8), lambda text: None)
    assert why == "cpu stayed at 27.8 C for 130 s, above the 20 C to cool down to"


def test_it_gives_up_after_a_quarter_of_an_hour(look):
    assert "above the 20 C" in wait_until_cool(20, look(*(149.0 - minute for minute in range(100))), lambda text: None)


def test_a_device_without_temperatures_is_told_of(look):
    assert wait_until_cool(35, look(None), lambda text: None) == "it tells no temperature"
