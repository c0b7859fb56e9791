"""The web page and the HTTP interface behind it: images in, suggestions out, reviews kept."""
