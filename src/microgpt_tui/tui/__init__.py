"""The screen: Textual widgets over (trace, event). Nothing below this package imports Textual or Rich."""
