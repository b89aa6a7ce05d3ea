"""One file a change of the ledger's tables; one that was released is never changed."""
