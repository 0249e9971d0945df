"""Which frames train, choose and test: names of protocols, conventions, held-out parts."""
