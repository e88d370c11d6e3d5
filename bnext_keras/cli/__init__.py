"""The commands that train and describe networks, and what all commands have in common (`_tool`)."""
