"""Search: the story of one unit, or a list of several."""

from typing import Any

from migrator.core.cutover.silence import MEANING, Silence
from migrator.errors import InputError
from migrator.inputs.settings.settings import Settings
from migrator.reports.words import step_word
from migrator.store import Store
from migrator.workflows.site import Site
from migrator.workflows.story.life import clock_words
from migrator.workflows.story.sides import both_sides
from migrator.workflows.story.story import show
from migrator.workflows.story.subject import SeveralSims

__all__ = ["LONGEST_TEXT", "found"]

LONGEST_TEXT = 200


def found(store: Store, settings: Settings, text: str) -> dict[str, Any]:
    """Return what the page of a search shows.

    That is one unit's `story`, or several `hits`, or neither with `words`. No carrier is asked.

    Raises: StoreError, where the store cannot be read.
    """
    text = " ".join(text.split())
    nothing: dict[str, Any] = {"text": text, "story": None, "hits": (), "words": "", "hint": ""}
    if not text:
        return nothing
    if len(text) > LONGEST_TEXT:
        return nothing | {"words": f"No name has more than {LONGEST_TEXT} characters."}
    try:
        story = show(Site(store, settings), text).document
    except SeveralSims as error:
        return nothing | {"hits": error.hits, "words": error.message, "hint": error.hint}
    except InputError as error:
        return nothing | {"words": error.message, "hint": error.hint}
    silence, unit = story["silence"], story["unit"] or {}
    return nothing | {
        "story": story,
        "sides": list(both_sides(story)),
        "names": [(name, unit[name]) for name in ("unit", "site", "ticket") if unit.get(name)],
        "clock_words": clock_words,
        "step_word": step_word,
        "silence": None if silence is None else MEANING[Silence(silence["silence"])],
    }
