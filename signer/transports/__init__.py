"""How messages pass the air gap: files, and QR codes as UR (BC-UR2) or BBQr.

Transports carry and check form, nothing more: what a request means, and who asked, is for the
guards. The signer's own envelopes (`SR1`, `SA1`) travel as `ur:bytes` or as BBQr type `B`, because
they are signed byte strings that nobody between the two ends should want to read as CBOR.
"""
