"""What stands before the camera: scenes, displays, prints."""
