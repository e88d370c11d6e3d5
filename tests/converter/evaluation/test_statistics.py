"""McNemar's test and Wilson's interval against SciPy's, and which class is which."""

from bnext_keras.errors import PredictionError
from bnext_keras.labels import imagenet_labels

import pytest

from converter.evaluation.classes import match
from converter.evaluation.statistics import mcnemar, wilson


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        # scipy.stats.binomtest(min, sum).pvalue
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 0.0625),
        (0, 6, 0.03125),
        (3, 12, 0.03515625),
        (25, 11, 0.028816719655878842),
        # scipy.stats.chi2.sf(222**2 / 1341, 1)
        (559, 782, 1.3417509e-09),
    ],
)
def test_mcnemar(only_first, only_second, p):
    test = mcnemar(only_first, only_second)
    assert test.p == pytest.approx(p, rel=1e-4)
    assert test.is_exact is (only_first + only_second <= 1000)
    assert mcnemar(only_second, only_first).p == test.p


def test_both_forms_of_the_test_agree_where_they_meet():
    assert mcnemar(470, 530).p == pytest.approx(mcnemar(470, 531).p, rel=0.1)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (81, 263, 0.25526, 0.36617), (1, 1, 0.20655, 1.0)],
)
def test_wilsons_interval(right, count, low, high):
    assert wilson(right, count) == pytest.approx((low, high), abs=5e-5)


def test_classes_are_found_by_name_where_both_have_names():
    assert match(3, ["a", "b", "c"], 3, ["c", "a", "b"]).outputs.tolist() == [2, 0, 1]
    some = match(1000, imagenet_labels(), 2, ["n02510455", "n01440764"])
    assert some.outputs.tolist() == [388, 0]
    assert some.assumed == ""


def test_classes_are_found_by_number_where_one_has_no_names():
    assert match(5, ["a", "b", "c", "d", "e"], 3, None).outputs.tolist() == [0, 1, 2]
    unnamed = match(2, None, 2, ["cat", "dog"])
    assert (unnamed.outputs.tolist(), unnamed.names) == ([0, 1], ("cat", "dog"))
    assert "does not name its classes" in unnamed.assumed


def test_other_names_for_as_many_classes_are_told():
    other = match(2, ["Katze", "Hund"], 2, ["cat", "dog"])
    assert (other.outputs.tolist(), other.names) == ([0, 1], ("Katze", "Hund"))
    assert other.assumed == (
        "the model's classes (Katze, Hund) are called otherwise than the data's (cat, dog); they are taken for the "
        "same, in order"
    )


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ((2, None), (3, None), "has 2 classes, the data 3"),
        ((2, None), (3, ["a", "b", "c"]), "has 2 classes that it does not name, the data 3; name the model's with"),
        ((2, ["a", "b"]), (2, ["a", "c"]), "has no classes c, which the data have; its own are a, b"),
        ((3, ["a", "b", "c"]), (2, ["x", "y"]), "has no classes x, y, which the data have"),
        ((3, ["a", "a", "b"]), (2, ["b", "a"]), "has several classes that are called a"),
    ],
)
def test_classes_that_nobody_can_tell_are_refused(model, data, message):
    with pytest.raises(PredictionError, match=message):
        match(*model, *data)
