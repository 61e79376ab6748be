"""Trained networks for other programs: ONNX, and folders for model hubs."""
