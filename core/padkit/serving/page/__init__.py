"""The page of `padkit serve`: three files without anything from elsewhere."""
