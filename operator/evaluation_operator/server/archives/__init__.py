"""What is inside archives: read as they stream by, in bounded memory, never unpacked to a disk."""
