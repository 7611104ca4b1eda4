"""Stories and a recorded accident through real servers, real links and a real core."""
