"""rpc.discover: the whole contract as one document."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
"""An OpenRPC 1.3 document: every method with the JSON Schemas of its params and result, its errors, an example."""
