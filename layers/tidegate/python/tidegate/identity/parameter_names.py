"""The names under which FastAPI's parameters are read from a request: a parameter's own, or those of a model's fields.

Source: FastAPI's documentation, "Header Parameter Models"; Pydantic's, "Fields", on aliases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel


def names_of(parameters: Iterable[Any], place: str) -> Iterator[str]:
    """Yield the names that these parameters read in one place, `header`, `query` or `cookie`; those of fields in lower
    case.
    """
    for parameter in parameters:
        info = parameter.field_info
        converts = bool(place == "header" and getattr(info, "convert_underscores", True))
        model = _model_of(info.annotation)
        if model is None:
            found = _aliases(str(parameter.alias), info)
        else:
            found = (
                name for field, each in model.model_fields.items() for name in _of_field(model, field, each, converts)
            )
        yield from (name.lower() if place == "header" else name for name in found)


def _of_field(model: type[BaseModel], field: str, info: Any, converts: bool) -> Iterator[str]:  # noqa: FBT001  private
    own = field.replace("_", "-") if getattr(info, "convert_underscores", converts) and converts else field
    yield from _aliases(own if info.alias is None else str(info.alias), info)
    if model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
        yield own


def _aliases(alias: str, info: Any) -> Iterator[str]:
    told = getattr(info, "validation_alias", None)
    if isinstance(told, str):
        yield told
    elif isinstance(told, AliasChoices):
        yield from (choice for choice in told.choices if isinstance(choice, str))
    else:
        yield alias


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for each in (annotation, *get_args(annotation)):  # it may be optional
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
