"""One file a protocol: an object `wire` that reads what its clients send (see `tieback.collect.requests.Wire`)."""
