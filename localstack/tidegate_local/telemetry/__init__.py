"""What a cloud that is up says of itself: its functions' lines, its stores, its queue; read, and summed up."""
