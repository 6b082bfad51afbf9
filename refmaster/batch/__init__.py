"""Many jobs from one YAML file: planned before any work, isolated from each other, resumed where they ended.

`jobs_file` reads the files strictly (`schema` and `kinds` have their keys). The kinds turn jobs into tasks of
one output each, with the `planner`. `runner` finds in the `journal` which are still to do (`decide`) and
hands them to an executor: `pool` (processes of this machine) or `cluster` (Dask). `execute` does one task,
whatever its kind; `results` writes the tables. `session` is the door to all of it. Nothing here knows signal
processing.
"""
