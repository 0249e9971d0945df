"""The built-in subcommands of `padkit`, one per module; each has `main(arguments) -> int` and imports lazily."""
