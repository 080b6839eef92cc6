"""Look up what the settings say about each dotted key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel

from pi_mask.settings_model import Settings, Zone

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

NONE: Final = "none"
"""How TOML and the environment, which have no null, write "without"."""

_BOOLEANS: Final = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        if _is_section(annotation):
            yield from _walk(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


FIELDS: Final[dict[str, FieldInfo]] = dict(_walk(Settings, ""))
"""Every setting under its dotted key, in the order in which people read them."""

SECTIONS: Final = tuple(dict.fromkeys(key.rpartition(".")[0] for key in FIELDS))
"""Every section under its dotted name, in the same order."""


def _kinds(key: str) -> set[object]:
    """The types that a setting may have; a Literal counts as one type."""
    annotation = FIELDS[key].annotation
    if get_origin(annotation) is Literal or not get_args(annotation):
        return {annotation}
    return set(get_args(annotation))


def _bounds(field: FieldInfo) -> str:
    """The range of a number in words, such as "from 1 to 120" or "above 0 and below 1"."""
    low, high = "", ""
    joint = "and"
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(ge=value):
                low, joint = f"from {value}", "to"
            case annotated_types.Gt(gt=value):
                low = f"above {value}"
            case annotated_types.Le(le=value):
                high = f"{value}"
            case annotated_types.Lt(lt=value):
                high = f"below {value}"
    if joint == "and" and not high.startswith("below"):
        high = f"up to {high}"
    return f"{low} {joint} {high}"


def allowed(key: str) -> str:
    """Say in words what the setting ``key`` may be, such as ``a whole number from 0 to 27 or "none"``."""
    field, kinds = FIELDS[key], _kinds(key)
    annotation = field.annotation
    if isinstance(field.json_schema_extra, dict):
        text = str(field.json_schema_extra["allowed"])
    elif get_origin(annotation) is Literal:
        text = "one of " + ", ".join(f'"{choice}"' for choice in get_args(annotation))
    elif bool in kinds:
        text = "true or false"
    elif str in kinds:
        longest = next(
            bound.max_length for bound in field.metadata if isinstance(bound, annotated_types.MaxLen)
        )
        text = f"UTF-8 text of up to {longest} characters, in quotes"
    else:
        text = f"a {'whole ' if int in kinds else ''}number {_bounds(field)}"
    return f'{text} or "{NONE}"' if NoneType in kinds else text


def parse(key: str, text: str) -> object:
    """Turn the text of a variable or flag into the type of the setting ``key``.

    Text that cannot be turned comes back as it is, for the validation to refuse together with its source.
    """
    kinds = _kinds(key)
    with suppress(ValueError):
        if NoneType in kinds and text.strip().lower() == NONE:
            return None
        if bool in kinds:
            return _BOOLEANS.get(text.strip().lower(), text)
        if int in kinds:
            return int(text)
        if float in kinds:
            return float(text)
        if Zone in kinds:
            return [float(part) for part in text.split(",")]
    return text
