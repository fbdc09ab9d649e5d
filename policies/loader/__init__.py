"""Policy files to one `Policy`, with every problem at its place."""
