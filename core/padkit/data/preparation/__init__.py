"""From media to face crops in a table: which frames, which face, how it is cut."""
