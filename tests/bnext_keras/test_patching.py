"""What is changed for a while is afterwards as it was."""

from bnext_keras.patching import attribute

import pytest


@pytest.mark.parametrize("before", [{}, {"call": 1}])
def test_an_attribute_is_as_it_was_afterwards(before):
    class Thing:
        pass

    thing = Thing()
    vars(thing).update(before)
    with attribute(thing, "call", 2):
        assert thing.call == 2
    assert vars(thing) == before
    with pytest.raises(KeyboardInterrupt), attribute(thing, "call", 2):
        raise KeyboardInterrupt
    assert vars(thing) == before
