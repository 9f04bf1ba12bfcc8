"""The schema's history, forward only. Each file stands alone and is never edited after release."""
