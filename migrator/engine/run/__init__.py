"""Parts that every run shares: context, sending, parallel work, reads."""
