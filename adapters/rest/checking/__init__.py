"""Trying every part of a description that reads."""
