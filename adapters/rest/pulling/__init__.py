"""Walking lists: pages, changes, deletions, sweeps."""
