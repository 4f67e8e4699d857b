"""What the person at the terminal sees: tables, live rows, plain lines, exit statuses.

Commands decide what to show; how it looks is decided here, once, and all of it goes through the
one console of `console`. `progress` is how far a run is, and `view` shows it: live rows where
there is a terminal, a line for each change where there is none. `tables` and `model_views` show
what is over.
"""
