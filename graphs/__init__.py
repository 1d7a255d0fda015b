"""The state machine of a council: nodes, the pure functions of the vote, the two protocols it needs."""
