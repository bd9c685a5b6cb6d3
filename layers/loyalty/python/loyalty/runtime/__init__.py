"""Lambda glue: settings, composition root, logs and metrics, HTTP and batch conventions."""
