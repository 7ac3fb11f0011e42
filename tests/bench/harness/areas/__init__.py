# SPDX-License-Identifier: ISC
"""One module an area; run(settings.Run) gives its Figures."""
