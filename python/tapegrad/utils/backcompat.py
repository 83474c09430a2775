"""Switches for warnings about changes of long ago; there is nothing left that would warn."""

__all__ = ["Warning", "broadcast_warning", "keepdim_warning"]


class Warning:
    """A switch, without effect."""

    enabled = False


broadcast_warning = Warning()
keepdim_warning = Warning()
