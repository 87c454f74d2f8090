"""What scores were made with: enough to make them again.

What lives here: that record, as environment.json and the metadata of Parquet files hold it. What must not: finding it
out.
"""

from __future__ import annotations

import msgspec

METADATA_KEY = "provenance"


class Provenance(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """The same model, weights, plan, batch size, packages and config give the same bytes on the same processor.

    `weights` identifies the model's content ("sha256:..." where it has any), `plan` is how its network was run,
    `fingerprint` that of the config's scoring part (survey.config.fingerprint).
    """

    model: str
    weights: str
    fingerprint: str
    device: str
    plan: str
    batch_size: int
    python: str
    platform: str
    packages: dict[str, str]
