"""Evaluations of a team's own: its rows, its templates, its metrics, and models as judges."""
