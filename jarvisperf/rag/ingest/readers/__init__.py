"""One reader per file type: each turns a file into blocks. ``jarvisperf.rag.ingest.files`` lists them."""
