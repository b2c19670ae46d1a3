"""The arithmetic of metrics, for every engine: pure functions of texts and values, with the field's libraries below."""
