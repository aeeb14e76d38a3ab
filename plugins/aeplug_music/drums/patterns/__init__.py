"""Drum patterns written as text: their header, their bars, when each hit is played."""
