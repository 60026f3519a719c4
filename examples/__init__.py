"""Worked examples: each is a command that trains, prints numbers and draws a picture."""
