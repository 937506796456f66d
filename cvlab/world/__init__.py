"""The pictures of the course: photos, stickers, and the scenes and data sets painted from them."""
