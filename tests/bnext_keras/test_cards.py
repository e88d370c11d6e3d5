"""The cards against the models that they describe, and ``bnext-models`` as a user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from bnext_keras import models, zoo
from bnext_keras.cards import CARDS, PUBLISHED, find
from bnext_keras.cards import recount as recounting
from bnext_keras.cards.card import COUNTS, COUNTS_FILE
from bnext_keras.cli import models as models_cli

import pytest
from zero_weights import fill_with_zeros

NAMES = [card.name for card in CARDS]

#: The comparison networks' first figures.
ZOO = {
    "BinaryAlexNet": (36.3, 61.53),
    "XNORNet": (44.96, 69.18),
    "XNORResNet18": (51.2, 73.2),
    "DoReFaNet": (53.39, 76.5),
    "WRPNResNet34-1x": (60.54, None),
    "WRPNResNet34-2x": (69.85, None),
    "WRPNResNet34-3x": (72.38, None),
    "ABCResNet18": (65.0, 85.9),
    "ABCResNet34": (68.4, 88.2),
    "BiRealNet": (57.47, 79.84),
    "BiRealNet18": (56.4, 79.5),
    "BiRealNet34": (62.2, 83.9),
    "BiRealNet50": (62.6, 83.9),
    "BiRealNet152": (64.5, 85.5),
    "GroupNet18": (64.8, 85.7),
    "BinaryDenseNet28": (60.91, 82.83),
    "BinaryDenseNet37": (62.89, 84.19),
    "BinaryDenseNet37Dilated": (64.34, 85.15),
    "BinaryDenseNet45": (64.59, 85.21),
    "BinaryResNetE18": (58.32, 80.79),
    "RealToBinaryNet": (65.01, 85.72),
    "ReActNetA": (69.5, None),
    "ReActNetB": (70.1, None),
    "ReActNetC": (71.4, None),
    "ReActResNet18": (65.9, None),
    "QuickNetSmall": (59.4, 81.8),
    "QuickNet": (63.3, 84.6),
    "QuickNetLarge": (66.9, 87.0),
    "BaseNet-1": (48.9, None),
    "BaseNet-4": (55.1, None),
    "BoolNet": (57.6, None),
    "BoolNetStar": (59.6, None),
    "PokeBNN-0.5x": (65.2, None),
    "PokeBNN-0.75x": (70.5, None),
    "PokeBNN-1x": (73.4, None),
    "PokeBNN-1.4x": (75.6, None),
    "PokeBNN-2x": (77.2, None),
}


@pytest.fixture
def zero_weights(monkeypatch):
    fill_with_zeros(monkeypatch)


def test_every_entry_has_been_counted():
    recount = "run python -m bnext_keras.cards.recount"
    assert list(COUNTS) == [published.name for published in PUBLISHED] == NAMES, recount


@pytest.mark.usefixtures("zero_weights")
def test_recounting_changes_nothing(monkeypatch, tmp_path):
    """Of two, one with and one without published figures; what it writes is what is stored, to the byte."""
    entries = [published for published in PUBLISHED if published.name in ("BNext18", "MeliusNet23")]
    monkeypatch.setattr(recounting, "PUBLISHED", entries)
    monkeypatch.setattr(recounting, "COUNTS_FILE", tmp_path / "counts.json")
    recounting.main()
    written = (tmp_path / "counts.json").read_text()
    assert json.loads(written) == {published.name: COUNTS[published.name] for published in entries}
    assert all(line in COUNTS_FILE.read_text().splitlines() for line in written.splitlines()[1:-3])


@pytest.mark.parametrize("card", [card for card in CARDS if card.published_ops], ids=lambda card: card.name)
def test_counts_are_near_the_published_ones(card):
    """MeliusNet's tables are within 1%; the sizes of BNext are of fewer bits, hence smaller."""
    assert card.ops == pytest.approx(card.published_ops, rel=0.01)
    if card.published_mebibytes is None:
        assert card.network in zoo.__all__  # whose papers often give operations alone
    elif card.bits == "32/32/32":
        assert card.mebibytes == pytest.approx(card.published_mebibytes, rel=0.01)
    else:
        assert card.published_mebibytes < card.mebibytes


def test_there_is_a_card_for_every_variant():
    """Of the two papers; tests/bnext_keras/zoo/test_zoo.py sees to the others."""
    variants = [name for name in models.__all__ if re.fullmatch(r"BNext\w+|MeliusNet(\d+|[A-C])", name)]
    assert sorted(variants) == sorted(card.name for card in CARDS if card.network in models.__all__)


