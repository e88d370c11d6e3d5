"""What every drawing of figures needs: axes with round numbers, places for labels, and which points nothing beats."""
