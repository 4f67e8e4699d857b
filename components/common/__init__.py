"""What several stages share: documents, the store, storage, records, the stage shell."""
