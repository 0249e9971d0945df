"""World 4: cameras, prints and screens that are drawn from ranges anew for each presentation."""
