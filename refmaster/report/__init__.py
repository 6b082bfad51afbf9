"""Draws results for people and programs; measures nothing."""
