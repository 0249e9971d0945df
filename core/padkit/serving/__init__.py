"""`padkit serve`: a model behind HTTP, with a page to try it on; nothing that is sent is kept."""
