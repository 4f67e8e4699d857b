"""Files that users write: YAML read strictly, and refused in words that say what to do."""
