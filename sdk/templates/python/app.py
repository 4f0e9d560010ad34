"""What componentize-py builds from: it looks for a class with the name of the exported interface."""

from plugin import plugin


class Actions:
    """Each call goes to the plugin."""

    def __getattr__(self, name):
        return getattr(plugin, name)
