"""What the exchange's own engines ask: a module for each noun, with what it takes and gives."""
