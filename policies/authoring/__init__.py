"""Tools for a policy's authors: cases, edges, lint, and the text that is signed."""
