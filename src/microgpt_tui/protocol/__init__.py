"""What both processes share, data only: codes, frames, conditions. Standard library only."""
