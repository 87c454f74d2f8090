"""What is generated from the structs: JSON Schemas, an OpenRPC document, TypeScript, the protocol page."""
