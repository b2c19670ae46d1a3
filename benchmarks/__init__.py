"""Measurements with a control in the same run. `python -m benchmarks.<name>` runs one; see docs/performance.md."""
