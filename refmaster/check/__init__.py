"""Judging profiles: what a mix or a reference brings along, and whether a master kept its promises."""
