"""What people read: safe in a terminal, safe in Markdown, and figures worded alike everywhere.

Names of files, classes and models are others' words: `terminal` and `markdown` show them as text
and let none of them do anything. `figures` has the one wording of sizes, shares, times and lists,
and `pages` fills in pages for a browser, which have one look.
"""
