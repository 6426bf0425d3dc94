"""The pure ring: frames in, frames out. Modules read in the order in which a conversation walks through them."""
