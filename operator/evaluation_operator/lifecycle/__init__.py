"""Pure decisions: what was observed of a job → what its status says and what to do next. See `rules.decide`."""
