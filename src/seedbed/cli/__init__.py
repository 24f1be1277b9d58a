"""The command line: thin, over api."""
