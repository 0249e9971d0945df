"""The things before the camera: scenes, displays, prints."""
