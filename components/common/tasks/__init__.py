"""What is known of the kind of data that a model takes, a package for each.

`image` is the one there is. What decodes, prepares, augments, exports, measures and describes
pictures lies there, and rooms beneath it know none of it.
"""
