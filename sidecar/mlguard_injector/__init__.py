"""The admission webhook that puts the sidecar into pods. It has no code yet."""
