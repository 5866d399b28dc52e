"""A GPT in a package."""
