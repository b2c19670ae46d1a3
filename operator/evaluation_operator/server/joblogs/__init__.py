"""The logs of jobs: read while the pods run, kept when they have ended, told in pages."""
