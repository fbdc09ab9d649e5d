"""What a description may say."""
