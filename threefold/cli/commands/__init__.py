"""One command a file; its first line is its line on the help page."""
