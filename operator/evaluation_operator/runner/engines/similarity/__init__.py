"""Answers compared with reference answers: config type ``similarity_metrics``."""
