"""Documents that a schema refers to: given by the caller, never fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from referencing import Registry
from referencing.exceptions import NoSuchResource

SchemaRegistry = Mapping[str, Any] | Registry[Any]
"""Schemas by URI."""


def remote_schema(uri: str, registry: SchemaRegistry | None) -> Any:
    """The schema that ``registry`` has under a URI, or the meta-schema of that name; None: neither."""
    from jsonschema_specifications import REGISTRY

    for name in (uri, uri.rstrip("#"), f"{uri}#"):
        for known in (registry, REGISTRY):
            if known is None:
                continue
            if isinstance(known, Registry):
                try:
                    return known[name].contents
                except NoSuchResource:
                    continue
            if name in known:
                return known[name]
    return None


def all_schemas(registry: SchemaRegistry) -> dict[str, Any]:
    """The schemas of a registry, for a file."""
    if isinstance(registry, Registry):
        return {uri: registry[uri].contents for uri in registry}
    return dict(registry)
