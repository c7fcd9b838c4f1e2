"""The subcommands of `dragoman`, one file each. Imports that take time stand inside functions: --help must be quick."""
