"""Evidence in one file: captures, ledger, configuration and policies, with a manifest of hashes.

`pack` makes it, `check` verifies it offline, `redact` takes out what identifies people, `signing`
signs the manifest.
"""
