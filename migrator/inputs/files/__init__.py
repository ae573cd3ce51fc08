"""Files as people save them: text, CSV, TOML, lists of ICCIDs."""
