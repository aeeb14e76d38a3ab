"""The machine: console, devices and processes, signals, files; no knowledge of models."""
