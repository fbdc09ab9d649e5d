"""Reading live records and writing them, once."""
