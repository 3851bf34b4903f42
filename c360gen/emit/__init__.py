"""From operations to text: printing, files, the manifest, writing."""
