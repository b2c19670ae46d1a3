"""Language-model evaluations as Kubernetes objects."""

__version__ = "0.1.0"
"""Of the code, the images and the chart. Here, because an image holds the code and not the package's metadata."""
