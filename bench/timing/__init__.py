"""Clocks, when to stop, and times in other words."""
