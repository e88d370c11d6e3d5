"""Where things stand in the drawings; ``templates/charts.html`` draws them."""
