"""Write jobs.schema.json from the models: ``python configs/make_schema.py``. A test tells when it is due."""

from __future__ import annotations

import json
from pathlib import Path

from refmaster.batch.jobs_file import jobs_schema


def schema_text() -> str:
    """Return the published file's text."""
    return json.dumps(jobs_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("jobs.schema.json").write_text(schema_text(), encoding="utf-8")
