"""The HTTP API: routes, who may use them, and the shapes that they speak (OpenAPI at /api)."""
