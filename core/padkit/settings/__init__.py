"""Typed settings from YAML and the command line, and what a constructor's signature says of them."""
