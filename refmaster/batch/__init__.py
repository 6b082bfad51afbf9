"""Many jobs from one YAML file: planned before any work, isolated from each other, resumed where they ended.

How it flows: `loading` reads the files strictly, `expand` turns jobs into tasks (one output each), `runner`
decides which are still to do by the `journal` and hands them to an executor: `pool` (processes of this
machine) or `cluster` (Dask). A worker runs one task by `work`, whatever its kind; `kinds` is the list of
verbs. `results` writes what came of it. Nothing here knows signal processing.
"""
