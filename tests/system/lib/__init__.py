# SPDX-License-Identifier: ISC
"""What the system tests and the demo share: a host under test, and how to talk to it."""
