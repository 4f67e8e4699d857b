"""What people read: safe in a terminal, safe in Markdown, and figures worded alike everywhere."""
