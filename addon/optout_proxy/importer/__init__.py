"""From a published policy to a policy file: bytes → blocks → entries → policy.

Pure: no network, no model, nothing invented. Every value stands in the document, on the lines it
is given with.
"""

from optout_proxy.importer.document import MOST_BYTES, Document, parse_document
from optout_proxy.importer.imported import Entry, Imported, as_json
from optout_proxy.importer.policy import import_document, import_policy

__all__ = [
    "MOST_BYTES",
    "Document",
    "Entry",
    "Imported",
    "as_json",
    "import_document",
    "import_policy",
    "parse_document",
]
