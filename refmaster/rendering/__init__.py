"""From a plan and a source to the written master: decides nothing, every number comes from the plan."""
