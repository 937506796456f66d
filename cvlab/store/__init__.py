"""Files: fetched and checked, unpacked, weights read and written."""
