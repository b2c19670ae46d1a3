"""The base of every model, and the field types that a Kubernetes schema needs."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema

#: A JSON object whose keys the API leaves open. The CRD keeps its unknown fields.
FreeForm = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]

#: A string or a JSON object, as the API has it in places; a structural schema can only leave such a value open.
TextOrObject = Annotated[
    str | dict[str, Any],
    WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True}),
]


class Model(BaseModel):
    """An immutable value read from or written to JSON.

    Unknown keys are ignored when reading: the API server has already pruned or refused what the schema does
    not know, and an older process must be able to read an object that a newer one wrote.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, use_attribute_docstrings=True)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: aliases as keys, absent (``None``) values left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StrictModel(Model):
    """A model for hostile input: an unknown key is an error, not noise."""

    model_config = ConfigDict(extra="forbid", strict=False, allow_inf_nan=False)
