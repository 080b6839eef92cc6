"""Define what all sections of the settings share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A part of the settings: frozen, no unknown keys, no silent conversion, no infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def conflict(keys: list[str], rule: str) -> PydanticCustomError:
    """An error about several keys of one section, so that the message can name each with its source."""
    return PydanticCustomError("conflict", "{rule}", {"keys": keys, "rule": rule})
