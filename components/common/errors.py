"""Errors whose text is meant for the person who runs litesmith."""


class UserError(Exception):
    """A mistake that the user can mend: bad input, a refused value, a missing file.

    The message names the file, key or value, what was expected, and what to do. Entry
    points print it without a traceback and exit with `BAD_INPUT`.
    """


BAD_INPUT = 2  # The exit status of a process that ended with a UserError.
