"""A Kubernetes cluster for development, tests and the demo, on any machine.

It takes the cluster that the user names, else makes one with kind where a Docker engine answers, else builds
and starts a real one-node Kubernetes. Only the standard library is used: this package runs before anything is
installed.
"""
