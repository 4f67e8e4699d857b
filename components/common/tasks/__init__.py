"""What is known of each kind of data that a model takes, in one package for each.

`image` is the only one. What decodes, prepares, augments, exports, measures and describes pictures
lies there, and rooms beneath it know none of it.
"""
