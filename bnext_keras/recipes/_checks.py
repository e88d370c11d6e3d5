"""What sections of a recipe check of their settings."""

from bnext_keras.errors import RecipeError


def check(section, name, condition, what, shown=None):
    """Raises RecipeError, with the value of a setting and what is wrong with it, unless a condition holds."""
    if not condition:
        raise RecipeError(f"{shown or name}={getattr(section, name)}: {what}")


def check_at_least(section, least, *names):
    """Raises RecipeError if one of these settings is below the least value."""
    for name in names:
        what = f"must be at least {least}" if least else "must not be negative"
        check(section, name, getattr(section, name) >= least, what)


def check_one_of(section, name, choices):
    """Raises RecipeError if a setting is none of the choices."""
    check(section, name, getattr(section, name) in choices, f"must be one of {', '.join(choices)}")
