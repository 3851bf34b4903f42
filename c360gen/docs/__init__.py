"""The documentation of a project as a folder of plain HTML pages. Nothing is written here."""
