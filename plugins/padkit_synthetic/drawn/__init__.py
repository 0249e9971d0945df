"""What is drawn from ranges anew for every capture session, in place of a fixed list: version 4 of the world."""
