"""Processes of their own for what strangers wrote: code, templates and whatever else may not end or may grow."""
