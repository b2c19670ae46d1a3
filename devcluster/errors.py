"""What goes wrong in a way the user can do something about."""

from __future__ import annotations


class ClusterError(Exception):
    """Printed without a traceback: the message says what is wrong, where, and what to do."""
