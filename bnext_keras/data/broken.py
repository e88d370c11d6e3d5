"""Images that could not be read: named once, counted, and never the end of a training."""

import threading

from bnext_keras.logs import get_logger
from bnext_keras.text import printable

_log = get_logger("bnext_keras.data")


class BrokenImages:
    """Collects the names of broken images, from any thread.

    Each is logged once, as a warning, when it is first met. Give one to `training_data` to have it filled.

    Example:
        >>> broken = BrokenImages()
        >>> broken.summary()
        'no broken images'
    """

    def __init__(self):
        self._errors: dict[str, str] = {}
        self._lock = threading.Lock()

    def report(self, name: str, error: Exception | str) -> None:
        """Notes one more broken image; it does not matter how often."""
        name = printable(name)
        message = printable((str(error).splitlines() or [""])[0] or repr(error))
        with self._lock:
            if name in self._errors:
                return
            self._errors[name] = message
        _log.warning("%s: broken image, skipped (%s)", name, message)

    def __len__(self) -> int:
        """How many different ones there were so far."""
        return len(self._errors)

    @property
    def errors(self) -> dict[str, str]:
        """What was wrong, by the image's name, in the order in which they were met."""
        with self._lock:
            return dict(self._errors)

    def summary(self, most: int = 5) -> str:
        """One line: how many there were, and the names of the first ``most``."""
        names = list(self.errors)
        if not names:
            return "no broken images"
        more = f" and {len(names) - most} more" if len(names) > most else ""
        return f"{len(names)} broken image{'s' * (len(names) > 1)} skipped: {', '.join(names[:most])}{more}"
