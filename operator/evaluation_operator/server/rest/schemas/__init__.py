"""What the REST API answers, as documented models. They describe answers; nothing is parsed or checked with them."""
