"""`.tflite` files: what they say of themselves, and what LiteRT answers."""
