"""How restorations of photographs are measured and shown."""
