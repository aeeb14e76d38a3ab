"""The task ``audio-vae``: short sounds as windows of log-mel frames."""
