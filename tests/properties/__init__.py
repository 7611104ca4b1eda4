"""Properties of the alarm semantics: whatever the plant and the samples, one meaning."""
