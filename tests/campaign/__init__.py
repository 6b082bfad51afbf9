"""Hostile inputs by the thousand, through the library in a process that may die."""
