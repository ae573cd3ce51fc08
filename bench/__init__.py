"""`make bench`: what the tool reaches, held against the least that is possible. Prints one table; asserts no time."""
