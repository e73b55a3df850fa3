"""A trained network on whole recordings: predictions a window, alerts, and the alarm of drift."""
