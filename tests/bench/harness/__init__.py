# SPDX-License-Identifier: ISC
"""What `make bench` is made of: servers side by side, samples, and their report."""