def test_published_accuracies():
    """Every figure of the papers' tables, None where there is none."""
    first = {card.name: (card.accuracies[0].top1, card.accuracies[0].top5) for card in CARDS if card.accuracies}
    assert first == {
        "BNextTiny": (72.4, None),
        "BNextSmall": (76.1, None),
        "BNextMiddle": (78.3, None),
        "BNextLarge": (80.57, None),
        "BNext18": (68.4, None),
        "MeliusNet22": (63.6, 84.7),
        "MeliusNet29": (65.8, 86.2),
        "MeliusNet42": (69.2, 88.3),
        "MeliusNet59": (70.7, 89.2),
        "MeliusNetA": (63.4, 84.2),
        "MeliusNetB": (65.7, 85.9),
        "MeliusNetC": (64.1, 85.0),
        **ZOO,
    }
    assert all(accuracy.by for card in CARDS for accuracy in card.accuracies)


def test_which_accuracies_were_not_checked():
    """None of Larq Zoo's, nor of the authors' repositories."""
    unchecked = {card.name for card in CARDS if any(not accuracy.checked for accuracy in card.accuracies)}
    assert unchecked == {
        *("ABCResNet18", "ABCResNet34", "BiRealNet152", "BinaryDenseNet37Dilated", "GroupNet18", "PokeBNN-2x"),
        *("ReActNetB", "ReActNetC", "WRPNResNet34-1x", "WRPNResNet34-2x", "WRPNResNet34-3x", "XNORNet", "XNORResNet18"),
    }
    assert all(accuracy.by == "the paper" for card in CARDS for accuracy in card.accuracies if not accuracy.checked)


def test_the_list_names_every_variant(capsys):
    assert models_cli.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : len(CARDS) + 1]] == NAMES
    assert lines[1].split()[:3] == ["BNextTiny", "72.4", "hpi-xnor/BNext"]
    assert "MeliusNet22: also 62.4 / 83.9% by Larq Zoo." in lines


def test_nothing_published_is_nothing_shown(capsys):
    models_cli.main(["--markdown"])
    line = next(line for line in capsys.readouterr().out.splitlines() if "MeliusNet23" in line)
    assert line.startswith("| MeliusNet23 |  |  |  | 8.19 M | 90.9% | 3.72 |  | 0.114 G |")


def test_json_holds_everything(capsys):
    assert models_cli.main(["--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == NAMES
    assert cards[0]["parameters"] == 30_853_276
    assert cards[0]["binary_share"] == 0.9157
    assert cards[0]["accuracies"] == [{"top1": 72.4, "top5": None, "by": "hpi-xnor/BNext", "checked": True}]
    assert (cards[0]["network"], cards[0]["options"]) == ("BNextTiny", {})
    assert cards[NAMES.index("MeliusNet23")]["published_ops"] is None


def test_show_prints_the_layers(capsys):
    assert models_cli.main(["show", "bnext18"]) == 0
    text = capsys.readouterr().out
    assert "stage0_block0_3x3a_conv" in text
    assert "12,062,728" in text
    assert "68.4% by hpi-xnor/BNext" in text


def test_an_unknown_variant(capsys):
    assert models_cli.main(["show", "BNextHuge"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("bnext-models: BNextHuge: no such variant; there are BNextTiny,")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--json", "--markdown"], ["--json", "show", "BNext18"], ["show"], ["list"]])
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        models_cli.main(arguments)
    assert error.value.code == 2
    assert "usage: bnext-models" in capsys.readouterr().err


def test_a_variant_without_its_subcommand(capsys):
    with pytest.raises(SystemExit, match="2"):
        models_cli.main(["BNextTiny"])
    assert "BNextTiny is no subcommand; bnext-models show BNextTiny shows a variant" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--markdown"], ["--help"], ["show", "nothing"]])
def test_listing_needs_no_tensorflow(arguments):
    program = (
        "import sys, bnext_keras.cli.models\n"
        "try:\n"
        f"    bnext_keras.cli.models.main({arguments})\n"
        "finally:\n"
        "    assert not {'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, "Assertion" in result.stderr) == (0, False)


def test_the_table_in_the_results_is_the_tools():
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- models -->\n(.*)\n<!-- /models -->", page, re.DOTALL).group(1)
    assert block.strip() == models_cli.as_markdown(CARDS), "run bnext-models --markdown and paste its output"


def test_cards_are_found_in_upper_and_lower_case():
    assert find("meliusneta") is find("MeliusNetA")
    assert find("MeliusNet") is None
