"""JSON-RPC 2.0 over a pair of pipes. Knows no method of ours; imports nothing of ours."""
