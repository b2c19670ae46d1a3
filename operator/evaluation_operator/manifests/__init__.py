"""Pure builders: a resolved job and the operator's settings → the objects that run it. See `build.build`."""
