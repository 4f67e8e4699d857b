"""The command line: one module for each group of commands.

`console_script` is the way in, whatever else is called pipeline or components; `main` makes the
groups one command and turns errors into exit statuses; `options` has what commands have in
common, `connections` how they reach a cluster. A command reads its arguments, calls another room
and prints. It imports what it needs when it is called: help and completion answer at once, and
kfp alone takes a second and a half.
"""
