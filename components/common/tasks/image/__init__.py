"""Pictures: what decodes, prepares and describes them."""
