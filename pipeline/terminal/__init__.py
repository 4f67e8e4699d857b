"""What the person at the terminal sees: tables, live rows, plain lines, exit statuses."""
