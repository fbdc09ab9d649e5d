"""Descriptions that come with highseas."""
