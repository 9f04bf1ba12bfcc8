"""What was scanned: ranges that cover every height, gaps, stops, proof and pace."""
