"""The subcommands of `padkit` that are its own, one a module; each has `main(arguments) -> int` and imports lazily."""
