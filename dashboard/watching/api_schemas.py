"""OpenAPI schemas, derived from the types of the snapshot, so that both always agree."""

import functools
import types
import typing
from typing import Any

from marshmallow import Schema, fields, validate

_PLAIN: dict[Any, type[fields.Field[Any]]] = {
    int: fields.Integer,
    float: fields.Float,
    str: fields.String,
    bool: fields.Boolean,
}


@functools.cache
def schema_of(kind: type) -> type[Schema]:
    """Make the schema of a TypedDict; all its fields are required.

    >>> class Point(typing.TypedDict):
    ...     round: int
    ...     loss: float | None
    >>> sorted(schema_of(Point)().fields)
    ['loss', 'round']
    """
    hints = typing.get_type_hints(kind)
    made = {name: _field(hint, required=True) for name, hint in hints.items()}
    return Schema.from_dict(made, name=kind.__name__)


def _field(hint: Any, **options: Any) -> fields.Field[Any]:  # noqa: PLR0911 (one per kind of hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [one for one in inner if one is not type(None)]
        if all(typing.get_origin(one) is typing.Literal for one in choices) and len(choices) > 1:
            names = [name for one in choices for name in typing.get_args(one)]
            return fields.String(validate=validate.OneOf(names), **options)
        nullable = len(choices) < len(inner)
        if len(choices) > 1:
            return fields.Raw(allow_none=nullable, **options)
        return _field(choices[0], allow_none=nullable, **options)
    if origin is typing.Literal:
        return fields.String(validate=validate.OneOf(inner), **options)
    if origin is list:
        return fields.List(_field(inner[0]), **options)
    if origin is dict:
        return fields.Dict(keys=_field(inner[0]), values=_field(inner[1]), **options)
    if typing.is_typeddict(hint):
        return fields.Nested(schema_of(hint), **options)
    return _PLAIN[hint](**options)
