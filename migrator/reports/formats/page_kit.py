"""Kit of all our HTML pages: escaping templates, one style."""

from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from migrator.core.fleet.units import grouped

__all__ = ["TEMPLATES", "page_environment"]

TEMPLATES = Path(__file__).with_name("templates")
"""Folder of the report's templates and style."""


def page_environment(*folders: Path) -> jinja2.Environment:
    """Return an environment for the templates of some folders.

    A name that a template does not know is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code_words": _code_words, "count": lambda number: f"{number:,}", "known": _known}
    return environment


def _code_words(text: str) -> Markup:
    """Escape a text whose code words stand in backticks."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def _known(value: object) -> str:
    """Write a value, or the word for no value."""
    return "unknown" if value is None else grouped(value)
