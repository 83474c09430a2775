"""The formats of files: safetensors, and those of PyTorch."""
