"""The OpenAPI document: written down operation by operation, apart from the code that answers."""
