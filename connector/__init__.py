"""The run: pull, warehouse, plan, review, apply, journal, undo. Knows no vendor and no HTTP."""
