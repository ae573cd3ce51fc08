"""One run of `apply`: claim, secure, name and verify, wave by wave."""
