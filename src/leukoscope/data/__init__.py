"""What an image and its row are."""
