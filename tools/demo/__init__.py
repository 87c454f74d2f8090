"""The demo: a client that takes recordings to ranked detections through the sidecar."""
