# SPDX-License-Identifier: ISC
"""The parts of the test internet; tests/net/README.md says what each is for."""
