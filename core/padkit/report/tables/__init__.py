"""Tables and their layouts: terminal, Markdown, LaTeX, HTML."""
