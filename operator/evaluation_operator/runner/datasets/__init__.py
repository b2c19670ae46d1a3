"""Rows of a job: given inline, or in files on a mounted volume, in a bucket or on a hub."""
