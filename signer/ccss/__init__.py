"""The CryptoCurrency Security Standard's controls, what meets each, and what proves it."""
