"""The walk through a network's configuration, before anything in it is built."""

import json
import re
from typing import Any

from bnext_keras.errors import UntrustedFileError
from bnext_keras.model_files import known

import tensorflow as tf

#: Bytes of JSON; BNextLarge's has 0.4 MB.
MAX_JSON = 32 * 2**20

#: Settings whose text Keras or Larq looks up as the name of a function.
_NAMES_FUNCTION = re.compile(r"(.*_)?(activation|initializer|regularizer|constraint|quantizer)")
_CONSTANT = "_CONSTANT_VALUE"  # stands in an inbound node where a layer's name would


def parse(text: str | bytes) -> Any:
    """JSON as plain values.

    Raises:
        UntrustedFileError: if it is too large, nested too deep, or no JSON.
    """
    if len(text) > MAX_JSON:
        raise UntrustedFileError(f"its configuration has {len(text):,} bytes, more than a network's")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UntrustedFileError("its configuration is nested too deep") from error
    except ValueError as error:  # bytes that are no text as well
        raise UntrustedFileError(f"its configuration is no JSON ({error})") from error


def check(config: Any) -> None:
    """Sees that a configuration names nothing but what is known to be harmless; builds and imports nothing.

    Args:
        config: Of a model, a layer or anything else that Keras serializes, as JSON holds it.

    Raises:
        UntrustedFileError: with the place in the configuration, what is named there, and why it is refused.

    Example:
        >>> check({"class_name": "Dense", "config": {"name": "head", "units": 10, "activation": "softmax"}})
        >>> check({"class_name": "function", "module": "os", "config": "system", "registered_name": "function"})
        ... # doctest: +ELLIPSIS
        Traceback (most recent call last):
        bnext_keras.errors.UntrustedFileError: function 'system' of module 'os' is unknown to Keras, ...
    """
    try:
        _walk(config, "")
    except RecursionError as error:
        raise UntrustedFileError("its configuration is nested too deep") from error


def without_compilation(config: Any) -> Any:
    """A copy that says nothing of losses, metrics and optimizers, its nested models' either: inference needs none."""
    if isinstance(config, dict):
        return {key: None if key == "compile_config" else without_compilation(value) for key, value in config.items()}
    return [without_compilation(value) for value in config] if isinstance(config, list) else config


def _walk(value, where):
    if isinstance(value, list):
        for item in value:
            _walk(item, where)
    if not isinstance(value, dict):
        return
    if "class_name" in value:
        where = f"{where}/{_name(value)}" if where else _name(value)
        _check_entry(value, where)
    for key, item in value.items():
        if isinstance(item, str) and _NAMES_FUNCTION.fullmatch(key) and not _is_function(item):
            raise _unknown(where, f"{key} {item[:80]!r}")
        _walk(item, where)


def _check_entry(entry, where):
    """Follows what Keras does with such a dictionary: in files with modules (``.keras``) and in older ones."""
    name, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if not isinstance(name, str) or not isinstance(registered, str | None) or not isinstance(module, str | None):
        raise _refused(where, "is named by something that is no text")
    if name in known.VALUES:
        return
    if name == "TypeSpec" and entry.get("type_spec") == "tf.TensorSpec":
        return
    if name == "function":
        _check_function(entry.get("config"), module, registered, where)
        return
    if _is_registered(entry.get("registered_name", name) if "module" in entry else name):
        return  # Keras asks its registry first
    if name in known.REFUSED_LAYERS:
        raise _refused(where, f"is a layer {name}, which {known.REFUSED_LAYERS[name]}")
    if "module" in entry and not known.finds(module, name):
        raise _unknown(where, f"class {name[:80]!r} of module {module!r:.80}")
    if name not in known.classes() and name not in known.functions():
        raise _unknown(where, f"class {name[:80]!r}")
    if name in ("TFOpLambda", "SlicingOpLambda"):
        operation = entry["config"].get("function") if isinstance(entry.get("config"), dict) else None
        if not known.is_operation(operation):
            raise _refused(
                where, f"calls {operation!r:.80}, which is not among TensorFlow's operations that only compute"
            )
    elif _has_text_constant(entry.get("inbound_nodes")):
        raise _refused(where, "is called with a text in the place of a tensor")


def _check_function(name, module, registered, where):
    is_known = _is_function(name) and (registered in (None, "function") or _is_function(registered))
    of_known_module = _is_registered(name) or (module or "").split(".")[0] in ("builtins", "keras", "tf_keras", "larq")
    if not is_known or not of_known_module:
        raise _unknown(where, f"function {name!r:.80} of module {module!r:.80}")


def _name(entry):
    config, name = entry.get("config"), entry.get("name")
    inner = config.get("name") if isinstance(config, dict) else None
    chosen = next((text for text in (inner, name, entry["class_name"]) if isinstance(text, str)), "?")
    return chosen[:80] if chosen.isprintable() else repr(chosen[:80])


def _is_registered(name):
    return isinstance(name, str) and tf.keras.utils.get_registered_object(name) is not None


def _is_function(name):
    return isinstance(name, str) and (name in known.functions() or name in known.classes() or _is_registered(name))


def _has_text_constant(nodes):
    if isinstance(nodes, dict):
        return any(map(_has_text_constant, nodes.values()))
    if not isinstance(nodes, list):
        return False
    if nodes[:1] == [_CONSTANT] and len(nodes) > 2:
        return _has_text(nodes[2]) or any(map(_has_text_constant, nodes[3:]))
    return any(map(_has_text_constant, nodes))


def _has_text(value):
    if isinstance(value, dict):
        return any(map(_has_text, value.values()))
    return any(map(_has_text, value)) if isinstance(value, list) else isinstance(value, str)


def _unknown(where, what):
    place = f" (in '{where}')" if where else ""
    return UntrustedFileError(
        f"{what} is unknown to Keras, Larq and this package{place}",
        remedy="the file may use a layer of your own: register it with tf.keras.utils.register_keras_serializable, "
        f"import its module, and load the file from Python; or {_TRUST}",
    )


def _refused(where, what):
    return UntrustedFileError(f"'{where}' {what}", remedy=_TRUST)


_TRUST = "use --trust (trusted=True), but only for a file that you made yourself: it may run any code"
