"""What a converted network consists of: its layers, its operators, and their time on this machine."""
