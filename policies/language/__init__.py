"""The words and conditions of a policy: text to typed tree."""
