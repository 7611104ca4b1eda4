"""The screens as a person meets them: real server, real Chromium."""
