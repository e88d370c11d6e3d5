"""8-bit weights for layers that are not binary."""
