"""The web process as screens meet it: real register, scripted core."""
