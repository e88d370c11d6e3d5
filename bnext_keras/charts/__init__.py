"""What every drawing and page needs: axes with round numbers, places for labels, what nothing beats, and templates."""
