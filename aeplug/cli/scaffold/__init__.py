"""``aeplug plugins new``: a small plug-in that works, from the templates beside this module."""
