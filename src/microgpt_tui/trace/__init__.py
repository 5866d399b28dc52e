"""The recording: columns of what happened, and every question about them. Standard library only."""
