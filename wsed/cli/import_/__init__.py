"""`wsed import KIND`, one module per kind of model; the folder is `import_`, since Python reserves `import`."""
