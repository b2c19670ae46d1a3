"""Jinja templates of jobs: in a sandbox, with bounds on time, output and memory, and with errors that name the row."""
