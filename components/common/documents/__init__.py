"""The JSON documents that flow between stages, each with the stage that writes it."""
