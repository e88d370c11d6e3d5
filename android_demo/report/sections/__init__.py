"""The figures of a page about one file of results, one module for one or two sections; ``templates`` draws them."""
