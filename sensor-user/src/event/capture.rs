//! Captures: recorded events, one JSON object a line.
