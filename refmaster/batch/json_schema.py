"""The JSON Schema of jobs files, made from the models, for completion and checks in editors."""

from __future__ import annotations

from typing import Any, Union

from pydantic import Field, create_model

from refmaster.batch.kinds import KINDS
from refmaster.batch.schema import JobsFile


def jobs_schema() -> dict[str, Any]:
    """Return the schema; every kind of job has its own branch."""
    models = tuple(kind.model for kind in KINDS.values())
    jobs: Any = tuple.__class_getitem__((Union.__getitem__(models), ...))
    whole = create_model(
        "Jobs", __base__=JobsFile, jobs=(jobs, Field(default=(), description="what to do, in order"))
    )
    schema = whole.model_json_schema()
    for kind in KINDS.values():
        model = schema["$defs"][kind.model.__name__]
        if kind.name != "master":  # the kind that is meant where none is named
            model["required"] = ["kind", *model.get("required", [])]
    schema["title"] = "refmaster jobs file"
    schema["description"] = "What refmaster batch does; see refmaster batch --init for a commented start."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
