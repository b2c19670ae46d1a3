"""Models of the three kinds, of what a pod reports and of results. The only source of ``crds/*.yaml``.

Imports pydantic and nothing else of the project or of third parties, so every process can share it.
"""
