"""Commands that need no adapter, and how others end. Nothing but `cli.py` imports them."""
