"""Pictures of several runs: the same file for the same numbers, whatever their lengths."""

from bnext_keras.analysis.figures import draw_accuracies

SOFT = {"epoch": 0, "accuracy": 0.25, "val_accuracy": 0.1, "weight_temperature": 1.0}
BINARY = {"epoch": 1, "accuracy": 0.5, "val_accuracy": 0.5, "weight_temperature": 0.0}


def test_runs_are_drawn_beside_each_other_with_their_names_as_text():
    runs = {"BNext": [SOFT, BINARY], "float & twin": [{"epoch": 0, "accuracy": 0.75, "val_accuracy": 0.75}]}
    picture = draw_accuracies(runs, format="svg")
    for text in ("BNext", "float &amp; twin", "accuracy, validation", "epoch"):
        assert f">{text}</text>" in picture.decode()
    assert picture == draw_accuracies(runs, format="svg")


def test_there_may_be_more_runs_than_colours():
    assert draw_accuracies({str(number): [BINARY] for number in range(8)}).startswith(b"\x89PNG")
