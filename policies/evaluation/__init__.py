"""The typed tree to SQL and to Python: two readings that must agree."""
