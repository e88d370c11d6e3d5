"""The estimate of an inference's energy: figures worked out by hand, and ``bnext-models energy``."""

import json

from bnext_keras.cards import CARDS, find
from bnext_keras.cli import models as models_cli
from bnext_keras.energy import TECHNOLOGIES, estimate, of_card

import pytest


def energy(*arguments):
    return models_cli.main(["energy", *arguments])


@pytest.mark.parametrize(
    ("width", "picojoules"),
    [("32", 3.7 + 0.9), ("8", 0.2 + 0.1), ("4", (0.2 + 0.1) / 4), ("1", (0.2 + 0.1) / 64)],
)
def test_an_operation_costs_what_its_width_does(width, picojoules):
    assert estimate({width: 10**9}, {}).operations == pytest.approx(picojoules)


@pytest.mark.parametrize(
    ("technology", "memory", "picojoules"),
    [("45nm", "dram", 162.5), ("45nm", "sram", 12.5), ("7nm", "dram", 162.5), ("7nm", "sram", 1.75)],
)
def test_each_parameter_is_read_once(technology, memory, picojoules):
    found = estimate({}, {"1": 8 * 10**9, "32": 10**9}, technology, memory)
    assert found.memory == pytest.approx((1 + 4) * picojoules)


def test_a_card_is_estimated_at_its_papers_bits():
    """QuickNet: 1.85 G binary multiply-accumulates and 29.7 M of floats; 4.17 MiB of parameters."""
    card = find("QuickNet")
    found = of_card(card)
    assert found.operations == pytest.approx((card.binary_macs * 0.3 / 64 + card.other_macs * 4.6) / 1e9)
    assert found.memory == pytest.approx(card.mebibytes * 2**20 * 162.5 / 1e9, rel=2e-3)
    assert of_card(card, in_floats=True).operations == pytest.approx((card.binary_macs + card.other_macs) * 4.6 / 1e9)


def test_figures_that_were_not_read_in_their_source_say_so(capsys):
    assert not any(technology.checked for technology in TECHNOLOGIES.values())
    assert energy("QuickNet") == 0
    text = capsys.readouterr().out
    assert "Estimates, not measurements. Horowitz" in text
    assert "(as others cite it)" in text
    assert text.splitlines()[1].split()[0] == "QuickNet"


def test_json_names_technology_and_source(capsys):
    assert energy("quicknet", "BNextTiny", "--technology", "7nm", "--memory", "sram", "--json") == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in entries] == ["QuickNet", "BNextTiny"]
    assert entries[0]["is_estimate"] is True
    assert (entries[0]["technology"], entries[0]["memory"]) == ("7nm", "sram")
    assert entries[0]["source"].startswith("Jouppi et al.")


def test_bad_input(capsys):
    assert energy("BNextHuge") == 2
    assert capsys.readouterr().err == "bnext-models: BNextHuge: no such network; bnext-models lists them\n"
    with pytest.raises(SystemExit, match="2"):
        energy("--technology", "3nm")


def test_a_cards_widths_add_up_to_its_counts():
    for card in CARDS:
        assert sum(card.parameters_by_width.values()) == card.parameters
        assert (card.parameters_by_width["1"], card.macs_by_width["1"]) == (card.binary_parameters, card.binary_macs)
        assert sum(card.macs_by_width.values()) == card.binary_macs + card.other_macs
        per_operation = {"1": 64, "4": 16, "8": 8, "32": 1}
        assert sum(n / per_operation[width] for width, n in card.macs_by_width.items()) == pytest.approx(card.ops)
