"""The page that shows one run."""
