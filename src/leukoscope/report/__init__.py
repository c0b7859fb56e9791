"""Numbers to something a person looks at: figures, one HTML file, a model card."""
