"""Parts that every command shares: the tree, rendering, words, look-ups."""
