"""Heads: each turns a stream of features into a stream of logits, with its memory in the open.

All have one face, `forward(features, state, lengths) -> (logits, state)`. A causal head's logits at
a frame depend on the frames up to it, so a stream may come in pieces, state in and state out; and
what pads a batch on the right cannot reach them. Only a head that looks ahead reads `lengths`.
"""
