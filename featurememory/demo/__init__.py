"""A small orchestrator that does real work on real files, so that there is something real to see."""
