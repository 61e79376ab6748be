"""Trained networks for other programs: ONNX, and folders as model hubs have them."""
