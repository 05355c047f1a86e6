"""Recorded results trained again: do they still come out, to the last bit?"""
