"""Media files as frames: pictures, folders of stills, videos."""
