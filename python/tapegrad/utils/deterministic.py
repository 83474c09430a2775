"""What PyTorch sets up for results that can be repeated; here they always can.

``fill_uninitialized_memory`` may be set, and has no effect.
"""

fill_uninitialized_memory = True
