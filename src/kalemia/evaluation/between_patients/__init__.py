"""The generic network on people it never saw, beside simpler scores that learned from the same people."""
