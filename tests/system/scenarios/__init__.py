# SPDX-License-Identifier: ISC
"""One file a subject; one class a host set-up; one test a behaviour."""
